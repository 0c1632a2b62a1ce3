/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-edits.c: images whose records are not as they should be, well sealed
 */

#include "config.h"

#include "sample-edits.h"

#include <string.h>

#include "image/chunk-record.h"
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

void
sample_drop_record (GPtrArray *records, guint32 type)
{
  SampleRecord *record = steal_record (records, type);
  g_clear_pointer (&record->body, g_bytes_unref);
  g_free (record);
}

static void
replace_record (GPtrArray *records, guint32 type, const void *octets, gsize size)
{
  sample_drop_record (records, type);
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

#define ORIGIN "{\"kind\": \"libvirt\", \"program\": \"stasis 0\"}"

static void
edit_origin (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (STASIS_RECORD_ORIGIN, ORIGIN, strlen (ORIGIN)));
}

static void
edit_two_origins (GPtrArray *front, GPtrArray *tail)
{
  edit_origin (front, tail);
  edit_origin (front, tail);
}

static void
edit_late_origin (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 0, sample_record (STASIS_RECORD_ORIGIN, ORIGIN, strlen (ORIGIN)));
}

static void
edit_origin_without_kind (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (STASIS_RECORD_ORIGIN, "{\"program\": \"x\"}", 16));
}

static void
edit_optional (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (0x80000002, "others", 6));
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
  g_ptr_array_insert (tail, 1, sample_record (STASIS_RECORD_STORE_STATE, "store", 5));
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
  sample_drop_record (front, STASIS_RECORD_STATIC_END);
}

static void
edit_no_end (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_END);
}

static void
edit_behind_end (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_add (tail, sample_record (0x80000002, "late", 4));
}

static void
edit_wrong_end (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_END);
  g_ptr_array_add (tail, sample_record (STASIS_RECORD_END, SAMPLE_XML, 40));
}

static void
edit_short_end (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_END);
  g_ptr_array_add (tail, sample_record (STASIS_RECORD_END, SAMPLE_XML, 39));
}

static void
edit_no_xml (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (front, STASIS_RECORD_DOMAIN_XML);
}

static void
edit_no_facts (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (front, STASIS_RECORD_QEMU_FACTS);
}

static void
edit_no_disks (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_DISKS);
}

static void
edit_no_hashes (GPtrArray *front, GPtrArray *tail)
{
  sample_drop_record (tail, STASIS_RECORD_CHUNK_HASHES);
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
  sample_drop_record (tail, STASIS_RECORD_RAM_MAP);
}

/* The reader ignores it, the verifier does not. */
void
sample_patch_record (GPtrArray *records, guint32 type, gsize at, guint8 bits)
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
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 3);
}

static void
edit_map_more_blocks (GPtrArray *front, GPtrArray *tail)
{
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 7);
}

static void
edit_map_fewer_blocks (GPtrArray *front, GPtrArray *tail)
{
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 0, 1);
}

static void
edit_map_length (GPtrArray *front, GPtrArray *tail)
{
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 7, 0x80);
}

static void
edit_map_place (GPtrArray *front, GPtrArray *tail)
{
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 34, 0x80);
}

static void
edit_map_name (GPtrArray *front, GPtrArray *tail)
{
  sample_patch_record (tail, STASIS_RECORD_RAM_MAP, 16 + 80, 0x80);
}

static void
edit_swapped (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 1, g_ptr_array_steal_index (tail, 0));
}

static void
edit_chunk_missing (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_remove_index (tail, 1);
}

static void
edit_no_chunks (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_remove_range (tail, 0, 3);
}

static void
edit_last_chunk_missing (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_remove_index (tail, 2);
}

static void
edit_chunk_in_tail (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 3, g_ptr_array_steal_index (tail, 2));
}

static void
edit_chunk_in_front (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 0, g_ptr_array_steal_index (tail, 0));
}

/* In the middle of the run: what is optional elsewhere ends it here. */
static void
edit_optional_in_body (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 1, sample_record (0x80000002, "others", 6));
}

static void
edit_optional_in_tail (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (front, 1, sample_record (0x80000002, "others", 6));
  g_ptr_array_insert (tail, 3, sample_record (0xffffffff, "x", 1));
  g_ptr_array_insert (tail, 3, sample_record (0xffffffff, "", 0));
}

static void
edit_hashes_of_chunks (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 3, sample_record (STASIS_RECORD_CHUNK_HASHES, "", 0));
}

static void
edit_ram_map_of_chunks (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 3, sample_record (STASIS_RECORD_RAM_MAP, "", 0));
}

static void
edit_xml_behind_chunks (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_insert (tail, 3, steal_record (front, STASIS_RECORD_DOMAIN_XML));
}

/* Another chunk in the place of the one from @position on. */
static void
replace_chunk (GPtrArray *tail, guint index, guint32 encoding, guint32 length, guint64 position,
               const void *data, gsize size)
{
  const StasisChunkHead head = { encoding, length, position };
  guint8 octets[512];
  stasis_chunk_head_encode (&head, octets);
  memcpy (octets + STASIS_CHUNK_HEAD_SIZE, data, size);
  g_ptr_array_remove_index (tail, index);
  g_ptr_array_insert (tail, (gint) index,
                      sample_record (STASIS_RECORD_CHUNK, octets, STASIS_CHUNK_HEAD_SIZE + size));
}

static void
edit_chunk_short (GPtrArray *front, GPtrArray *tail)
{
  g_ptr_array_remove_index (tail, 2);
  g_ptr_array_insert (tail, 2, sample_record (STASIS_RECORD_CHUNK, "\0\0\0\0\0\0\0\0", 8));
}

static void
edit_chunk_empty (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_RAW, 0, 227, "", 0);
}

static void
edit_chunk_one (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_RAW, 1, 227, "x", 1);
}

static void
edit_chunk_too_long (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_ZSTD, STASIS_CHUNK_MAX + 1, 227, "x", 1);
}

static void
edit_raw_length (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_RAW, 6, 227, "hello", 5);
}

static void
edit_zstd_not_shorter (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_ZSTD, 5, 227, "hello", 5);
}

static void
edit_encoding (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, 2, 5, 227, "hello", 5);
}

static void
edit_position_far (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 2, STASIS_CHUNK_RAW, 5, G_MAXUINT64, "hello", 5);
}

/* The compressed chunk, its data changed. */
static void
edit_frame (GPtrArray *tail, guint32 length, gsize cut, const char *before, gsize before_size,
            const char *behind, gsize behind_size)
{
  const SampleRecord *record = g_ptr_array_index (tail, 1);
  gsize size;
  const guint8 *body = g_bytes_get_data (record->body, &size);
  g_autoptr (GByteArray) data = g_byte_array_new ();
  g_byte_array_append (data, (const guint8 *) before, (guint) before_size);
  g_byte_array_append (data, body + STASIS_CHUNK_HEAD_SIZE,
                       (guint) (size - STASIS_CHUNK_HEAD_SIZE - cut));
  g_byte_array_append (data, (const guint8 *) behind, (guint) behind_size);
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, length, 27, data->data, data->len);
}

static void
edit_frame_cut (GPtrArray *front, GPtrArray *tail)
{
  edit_frame (tail, 200, 1, "", 0, "", 0);
}

static void
edit_frame_trailing (GPtrArray *front, GPtrArray *tail)
{
  edit_frame (tail, 200, 0, "", 0, "x", 1);
}

static void
edit_frame_two (GPtrArray *front, GPtrArray *tail)
{
  edit_frame (tail, 200, 0, "", 0, "\x28\xb5\x2f\xfd\x20\0\1\0\0", 9);
}

static void
edit_frame_skippable (GPtrArray *front, GPtrArray *tail)
{
  edit_frame (tail, 200, 0, "\x50\x2a\x4d\x18\0\0\0\0", 8, "", 0);
}

static void
edit_frame_none (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, 200, 27, "no frame", 8);
}

/* A frame whose head does not say how much is in it: a window instead, one block of 200 'z'. */
static void
edit_frame_no_size (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, 200, 27, "\x28\xb5\x2f\xfd\0\0\x43\6\0z", 10);
}

/* The same octets in a frame that says so. */
static void
edit_frame_other (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, 200, 27, "\x28\xb5\x2f\xfd\x20\xc8\x43\6\0z", 10);
}

static void
edit_frame_size (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, 200, 27, "\x28\xb5\x2f\xfd\x20\xc9\x43\6\0z", 10);
}

static void
edit_frame_dictionary (GPtrArray *front, GPtrArray *tail)
{
  replace_chunk (tail, 1, STASIS_CHUNK_ZSTD, 200, 27, "\x28\xb5\x2f\xfd\x21\7\xc8\x43\6\0z", 11);
}

#define BAD   STASIS_IMAGE_ERROR_CORRUPT
#define NEWER STASIS_IMAGE_ERROR_UNSUPPORTED

#define CHUNKS STASIS_IMAGE_BODY_CHUNKS

const SampleCase sample_cases[] = {
  { "nothing", STASIS_IMAGE_BODY_STREAM, edit_nothing, -1, NULL },
  { "xml-in-tail", STASIS_IMAGE_BODY_STREAM, edit_xml_in_tail, -1, NULL },
  { "unknown-optional", STASIS_IMAGE_BODY_STREAM, edit_optional, -1, NULL },
  { "origin", STASIS_IMAGE_BODY_STREAM, edit_origin, -1, NULL },
  { "origin-twice", STASIS_IMAGE_BODY_STREAM, edit_two_origins, STASIS_IMAGE_ERROR_CORRUPT,
    "is there twice" },
  { "origin-late", STASIS_IMAGE_BODY_STREAM, edit_late_origin, STASIS_IMAGE_ERROR_CORRUPT,
    "must not stand here" },
  { "origin-without-kind", STASIS_IMAGE_BODY_STREAM, edit_origin_without_kind,
    STASIS_IMAGE_ERROR_CORRUPT, "member 'kind'" },
  { "unknown-mandatory", STASIS_IMAGE_BODY_STREAM, edit_mandatory, NEWER,
    "does not know record 'unknown' (0x4d)" },
  { "reserved-number", STASIS_IMAGE_BODY_STREAM, edit_reserved, NEWER, "'store-state' (0x8)" },
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
  { "chunks-nothing", CHUNKS, edit_nothing, -1, NULL },
  { "chunks-optional", CHUNKS, edit_optional_in_tail, -1, NULL },
  { "chunks-swapped", CHUNKS, edit_swapped, BAD, "is the piece from octet 27 of the stream, not" },
  { "chunks-missing", CHUNKS, edit_chunk_missing, BAD, "is the piece from octet 227" },
  { "chunks-last-missing", CHUNKS, edit_last_chunk_missing, -1, NULL }, /* sealed: END agrees */
  { "chunks-none", CHUNKS, edit_no_chunks, BAD, NULL },
  { "chunks-in-tail", CHUNKS, edit_chunk_in_tail, BAD, "must not stand here" },
  { "chunks-in-front", CHUNKS, edit_chunk_in_front, BAD, "must not stand here" },
  { "chunks-parted", CHUNKS, edit_optional_in_body, BAD, "must not stand here" },
  { "chunks-hashes", CHUNKS, edit_hashes_of_chunks, BAD, "the body has none" },
  { "chunks-ram-map", CHUNKS, edit_ram_map_of_chunks, BAD, "the body has none" },
  { "chunks-xml-behind", CHUNKS, edit_xml_behind_chunks, BAD, "must not stand here" },
  { "chunks-no-xml", CHUNKS, edit_no_xml, BAD, "'domain-xml' is missing" },
  { "chunks-two-xml", CHUNKS, edit_two_xml, BAD, NULL },
  { "chunks-no-facts", CHUNKS, edit_no_facts, BAD, "'qemu-facts' is missing" },
  { "chunks-no-disks", CHUNKS, edit_no_disks, BAD, "'disks' is missing" },
  { "chunks-no-end", CHUNKS, edit_no_end, BAD, NULL },
  { "chunks-wrong-end", CHUNKS, edit_wrong_end, BAD, "does not belong" },
  { "chunks-behind-end", CHUNKS, edit_behind_end, BAD, NULL },
  { "chunks-no-static-end", CHUNKS, edit_no_static_end, BAD, NULL },
  { "chunks-early-static-end", CHUNKS, edit_early_static_end, BAD, NULL },
  { "chunks-mandatory", CHUNKS, edit_mandatory, NEWER, "(0x4d)" },
  { "chunk-short", CHUNKS, edit_chunk_short, BAD, "too short" },
  { "chunk-empty", CHUNKS, edit_chunk_empty, BAD, "length of the piece" },
  { "chunk-one", CHUNKS, edit_chunk_one, -1, NULL },
  { "chunk-too-long", CHUNKS, edit_chunk_too_long, BAD, "length of the piece" },
  { "chunk-raw-length", CHUNKS, edit_raw_length, BAD, "not as long as the piece" },
  { "chunk-not-shorter", CHUNKS, edit_zstd_not_shorter, BAD, "longer than the piece" },
  { "chunk-encoding", CHUNKS, edit_encoding, NEWER, "unknown encoding 2" },
  { "chunk-position", CHUNKS, edit_position_far, BAD, "is the piece from octet 1844674407" },
  { "frame-other", CHUNKS, edit_frame_other, -1, NULL },
  { "frame-cut", CHUNKS, edit_frame_cut, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-trailing", CHUNKS, edit_frame_trailing, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-two", CHUNKS, edit_frame_two, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-skippable", CHUNKS, edit_frame_skippable, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-none", CHUNKS, edit_frame_none, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-no-size", CHUNKS, edit_frame_no_size, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-size", CHUNKS, edit_frame_size, SAMPLE_DAMAGED, "not one zstd frame" },
  { "frame-dictionary", CHUNKS, edit_frame_dictionary, SAMPLE_DAMAGED, "cannot be decompressed" },
};

const gsize sample_n_cases = G_N_ELEMENTS (sample_cases);
