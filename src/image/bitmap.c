/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bitmap.c: which pages of a RAMBlock have data, by a window over its bitmap in the file
 */

#include "config.h"

#include "image/bitmap.h"

#include "util/fd.h"

static gboolean
load (StasisBitmap *bitmap, int fd, const StasisImageBlock *block, guint64 at, GError **error)
{
  if (bitmap->block == block && at >= bitmap->start && at - bitmap->start < bitmap->length)
    return TRUE;

  const guint64 start = at - at % STASIS_BITMAP_WINDOW;
  const gsize length = MIN (block->bitmap_length - start, STASIS_BITMAP_WINDOW);
  bitmap->block = NULL;
  if (!stasis_fd_pread_exact (fd, bitmap->octets, length, block->bitmap_offset + start, error))
    return FALSE;
  bitmap->block = block;
  bitmap->start = start;
  bitmap->length = length;
  return TRUE;
}

static gboolean
is_set (const StasisBitmap *bitmap, guint64 page)
{
  return (bitmap->octets[page / 8 - bitmap->start] >> page % 8 & 1) != 0;
}

/* Whether @page of @block is set, and where the run of pages that are like it ends. */
gboolean
stasis_bitmap_run (StasisBitmap *bitmap, int fd, const StasisImageBlock *block, guint64 page,
                   guint64 limit, gboolean *out_set, guint64 *out_end, GError **error)
{
  if (!load (bitmap, fd, block, page / 8, error))
    return FALSE;

  const gboolean set = is_set (bitmap, page);
  const guint8 whole = set ? 0xff : 0; /* eight pages alike */
  const guint64 end = MIN (limit, (bitmap->start + bitmap->length) * 8);
  guint64 at = page + 1;
  while (at < end)
    if (at % 8 == 0 && end - at >= 8 && bitmap->octets[at / 8 - bitmap->start] == whole)
      at += 8;
    else if (is_set (bitmap, at) == set)
      at++;
    else
      break;

  *out_set = set;
  *out_end = at;
  return TRUE;
}
