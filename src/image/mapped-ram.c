/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-ram.c: the beginning of what QEMU writes with the capability mapped-ram
 *
 * Theory of operation
 *
 * QEMU's stream begins with a configuration section and the set-up part of the "ram" section, which
 * lists the RAMBlocks.  With mapped-ram each block's entry is followed by a header that says where
 * its bitmap and its pages lie; the stream goes on behind the pages, with the next block.  See
 * docs/save-image.md, "MAPPED_RAM"; in QEMU's tree that is migration/savevm.c (configuration,
 * section headers) and migration/ram.c (mapped_ram_setup_ramblock), read at 9.0 and 10.0.
 *
 * The body may come from another host: every length is held against a limit and against the end of
 * the body before it is used.  Integers are big-endian here.
 */

#include "config.h"

#include "image/mapped-ram.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/error.h"
#include "image/extents.h"
#include "image/octets.h"
#include "image/types.h"
#include "util/fd.h"

#define BITMAP_PIECE (64u * 1024)

/* Where the bitmap and the pages of a block lie whose header stands at @offset.  The caller knows
 * that nothing overflows. */
void
stasis_mapped_ram_place (StasisImageBlock *block, guint64 offset)
{
  block->page_size = STASIS_IMAGE_PAGE_SIZE;
  block->bitmap_offset = offset + STASIS_QEMU_MAPPED_RAM_HEADER_SIZE;
  block->bitmap_length = stasis_round_up (block->used_length / block->page_size, 64) / 8;
  block->pages_offset
      = stasis_round_up (block->bitmap_offset + block->bitmap_length, STASIS_IMAGE_CHUNK_SIZE);
}

/* Append a block's entry in the list. */
void
stasis_mapped_ram_append_block (GByteArray *out, const StasisImageBlock *block)
{
  stasis_qemu_append_name (out, block->name);
  stasis_qemu_append_u64 (out, block->used_length);
  stasis_qemu_append_u32 (out, STASIS_QEMU_MAPPED_RAM_VERSION);
  stasis_qemu_append_u64 (out, block->page_size);
  stasis_qemu_append_u64 (out, block->bitmap_offset);
  stasis_qemu_append_u64 (out, block->pages_offset);
}

/* What a block's header says; the place is not checked yet. */
static gboolean
take_header (StasisQemuInput *input, StasisImageBlock *block, GError **error)
{
  guint32 version;
  if (!stasis_qemu_input_take_u32 (input, &version, error)
      || !stasis_qemu_input_take_u64 (input, &block->page_size, error)
      || !stasis_qemu_input_take_u64 (input, &block->bitmap_offset, error)
      || !stasis_qemu_input_take_u64 (input, &block->pages_offset, error))
    return FALSE;
  return (version == STASIS_QEMU_MAPPED_RAM_VERSION && block->page_size == STASIS_IMAGE_PAGE_SIZE)
         || stasis_qemu_input_throw (input, STASIS_IMAGE_ERROR_UNSUPPORTED,
                                     _ ("unknown version or page size of mapped-ram"), error);
}

/* One block; leaves the input behind its pages.  @left: used lengths that are still to come. */
static gboolean
take_block (StasisQemuInput *input, guint64 left, StasisImageBlock *block, GError **error)
{
  if (!stasis_qemu_input_take_name (input, block->name, error)
      || !stasis_qemu_input_take_u64 (input, &block->used_length, error))
    return FALSE;

  StasisImageBlock expected = { .used_length = block->used_length };
  const guint64 header_offset = input->offset;
  if (!take_header (input, block, error))
    return FALSE;
  if (!stasis_qemu_head_check_length (block->used_length, left)
      || block->used_length > input->end - input->offset)
    return stasis_qemu_input_throw_corrupt (input, _ ("the length of a RAM block makes no sense"),
                                            error);

  stasis_mapped_ram_place (&expected, header_offset);
  if (block->bitmap_offset != expected.bitmap_offset || block->pages_offset != expected.pages_offset
      || block->pages_offset > input->end || block->used_length > input->end - block->pages_offset)
    return stasis_qemu_input_throw_corrupt (input, _ ("the place of a RAM block makes no sense"),
                                            error);
  block->bitmap_length = expected.bitmap_length;
  stasis_qemu_input_seek (input, block->pages_offset + block->used_length);
  return TRUE;
}

static gboolean
take_blocks (StasisQemuInput *input, GArray *blocks, guint64 total, GError **error)
{
  while (total > 0)
    {
      StasisImageBlock block = { .used_length = 0 };
      if (blocks->len >= STASIS_IMAGE_BLOCKS_MAX)
        return stasis_qemu_input_throw_corrupt (input, _ ("too many RAM blocks"), error);
      if (!take_block (input, total, &block, error))
        return FALSE;
      total -= block.used_length;
      g_array_append_val (blocks, block);
    }
  return blocks->len > 0 || stasis_qemu_input_throw_corrupt (input, _ ("no RAM blocks"), error);
}

/* Read head and blocks of a mapped body. */
StasisImageRamMap *
stasis_mapped_ram_take (StasisQemuInput *input, StasisQemuHead *head, GError **error)
{
  g_autoptr (GArray) blocks = g_array_new (FALSE, TRUE, sizeof (StasisImageBlock));
  if (!stasis_qemu_head_take (input, head, error))
    return NULL;
  if (!head->mapped_ram)
    {
      stasis_qemu_input_throw_corrupt (input, _ ("written without 'mapped-ram'"), error);
      return NULL;
    }
  return take_blocks (input, blocks, head->ram_total, error)
             ? stasis_image_ram_map_new (g_steal_pointer (&blocks))
             : NULL;
}

/* Parse QEMU's stream as far as its RAMBlocks. */
StasisImageRamMap *
stasis_mapped_ram_parse (int fd, guint64 body_offset, guint64 body_end, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, fd, body_offset, body_end, NULL);
  return stasis_mapped_ram_take (&input, &head, error);
}

/* TRUE where [@body_offset, @body_end) begins as QEMU's streams do. */
gboolean
stasis_mapped_ram_check_stream (int fd, guint64 body_offset, guint64 body_end, GError **error)
{
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, fd, body_offset, body_end, NULL);
  return stasis_qemu_head_take_magic (&input, error);
}

static guint64
count_bits (const guint8 *octets, gsize n)
{
  guint64 count = 0;
  for (gsize i = 0; i + 8 <= n; i += 8)
    count += (guint64) __builtin_popcountll (stasis_get_le64 (octets + i));
  return count;
}

/* TRUE where the bits behind the last page are clear.  @word: the last 8 octets of the bitmap. */
static gboolean
spare_bits_clear (const StasisImageBlock *block, const guint8 *word)
{
  const guint64 in_use = block->used_length / block->page_size % 64;
  return in_use == 0 || stasis_get_le64 (word) >> in_use == 0;
}

static gboolean
read_bitmap (int fd, StasisImageBlock *block, GCancellable *cancellable, GError **error)
{
  g_autofree guint8 *piece = g_malloc (BITMAP_PIECE);
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  block->n_set = 0;
  for (guint64 at = 0; at < block->bitmap_length; at += BITMAP_PIECE)
    {
      const gsize n = MIN (block->bitmap_length - at, BITMAP_PIECE);
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !stasis_fd_pread_exact (fd, piece, n, block->bitmap_offset + at, error))
        return FALSE;
      stasis_hasher_update (hasher, piece, n);
      block->n_set += count_bits (piece, n);
      if (at + n < block->bitmap_length || spare_bits_clear (block, piece + n - 8))
        continue;
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("body: the bitmap of RAM block '%1$s' goes on behind its last page"),
                   block->name);
      return FALSE;
    }
  block->bitmap_hash = stasis_hasher_digest (hasher);
  return TRUE;
}

/* Fill in n_set and bitmap_hash of every block. */
gboolean
stasis_mapped_ram_read_bitmaps (int fd, StasisImageRamMap *map, GCancellable *cancellable,
                                GError **error)
{
  for (guint i = 0; i < map->n_blocks; i++)
    if (!read_bitmap (fd, &map->blocks[i], cancellable, error))
      return FALSE;
  return TRUE;
}

/* A run of pages whose bit is clear, but which the file has data for: [@start, @end) of the file.
 */
typedef gboolean (*ClearRunFunc) (int fd, guint64 start, guint64 end, gpointer data,
                                  GError **error);

/* Tell of what is clear of the pages in [@start, @end) of the file, all of @block. */
static gboolean
tell_clear (int fd, StasisBitmap *bitmap, const StasisImageBlock *block, guint64 start, guint64 end,
            ClearRunFunc func, gpointer data, GError **error)
{
  guint64 page = (start - block->pages_offset) / block->page_size;
  const guint64 limit = (end - block->pages_offset + block->page_size - 1) / block->page_size;
  while (page < limit)
    {
      gboolean set;
      guint64 run_end;
      if (!stasis_bitmap_run (bitmap, fd, block, page, limit, &set, &run_end, error))
        return FALSE;
      if (!set
          && !func (fd, block->pages_offset + page * block->page_size,
                    block->pages_offset + run_end * block->page_size, data, error))
        return FALSE;
      page = run_end;
    }
  return TRUE;
}

/* Holes are not looked at. */
static gboolean
for_each_clear_run (int fd, const StasisImageBlock *block, ClearRunFunc func, gpointer data,
                    GCancellable *cancellable, GError **error)
{
  g_autofree StasisBitmap *bitmap = g_new0 (StasisBitmap, 1);
  const guint64 end = block->pages_offset + block->used_length;
  guint64 start, stop;
  for (guint64 at = block->pages_offset; at < end; at = stop)
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !stasis_extent_next (fd, at, end, &start, &stop, error)
        || !tell_clear (fd, bitmap, block, start, stop, func, data, error))
      return FALSE;
  return TRUE;
}

static gboolean
punch_run (int fd, guint64 start, guint64 end, gpointer data, GError **error)
{
  return stasis_extent_punch (fd, start, end, error);
}

/* Drop what a live save left in pages whose bit is clear. */
gboolean
stasis_mapped_ram_punch_stale (int fd, const StasisImageRamMap *map, GCancellable *cancellable,
                               GError **error)
{
  for (guint i = 0; i < map->n_blocks; i++)
    if (!for_each_clear_run (fd, &map->blocks[i], punch_run, NULL, cancellable, error))
      return FALSE;
  return TRUE;
}

static gboolean
check_run (int fd, guint64 start, guint64 end, gpointer data, GError **error)
{
  const StasisImageBlock *block = data;
  guint64 found;
  if (!stasis_extent_find_nonzero (fd, start, end, &found, error))
    return FALSE;
  if (found == end)
    return TRUE;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
               _ ("RAM block '%1$s', guest memory at 0x%2$" PRIx64
                  ": the file has data for a page that the bitmap calls zero"),
               block->name, found - block->pages_offset);
  return FALSE;
}

/* Fails where a page whose bit is clear has data: such a block must not be mapped. */
gboolean
stasis_mapped_ram_check_stale (int fd, const StasisImageBlock *block, GCancellable *cancellable,
                               GError **error)
{
  return for_each_clear_run (fd, block, check_run, (gpointer) block, cancellable, error);
}
