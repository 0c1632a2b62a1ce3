/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * writer-test.c: tests of src/image/writer.c, and the round trip through reader.c
 */

#include "config.h"

#include "image/writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/extents.h"
#include "image/info.h"
#include "image/mapped-ram.h"
#include "image/verify.h"
#include "sample.h"
#include "util/fd.h"

#define MIB (1024u * 1024)

static void
assert_sample (const StasisImage *image)
{
  g_autoptr (StasisJson) disks = sample_disks ();
  g_autofree char *expected = stasis_json_to_string (disks);
  g_autofree char *found = stasis_json_to_string (stasis_image_disks (image));
  g_assert_cmpstr (found, ==, expected);
  g_assert_cmpmem (g_bytes_get_data (stasis_image_xml (image), NULL),
                   g_bytes_get_size (stasis_image_xml (image)), SAMPLE_XML, strlen (SAMPLE_XML));
  g_assert_true (stasis_image_was_running (image));
  g_assert_cmpuint (stasis_image_domain_uuid (image)[0], ==, 0xd0);
  g_assert_cmpuint (stasis_image_uuid (image)[6] >> 4, ==, 4);
  g_assert_cmpstr (stasis_image_writer_version (image), ==, "stasis " STASIS_VERSION);
  g_assert_cmpuint (stasis_image_body_offset (image), ==, 512 * 1024);
  g_assert_cmpint (ABS (stasis_image_created_ns (image) / 1000 - g_get_real_time ()), <,
                   3600000000);
}

static void
test_round_trip_mapped_ram (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  assert_sample (image);
  g_assert_cmpuint (stasis_image_body_kind (image), ==, STASIS_IMAGE_BODY_MAPPED_RAM);

  const StasisImageRamMap *map = stasis_image_ram_map (image);
  g_assert_cmpuint (map->n_blocks, ==, 3);
  g_assert_cmpstr (map->blocks[0].name, ==, "pc.ram");
  g_assert_cmpuint (map->blocks[0].used_length, ==, 3 * MIB);
  g_assert_cmpuint (map->blocks[0].pages_offset, ==, MIB);
  g_assert_cmpuint (map->blocks[0].n_set, >, 200);
  g_assert_true (stasis_image_ram_map_lookup (map, "vga.vram") == &map->blocks[1]);
  g_assert_null (stasis_image_ram_map_lookup (map, "vga"));

  g_assert_true (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 0, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
}

/* What `image info` shows. */
static void
test_info (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (StasisJson) info = stasis_image_info_to_json (image);
  g_assert_cmpstr (stasis_json_string (stasis_json_get (info, "domain-uuid"), ""), ==,
                   "d0010203-0405-4607-8809-0a0b0c0d0e0f");
  g_assert_cmpint (stasis_json_int (stasis_json_get (info, "format-version"), 0), ==, 2);
  g_assert_cmpuint (stasis_json_array_length (stasis_json_get (info, "disks")), ==, 1);

  guint64 total, stored;
  stasis_image_memory (image, &total, &stored);
  const StasisJson *memory = stasis_json_get (info, "memory");
  g_assert_cmpuint (total, ==, 3 * MIB + MIB / 4 + MIB / 8);
  g_assert_cmpuint (stasis_json_uint (stasis_json_get (memory, "total"), 0), ==, total);
  g_assert_cmpuint (stasis_json_uint (stasis_json_get (memory, "zero"), 0), ==, total - stored);
  g_assert_cmpuint (stasis_json_array_length (stasis_json_get (memory, "blocks")), ==, 3);

  stasis_autofd int stream = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) other = sample_open (stream, &error);
  g_autoptr (StasisJson) other_info = stasis_image_info_to_json (other);
  g_assert_null (stasis_json_get (other_info, "memory"));
}

static void
test_round_trip_stream (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  assert_sample (image);
  g_assert_cmpuint (stasis_image_body_kind (image), ==, STASIS_IMAGE_BODY_STREAM);
  g_assert_cmpuint (stasis_image_body_length (image), ==, 27);
  g_assert_null (stasis_image_ram_map (image));
  g_assert_true (
      stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 3, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
}

/* Until finish has returned, a reader says that the save did not finish. */
static void
test_partial (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_STREAM);
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, (off_t) stasis_image_writer_body_offset (writer));
  sample_write_stream (fd, stasis_image_writer_body_offset (writer));

  g_assert_null (sample_open (fd, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
  g_assert_cmpstr (error->message, ==,
                   "'web.stasis' is incomplete: the save that wrote it did not finish");
  g_assert_true (stasis_image_is_image_fd (fd));
}

/* At each of these steps the image is partial; only after the last but one it may be complete. */
static void
test_faults (void)
{
  static const char *const steps[]
      = { "image-finish", "image-hashed", "image-tail", "image-tail-synced" };
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) open_error = NULL;
      stasis_autofd int fd = sample_file ();
      g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_STREAM);
      sample_write_stream (fd, stasis_image_writer_body_offset (writer));

      g_autofree char *fault = g_strconcat (steps[i], "=fail", NULL);
      g_setenv ("STASIS_FAULT", fault, TRUE);
      const StasisImageTail tail = { .disks = NULL };
      const gboolean ok = stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
      g_unsetenv ("STASIS_FAULT");

#if STASIS_FAULTS
      g_assert_false (ok);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
      g_assert_null (sample_open (fd, &open_error));
      g_assert_error (open_error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
#else
      g_assert_true (ok);
#endif
    }
}

/* Hashes of guest memory stand in for reading; a wrong one (a write that went wrong) is found. */
static void
check_known (gboolean wrong)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));

  g_autoptr (StasisImageHashes) hashes = stasis_image_hashes_new ();
  const guint block = stasis_image_hashes_add_block (hashes, "pc.ram", 3 * MIB);
  g_autofree guint8 *piece = g_malloc (MIB);
  for (guint64 i = 0; i < 2; i++)
    {
      g_assert_cmpint (pread (fd, piece, MIB, (off_t) (MIB + i * MIB)), ==, MIB);
      piece[17] ^= wrong && i == 1;
      const StasisHash hash = stasis_hash (piece, MIB);
      stasis_image_hashes_set (hashes, block, i, &hash);
    }

  /* The last piece shares its chunk with what follows: its hash is of no use. */
  const guint last = stasis_image_hashes_add_block (hashes, "vga.vram", MIB / 4);
  const StasisHash unused = stasis_hash ("", 0);
  stasis_image_hashes_set (hashes, last, 0, &unused);

  const StasisBodyNotes notes = { .hashes = hashes };
  const StasisImageTail tail = { .notes = &notes };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sample_verify (fd, &error), ==, !wrong);
  if (!wrong)
    return;
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "RAM block 'pc.ram', guest memory at 0x100000"));
}

static void
test_known_hashes (void)
{
  check_known (FALSE);
}

static void
test_known_hash_wrong (void)
{
  check_known (TRUE);
}

/* The first page of pc.ram, from 1, whose bit is clear. */
static guint64
find_clear_page (int fd)
{
  guint64 found;
  for (guint64 page = 1;; page++)
    {
      const guint64 at = MIB + page * 4096;
      g_assert_true (stasis_extent_find_nonzero (fd, at, at + 4096, &found, NULL));
      if (found == at + 4096)
        return page;
    }
}

/* What a live save leaves behind a cleared bit is punched out if the driver asks for it, and found
 * by a deep verification if not. */
static void
test_stale (gconstpointer data)
{
  const gboolean punch = GPOINTER_TO_INT (data);
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));
  const guint64 stale = MIB + find_clear_page (fd) * 4096;
  g_assert_cmpint (pwrite (fd, "stale", 5, (off_t) stale + 100), ==, 5);

  const StasisImageTail tail = { .punch_stale = punch };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);

  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_true (stasis_image_verify (image, STASIS_IMAGE_VERIFY_NONE, 1, NULL, NULL, NULL, NULL));
  g_assert_cmpint (sample_verify (fd, &error), ==, punch);
  guint64 found;
  g_assert_true (stasis_extent_find_nonzero (fd, stale, stale + 4096, &found, NULL));
  g_assert_cmpuint (found, ==, stale + (punch ? 4096 : 100));
}

/* A background snapshot, whose bitmap of pc.ram is empty: it gets its bits if the driver asks for
 * it, and else is an image of a guest without memory, which a deep verification finds. */
static void
test_snapshot (gconstpointer data)
{
  static const char tail_octets[]
      = "\0\0\0\0\0\0\0\x10\x7e\0\0\0\2\2\0\0\0\2\0\0\0\0\0\0\0\x10\x7e\0\0\0\2";
  const gboolean is_snapshot = GPOINTER_TO_INT (data);
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (
      fd, stasis_image_writer_body_offset (writer), STASIS_IMAGE_END_MAX, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error));
  const guint64 n_set = map->blocks[0].n_set;
  g_assert_cmpuint (n_set, >, 0);
  g_autofree guint8 *nothing = g_malloc0 (map->blocks[0].bitmap_length);
  g_assert_true (stasis_fd_pwrite_exact (fd, nothing, map->blocks[0].bitmap_length,
                                         map->blocks[0].bitmap_offset, &error));
  const guint64 end = map->blocks[2].pages_offset + map->blocks[2].used_length;
  g_assert_true (stasis_fd_pwrite_exact (fd, tail_octets, sizeof tail_octets, end, &error));

  const StasisImageTail tail = { .is_snapshot = is_snapshot };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sample_verify (fd, &error), ==, is_snapshot);
  g_autoptr (StasisImage) image = sample_open (fd, NULL);
  g_assert_cmpuint (stasis_image_ram_map (image)->blocks[0].n_set, ==, is_snapshot ? n_set : 0);
}

static void
test_not_empty (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = g_bytes_new_static ("<x/>", 4);
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  const StasisImageFacts facts
      = { .xml = xml, .qemu_facts = qemu_facts, .body_kind = STASIS_IMAGE_BODY_STREAM };
  stasis_autofd int fd = sample_file ();
  g_assert_cmpint (write (fd, "x", 1), ==, 1);
  g_assert_null (stasis_image_writer_begin (fd, &facts, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_clear_error (&error);

  stasis_autofd int device = open ("/dev/null", O_RDWR | O_CLOEXEC);
  g_assert_null (stasis_image_writer_begin (device, &facts, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
}

static void
test_bad_facts (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (GBytes) xml = g_bytes_new_static ("<x/>", 4);
  g_autoptr (GBytes) no_xml = g_bytes_new_static ("", 0);
  g_autoptr (GBytes) nul_xml = g_bytes_new_static ("<x/>", 5);
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  g_autoptr (StasisJson) no_facts = stasis_json_new_object ();
  const StasisImageFacts cases[] = {
    { .xml = no_xml, .qemu_facts = qemu_facts, .body_kind = STASIS_IMAGE_BODY_STREAM },
    { .xml = nul_xml, .qemu_facts = qemu_facts, .body_kind = STASIS_IMAGE_BODY_STREAM },
    { .xml = xml, .qemu_facts = no_facts, .body_kind = STASIS_IMAGE_BODY_STREAM },
    { .xml = xml, .qemu_facts = qemu_facts, .body_kind = 0 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_assert_null (stasis_image_writer_begin (fd, &cases[i], &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
      g_clear_error (&error);
    }
}

/* What QEMU did not write, or wrote wrongly, is not finished. */
static void
test_bad_body (gconstpointer data)
{
  const char *body = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  const off_t offset = (off_t) stasis_image_writer_body_offset (writer);
  g_assert_cmpint (pwrite (fd, body, strlen (body), offset), ==, (gssize) strlen (body));
  const StasisImageTail tail = { .disks = NULL };
  g_assert_false (stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error));
  g_assert_true (error->domain == STASIS_IMAGE_ERROR);
}

static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));
  g_cancellable_cancel (cancellable);
  const StasisImageTail tail = { .disks = NULL };
  g_assert_false (stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
see_progress (guint64 done, guint64 total, gpointer data)
{
  guint64 *last = data;
  g_assert_cmpuint (done, >=, *last);
  g_assert_cmpuint (done, <=, total);
  *last = done;
}

static void
test_progress (void)
{
  g_autoptr (GError) error = NULL;
  guint64 last = 0;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  sample_write_mapped_ram (fd, stasis_image_writer_body_offset (writer));
  const StasisImageTail tail = { .n_threads = 2 };
  stasis_image_writer_finish (writer, 0, &tail, see_progress, &last, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_cmpuint (last, ==, stasis_image_body_length (image));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/writer/round-trip/mapped-ram", test_round_trip_mapped_ram);
  g_test_add_func ("/image/writer/round-trip/stream", test_round_trip_stream);
  g_test_add_func ("/image/info", test_info);
  g_test_add_func ("/image/writer/partial", test_partial);
  g_test_add_func ("/image/writer/faults", test_faults);
  g_test_add_func ("/image/writer/known-hashes", test_known_hashes);
  g_test_add_func ("/image/writer/known-hash-wrong", test_known_hash_wrong);
  g_test_add_data_func ("/image/writer/stale/punched", GINT_TO_POINTER (TRUE), test_stale);
  g_test_add_data_func ("/image/writer/stale/left", GINT_TO_POINTER (FALSE), test_stale);
  g_test_add_data_func ("/image/writer/snapshot/completed", GINT_TO_POINTER (TRUE), test_snapshot);
  g_test_add_data_func ("/image/writer/snapshot/as-it-is", GINT_TO_POINTER (FALSE), test_snapshot);
  g_test_add_func ("/image/writer/not-empty", test_not_empty);
  g_test_add_func ("/image/writer/bad-facts", test_bad_facts);
  g_test_add_data_func ("/image/writer/bad-body/none", "", test_bad_body);
  g_test_add_data_func ("/image/writer/bad-body/garbage", "what is this", test_bad_body);
  g_test_add_func ("/image/writer/cancelled", test_cancelled);
  g_test_add_func ("/image/writer/progress", test_progress);
  return g_test_run ();
}
