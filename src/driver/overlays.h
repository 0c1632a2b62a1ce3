/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlays.h: what clones write instead of the disks of their image
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* One file for each disk that the guest may write to, and for the firmware's variables. */
typedef struct _StasisOverlays StasisOverlays;

/* What each clone of a guest starts with: an empty qcow2 file on top of each disk, a copy of the
 * variables.  Made once, whatever the number of clones.  Refused by name where a disk is nothing
 * that a file can lie on. */
StasisOverlays *stasis_overlays_new (const StasisDomainDef *def, GCancellable *cancellable,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_overlays_free (StasisOverlays *self);

/* FALSE where the guest writes to nothing of that kind. */
gboolean stasis_overlays_are_needed (const StasisOverlays *self);

/* Put them into @folder, which is made. */
gboolean stasis_overlays_make (const StasisOverlays *self, const char *folder, GError **error);

/* Let @def have those of @folder for its disks. */
void stasis_overlays_put (StasisDomainDef *def, const char *folder);

/* The folder of a clone that was saved, and is restored; NULL where it is none.  (transfer full) */
char *stasis_overlays_of (const StasisPaths *paths, const StasisDomainDef *def);

/* (transfer full) (element-type utf8): the folders that running domains have; NULL where one of
 * them cannot say. */
GHashTable *stasis_overlays_in_use (StasisDriver *driver);

/* Remove those whose clones have gone without anybody seeing it: with the host, that is. */
void stasis_overlays_sweep (StasisDriver *driver);

/* TRUE where the guest may write to the disk. */
gboolean stasis_overlays_wanted (const StasisDiskDef *disk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisOverlays, stasis_overlays_free)

G_END_DECLS
