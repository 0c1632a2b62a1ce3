/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-ram.c: the PACKED_RAM record: what lies where in a PACKED_RAM body
 *
 * See docs/save-image.md, "PACKED_RAM".
 */

#include "config.h"

#include "image/packed-ram.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"

#define HEAD_SIZE  48u
#define BLOCK_SIZE 24u /* without the name */

#define PAGES_MAX (STASIS_IMAGE_END_MAX / STASIS_IMAGE_PAGE_SIZE)

/* Behind the pages. */
guint64
stasis_packed_ram_index_offset (const StasisPackedRam *self, guint64 body_offset)
{
  return body_offset + self->n_pages * STASIS_IMAGE_PAGE_SIZE;
}

/* Behind the index. */
guint64
stasis_packed_ram_stream_offset (const StasisPackedRam *self, guint64 body_offset)
{
  return stasis_packed_ram_index_offset (self, body_offset) + self->n_runs * STASIS_PACKED_RUN_SIZE;
}

static void
append_block (GByteArray *out, const StasisImageBlock *block)
{
  const gsize name_length = strlen (block->name);
  const guint start = out->len;
  g_byte_array_set_size (out, start + BLOCK_SIZE + stasis_round_up (name_length, 8));

  guint8 *octets = out->data + start;
  memset (octets, 0, out->len - start);
  stasis_put_le64 (octets, block->used_length);
  stasis_put_le64 (octets + 8, block->n_set);
  stasis_put_le32 (octets + 16, name_length);
  memcpy (octets + BLOCK_SIZE, block->name, name_length);
}

/* The record's body. */
GBytes *
stasis_packed_ram_encode (const StasisPackedRam *self, const StasisImageRamMap *map)
{
  guint8 head[HEAD_SIZE] = { 0 };
  stasis_put_le32 (head, map->n_blocks);
  stasis_put_le64 (head + 8, self->n_pages);
  stasis_put_le64 (head + 16, self->n_runs);
  memcpy (head + 32, self->index_hash.octets, STASIS_HASH_SIZE);

  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, head, sizeof head);
  for (guint i = 0; i < map->n_blocks; i++)
    append_block (out, &map->blocks[i]);
  return g_byte_array_free_to_bytes (out);
}

static gboolean
throw_packed (GError **error, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT, _ ("packed RAM: %s"), what);
  return FALSE;
}

/* Read one block from the @size octets that are left; how many it took, or 0. */
static gsize
decode_block (const guint8 *octets, gsize size, StasisImageBlock *block)
{
  const gsize whole = size < BLOCK_SIZE
                          ? 0
                          : stasis_image_block_take_name (block, octets, size, BLOCK_SIZE,
                                                          stasis_get_le32 (octets + 16));
  if (whole == 0)
    return 0;

  block->used_length = stasis_get_le64 (octets);
  block->page_size = STASIS_IMAGE_PAGE_SIZE;
  block->n_set = stasis_get_le64 (octets + 8);
  return whole;
}

static gboolean
decode_blocks (StasisImageRamMap *map, const guint8 *octets, gsize size, GError **error)
{
  guint64 left = PAGES_MAX;
  for (guint i = 0; i < map->n_blocks; i++)
    {
      StasisImageBlock *block = &map->blocks[i];
      const gsize taken = decode_block (octets, size, block);
      if (taken == 0)
        return throw_packed (error, _ ("a block is cut, or its name makes no sense"));
      const guint64 pages = block->used_length / STASIS_IMAGE_PAGE_SIZE;
      if (pages == 0 || block->used_length % STASIS_IMAGE_PAGE_SIZE != 0 || pages > left
          || block->n_set > pages)
        return throw_packed (error, _ ("the length of a block makes no sense"));
      if (stasis_image_ram_map_lookup (map, block->name) != block)
        return throw_packed (error, _ ("two blocks have the same name"));
      block->bitmap_length = stasis_round_up (pages, 64) / 8;
      left -= pages;
      octets += taken;
      size -= taken;
    }
  return size == 0 || throw_packed (error, _ ("there are more blocks than announced"));
}

/* No more runs than pages, no more pages than the blocks have, and QEMU's stream behind it all. */
static gboolean
check_counts (const StasisPackedRam *self, const StasisImageRamMap *map, guint64 body_length,
              GError **error)
{
  guint64 n_set = 0;
  for (guint i = 0; i < map->n_blocks; i++)
    n_set += map->blocks[i].n_set;
  return (self->n_pages <= n_set && self->n_runs <= n_set
          && stasis_packed_ram_stream_offset (self, 0) < body_length)
         || throw_packed (error, _ ("the number of pages or runs makes no sense"));
}

/* Checked. */
StasisImageRamMap *
stasis_packed_ram_decode (GBytes *body, guint64 body_length, StasisPackedRam *out_packed,
                          GError **error)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (body, &size);
  const guint32 n_blocks = size < HEAD_SIZE ? 0 : stasis_get_le32 (octets);
  if (n_blocks < 1 || n_blocks > STASIS_IMAGE_BLOCKS_MAX || n_blocks > size / BLOCK_SIZE)
    {
      throw_packed (error, _ ("the number of blocks makes no sense"));
      return NULL;
    }

  g_autoptr (StasisImageRamMap) map = g_new0 (StasisImageRamMap, 1);
  map->n_blocks = n_blocks;
  map->blocks = g_new0 (StasisImageBlock, n_blocks);
  *out_packed = (StasisPackedRam){ .n_pages = stasis_get_le64 (octets + 8),
                                   .n_runs = stasis_get_le64 (octets + 16) };
  memcpy (out_packed->index_hash.octets, octets + 32, STASIS_HASH_SIZE);
  if (!decode_blocks (map, octets + HEAD_SIZE, size - HEAD_SIZE, error)
      || !check_counts (out_packed, map, body_length, error))
    return NULL;
  return g_steal_pointer (&map);
}

/* TRUE where reserved fields and padding of a body that was decoded before are zero. */
gboolean
stasis_packed_ram_reserved_is_zero (GBytes *body)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (body, &size);
  if (size < HEAD_SIZE || !stasis_is_zero (octets + 4, 4) || !stasis_is_zero (octets + 24, 8))
    return FALSE;

  for (gsize at = HEAD_SIZE; at < size;)
    {
      StasisImageBlock block = { .used_length = 0 };
      const gsize taken = decode_block (octets + at, size - at, &block);
      const gsize name_end = BLOCK_SIZE + strlen (block.name);
      if (taken == 0 || !stasis_is_zero (octets + at + 20, 4)
          || !stasis_is_zero (octets + at + name_end, taken - name_end))
        return FALSE;
      at += taken;
    }
  return TRUE;
}
