/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-lay.h: new overlays beside the disks that they lie on
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/hold.h"

G_BEGIN_DECLS

/* Make an empty qcow2 file on top of each of @disks (of StasisDiskDef), DISK.overlay-N.qcow2 beside
 * it, with its owner and mode.  The journal notes them, in their order, and the status is written,
 * before they have names; after a failure whatever is noted is to be undone. */
gboolean stasis_overlay_lay (StasisHold *hold, const GPtrArray *disks, GCancellable *cancellable,
                             GError **error);

/* Let @disk be that file. */
void stasis_overlay_use (StasisDiskDef *disk, const char *path);

/* (transfer full): a name for an overlay of @disk that nobody has, nor one of @overlays (of
 * StasisJournalOverlay) will. */
char *stasis_overlay_name (const char *disk, const GPtrArray *overlays);

G_END_DECLS
