/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture-track.h: the blocks of a capture's copy, tracked
 */

#pragma once

#include "driver/capture-copy.h"
#include "driver/dirty-track.h"

G_BEGIN_DECLS

/* What the guest writes to is tracked from now on. */
gboolean stasis_capture_track_begin (StasisDirtyTrack *track, const StasisCaptureCopy *copy,
                                     GError **error);

/* It has been since the moment of the base that the copy is to differ from. */
gboolean stasis_capture_track_adopt (StasisDirtyTrack *track, const StasisCaptureCopy *copy,
                                     GError **error);

/* What was written to, and, of memory that is QEMU's own, what has gone although it was copied. */
gboolean stasis_capture_track_take (StasisDirtyTrack *track, const StasisCaptureCopy *copy,
                                    GArray *ranges, guint64 *out_octets, GError **error);

/* TRUE where that can be kept for another save: all of the memory is QEMU's own.  Pages of memory
 * that is shared may leave its page tables, and with them what is known of them. */
gboolean stasis_capture_track_can_stay (const StasisProcess *qemu, const GPtrArray *ram_blocks);

G_END_DECLS
