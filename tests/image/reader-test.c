/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader-test.c: tests of src/image/reader.c: what must be refused, and how it is called
 */

#include "config.h"

#include "image/reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "sample.h"
#include "util/fd.h"

static void
assert_refused (int fd, StasisImageError code, const char *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_null (image);
  g_assert_error (error, STASIS_IMAGE_ERROR, (int) code);
  if (message != NULL && strstr (error->message, message) == NULL)
    g_error ("'%s' is not in '%s'", message, error->message);
}

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

typedef struct
{
  const char *name;
  SampleEdit edit;
  int code;            /* StasisImageError; -1: opens and verifies */
  const char *message; /* part of it */
} Case;

#define BAD   STASIS_IMAGE_ERROR_CORRUPT
#define NEWER STASIS_IMAGE_ERROR_UNSUPPORTED

static const Case cases[] = {
  { "nothing", edit_nothing, -1, NULL },
  { "xml-in-tail", edit_xml_in_tail, -1, NULL },
  { "unknown-optional", edit_optional, -1, NULL },
  { "unknown-mandatory", edit_mandatory, NEWER, "does not know record 'unknown' (0x4d)" },
  { "reserved-number", edit_reserved, NEWER, "record 'parent' (0x9)" },
  { "misplaced-facts", edit_misplaced_facts, BAD, "'qemu-facts'" },
  { "misplaced-disks", edit_misplaced_disks, BAD, "must not stand here" },
  { "two-xml", edit_two_xml, BAD, "is there twice" },
  { "two-static-ends", edit_two_static_ends, BAD, "more records" },
  { "early-static-end", edit_early_static_end, BAD, "more records" },
  { "no-static-end", edit_no_static_end, BAD, "end early" },
  { "no-end", edit_no_end, BAD, "end early" },
  { "behind-end", edit_behind_end, BAD, "more records" },
  { "wrong-end", edit_wrong_end, BAD, "does not belong" },
  { "short-end", edit_short_end, BAD, "does not belong" },
  { "no-xml", edit_no_xml, BAD, "'domain-xml' is missing" },
  { "no-facts", edit_no_facts, BAD, "'qemu-facts' is missing" },
  { "no-disks", edit_no_disks, BAD, "'disks' is missing" },
  { "no-hashes", edit_no_hashes, BAD, "'chunk-hashes' is missing" },
  { "ram-map-of-stream", edit_ram_map_of_stream, BAD, "the body has none" },
  { "xml-nul", edit_xml_nul, BAD, "UTF-8" },
  { "xml-empty", edit_xml_empty, BAD, "empty" },
  { "facts-no-json", edit_facts_no_json, BAD, "'qemu-facts'" },
  { "facts-array", edit_facts_array, BAD, "not an object" },
  { "facts-empty", edit_facts_empty, BAD, "'emulator'" },
  { "disks-bad", edit_disks_bad, BAD, "disk 0" },
  { "hashes-short", edit_hashes_short, BAD, "not as many hashes" },
  { "hashes-chunk-size", edit_hashes_chunk_size, NEWER, "chunk size" },
};

static void
test_edited (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_STREAM, c->edit);
  if (c->code >= 0)
    {
      assert_refused (fd, (StasisImageError) c->code, c->message);
      return;
    }
  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
  g_autoptr (StasisImage) image = sample_open (fd, NULL);
  g_assert_cmpuint (stasis_image_n_unknown_records (image), ==, c->edit == edit_optional ? 3 : 0);
}

static void
edit_no_ram_map (GPtrArray *front, GPtrArray *tail)
{
  drop_record (tail, STASIS_RECORD_RAM_MAP);
}

static void
test_no_ram_map (void)
{
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_MAPPED_RAM, edit_no_ram_map);
  assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "'ram-map' is missing");
}

/* Every prefix of a small image, its hole left out. */
static void
test_prefixes (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  const guint64 body = stasis_image_body_offset (image);

  for (guint64 size = stasis_image_file_size (image) - 1; size > 0; size--)
    {
      if (size == body - 16)
        size = 8192;
      g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
      if (size >= 8)
        assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "is cut");
      else
        assert_refused (
            fd, size >= 4 ? STASIS_IMAGE_ERROR_CORRUPT : STASIS_IMAGE_ERROR_NOT_AN_IMAGE, NULL);
    }
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  assert_refused (fd, STASIS_IMAGE_ERROR_NOT_AN_IMAGE, "is not a save image");
}

/* The same with a header that owns up to the cut, so that the records have to notice. */
static void
test_honest_prefixes (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const guint64 tail = image->header.tail_offset;
  for (guint64 size = stasis_image_file_size (image) - 8; size > tail; size -= 8)
    {
      guint8 octets[8];
      g_assert_cmpint (ftruncate (fd, (off_t) size), ==, 0);
      stasis_put_le64 (octets, size);
      sample_patch_header (fd, 64, octets, 8);
      stasis_put_le64 (octets, size - tail);
      sample_patch_header (fd, 120, octets, 8);
      assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, NULL);
    }
  for (guint64 front = image->header.front_length - 8; front > 0; front -= 8)
    {
      stasis_autofd int other = sample_image (STASIS_IMAGE_BODY_STREAM);
      guint8 octets[8];
      stasis_put_le64 (octets, front);
      sample_patch_header (other, 80, octets, 8);
      assert_refused (other, STASIS_IMAGE_ERROR_CORRUPT, NULL);
    }
}

/* Front records of one image do not go with the rest of another. */
static void
test_other_front (void)
{
  stasis_autofd int one = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_autofd int other = sample_image (STASIS_IMAGE_BODY_STREAM);
  guint8 header[STASIS_IMAGE_HEADER_SIZE];
  g_assert_cmpint (pread (other, header, sizeof header, 0), ==, sizeof header);
  g_assert_cmpint (pwrite (one, header, sizeof header, 0), ==, sizeof header);
  assert_refused (one, STASIS_IMAGE_ERROR_CORRUPT, "does not belong");
}

static void
test_trailing (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_assert_cmpint (lseek (fd, 0, SEEK_END), >, 0);
  g_assert_cmpint (write (fd, "", 1), ==, 1);
  assert_refused (fd, STASIS_IMAGE_ERROR_CORRUPT, "has 1 octets behind its end");
}

static void
test_body_kind (void)
{
  guint8 kind[4];
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_put_le32 (kind, 3);
  sample_patch_header (fd, 104, kind, 4);
  assert_refused (fd, STASIS_IMAGE_ERROR_UNSUPPORTED, "body of unknown kind 3");
}

/* Things that are no file at all. */
static void
test_strange_files (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_image_open ("/dev/null", &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  g_clear_error (&error);
  g_assert_null (stasis_image_open ("/nonexistent/x", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  g_autofree char *folder = g_dir_make_tmp ("stasis-reader-XXXXXX", NULL);
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_null (stasis_image_open (fifo, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
  unlink (fifo);
  rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/reader/records/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_edited);
    }
  g_test_add_func ("/image/reader/records/no-ram-map", test_no_ram_map);
  g_test_add_func ("/image/reader/prefixes", test_prefixes);
  g_test_add_func ("/image/reader/honest-prefixes", test_honest_prefixes);
  g_test_add_func ("/image/reader/other-front", test_other_front);
  g_test_add_func ("/image/reader/trailing", test_trailing);
  g_test_add_func ("/image/reader/body-kind", test_body_kind);
  g_test_add_func ("/image/reader/strange-files", test_strange_files);
  return g_test_run ();
}
