/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-edits.c: images whose records are not as they should be, well sealed
 */

#include "config.h"

#include "sample-edits.h"

#include <string.h>

#include "image/error.h"
#include "image/octets.h"

static SampleRecord *
steal_record (GPtrArray *records, guint32 type)
{
  for (guint i = 0; i < records->len; i++)
    if (((SampleRecord *) g_ptr_array_index (records, i))->type == type)
      return g_ptr_array_steal_index (records, i);
  g_assert_not_reached ();
}

static void
drop_record (GPtrArray *records, guint32 type)
{
  SampleRecord *record = steal_record (records, type);
  g_clear_pointer (&record->body, g_bytes_unref);
  g_free (record);
}

static void
replace_record (GPtrArray *records, guint32 type, const void *octets, gsize size)
{
  drop_record (records, type);
  g_ptr_array_insert (records, 0, sample_record (type, octets, size));
}

static void
edit_nothing (GPtrArray *front, GPtrArray *tail)
{
}

static void
edit_xml_in_tail (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, steal_record (front, STASIS_RECORD_DOMAIN_XML));
}

static void
edit_optional (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (0x80000001, "origin", 6));
  g_ptr_array_insert (tail, 0, sample_record (0xffffffff, "x", 1));
  g_ptr_array_insert (tail, 0, sample_record (0xffffffff, "", 0));
}

static void
edit_mandatory (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (77, "new", 3));
}

static void
edit_reserved (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 1, sample_record (STASIS_RECORD_PARENT, "parent", 6));
}

static void
edit_misplaced_facts (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, steal_record (front, STASIS_RECORD_QEMU_FACTS));
}

static void
edit_misplaced_disks (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 0, steal_record (tail, STASIS_RECORD_DISKS));
}

static void
edit_two_xml (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, sample_record (STASIS_RECORD_DOMAIN_XML, "<x/>", 4));
}

static void
edit_two_static_ends (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_add (front, sample_record (STASIS_RECORD_STATIC_END, "", 0));
}

static void
edit_early_static_end (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 0, steal_record (front, STASIS_RECORD_STATIC_END));
}

static void
edit_no_static_end (GPtrArray *front, GPtrArray *tail)
{
  drop_record (front, STASIS_RECORD_STATIC_END);
}

static void
edit_no_end (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_END);
}

static void
edit_behind_end (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_add (tail, sample_record (0x80000001, "late", 4));
}

static void
edit_wrong_end (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_END);
  g_ptr_array_add (tail, sample_record (STASIS_RECORD_END, SAMPLE_XML, 40));
}

static void
edit_short_end (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_END);
  g_ptr_array_add (tail, sample_record (STASIS_RECORD_END, SAMPLE_XML, 39));
}

static void
edit_no_xml (GPtrArray *front, GPtrArray *tail)
{
  drop_record (front, STASIS_RECORD_DOMAIN_XML);
}

static void
edit_no_facts (GPtrArray *front, GPtrArray *tail)
{
  drop_record (front, STASIS_RECORD_QEMU_FACTS);
}

static void
edit_no_disks (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_DISKS);
}

static void
edit_no_hashes (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_CHUNK_HASHES);
}

static void
edit_ram_map_of_stream (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, sample_record (STASIS_RECORD_RAM_MAP, "", 0));
}

static void
edit_xml_nul (GPtrArray *front, GPtrArray *tail)
{
  replace_record (front, STASIS_RECORD_DOMAIN_XML, "<x/>", 5);
}

static void
edit_xml_empty (GPtrArray *front, GPtrArray *tail)
{
  replace_record (front, STASIS_RECORD_DOMAIN_XML, "", 0);
}

static void
edit_facts_no_json (GPtrArray *front, GPtrArray *tail)
{
  replace_record (front, STASIS_RECORD_QEMU_FACTS, "{", 1);
}

static void
edit_facts_array (GPtrArray *front, GPtrArray *tail)
{
  replace_record (front, STASIS_RECORD_QEMU_FACTS, "[]", 2);
}

static void
edit_facts_empty (GPtrArray *front, GPtrArray *tail)
{
  replace_record (front, STASIS_RECORD_QEMU_FACTS, "{}", 2);
}

static void
edit_disks_bad (GPtrArray *front, GPtrArray *tail)
{
  static const char text[] = "{\"disks\":[{\"target\":\"vda\"}]}";
  replace_record (tail, STASIS_RECORD_DISKS, text, strlen (text));
}

static void
edit_hashes_short (GPtrArray *front, GPtrArray *tail)
{
  guint8 table[32] = { 0 };
  stasis_put_le32 (table, 1024 * 1024);
  replace_record (tail, STASIS_RECORD_CHUNK_HASHES, table, sizeof table);
}

static void
edit_hashes_chunk_size (GPtrArray *front, GPtrArray *tail)
{
  guint8 table[48] = { 0 };
  stasis_put_le32 (table, 2 * 1024 * 1024);
  stasis_put_le64 (table + 8, 1);
  replace_record (tail, STASIS_RECORD_CHUNK_HASHES, table, sizeof table);
}

static void
edit_no_ram_map (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_RAM_MAP);
}

/* The reader ignores it, the verifier does not. */
static void
patch_record (GPtrArray *records, guint32 type, gsize at, guint8 bits)
{
  for (guint i = 0; i < records->len; i++)
    {
      SampleRecord *record = g_ptr_array_index (records, i);
      if (record->type != type)
        continue;
      g_autoptr (GBytes) old = g_steal_pointer (&record->body);
      gsize size = 0;
      const guint8 *octets = g_bytes_get_data (old, &size);
      guint8 *changed = g_memdup2 (octets, size);
      changed[at] ^= bits;
      record->body = g_bytes_new_take (changed, size);
    }
}

static void
edit_map_no_blocks (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 3);
}

static void
edit_map_more_blocks (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 7);
}

static void
edit_map_fewer_blocks (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 1);
}

static void
edit_map_length (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 7, 0x80);
}

static void
edit_map_place (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 34, 0x80);
}

static void
edit_map_name (GPtrArray *front, GPtrArray *tail)
{
  patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 80, 0x80);
}

#define BAD   STASIS_IMAGE_ERROR_CORRUPT
#define NEWER STASIS_IMAGE_ERROR_UNSUPPORTED

const SampleCase sample_cases[] = {
  { "nothing", STASIS_IMAGE_BODY_STREAM, edit_nothing, -1, NULL },
  { "xml-in-tail", STASIS_IMAGE_BODY_STREAM, edit_xml_in_tail, -1, NULL },
  { "unknown-optional", STASIS_IMAGE_BODY_STREAM, edit_optional, -1, NULL },
  { "unknown-mandatory", STASIS_IMAGE_BODY_STREAM, edit_mandatory, NEWER,
    "does not know record 'unknown' (0x4d)" },
  { "reserved-number", STASIS_IMAGE_BODY_STREAM, edit_reserved, NEWER, "record 'parent' (0x9)" },
  { "misplaced-facts", STASIS_IMAGE_BODY_STREAM, edit_misplaced_facts, BAD, "'qemu-facts'" },
  { "misplaced-disks", STASIS_IMAGE_BODY_STREAM, edit_misplaced_disks, BAD, "must not stand here" },
  { "two-xml", STASIS_IMAGE_BODY_STREAM, edit_two_xml, BAD, "is there twice" },
  { "two-static-ends", STASIS_IMAGE_BODY_STREAM, edit_two_static_ends, BAD, "more records" },
  { "early-static-end", STASIS_IMAGE_BODY_STREAM, edit_early_static_end, BAD, "more records" },
  { "no-static-end", STASIS_IMAGE_BODY_STREAM, edit_no_static_end, BAD, "end early" },
  { "no-end", STASIS_IMAGE_BODY_STREAM, edit_no_end, BAD, "end early" },
  { "behind-end", STASIS_IMAGE_BODY_STREAM, edit_behind_end, BAD, "more records" },
  { "wrong-end", STASIS_IMAGE_BODY_STREAM, edit_wrong_end, BAD, "does not belong" },
  { "short-end", STASIS_IMAGE_BODY_STREAM, edit_short_end, BAD, "does not belong" },
  { "no-xml", STASIS_IMAGE_BODY_STREAM, edit_no_xml, BAD, "'domain-xml' is missing" },
  { "no-facts", STASIS_IMAGE_BODY_STREAM, edit_no_facts, BAD, "'qemu-facts' is missing" },
  { "no-disks", STASIS_IMAGE_BODY_STREAM, edit_no_disks, BAD, "'disks' is missing" },
  { "no-hashes", STASIS_IMAGE_BODY_STREAM, edit_no_hashes, BAD, "'chunk-hashes' is missing" },
  { "ram-map-of-stream", STASIS_IMAGE_BODY_STREAM, edit_ram_map_of_stream, BAD,
    "the body has none" },
  { "xml-nul", STASIS_IMAGE_BODY_STREAM, edit_xml_nul, BAD, "UTF-8" },
  { "xml-empty", STASIS_IMAGE_BODY_STREAM, edit_xml_empty, BAD, "empty" },
  { "facts-no-json", STASIS_IMAGE_BODY_STREAM, edit_facts_no_json, BAD, "'qemu-facts'" },
  { "facts-array", STASIS_IMAGE_BODY_STREAM, edit_facts_array, BAD, "not an object" },
  { "facts-empty", STASIS_IMAGE_BODY_STREAM, edit_facts_empty, BAD, "'emulator'" },
  { "disks-bad", STASIS_IMAGE_BODY_STREAM, edit_disks_bad, BAD, "disk 0" },
  { "hashes-short", STASIS_IMAGE_BODY_STREAM, edit_hashes_short, BAD, "not as many hashes" },
  { "hashes-chunk-size", STASIS_IMAGE_BODY_STREAM, edit_hashes_chunk_size, NEWER, "chunk size" },
  { "no-ram-map", STASIS_IMAGE_BODY_MAPPED_RAM, edit_no_ram_map, BAD, "'ram-map' is missing" },
  { "map-no-blocks", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_no_blocks, BAD, "number of blocks" },
  { "map-more-blocks", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_more_blocks, BAD,
    "number of blocks" },
  { "map-fewer-blocks", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_fewer_blocks, BAD, "not announced" },
  { "map-length", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_length, BAD, "block 0: its length" },
  { "map-place", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_place, BAD, "block 0: its place" },
  { "map-name", STASIS_IMAGE_BODY_MAPPED_RAM, edit_map_name, BAD, "block 0: cut, or its name" },
};

const gsize sample_n_cases = G_N_ELEMENTS (sample_cases);
