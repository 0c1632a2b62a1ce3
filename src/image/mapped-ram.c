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

#define QEMU_MAGIC           0x5145564du /* "QEVM" */
#define QEMU_VERSION         3u
#define QEMU_SECTION_START   0x01u
#define QEMU_SUBSECTION      0x05u
#define QEMU_CONFIGURATION   0x07u
#define RAM_VERSION          4u
#define RAM_MEM_SIZE         0x04u
#define MAPPED_RAM_VERSION   1u
#define MACHINE_MAX          256u
#define CAPABILITIES_MAX     64u
#define SUBSECTIONS_MAX      8u
#define BITMAP_PIECE         (64u * 1024)
#define SUBSECTION_NAME_UUID "configuration/uuid"
#define SUBSECTION_NAME_PAGE "configuration/target-page-bits"
#define SUBSECTION_NAME_CAPS "configuration/capabilities"

/* Reads forward; the first failure sticks in the caller's error. */
typedef struct
{
  int fd;
  guint64 offset;
  guint64 end;
} Cursor;

static gboolean
throw_at (const Cursor *cursor, StasisImageError code, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, code, _ ("body, at offset %1$" PRIu64 ": %2$s"),
               cursor->offset, what);
  return FALSE;
}

static gboolean
throw_corrupt (const Cursor *cursor, const char *what, GError **error)
{
  return throw_at (cursor, STASIS_IMAGE_ERROR_CORRUPT, what, error);
}

static gboolean
take (Cursor *cursor, void *octets, gsize count, GError **error)
{
  if (cursor->end - cursor->offset < count)
    return throw_corrupt (cursor, _ ("QEMU's stream ends early"), error);
  if (!stasis_fd_pread_exact (cursor->fd, octets, count, cursor->offset, error))
    return FALSE;
  cursor->offset += count;
  return TRUE;
}

static gboolean
take_u8 (Cursor *cursor, guint8 *out, GError **error)
{
  return take (cursor, out, 1, error);
}

static gboolean
take_u32 (Cursor *cursor, guint32 *out, GError **error)
{
  guint8 octets[4];
  if (!take (cursor, octets, sizeof octets, error))
    return FALSE;
  *out = stasis_get_be32 (octets);
  return TRUE;
}

static gboolean
take_u64 (Cursor *cursor, guint64 *out, GError **error)
{
  guint8 octets[8];
  if (!take (cursor, octets, sizeof octets, error))
    return FALSE;
  *out = stasis_get_be64 (octets);
  return TRUE;
}

/* A length octet and a name of so many octets, at least one, UTF-8 without NUL. */
static gboolean
take_name (Cursor *cursor, char name[256], GError **error)
{
  guint8 length;
  if (!take_u8 (cursor, &length, error) || !take (cursor, name, length, error))
    return FALSE;
  name[length] = '\0';
  if (length == 0 || !g_utf8_validate (name, length, NULL))
    return throw_corrupt (cursor, _ ("a name makes no sense"), error);
  return TRUE;
}

static gboolean
take_capabilities (Cursor *cursor, gboolean *out_mapped_ram, GError **error)
{
  guint32 count;
  if (!take_u32 (cursor, &count, error))
    return FALSE;
  if (count > CAPABILITIES_MAX)
    return throw_corrupt (cursor, _ ("too many capabilities"), error);

  for (guint32 i = 0; i < count; i++)
    {
      char name[256];
      if (!take_name (cursor, name, error))
        return FALSE;
      if (g_str_equal (name, "x-ignore-shared"))
        return throw_at (cursor, STASIS_IMAGE_ERROR_UNSUPPORTED,
                         _ ("capability 'x-ignore-shared' is not supported"), error);
      *out_mapped_ram |= g_str_equal (name, "mapped-ram");
    }
  return TRUE;
}

static gboolean
take_subsection (Cursor *cursor, gboolean *out_mapped_ram, GError **error)
{
  char name[256];
  guint32 version, page_bits;
  guint8 uuid[16];
  if (!take_name (cursor, name, error) || !take_u32 (cursor, &version, error))
    return FALSE;

  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_CAPS))
    return take_capabilities (cursor, out_mapped_ram, error);
  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_PAGE))
    return take_u32 (cursor, &page_bits, error);
  if (version == 1 && g_str_equal (name, SUBSECTION_NAME_UUID))
    return take (cursor, uuid, sizeof uuid, error);
  return throw_at (cursor, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("unknown subsection of the configuration"), error);
}

/* What all streams of QEMU begin with. */
static gboolean
take_magic (Cursor *cursor, GError **error)
{
  guint32 magic, version;
  if (!take_u32 (cursor, &magic, error) || !take_u32 (cursor, &version, error))
    return FALSE;
  return (magic == QEMU_MAGIC && version == QEMU_VERSION)
         || throw_corrupt (cursor, _ ("not the beginning of a stream of QEMU"), error);
}

/* Magic, version and configuration, and the octet that begins the next section. */
static gboolean
take_configuration (Cursor *cursor, GError **error)
{
  guint32 machine_length;
  guint8 section, machine[MACHINE_MAX];
  if (!take_magic (cursor, error) || !take_u8 (cursor, &section, error)
      || !take_u32 (cursor, &machine_length, error))
    return FALSE;
  if (section != QEMU_CONFIGURATION || machine_length > MACHINE_MAX)
    return throw_corrupt (cursor, _ ("no configuration where it must be"), error);
  if (!take (cursor, machine, machine_length, error) || !take_u8 (cursor, &section, error))
    return FALSE;

  gboolean mapped_ram = FALSE;
  for (guint i = 0; section == QEMU_SUBSECTION; i++)
    if (i >= SUBSECTIONS_MAX)
      return throw_corrupt (cursor, _ ("too many subsections"), error);
    else if (!take_subsection (cursor, &mapped_ram, error) || !take_u8 (cursor, &section, error))
      return FALSE;

  if (section != QEMU_SECTION_START)
    return throw_corrupt (cursor, _ ("no section starts behind the configuration"), error);
  return mapped_ram || throw_corrupt (cursor, _ ("written without 'mapped-ram'"), error);
}

/* The head of the "ram" section. */
static gboolean
take_ram_head (Cursor *cursor, guint64 *out_total, GError **error)
{
  guint32 id, instance, version;
  char name[256];
  if (!take_u32 (cursor, &id, error) || !take_name (cursor, name, error)
      || !take_u32 (cursor, &instance, error) || !take_u32 (cursor, &version, error)
      || !take_u64 (cursor, out_total, error))
    return FALSE;
  if (!g_str_equal (name, "ram") || instance != 0)
    return throw_corrupt (cursor, _ ("the first section is not 'ram'"), error);
  if (version != RAM_VERSION)
    return throw_at (cursor, STASIS_IMAGE_ERROR_UNSUPPORTED, _ ("unknown version of 'ram'"), error);
  if (*out_total % STASIS_IMAGE_PAGE_SIZE != RAM_MEM_SIZE)
    return throw_corrupt (cursor, _ ("the list of RAM blocks is missing"), error);
  *out_total -= RAM_MEM_SIZE;
  return TRUE;
}

/* One block; leaves the cursor behind its pages.  @left: used lengths that are still to come. */
static gboolean
take_block (Cursor *cursor, guint64 left, StasisImageBlock *block, GError **error)
{
  guint32 version;
  if (!take_name (cursor, block->name, error) || !take_u64 (cursor, &block->used_length, error)
      || !take_u32 (cursor, &version, error) || !take_u64 (cursor, &block->page_size, error)
      || !take_u64 (cursor, &block->bitmap_offset, error)
      || !take_u64 (cursor, &block->pages_offset, error))
    return FALSE;
  if (version != MAPPED_RAM_VERSION || block->page_size != STASIS_IMAGE_PAGE_SIZE)
    return throw_at (cursor, STASIS_IMAGE_ERROR_UNSUPPORTED,
                     _ ("unknown version or page size of mapped-ram"), error);

  const guint64 room = cursor->end - cursor->offset;
  if (block->used_length == 0 || block->used_length % block->page_size != 0
      || block->used_length > left || block->used_length > room)
    return throw_corrupt (cursor, _ ("the length of a RAM block makes no sense"), error);

  block->bitmap_length = stasis_round_up (block->used_length / block->page_size, 64) / 8;
  const guint64 pages_offset
      = stasis_round_up (cursor->offset + block->bitmap_length, STASIS_IMAGE_CHUNK_SIZE);
  if (block->bitmap_offset != cursor->offset || block->pages_offset != pages_offset
      || pages_offset > cursor->end || block->used_length > cursor->end - pages_offset)
    return throw_corrupt (cursor, _ ("the place of a RAM block makes no sense"), error);
  cursor->offset = pages_offset + block->used_length;
  return TRUE;
}

static gboolean
take_blocks (Cursor *cursor, GArray *blocks, guint64 total, GError **error)
{
  while (total > 0)
    {
      StasisImageBlock block = { .used_length = 0 };
      if (blocks->len >= STASIS_IMAGE_BLOCKS_MAX)
        return throw_corrupt (cursor, _ ("too many RAM blocks"), error);
      if (!take_block (cursor, total, &block, error))
        return FALSE;
      total -= block.used_length;
      g_array_append_val (blocks, block);
    }
  return blocks->len > 0 || throw_corrupt (cursor, _ ("no RAM blocks"), error);
}

/* Parse QEMU's stream as far as its RAMBlocks. */
StasisImageRamMap *
stasis_mapped_ram_parse (int fd, guint64 body_offset, guint64 body_end, GError **error)
{
  Cursor cursor = { .fd = fd, .offset = body_offset, .end = body_end };
  g_autoptr (GArray) blocks = g_array_new (FALSE, TRUE, sizeof (StasisImageBlock));
  guint64 total;
  if (!take_configuration (&cursor, error) || !take_ram_head (&cursor, &total, error)
      || !take_blocks (&cursor, blocks, total, error))
    return NULL;

  StasisImageRamMap *map = g_new0 (StasisImageRamMap, 1);
  map->n_blocks = blocks->len;
  map->blocks = (gpointer) g_array_free (g_steal_pointer (&blocks), FALSE);
  return map;
}

/* TRUE where [@body_offset, @body_end) begins as QEMU's streams do. */
gboolean
stasis_mapped_ram_check_stream (int fd, guint64 body_offset, guint64 body_end, GError **error)
{
  Cursor cursor = { .fd = fd, .offset = body_offset, .end = body_end };
  return take_magic (&cursor, error);
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

/* Punch what is clear of the pages in [@start, @end) of the file, all of @block. */
static gboolean
punch_extent (int fd, StasisBitmap *bitmap, const StasisImageBlock *block, guint64 start,
              guint64 end, GError **error)
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
          && !stasis_extent_punch (fd, block->pages_offset + page * block->page_size,
                                   block->pages_offset + run_end * block->page_size, error))
        return FALSE;
      page = run_end;
    }
  return TRUE;
}

/* Drop what a live save left in pages whose bit is clear. */
gboolean
stasis_mapped_ram_punch_stale (int fd, const StasisImageRamMap *map, GCancellable *cancellable,
                               GError **error)
{
  g_autofree StasisBitmap *bitmap = g_new0 (StasisBitmap, 1);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      const StasisImageBlock *block = &map->blocks[i];
      const guint64 end = block->pages_offset + block->used_length;
      guint64 start, stop;
      for (guint64 at = block->pages_offset; at < end; at = stop)
        if (g_cancellable_set_error_if_cancelled (cancellable, error)
            || !stasis_extent_next (fd, at, end, &start, &stop, error)
            || !punch_extent (fd, bitmap, block, start, stop, error))
          return FALSE;
    }
  return TRUE;
}
