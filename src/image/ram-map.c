/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ram-map.c: the RAM_MAP record: where the guest's memory lies in a MAPPED_RAM body
 *
 * See docs/save-image.md, "RAM_MAP".  The order of the blocks is that of the file, which is what
 * makes "nothing overlaps" a check of neighbours.
 */

#include "config.h"

#include "image/ram-map.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"

#define HEAD_SIZE  16u
#define BLOCK_SIZE 80u /* without the name */

static void
append_block (GByteArray *out, const StasisImageBlock *block)
{
  const gsize name_length = strlen (block->name);
  const guint start = out->len;
  g_byte_array_set_size (out, start + BLOCK_SIZE + stasis_round_up (name_length, 8));

  guint8 *octets = out->data + start;
  memset (octets, 0, out->len - start);
  stasis_put_le64 (octets, block->used_length);
  stasis_put_le64 (octets + 8, block->page_size);
  stasis_put_le64 (octets + 16, block->bitmap_offset);
  stasis_put_le64 (octets + 24, block->bitmap_length);
  stasis_put_le64 (octets + 32, block->pages_offset);
  stasis_put_le64 (octets + 40, block->n_set);
  memcpy (octets + 48, block->bitmap_hash.octets, STASIS_HASH_SIZE);
  stasis_put_le32 (octets + 72, name_length);
  memcpy (octets + BLOCK_SIZE, block->name, name_length);
}

/* The record's body. */
GBytes *
stasis_image_ram_map_encode (const StasisImageRamMap *map)
{
  guint8 head[HEAD_SIZE] = { 0 };
  stasis_put_le32 (head, map->n_blocks);

  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, head, sizeof head);
  for (guint i = 0; i < map->n_blocks; i++)
    append_block (out, &map->blocks[i]);
  return g_byte_array_free_to_bytes (out);
}

static gboolean
throw_map (GError **error, guint index, const char *what)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("RAM map: block %1$u: %2$s"), index, what);
  return FALSE;
}

/* Everything in [@from, @end), each comparison relying on those before it. */
static gboolean
check_place (const StasisImageBlock *block, guint index, guint64 from, guint64 end, GError **error)
{
  if (block->page_size != STASIS_IMAGE_PAGE_SIZE)
    return throw_map (error, index, _ ("unknown page size"));
  if (block->used_length == 0 || block->used_length % block->page_size != 0
      || block->used_length > end)
    return throw_map (error, index, _ ("its length makes no sense"));

  const guint64 pages = block->used_length / block->page_size;
  if (block->bitmap_length != stasis_round_up (pages, 64) / 8 || block->n_set > pages)
    return throw_map (error, index, _ ("the length of its bitmap makes no sense"));
  if (block->bitmap_offset < from || block->bitmap_offset > end
      || block->pages_offset % STASIS_IMAGE_CHUNK_SIZE != 0 || block->pages_offset > end
      || block->pages_offset < block->bitmap_offset
      || block->pages_offset - block->bitmap_offset < block->bitmap_length
      || end - block->pages_offset < block->used_length)
    return throw_map (error, index, _ ("its place makes no sense"));
  return TRUE;
}

/* The name in a block's entry. */
gsize
stasis_image_block_take_name (StasisImageBlock *block, const guint8 *entry, gsize size, gsize head,
                              guint32 name_length)
{
  const gsize whole = head + stasis_round_up (name_length, 8);
  if (name_length < 1 || name_length > STASIS_IMAGE_BLOCK_NAME_MAX || whole > size
      || memchr (entry + head, '\0', name_length) != NULL
      || !g_utf8_validate ((const char *) entry + head, name_length, NULL))
    return 0;
  memcpy (block->name, entry + head, name_length);
  return whole;
}

/* Read one block from the @size octets that are left; how many it took, or 0. */
static gsize
decode_block (const guint8 *octets, gsize size, StasisImageBlock *block)
{
  const gsize whole = size < BLOCK_SIZE
                          ? 0
                          : stasis_image_block_take_name (block, octets, size, BLOCK_SIZE,
                                                          stasis_get_le32 (octets + 72));
  if (whole == 0)
    return 0;

  block->used_length = stasis_get_le64 (octets);
  block->page_size = stasis_get_le64 (octets + 8);
  block->bitmap_offset = stasis_get_le64 (octets + 16);
  block->bitmap_length = stasis_get_le64 (octets + 24);
  block->pages_offset = stasis_get_le64 (octets + 32);
  block->n_set = stasis_get_le64 (octets + 40);
  memcpy (block->bitmap_hash.octets, octets + 48, STASIS_HASH_SIZE);
  return whole;
}

static gboolean
decode_blocks (StasisImageRamMap *map, const guint8 *octets, gsize size, guint64 body_offset,
               guint64 body_end, GError **error)
{
  guint64 from = body_offset;
  for (guint i = 0; i < map->n_blocks; i++)
    {
      StasisImageBlock *block = &map->blocks[i];
      const gsize taken = decode_block (octets, size, block);
      if (taken == 0)
        return throw_map (error, i, _ ("cut, or its name makes no sense"));
      if (!check_place (block, i, from, body_end, error))
        return FALSE;
      from = block->pages_offset + block->used_length;
      octets += taken;
      size -= taken;
    }
  return size == 0 || throw_map (error, map->n_blocks, _ ("not announced"));
}

/* Checked: limits, alignment, order, and that everything lies in [@body_offset, @body_end). */
StasisImageRamMap *
stasis_image_ram_map_decode (GBytes *body, guint64 body_offset, guint64 body_end, GError **error)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (body, &size);
  const guint32 n_blocks = size < HEAD_SIZE ? 0 : stasis_get_le32 (octets);
  if (n_blocks < 1 || n_blocks > STASIS_IMAGE_BLOCKS_MAX || n_blocks > size / BLOCK_SIZE)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                   _ ("RAM map: the number of blocks makes no sense: %1$u"), n_blocks);
      return NULL;
    }

  g_autoptr (StasisImageRamMap) map = g_new0 (StasisImageRamMap, 1);
  map->n_blocks = n_blocks;
  map->blocks = g_new0 (StasisImageBlock, n_blocks);
  if (!decode_blocks (map, octets + HEAD_SIZE, size - HEAD_SIZE, body_offset, body_end, error))
    return NULL;
  return g_steal_pointer (&map);
}

/* TRUE where reserved fields and padding of a body that was decoded before are zero. */
gboolean
stasis_image_ram_map_reserved_is_zero (GBytes *body)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (body, &size);
  if (size < HEAD_SIZE || !stasis_is_zero (octets + 4, HEAD_SIZE - 4))
    return FALSE;

  for (gsize at = HEAD_SIZE; at < size;)
    {
      StasisImageBlock block = { .used_length = 0 };
      const gsize taken = decode_block (octets + at, size - at, &block);
      const gsize name_length = strlen (block.name);
      if (taken == 0 || !stasis_is_zero (octets + at + 64, 8)
          || !stasis_is_zero (octets + at + 76, 4)
          || !stasis_is_zero (octets + at + BLOCK_SIZE + name_length,
                              taken - BLOCK_SIZE - name_length))
        return FALSE;
      at += taken;
    }
  return TRUE;
}

/* Of an array of StasisImageBlock, which is consumed. */
StasisImageRamMap *
stasis_image_ram_map_new (GArray *blocks_take)
{
  StasisImageRamMap *map = g_new0 (StasisImageRamMap, 1);
  map->n_blocks = blocks_take->len;
  map->blocks = (gpointer) g_array_free (blocks_take, FALSE);
  return map;
}

/* The block called @name, or NULL. */
const StasisImageBlock *
stasis_image_ram_map_lookup (const StasisImageRamMap *map, const char *name)
{
  for (guint i = 0; i < map->n_blocks; i++)
    if (g_str_equal (map->blocks[i].name, name))
      return &map->blocks[i];
  return NULL;
}

/* The block whose pages hold the octet at @offset, or NULL. */
const StasisImageBlock *
stasis_image_ram_map_at (const StasisImageRamMap *map, guint64 offset)
{
  for (guint i = 0; i < map->n_blocks; i++)
    if (offset >= map->blocks[i].pages_offset
        && offset - map->blocks[i].pages_offset < map->blocks[i].used_length)
      return &map->blocks[i];
  return NULL;
}

/* NULL is fine. */
void
stasis_image_ram_map_free (StasisImageRamMap *map)
{
  if (map == NULL)
    return;

  g_free (map->blocks);
  g_free (map);
}
