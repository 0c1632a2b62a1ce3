/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bitmap.h: which pages of a RAMBlock have data, by a window over its bitmap in the file
 */

#pragma once

#include <gio/gio.h>

#include "image/ram-map.h"

G_BEGIN_DECLS

#define STASIS_BITMAP_WINDOW (16u * 1024) /* octets: 512 MiB of guest memory */

/* TRUE where a page is set in octets of a bitmap. */
static inline gboolean
stasis_bitmap_has (const guint8 *octets, guint64 page)
{
  return (octets[page / 8] >> page % 8 & 1) != 0;
}

/* For one thread.  { 0 } is a good start. */
typedef struct
{
  const StasisImageBlock *block; /* (borrowed) */
  guint64 start;                 /* in the bitmap, octets */
  gsize length;
  guint8 octets[STASIS_BITMAP_WINDOW];
} StasisBitmap;

/* Whether @page of @block is set, and where the run of pages that are like it ends, at most at
 * @limit (also where the window ends: the next call goes on). */
gboolean stasis_bitmap_run (StasisBitmap *bitmap, int fd, const StasisImageBlock *block,
                            guint64 page, guint64 limit, gboolean *out_set, guint64 *out_end,
                            GError **error);

G_END_DECLS
