/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracking.h: the tracking of a guest's writes that is kept between saves
 */

#pragma once

#include "driver/hold.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

/* TRUE where QEMU has the blocks that it had when the status, which says that they are tracked, was
 * written, and those in @map are.  @ram_blocks: (element-type StasisRamBlock): QEMU's of now. */
gboolean stasis_tracking_check (const StasisStatus *status, const GPtrArray *ram_blocks,
                                const StasisImageRamMap *map, GError **error);

/* End it, and say why in the status, which is written: for whoever does what it does not survive.
 * Nothing to do is success. */
gboolean stasis_tracking_end (const StasisHold *hold, StasisTrackState why, GError **error);

G_END_DECLS
