/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-snapshot.h: the disks of a guest that goes on beside its image, as they are in its moment
 *
 *   new:     before anything is touched
 *   prepare: while the guest runs
 *   take:    while it stands still
 *
 * From prepare on snapshot-undo.h is the way back.
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/hold.h"

G_BEGIN_DECLS

typedef struct _StasisDiskSnapshot StasisDiskSnapshot;

/* Of the disks that the guest of @def (borrowed) may write to.  Refused by name where nothing can
 * be laid over one of them. */
StasisDiskSnapshot *stasis_disk_snapshot_new (const StasisDomainDef *def,
                                              const StasisStatus *status, StasisMonitor *monitor,
                                              GCancellable *cancellable, GError **error);
void stasis_disk_snapshot_free (StasisDiskSnapshot *self);

/* FALSE where there is no such disk. */
gboolean stasis_disk_snapshot_is_needed (const StasisDiskSnapshot *self);

/* Make the overlays, have QEMU open them, and let the definitions name them. */
gboolean stasis_disk_snapshot_prepare (const StasisDiskSnapshot *self, StasisDriver *driver,
                                       StasisHold *hold, StasisMonitor *monitor,
                                       GCancellable *cancellable, GError **error);

/* Have what is written already on the disks, lest the guest has to wait for it. */
void stasis_disk_snapshot_flush (const StasisDiskSnapshot *self);

/* What the guest writes from now on goes to the overlays; all at once. */
gboolean stasis_disk_snapshot_take (const StasisDiskSnapshot *self, const StasisHold *hold,
                                    StasisMonitor *monitor, GError **error);

/* Mark those in @disks (of StasisImageDisk), as DISKS is to tell of them. */
void stasis_disk_snapshot_mark (const StasisDiskSnapshot *self, const GPtrArray *disks);

/* (transfer full): "TARGET PATH" of each overlay, a line each. */
char *stasis_disk_snapshot_describe (const StasisDiskSnapshot *self, const StasisHold *hold);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDiskSnapshot, stasis_disk_snapshot_free)

G_END_DECLS
