/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-test.c: tests of src/image/verify.c: any changed octet is found, and its place is named
 */

#include "config.h"

#include "image/verify.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "sample.h"
#include "util/fd.h"

#define MIB     (1024u * 1024)
#define N_FLIPS 1000

static guint64
get_size (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return (guint64) st.st_size;
}

static void
flip (int fd, guint64 bit)
{
  guint8 octet;
  g_assert_cmpint (pread (fd, &octet, 1, (off_t) (bit / 8)), ==, 1);
  octet ^= (guint8) (1u << bit % 8);
  g_assert_cmpint (pwrite (fd, &octet, 1, (off_t) (bit / 8)), ==, 1);
}

/* Opens and verifies without a deep look: the hashes alone must do. */
static gboolean
is_good (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const gboolean good
      = image != NULL
        && stasis_image_verify (image, STASIS_IMAGE_VERIFY_NONE, 1, NULL, NULL, NULL, &error);
  g_assert_true (good || error->domain == STASIS_IMAGE_ERROR);
  return good;
}

/* Bits anywhere: header, records, padding, gaps, body, holes. */
static void
test_random_flips (gconstpointer data)
{
  stasis_autofd int fd = sample_image ((StasisImageBodyKind) GPOINTER_TO_INT (data));
  const guint64 n_bits = get_size (fd) * 8;
  for (guint i = 0; i < N_FLIPS; i++)
    {
      const guint64 bit
          = (((guint64) g_test_rand_int () << 32) | (guint32) g_test_rand_int ()) % n_bits;
      flip (fd, bit);
      if (is_good (fd))
        g_error ("a flip of bit %" G_GUINT64_FORMAT " was not noticed", bit);
      flip (fd, bit);
    }
  g_assert_true (is_good (fd));
}

/* Every octet of the header's fields, of all records, and around them. */
static void
test_every_octet (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const guint64 ranges[][2] = {
    { 0, 256 },
    { 4064, 4096 + image->header.front_length + 64 },
    { image->header.body_offset - 8, image->header.body_offset + 64 },
    { image->header.tail_offset - 8, image->header.file_size },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (ranges); i++)
    for (guint64 at = ranges[i][0]; at < ranges[i][1]; at++)
      {
        flip (fd, at * 8 + at % 8);
        if (is_good (fd))
          g_error ("a change at offset %" G_GUINT64_FORMAT " was not noticed", at);
        flip (fd, at * 8 + at % 8);
      }
}

static void
assert_damage (int fd, StasisImageVerifyFlags flags, guint64 offset, const char *what)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, flags, 2, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (damages->len, >=, 1);
  const StasisImageFault *first = g_ptr_array_index (damages, 0);
  g_assert_cmpuint (first->offset, ==, offset);
  if (strstr (first->what, what) == NULL)
    g_error ("'%s' is not in '%s'", what, first->what);

  g_assert_false (stasis_image_verify (image, flags, 2, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

/* The message names block and guest address. */
static void
test_place_in_ram (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  flip (fd, (3 * MIB + 5) * 8);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, 3 * MIB,
                 "RAM block 'pc.ram', guest memory at 0x200000 to 0x300000");
}

static void
test_place_in_gap (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  flip (fd, 100000 * 8);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, 100000, "gap");
}

/* All of it, in the order of the file. */
static void
test_report (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  flip (fd, (3 * MIB + 5) * 8);
  flip (fd, (1 * MIB + 5) * 8);
  flip (fd, 200000 * 8);
  flip (fd, 300000 * 8);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_NONE, 2, NULL, NULL, NULL, &error);
  static const guint64 expected[] = { 200000, 300000, MIB, 3 * MIB };
  g_assert_cmpuint (damages->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < damages->len; i++)
    g_assert_cmpuint (((StasisImageFault *) g_ptr_array_index (damages, i))->offset, ==,
                      expected[i]);
}

static void
test_report_of_good (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_DEEP, 2, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (damages->len, ==, 0);
}

/* A hole and zeros are the same: filled by a copy, or punched by another. */
static void
test_filled_holes (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  const guint64 size = get_size (fd);
  g_autofree guint8 *all = g_malloc (size);
  g_assert_true (stasis_fd_pread_exact (fd, all, size, 0, &error));
  stasis_autofd int filled = sample_file ();
  g_assert_true (stasis_fd_pwrite_exact (filled, all, size, 0, &error));
  g_assert_true (sample_verify (filled, &error));
  g_assert_no_error (error);
}

/* A hole where there was data is damage. */
static void
test_punched (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_assert_cmpint (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * MIB, MIB), ==, 0);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, 2 * MIB, "guest memory at 0x100000");
}

static void
test_header_reserved (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  sample_patch_header (fd, 200, "x", 1);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, 192, "reserved");
}

/* Flags in the framing are for later: the reader ignores them, the verifier does not. */
static void
test_record_flags (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_STREAM, sample_edit_flags);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  const StasisRecord *facts = g_ptr_array_index (image->records, 1);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, facts->offset,
                 "record 'qemu-facts': a reserved field is not zero");
}

static void
edit_hashes_reserved (GPtrArray *front, GPtrArray *tail)
{
  for (guint i = 0; i < tail->len; i++)
    {
      SampleRecord *record = g_ptr_array_index (tail, i);
      if (record->type != STASIS_RECORD_CHUNK_HASHES && record->type != STASIS_RECORD_RAM_MAP)
        continue;
      g_autoptr (GBytes) old = g_steal_pointer (&record->body);
      gsize size;
      guint8 *octets = g_memdup2 (g_bytes_get_data (old, &size), g_bytes_get_size (old));
      octets[4] = 1;
      record->body = g_bytes_new_take (octets, size);
    }
}

/* The reader ignores it, the verifier does not. */
static void
test_body_reserved (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_MAPPED_RAM, edit_hashes_reserved);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  assert_damage (fd, STASIS_IMAGE_VERIFY_NONE, image->header.tail_offset,
                 "record 'ram-map': a reserved field is not zero");
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_NONE, 2, NULL, NULL, NULL, &error);
  g_assert_cmpuint (damages->len, ==, 2);
}

/* Hashes that fit, over a body whose bitmap is not what the RAM map says. */
static void
edit_ram_map_count (GPtrArray *front, GPtrArray *tail)
{
  SampleRecord *record = g_ptr_array_index (tail, 0);
  g_assert_cmpuint (record->type, ==, STASIS_RECORD_RAM_MAP);
  g_autoptr (GBytes) old = g_steal_pointer (&record->body);
  gsize size;
  guint8 *octets = g_memdup2 (g_bytes_get_data (old, &size), g_bytes_get_size (old));
  octets[16 + 40] ^= 1;
  record->body = g_bytes_new_take (octets, size);
}

static void
test_deep_count (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (STASIS_IMAGE_BODY_MAPPED_RAM, edit_ram_map_count);
  g_assert_true (is_good (fd));
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  assert_damage (fd, STASIS_IMAGE_VERIFY_DEEP,
                 stasis_image_ram_map (image)->blocks[0].bitmap_offset,
                 "'pc.ram' is not as the RAM map says");
}

/* A file that is cut or grows while it is open. */
static void
test_changed_size (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  const off_t size = (off_t) get_size (fd);
  g_assert_cmpint (ftruncate (fd, size + 1), ==, 0);
  g_assert_false (stasis_image_verify (image, 0, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_clear_error (&error);
  g_assert_cmpint (ftruncate (fd, 2 * MIB + 7), ==, 0);
  g_assert_false (stasis_image_verify (image, 0, 1, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, NULL);
  g_assert_cmpuint (damages->len, >=, 3);
}

static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_cancellable_cancel (cancellable);
  g_assert_null (stasis_image_verify_report (image, 0, 0, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* More damage than anybody wants to read about. */
static void
test_too_much (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_STREAM);
  sample_write_stream (fd, stasis_image_writer_body_offset (writer));
  g_assert_cmpint (ftruncate (fd, 1500 * (off_t) MIB), ==, 0);
  const StasisImageTail tail = { .disks = NULL };
  g_assert_true (stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error));
  g_assert_true (is_good (fd));
  for (guint64 i = 0; i < 1400; i++)
    g_assert_cmpint (pwrite (fd, "x", 1, (off_t) (i * MIB + 600000)), ==, 1);

  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, 0, 2, NULL, NULL, NULL, &error);
  g_assert_cmpuint (damages->len, ==, 1000);
  const StasisImageFault *last = g_ptr_array_index (damages, 999);
  g_assert_nonnull (strstr (last->what, "more damage"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/image/verify/random-flips/mapped-ram",
                        GINT_TO_POINTER (STASIS_IMAGE_BODY_MAPPED_RAM), test_random_flips);
  g_test_add_data_func ("/image/verify/random-flips/stream",
                        GINT_TO_POINTER (STASIS_IMAGE_BODY_STREAM), test_random_flips);
  g_test_add_func ("/image/verify/every-octet", test_every_octet);
  g_test_add_func ("/image/verify/place/ram", test_place_in_ram);
  g_test_add_func ("/image/verify/place/gap", test_place_in_gap);
  g_test_add_func ("/image/verify/report", test_report);
  g_test_add_func ("/image/verify/report-of-good", test_report_of_good);
  g_test_add_func ("/image/verify/filled-holes", test_filled_holes);
  g_test_add_func ("/image/verify/punched", test_punched);
  g_test_add_func ("/image/verify/header-reserved", test_header_reserved);
  g_test_add_func ("/image/verify/record-flags", test_record_flags);
  g_test_add_func ("/image/verify/body-reserved", test_body_reserved);
  g_test_add_func ("/image/verify/deep-count", test_deep_count);
  g_test_add_func ("/image/verify/changed-size", test_changed_size);
  g_test_add_func ("/image/verify/cancelled", test_cancelled);
  g_test_add_func ("/image/verify/too-much", test_too_much);
  return g_test_run ();
}
