/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-test.c: tests of src/image/flat.c, flat-end.c, flat-write.c
 */

#include "config.h"

#include "image/flat.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/extents.h"
#include "image/qemu-stream.h"
#include "sample-plain.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE   4096u
#define LENGTH (64u * PAGE) /* of the sample's pc.ram */
#define NOTE   "{\"of\":\"somebody\"}"

static gboolean
split (const GByteArray *octets, int fd, const char *block, guint64 length, gsize step,
       GError **error)
{
  g_autoptr (StasisStreamIn) in = sample_plain_in (octets, step);
  const StasisFlatSource source = { .in = in, .block = block, .length = length, .note = NOTE };
  return stasis_flat_write (&source, fd, NULL, error);
}

/* A flat file of the sample. */
static int
new_flat (gsize step)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  const int fd = sample_file ();
  split (octets, fd, "pc.ram", LENGTH, step, &error);
  g_assert_no_error (error);
  return fd;
}

static guint64
get_size (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return (guint64) st.st_size;
}

static void
check_pages (int fd)
{
  for (guint page = 0; page < LENGTH / PAGE; page++)
    {
      g_autoptr (GError) error = NULL;
      guint8 expected[PAGE], found[PAGE];
      guint64 data, hole;
      const guint64 at = (guint64) page * PAGE;
      const gboolean stored = sample_plain_page (0, page, expected);
      g_assert_true (stasis_fd_pread_exact (fd, found, PAGE, at, &error));
      g_assert_cmpmem (found, PAGE, expected, PAGE);
      g_assert_true (stasis_extent_next (fd, at, at + PAGE, &data, &hole, &error));
      g_assert_cmpint (data == at, ==, stored);
    }
}

/* What is kept is a stream that says all but the pages in place. */
static void
check_stream (const StasisFlat *flat)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (stasis_flat_stream (flat));
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (in, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (info->map->n_blocks, ==, SAMPLE_PLAIN_N_BLOCKS);
  for (guint i = 0; i < SAMPLE_PLAIN_N_BLOCKS; i++)
    {
      g_assert_cmpstr (info->map->blocks[i].name, ==, sample_plain_names[i]);
      g_assert_cmpuint (info->map->blocks[i].used_length, ==, sample_plain_pages[i] * PAGE);
    }
  g_assert_cmpuint (info->counts[0].n_stored + info->counts[0].n_zero, ==, 0);
  g_assert_cmpuint (info->counts[1].n_stored, ==, 4);
  g_assert_cmpuint (info->counts[1].n_zero, ==, 12);
  g_assert_cmpuint (info->devices->len, ==, SAMPLE_PLAIN_N_DEVICES);
  g_assert_cmpstr (info->machine, ==, "none");
}

static void
test_split (void)
{
  static const gsize steps[] = { 0, 1000, 4096, 100000 };
  for (gsize i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = new_flat (steps[i]);
      check_pages (fd);
      g_assert_true (stasis_flat_is (fd));
      g_autoptr (StasisFlat) flat = stasis_flat_open (fd, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (stasis_flat_length (flat), ==, LENGTH);
      g_assert_cmpstr (stasis_flat_note (flat), ==, NOTE);
      g_autofree char *note = stasis_flat_read_note (fd);
      g_assert_cmpstr (note, ==, NOTE);
      check_stream (flat);
      stasis_flat_verify (flat, 0, NULL, &error);
      g_assert_no_error (error);
    }
}

/* The stream that is kept, and the other block's pages in it, say the same as the whole one. */
static void
test_same_devices (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  stasis_autofd int fd = new_flat (0);
  g_autoptr (StasisFlat) flat = stasis_flat_open (fd, &error);
  g_assert_no_error (error);
  gsize size;
  const guint8 *kept = g_bytes_get_data (stasis_flat_stream (flat), &size);
  const gsize devices = octets->len - places.devices;
  g_assert_cmpuint (size, >, devices);
  g_assert_cmpmem (kept + size - devices, devices, octets->data + places.devices, devices);
  g_assert_cmpmem (kept, places.list_end, octets->data, places.list_end);
}

/* A page made of one octet, and zeros sent as data. */
static void
test_filled (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  stasis_autofd int fd = sample_file ();
  guint8 found[PAGE], expected[PAGE];
  guint64 data, hole;
  const gsize first = places.pages + 8 + 7; /* the octets of page 0 */
  memset (octets->data + first, 0, PAGE);
  octets->data[first + PAGE + 9 + 8] = 0x5a; /* page 2 */
  memset (expected, 0x5a, PAGE);
  g_assert_true (split (octets, fd, "pc.ram", LENGTH, 0, &error));
  g_assert_true (stasis_fd_pread_exact (fd, found, PAGE, 2 * PAGE, &error));
  g_assert_cmpmem (found, PAGE, expected, PAGE);
  g_assert_true (stasis_extent_next (fd, 0, 2 * PAGE, &data, &hole, &error));
  g_assert_cmpuint (data, ==, PAGE);
}

static void
test_prefixes (void)
{
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  const guint whole = octets->len;
  for (guint size = 0; size < whole; size += size < 200 || size > whole - 900 ? 1 : 997)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = sample_file ();
      octets->len = size;
      g_assert_false (split (octets, fd, "pc.ram", LENGTH, 0, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      g_assert_false (stasis_flat_is (fd));
    }
}

/* Each octet of the structure matters. */
static void
test_other_octets (void)
{
  g_autoptr (GArray) content = g_array_new (FALSE, FALSE, sizeof (SampleRange));
  g_autoptr (GByteArray) octets = sample_plain (content, NULL);
  gsize at = 0;
  for (guint i = 0; i <= content->len; i++)
    {
      const SampleRange range = i < content->len ? g_array_index (content, SampleRange, i)
                                                 : (SampleRange){ octets->len, octets->len };
      for (; at < range.start; at++)
        {
          g_autoptr (GError) error = NULL;
          stasis_autofd int fd = sample_file ();
          octets->data[at] ^= 0x81;
          g_assert_false (split (octets, fd, "pc.ram", LENGTH, 0, &error));
          g_assert_cmpuint (error->domain, ==, STASIS_IMAGE_ERROR);
          octets->data[at] ^= 0x81;
        }
      at = range.end;
    }
}

static void
test_refused (void)
{
  static const struct
  {
    const char *block;
    guint64 length;
  } wrong[] = { { "pc.other", LENGTH }, { "pc.ram", LENGTH + PAGE }, { "pc.rom", LENGTH } };
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = sample_file ();
      g_assert_false (split (octets, fd, wrong[i].block, wrong[i].length, 0, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
    }
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_false (split (octets, fd, "pc.ram", LENGTH, 0, &error));
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
}

static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  g_autoptr (StasisStreamIn) in = sample_plain_in (octets, 10);
  stasis_autofd int fd = sample_file ();
  const StasisFlatSource source = { .in = in, .block = "pc.ram", .length = LENGTH, .note = NOTE };
  g_cancellable_cancel (cancellable);
  g_assert_false (stasis_flat_write (&source, fd, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Whether anybody finds the file to be damaged. */
static gboolean
is_noticed (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisFlat) flat = stasis_flat_open (fd, &error);
  if (flat != NULL && stasis_flat_verify (flat, 1, NULL, &error))
    return FALSE;
  g_assert_cmpuint (error->domain, ==, STASIS_IMAGE_ERROR);
  return TRUE;
}

static void
test_damage (void)
{
  stasis_autofd int fd = new_flat (0);
  const guint64 size = get_size (fd);
  g_assert_false (is_noticed (fd));
  for (guint64 at = 0; at < size; at += at + PAGE < LENGTH ? 509 : 1)
    {
      guint8 octet;
      g_assert_true (stasis_fd_pread_exact (fd, &octet, 1, at, NULL));
      octet ^= 0x20;
      g_assert_true (stasis_fd_pwrite_exact (fd, &octet, 1, at, NULL));
      g_assert_true (is_noticed (fd));
      octet ^= 0x20;
      g_assert_true (stasis_fd_pwrite_exact (fd, &octet, 1, at, NULL));
    }
  g_assert_false (is_noticed (fd));
}

static void
test_cut (void)
{
  stasis_autofd int fd = new_flat (0);
  const guint64 size = get_size (fd);
  for (guint64 length = 0; length < size; length += length + 300 < size ? 501 : 1)
    {
      stasis_autofd int copy = sample_copy (fd);
      g_assert_cmpint (ftruncate (copy, (off_t) length), ==, 0);
      g_assert_true (is_noticed (copy));
    }
  g_assert_cmpint (ftruncate (fd, (off_t) size + 1), ==, 0);
  g_assert_true (is_noticed (fd));
}

static void
test_other_files (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int image = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  stasis_autofd int empty = sample_file ();
  g_assert_false (stasis_flat_is (image));
  g_assert_false (stasis_flat_is (empty));
  g_assert_null (stasis_flat_read_note (image));
  g_assert_null (stasis_flat_open (image, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_NOT_AN_IMAGE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/flat/split", test_split);
  g_test_add_func ("/image/flat/same-devices", test_same_devices);
  g_test_add_func ("/image/flat/filled", test_filled);
  g_test_add_func ("/image/flat/prefixes", test_prefixes);
  g_test_add_func ("/image/flat/other-octets", test_other_octets);
  g_test_add_func ("/image/flat/refused", test_refused);
  g_test_add_func ("/image/flat/cancelled", test_cancelled);
  g_test_add_func ("/image/flat/damage", test_damage);
  g_test_add_func ("/image/flat/cut", test_cut);
  g_test_add_func ("/image/flat/other-files", test_other_files);
  return g_test_run ();
}
