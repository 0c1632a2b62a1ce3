/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dirty-track.h: which pages of a guest were written to, seen from outside QEMU
 *
 * One thread at a time; one tracker of a QEMU at a time, which its owner has the domain's lock for.
 */

#pragma once

#include "driver/guest-range.h"
#include "monitor/commands-query.h"
#include "util/process.h"

G_BEGIN_DECLS

typedef struct _StasisDirtyTrack StasisDirtyTrack;

/* Fetch the userfaultfd that was left in @qemu (src/preload).  STASIS_ERROR_UNSUPPORTED, in words,
 * where there is none, this kernel cannot do it (before 6.7) or we may not. */
StasisDirtyTrack *stasis_dirty_track_new (const StasisProcess *qemu, GError **error);

/* One more block, whose pages are tracked from now on.  Returns its number, -1 on failure. */
int stasis_dirty_track_add (StasisDirtyTrack *self, const StasisRamBlock *ram, GError **error);

/* The same for one that has been tracked since an earlier tracker was left: nothing is protected,
 * and what was written to since that one was last asked is what is told first.  Fails where not all
 * of it is tracked. */
int stasis_dirty_track_adopt (StasisDirtyTrack *self, const StasisRamBlock *ram, GError **error);

/* A block that is a private mapping of a file: what the guest has only read of it, and is the
 * file's still, does not count as written to. */
void stasis_dirty_track_set_private_file (StasisDirtyTrack *self, guint block);

/* Whether that will do: a page of each block (of StasisRamBlock) is tracked for a moment. */
gboolean stasis_dirty_track_probe (StasisDirtyTrack *self, const GPtrArray *ram_blocks,
                                   GError **error);

/* The pages whose bits are set in @pages, in octets from the first on, have been there: where they
 * are not there any more it is to be told. */
void stasis_dirty_track_expect (StasisDirtyTrack *self, guint block, const guint8 *pages,
                                gsize n_octets);

/* Append to @ranges (of StasisGuestRange) what was written to since it was last asked for, or since
 * the block was added; each write is seen once.  *@out_octets: their sum.  Pages that were thrown
 * away since (a balloon's) are among them: what they hold now is to be read. */
gboolean stasis_dirty_track_take (StasisDirtyTrack *self, GArray *ranges, guint64 *out_octets,
                                  GError **error);

/* The same, without an effect: the next one tells it again. */
gboolean stasis_dirty_track_look (StasisDirtyTrack *self, GArray *ranges, guint64 *out_octets,
                                  GError **error);

/* Free it, but what is tracked stays so, for another tracker to adopt.  NULL is fine. */
void stasis_dirty_track_leave (StasisDirtyTrack *self);

/* No more tracking: the guest's memory is as if there had been none.  NULL is fine. */
void stasis_dirty_track_free (StasisDirtyTrack *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisDirtyTrack, stasis_dirty_track_free)

G_END_DECLS
