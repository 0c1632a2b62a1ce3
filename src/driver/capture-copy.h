/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture-copy.h: a guest's memory, read from outside, into a mapped body
 *
 *   copy = stasis_capture_copy_new (&source, &target, &head, map, &error);
 *   ... stasis_capture_copy_all (), and again what has changed since ...
 *   stasis_capture_copy_finish (copy, devices, stats, &notes, &error);
 */

#pragma once

#include "driver/guest-range.h"
#include "driver/job.h"
#include "image/chain.h"
#include "image/body-notes.h"
#include "image/qemu-head.h"
#include "monitor/commands-query.h"
#include "util/process.h"

G_BEGIN_DECLS

/* Whose memory; all borrowed, and outlives the copy. */
typedef struct
{
  const StasisProcess *qemu;
  const GPtrArray *ram_blocks; /* of StasisRamBlock */
  int image;                   /* that a part of it is mapped from, or -1 */
  /* (nullable): only what differs from this is written, each page with its bit.  is_mapped: it is
   * the image that the memory is mapped from, so that is what the guest has written to. */
  const StasisImageChain *base;
  gboolean is_mapped;
} StasisCaptureSource;

/* Where it is written. */
typedef struct
{
  int fd;             /* (borrowed) the file */
  guint64 offset;     /* of the body in it */
  gboolean direct_io; /* past the page cache, at the first time */
} StasisCaptureTarget;

typedef struct _StasisCaptureCopy StasisCaptureCopy;

/* @head, @map_take: how the body begins, and which blocks it has; their lengths become those of
 * now.  A body of what differs from a base is a PACKED_RAM one, any other a MAPPED_RAM one. */
StasisCaptureCopy *stasis_capture_copy_new (const StasisCaptureSource *source,
                                            const StasisCaptureTarget *target, StasisQemuHead *head,
                                            StasisImageRamMap *map_take, GError **error);

/* The block that has this number in ranges. */
const StasisRamBlock *stasis_capture_copy_block (const StasisCaptureCopy *self, guint number);
guint stasis_capture_copy_n_blocks (const StasisCaptureCopy *self);

/* Which of a block's pages were written, a bit for each; NULL where a page that QEMU does not have
 * is the image's, not zero. */
const guint8 *stasis_capture_copy_bitmap (const StasisCaptureCopy *self, guint number,
                                          gsize *out_octets);

/* Which of a block's pages the base has, or those that it stands on: (transfer full) (nullable),
 * NULL as above. */
guint8 *stasis_capture_copy_base_bitmap (const StasisCaptureCopy *self, guint number,
                                         gsize *out_octets);

/* Everything, as it is when its turn comes. */
gboolean stasis_capture_copy_all (StasisCaptureCopy *self, StasisJob *job, GError **error);

/* Again what is in @ranges (of StasisGuestRange), one behind the other in @octets.  Reading is done
 * at once, for the guest may be waiting; then it can be put in place of what was there. */
gboolean stasis_capture_copy_read (const StasisCaptureCopy *self, const GArray *ranges,
                                   guint8 *octets, GError **error);
gboolean stasis_capture_copy_put (StasisCaptureCopy *self, const GArray *ranges,
                                  const guint8 *octets, GError **error);

/* What stands behind the pages.  @notes: on what was written. */
gboolean stasis_capture_copy_finish (StasisCaptureCopy *self, const GByteArray *devices,
                                     StasisJobStats *stats, StasisBodyNotes *notes, GError **error);

/* NULL is fine. */
void stasis_capture_copy_free (StasisCaptureCopy *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCaptureCopy, stasis_capture_copy_free)

G_END_DECLS
