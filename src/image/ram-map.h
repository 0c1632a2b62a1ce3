/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ram-map.h: the RAM_MAP record: where the guest's memory lies in a MAPPED_RAM body
 */

#pragma once

#include <gio/gio.h>

#include "util/hash.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_BLOCKS_MAX     4096u
#define STASIS_IMAGE_BLOCK_NAME_MAX 255u /* octets */

/* One RAMBlock.  All offsets are absolute in the file. */
typedef struct
{
  char name[STASIS_IMAGE_BLOCK_NAME_MAX + 1];
  guint64 used_length;
  guint64 page_size;
  guint64 bitmap_offset;
  guint64 bitmap_length; /* octets, a multiple of 8 */
  guint64 pages_offset;  /* a multiple of 1 MiB */
  guint64 n_set;         /* set bits of the bitmap: pages with data */
  StasisHash bitmap_hash;
} StasisImageBlock;

/* The blocks in the order of the file: they never overlap. */
typedef struct
{
  guint n_blocks;
  StasisImageBlock *blocks; /* (owned) */
} StasisImageRamMap;

/* Read the name that stands behind the first @head octets of a block's entry in a record, of which
 * @size octets are left: how many the entry has with it, padded, or 0 where it makes no sense. */
gsize stasis_image_block_take_name (StasisImageBlock *block, const guint8 *entry, gsize size,
                                    gsize head, guint32 name_length);

/* Of an array of StasisImageBlock, which is consumed. */
StasisImageRamMap *stasis_image_ram_map_new (GArray *blocks_take) G_GNUC_WARN_UNUSED_RESULT;

/* The block called @name, or NULL. */
const StasisImageBlock *stasis_image_ram_map_lookup (const StasisImageRamMap *map,
                                                     const char *name);

/* The block whose pages hold the octet at @offset, or NULL. */
const StasisImageBlock *stasis_image_ram_map_at (const StasisImageRamMap *map, guint64 offset);

/* The record's body. */
GBytes *stasis_image_ram_map_encode (const StasisImageRamMap *map) G_GNUC_WARN_UNUSED_RESULT;

/* Checked: limits, alignment, order, and that everything lies in [@body_offset, @body_end). */
StasisImageRamMap *stasis_image_ram_map_decode (GBytes *body, guint64 body_offset, guint64 body_end,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where reserved fields and padding of a body that was decoded before are zero. */
gboolean stasis_image_ram_map_reserved_is_zero (GBytes *body);

/* NULL is fine. */
void stasis_image_ram_map_free (StasisImageRamMap *map);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageRamMap, stasis_image_ram_map_free)

G_END_DECLS
