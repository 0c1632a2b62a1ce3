/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-body.c: the hashes of the body, and what is inside it
 *
 * Theory of operation
 *
 * The hashes alone find every changed octet.  A deep verification asks more: that what was hashed
 * makes sense, i.e. that QEMU's own headers and bitmaps agree with the RAM map, and that pages
 * which the bitmaps call zero are zero, without which the image must not be mapped.  The latter
 * rides on the pass for the hashes, on data that is in the processor's cache anyway; where there is
 * a hole there is nothing to look at.
 */

#include "config.h"

#include "image/verify-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/chunks.h"
#include "image/extents.h"
#include "image/hash-table.h"
#include "image/mapped-ram.h"

/* What one thread has for itself. */
typedef struct
{
  StasisVerification *verification;
  StasisBitmap bitmap;
} Worker;

static StasisBody
get_body (const StasisImage *image)
{
  return (StasisBody){ image->header.body_offset, stasis_image_header_body_end (&image->header) };
}

/* Where the chunk lies, for people. */
static char *
describe (const StasisVerification *self, guint64 start, guint64 end)
{
  const StasisImage *image = self->image;
  if (image->packed != NULL)
    return stasis_verify_describe_packed (self, start);
  for (guint i = 0; image->map != NULL && i < image->map->n_blocks; i++)
    {
      const StasisImageBlock *block = &image->map->blocks[i];
      const guint64 from = MAX (start, block->pages_offset);
      const guint64 to = MIN (end, block->pages_offset + block->used_length);
      if (from < to && from == start)
        return g_strdup_printf (
            _ ("RAM block '%1$s', guest memory at 0x%2$" PRIx64 " to 0x%3$" PRIx64), block->name,
            from - block->pages_offset, to - block->pages_offset);
    }
  return g_strdup (image->map != NULL ? _ ("QEMU's stream, bitmaps") : _ ("QEMU's stream"));
}

/* Look at the octets [@from, @to) of the file, all of them in @block's pages. */
static gboolean
check_pages (Worker *worker, const StasisImageBlock *block, const guint8 *octets, guint64 from,
             guint64 to, GError **error)
{
  StasisVerification *self = worker->verification;
  const guint64 base = block->pages_offset;
  const guint64 limit = (to - base + block->page_size - 1) / block->page_size;
  guint64 run_end;
  for (guint64 page = (from - base) / block->page_size; page < limit; page = run_end)
    {
      gboolean set;
      if (!stasis_bitmap_run (&worker->bitmap, self->image->fd, block, page, limit, &set, &run_end,
                              error))
        return FALSE;

      const guint64 start = MAX (from, base + page * block->page_size);
      const guint64 end = MIN (to, base + run_end * block->page_size);
      if (!set && !stasis_is_zero (octets + (start - from), end - start))
        stasis_damage_list_add (&self->damages, start, end - start,
                                _ ("RAM block '%1$s', guest memory at 0x%2$" PRIx64
                                   ": pages have data that the bitmap calls zero"),
                                block->name, start - base);
    }
  return TRUE;
}

static gboolean
see_piece (guint64 offset, const guint8 *octets, gsize size, gpointer data, GError **error)
{
  Worker *worker = data;
  const StasisImageRamMap *map = worker->verification->image->map;
  for (guint i = 0; i < map->n_blocks; i++)
    {
      const StasisImageBlock *block = &map->blocks[i];
      const guint64 from = MAX (offset, block->pages_offset);
      const guint64 to = MIN (offset + size, block->pages_offset + block->used_length);
      if (from < to && !check_pages (worker, block, octets + (from - offset), from, to, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
verify_chunk (guint64 index, StasisChunkReader *reader, gpointer thread_data, gpointer data,
              GError **error)
{
  StasisVerification *self = data;
  const StasisImage *image = self->image;
  const StasisBody body = get_body (image);
  guint64 start, end;
  stasis_body_chunk (&body, index, &start, &end);

  const gboolean deep = (self->flags & STASIS_IMAGE_VERIFY_DEEP) != 0 && image->map != NULL
                        && image->packed == NULL;
  GError *cause = NULL;
  StasisHash hash;
  if (!stasis_chunk_reader_hash (reader, start, end, deep ? see_piece : NULL, thread_data, &hash,
                                 &cause))
    return stasis_damage_list_add_error (&self->damages, start, end - start, cause, error);

  const StasisHash expected = stasis_hash_table_get (image->hashes, index);
  if (stasis_hash_equal (&hash, &expected))
    return TRUE;

  g_autofree char *place = describe (self, start, end);
  stasis_damage_list_add (&self->damages, start, end - start,
                          _ ("body: the hash does not match: %1$s"), place);
  return TRUE;
}

static gpointer
worker_new (gpointer data)
{
  Worker *worker = g_new0 (Worker, 1);
  worker->verification = data;
  return worker;
}

/* The hash of every chunk. */
gboolean
stasis_verify_body (StasisVerification *self, GCancellable *cancellable, GError **error)
{
  const StasisChunkPass pass = { .fd = self->image->fd,
                                 .body = get_body (self->image),
                                 .n_threads = self->n_threads,
                                 .visit = verify_chunk,
                                 .thread_data_new = worker_new,
                                 .thread_data_free = g_free,
                                 .data = self,
                                 .stop = &self->damages.stop,
                                 .progress = self->progress,
                                 .progress_data = self->progress_data };
  return stasis_chunk_pass_run (&pass, cancellable, error);
}

static gboolean
block_equal (const StasisImageBlock *a, const StasisImageBlock *b)
{
  return g_str_equal (a->name, b->name) && a->used_length == b->used_length
         && a->page_size == b->page_size && a->bitmap_offset == b->bitmap_offset
         && a->bitmap_length == b->bitmap_length && a->pages_offset == b->pages_offset
         && a->n_set == b->n_set && stasis_hash_equal (&a->bitmap_hash, &b->bitmap_hash);
}

/* Both between @block's bitmap and its pages, and what the RAM map says of it. */
static gboolean
verify_block (StasisVerification *self, const StasisImageBlock *known,
              const StasisImageBlock *found, GError **error)
{
  if (!block_equal (known, found))
    stasis_damage_list_add (&self->damages, found->bitmap_offset, found->bitmap_length,
                            _ ("body: RAM block '%1$s' is not as the RAM map says"), found->name);

  guint64 nonzero;
  const guint64 start = found->bitmap_offset + found->bitmap_length;
  if (!stasis_extent_find_nonzero (self->image->fd, start, found->pages_offset, &nonzero, error))
    return FALSE;
  if (nonzero < found->pages_offset)
    stasis_damage_list_add (&self->damages, nonzero, found->pages_offset - nonzero,
                            _ ("body: something stands between bitmap and pages of '%1$s'"),
                            found->name);
  return TRUE;
}

/* QEMU's own headers and bitmaps against the RAM map. */
gboolean
stasis_verify_mapped_ram (StasisVerification *self, GCancellable *cancellable, GError **error)
{
  const StasisImage *image = self->image;
  const StasisBody body = get_body (image);
  GError *cause = NULL;
  g_autoptr (StasisImageRamMap) found
      = stasis_mapped_ram_parse (image->fd, body.offset, body.end, &cause);
  if (found == NULL || !stasis_mapped_ram_read_bitmaps (image->fd, found, cancellable, &cause))
    return stasis_damage_list_add_error (&self->damages, body.offset, 0, cause, error);

  if (found->n_blocks != image->map->n_blocks)
    {
      stasis_damage_list_add (&self->damages, body.offset, 0,
                              _ ("body: it has %1$u RAM blocks, the RAM map has %2$u"),
                              found->n_blocks, image->map->n_blocks);
      return TRUE;
    }
  for (guint i = 0; i < found->n_blocks; i++)
    if (!verify_block (self, &image->map->blocks[i], &found->blocks[i], error))
      return FALSE;
  return TRUE;
}
