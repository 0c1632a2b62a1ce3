/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-packed-edits.c: PACKED_RAM images whose records are not as they should be, well sealed
 */

#include "config.h"

#include "image/error.h"
#include "sample-edits.h"

#define PACKED STASIS_IMAGE_BODY_PACKED_RAM
#define BAD    STASIS_IMAGE_ERROR_CORRUPT
#define HEAD   48u /* of the record, before the first block */

static void
edit_nothing (GPtrArray *front, GPtrArray *tail)
{
}

static void
edit_no_packed (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_PACKED_RAM);
}

static void
edit_no_parent (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (front, STASIS_RECORD_PARENT);
}

static void
edit_two_packed (GPtrArray *front, GPtrArray *tail)
{
  const SampleRecord *record = g_ptr_array_index (tail, 0);
  gsize size;
  const void *octets = g_bytes_get_data (record->body, &size);
  g_ptr_array_insert (tail, 0, sample_record (record->type, octets, size));
}

static void
edit_short (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_PACKED_RAM);
  g_ptr_array_insert (tail, 0, sample_record (STASIS_RECORD_PACKED_RAM, "\1\0\0\0", 4));
}

static void
edit_ram_map (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, sample_record (STASIS_RECORD_RAM_MAP, "", 0));
}

#define PATCH(name, at, bits) \
  static void edit_##name (GPtrArray *front, GPtrArray *tail) \
  { \
    sample_patch_record (tail, STASIS_RECORD_PACKED_RAM, (at), (bits)); \
  }

PATCH (no_blocks, 0, 3)
PATCH (fewer_blocks, 0, 1)
PATCH (more_blocks, 0, 7)
PATCH (reserved, 4, 1)
PATCH (fewer_pages, 8, 1)
PATCH (many_pages, 8 + 7, 0x80)
PATCH (fewer_runs, 16, 1)
PATCH (many_runs, 16 + 7, 0x80)
PATCH (reserved_2, 24, 1)
PATCH (hash, 32, 1)
PATCH (length, HEAD + 7, 0x80)
PATCH (odd_length, HEAD, 1)
PATCH (no_length, HEAD + 2, 0x30)
PATCH (other_length, HEAD + 2, 0x40)
PATCH (n_set, HEAD + 8, 1)
PATCH (many_set, HEAD + 8 + 7, 0x80)
PATCH (name_length, HEAD + 16 + 1, 0x80)
PATCH (block_reserved, HEAD + 20, 1)
PATCH (name_nul, HEAD + 24, 'p')
PATCH (name_other, HEAD + 24, 1)
PATCH (name_not_text, HEAD + 24, 0x80)
PATCH (padding, HEAD + 24 + 7, 1)

const SampleCase sample_packed_cases[] = {
  { "packed-nothing", PACKED, edit_nothing, -1, NULL },
  { "packed-none", PACKED, edit_no_packed, BAD, "'packed-ram' is missing" },
  { "packed-no-parent", PACKED, edit_no_parent, BAD, "'parent' is missing" },
  { "packed-two", PACKED, edit_two_packed, BAD, "twice" },
  { "packed-short", PACKED, edit_short, BAD, "number of blocks" },
  { "packed-ram-map", PACKED, edit_ram_map, BAD, "the body has none" },
  { "packed-no-blocks", PACKED, edit_no_blocks, BAD, "number of blocks" },
  { "packed-fewer-blocks", PACKED, edit_fewer_blocks, BAD, "more blocks than announced" },
  { "packed-more-blocks", PACKED, edit_more_blocks, BAD, "a block is cut" },
  { "packed-reserved", PACKED, edit_reserved, SAMPLE_DAMAGED, "reserved" },
  { "packed-fewer-pages", PACKED, edit_fewer_pages, SAMPLE_DAMAGED, "index" },
  { "packed-many-pages", PACKED, edit_many_pages, BAD, "number of pages" },
  { "packed-fewer-runs", PACKED, edit_fewer_runs, SAMPLE_DAMAGED, "index" },
  { "packed-many-runs", PACKED, edit_many_runs, BAD, "number of pages" },
  { "packed-reserved-2", PACKED, edit_reserved_2, SAMPLE_DAMAGED, "reserved" },
  { "packed-hash", PACKED, edit_hash, SAMPLE_DAMAGED, "index of the packed pages: its hash" },
  { "packed-length", PACKED, edit_length, BAD, "length of a block" },
  { "packed-odd-length", PACKED, edit_odd_length, BAD, "length of a block" },
  { "packed-no-length", PACKED, edit_no_length, BAD, "length of a block" },
  { "packed-other-length", PACKED, edit_other_length, SAMPLE_DAMAGED, "not as many pages" },
  { "packed-n-set", PACKED, edit_n_set, SAMPLE_DAMAGED, "not as many pages" },
  { "packed-many-set", PACKED, edit_many_set, BAD, "length of a block" },
  { "packed-name-length", PACKED, edit_name_length, BAD, "a block is cut" },
  { "packed-block-reserved", PACKED, edit_block_reserved, SAMPLE_DAMAGED, "reserved" },
  { "packed-name-nul", PACKED, edit_name_nul, BAD, "a block is cut, or its name" },
  { "packed-name-other", PACKED, edit_name_other, SAMPLE_DAMAGED, "its RAM blocks are not" },
  { "packed-name-not-text", PACKED, edit_name_not_text, BAD, "its name makes no sense" },
  { "packed-padding", PACKED, edit_padding, SAMPLE_DAMAGED, "reserved" },
};

const gsize sample_n_packed_cases = G_N_ELEMENTS (sample_packed_cases);
