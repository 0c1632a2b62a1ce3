/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-writer.c: writing a mapped body as a QEMU with the capability mapped-ram would
 *
 * Zero pages become holes.  Bitmaps are kept in memory (2^-15 of the guest's) and written last,
 * then what stands behind the pages.
 */

#include "config.h"

#include "image/mapped-writer.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/mapped-ram.h"
#include "image/types.h"
#include "util/fd.h"
#include "util/hash.h"

#define PAGE         STASIS_IMAGE_PAGE_SIZE
#define BITMAP_PIECE 4096u

struct _StasisMappedWriter
{
  int fd;                       /* (borrowed) */
  const StasisImageRamMap *map; /* (borrowed) */
  guint8 **bitmaps;             /* (owned) one for each block */
  guint32 ram_id;
  guint64 end; /* of the last block's pages */
};

static gboolean
throw_too_large (GError **error)
{
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                       _ ("the guest's memory is too large for the body of an image"));
  return FALSE;
}

/* The head and the blocks' headers. */
static gboolean
write_heads (StasisMappedWriter *self, const StasisQemuHead *head, StasisImageRamMap *map,
             guint64 offset, GError **error)
{
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_qemu_head_append (head, TRUE, octets);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      StasisImageBlock *block = &map->blocks[i];
      const guint64 header = offset + octets->len + 1 + strlen (block->name) + 8;
      stasis_mapped_ram_place (block, header);
      if (block->pages_offset + block->used_length > STASIS_IMAGE_END_MAX)
        return throw_too_large (error);
      stasis_mapped_ram_append_block (octets, block);
      if (!stasis_fd_pwrite_exact (self->fd, octets->data, octets->len, offset, error))
        return FALSE;
      offset = block->pages_offset + block->used_length;
      g_byte_array_set_size (octets, 0);
    }
  self->end = offset;
  return TRUE;
}

/* Begin a body. */
StasisMappedWriter *
stasis_mapped_writer_begin (int fd, guint64 body_offset, const StasisQemuHead *head,
                            StasisImageRamMap *map, GError **error)
{
  g_autoptr (StasisMappedWriter) self = g_new0 (StasisMappedWriter, 1);
  self->fd = fd;
  self->map = map;
  self->ram_id = head->ram_id;
  if (ftruncate (fd, (off_t) body_offset) < 0)
    {
      stasis_throw_errno (error, _ ("cannot cut the file"));
      return NULL;
    }
  if (!write_heads (self, head, map, body_offset, error))
    return NULL;
  self->bitmaps = g_new0 (guint8 *, map->n_blocks);
  for (guint i = 0; i < map->n_blocks; i++)
    self->bitmaps[i] = g_malloc0 (map->blocks[i].bitmap_length);
  return g_steal_pointer (&self);
}

/* A block's bitmap. */
guint8 *
stasis_mapped_writer_bitmap (StasisMappedWriter *self, guint block)
{
  return self->bitmaps[block];
}

/* Whether a page is to be written, and its bit.  One that was written before is written again even
 * if it is zero now: nothing old shall stay in the file.  Threads share the octets of the bitmap.
 */
static gboolean
take_page (guint8 *bitmap, guint64 page, const guint8 *octets, gboolean is_every)
{
  const guint8 bit = (guint8) (1u << page % 8);
  const gboolean is_zero = stasis_is_zero (octets, PAGE);
  const guint8 before = is_zero && !is_every
                            ? __atomic_load_n (&bitmap[page / 8], __ATOMIC_RELAXED)
                            : __atomic_fetch_or (&bitmap[page / 8], bit, __ATOMIC_RELAXED);
  return !is_zero || (before & bit) != 0;
}

static gboolean
put (StasisMappedWriter *self, int data_fd, guint number, guint64 offset, const guint8 *octets,
     gsize length, gboolean is_every, guint64 *out_written, GError **error)
{
  const guint64 place = self->map->blocks[number].pages_offset + offset;
  guint8 *bitmap = self->bitmaps[number];
  gsize run = 0;
  for (gsize at = 0; at <= length; at += PAGE)
    {
      if (at < length && take_page (bitmap, (offset + at) / PAGE, octets + at, is_every))
        {
          run += PAGE;
          continue;
        }
      if (run > 0
          && !stasis_fd_pwrite_exact (data_fd, octets + at - run, run, place + at - run, error))
        return FALSE;
      *out_written += run;
      run = 0;
    }
  return TRUE;
}

/* The pages of a range that are not zero. */
gboolean
stasis_mapped_writer_put (StasisMappedWriter *self, int data_fd, guint block, guint64 offset,
                          const guint8 *octets, gsize length, guint64 *out_written, GError **error)
{
  return put (self, data_fd, block, offset, octets, length, FALSE, out_written, error);
}

/* All of them. */
gboolean
stasis_mapped_writer_put_all (StasisMappedWriter *self, int data_fd, guint block, guint64 offset,
                              const guint8 *octets, gsize length, guint64 *out_written,
                              GError **error)
{
  return put (self, data_fd, block, offset, octets, length, TRUE, out_written, error);
}

/* Pages with data. */
guint64
stasis_mapped_writer_count (const StasisMappedWriter *self)
{
  guint64 n = 0;
  for (guint i = 0; i < self->map->n_blocks; i++)
    for (guint64 at = 0; at < self->map->blocks[i].bitmap_length; at++)
      n += (guint64) __builtin_popcount (self->bitmaps[i][at]);
  return n;
}

/* Holes where there are only zeros. */
static gboolean
write_bitmaps (const StasisMappedWriter *self, GError **error)
{
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      const StasisImageBlock *block = &self->map->blocks[i];
      for (guint64 at = 0; at < block->bitmap_length; at += BITMAP_PIECE)
        {
          const guint8 *piece = self->bitmaps[i] + at;
          const gsize n = MIN (block->bitmap_length - at, BITMAP_PIECE);
          if (!stasis_is_zero (piece, n)
              && !stasis_fd_pwrite_exact (self->fd, piece, n, block->bitmap_offset + at, error))
            return FALSE;
        }
    }
  return TRUE;
}

/* What is known when all pages are there. */
gboolean
stasis_mapped_writer_finish (StasisMappedWriter *self, const GByteArray *commands,
                             const GByteArray *rest, guint64 *out_body_end, GError **error)
{
  if (!write_bitmaps (self, error))
    return FALSE;
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_qemu_append_ram_end (octets, self->ram_id);
  stasis_qemu_append_ram_section (octets, STASIS_QEMU_SECTION_PART, self->ram_id);
  if (commands != NULL)
    g_byte_array_append (octets, commands->data, commands->len);
  stasis_qemu_append_ram_section (octets, STASIS_QEMU_SECTION_END, self->ram_id);
  g_byte_array_append (octets, rest->data, rest->len);
  *out_body_end = self->end + octets->len;
  if (*out_body_end > STASIS_IMAGE_END_MAX)
    return throw_too_large (error);
  return stasis_fd_pwrite_exact (self->fd, octets->data, octets->len, self->end, error);
}

/* NULL is fine. */
void
stasis_mapped_writer_free (StasisMappedWriter *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; self->bitmaps != NULL && i < self->map->n_blocks; i++)
    g_free (self->bitmaps[i]);
  g_free (self->bitmaps);
  g_free (self);
}
