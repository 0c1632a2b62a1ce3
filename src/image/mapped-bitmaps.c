/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-bitmaps.c: the bitmaps of a mapped body, made from its pages
 *
 * Theory of operation
 *
 * A background snapshot of QEMU's has none (snapshot-body.c).  Nothing is lost by that.  Each page
 * is written once at the most, into a file that was cut before it, and one that is zero is not
 * written; so the file itself tells.
 *
 * A block is gone through in windows of its bitmap, and what is a hole is not read.
 */

#include "config.h"

#include "image/mapped-bitmaps.h"

#include <string.h>

#include "image/bitmap.h"
#include "image/extents.h"
#include "image/octets.h"
#include "util/fd.h"
#include "util/hash.h"

#define WINDOW STASIS_BITMAP_WINDOW
#define PIECE  (256u * 1024) /* octets read at a time: many pages */

typedef struct
{
  int fd; /* (borrowed) */
  GCancellable *cancellable;
  guint8 piece[PIECE];
  guint8 bits[WINDOW];
} Work;

/* The pages in [@start, @end) of the file, all of @block and of the window that begins with its
 * page @first. */
static gboolean
mark_pages (Work *work, const StasisImageBlock *block, guint64 first, guint64 start, guint64 end,
            GError **error)
{
  for (guint64 at = start; at < end; at += PIECE)
    {
      const gsize n = MIN (end - at, PIECE);
      const guint64 page = (at - block->pages_offset) / block->page_size - first;
      if (g_cancellable_set_error_if_cancelled (work->cancellable, error)
          || !stasis_fd_pread_exact (work->fd, work->piece, n, at, error))
        return FALSE;
      for (gsize i = 0; i < n / block->page_size; i++)
        if (!stasis_is_zero (work->piece + i * block->page_size, block->page_size))
          work->bits[(page + i) / 8] |= (guint8) (1u << (page + i) % 8);
    }
  return TRUE;
}

/* The pages [@first, @limit) of @block.  Data may begin and end within a page. */
static gboolean
mark_window (Work *work, const StasisImageBlock *block, guint64 first, guint64 limit,
             GError **error)
{
  const guint64 begin = block->pages_offset + first * block->page_size;
  const guint64 end = block->pages_offset + limit * block->page_size;
  guint64 start, stop;
  memset (work->bits, 0, sizeof work->bits);
  for (guint64 at = begin; at < end; at = stop)
    {
      if (!stasis_extent_next (work->fd, at, end, &start, &stop, error))
        return FALSE;
      start -= (start - begin) % block->page_size;
      stop = begin + stasis_round_up (stop - begin, block->page_size);
      if (!mark_pages (work, block, first, start, stop, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_block (Work *work, const StasisImageBlock *block, GError **error)
{
  const guint64 n_pages = block->used_length / block->page_size;
  for (guint64 at = 0; at < block->bitmap_length; at += WINDOW)
    {
      const guint64 first = at * 8;
      const gsize n = MIN (block->bitmap_length - at, WINDOW);
      if (!mark_window (work, block, first, MIN (first + n * 8, n_pages), error)
          || !stasis_fd_pwrite_exact (work->fd, work->bits, n, block->bitmap_offset + at, error))
        return FALSE;
    }
  return TRUE;
}

/* A bit for each page with data. */
gboolean
stasis_mapped_bitmaps_write (int fd, const StasisImageRamMap *map, GCancellable *cancellable,
                             GError **error)
{
  g_autofree Work *work = g_new (Work, 1);
  work->fd = fd;
  work->cancellable = cancellable;
  for (guint i = 0; i < map->n_blocks; i++)
    if (!write_block (work, &map->blocks[i], error))
      return FALSE;
  return TRUE;
}
