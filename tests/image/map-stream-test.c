/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-stream-test.c: tests of src/image/map-stream.c, unmap-stream.c and remap.c
 */

#include "config.h"

#include "image/map-stream.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/bitmap.h"
#include "image/error.h"
#include "image/extents.h"
#include "image/mapped-ram.h"
#include "image/qemu-stream.h"
#include "image/remap.h"
#include "image/unmap-stream.h"
#include "sample-plain.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE 4096u
#define MIB  (1024u * 1024)

/* Of the body: as in our images, as in libvirt's, and anywhere. */
static const guint64 offsets[] = { 512 * 1024, 0, 4096, 12345, MIB - 1, 5 * (guint64) MIB + 1 };

static guint64
get_size (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return (guint64) st.st_size;
}

static gboolean
map (const GByteArray *octets, int fd, guint64 offset, guint64 *out_end, GError **error)
{
  g_autoptr (StasisStreamIn) in = sample_plain_in (octets, 0);
  return stasis_map_stream (in, fd, offset, out_end, NULL, NULL, NULL, error);
}

/* A file with the sample as a mapped body at @offset. */
static int
new_mapped (guint64 offset)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  const int fd = sample_file ();
  guint64 end;
  map (octets, fd, offset, &end, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (end, ==, get_size (fd));
  return fd;
}

static void
check_page (int fd, const StasisImageBlock *block, guint index, guint page)
{
  g_autoptr (GError) error = NULL;
  g_autofree StasisBitmap *bitmap = g_new0 (StasisBitmap, 1);
  guint8 expected[PAGE], found[PAGE];
  gboolean set;
  guint64 end, data, hole;
  const guint64 at = block->pages_offset + page * PAGE;
  const gboolean stored = sample_plain_page (index, page, expected);
  g_assert_true (stasis_fd_pread_exact (fd, found, PAGE, at, &error));
  g_assert_cmpmem (found, PAGE, expected, PAGE);
  g_assert_true (stasis_bitmap_run (bitmap, fd, block, page, page + 1, &set, &end, &error));
  g_assert_cmpint (set, ==, stored);
  g_assert_true (stasis_extent_next (fd, at, at + PAGE, &data, &hole, &error));
  g_assert_cmpint (data == at, ==, stored);
}

/* Everything that the sample says is in the body. */
static void
check_mapped (int fd, guint64 offset)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuStreamInfo) info
      = stasis_qemu_stream_scan_mapped (fd, offset, get_size (fd), NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (info->map->n_blocks, ==, SAMPLE_PLAIN_N_BLOCKS);
  g_assert_cmpuint (info->devices->len, ==, SAMPLE_PLAIN_N_DEVICES);
  for (guint i = 0; i < SAMPLE_PLAIN_N_BLOCKS; i++)
    {
      const StasisImageBlock *block = &info->map->blocks[i];
      g_assert_cmpstr (block->name, ==, sample_plain_names[i]);
      g_assert_cmpuint (block->used_length, ==, sample_plain_pages[i] * PAGE);
      for (guint page = 0; page < sample_plain_pages[i]; page++)
        check_page (fd, block, i, page);
    }
}

static GByteArray *
read_all (StasisStreamIn *in, gsize step, GError **error)
{
  GByteArray *octets = g_byte_array_new ();
  g_autofree guint8 *buffer = g_malloc (step);
  gssize n;
  while ((n = stasis_stream_in_read (in, buffer, step, NULL, error)) > 0)
    g_byte_array_append (octets, buffer, (guint) n);
  if (n < 0)
    g_clear_pointer (&octets, g_byte_array_unref);
  return octets;
}

static GByteArray *
unmap (int fd, guint64 offset, gsize step)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (fd, offset, get_size (fd), NULL, &error);
  g_assert_no_error (error);
  GByteArray *octets = read_all (in, step, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (octets->len, ==, stasis_unmap_stream_length (in));
  return octets;
}

static void
assert_same_octets (int a, int b)
{
  const gsize size = get_size (a);
  g_autofree guint8 *octets_a = g_malloc (size), *octets_b = g_malloc (size);
  g_assert_cmpuint (get_size (b), ==, size);
  g_assert_true (stasis_fd_pread_exact (a, octets_a, size, 0, NULL));
  g_assert_true (stasis_fd_pread_exact (b, octets_b, size, 0, NULL));
  g_assert_cmpmem (octets_a, size, octets_b, size);
}

static void
test_map (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      stasis_autofd int fd = new_mapped (offsets[i]);
      check_mapped (fd, offsets[i]);
    }
}

/* What stands before the body stays, what was behind goes. */
static void
test_map_over (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  g_autofree guint8 *old = g_malloc (3 * MIB);
  stasis_autofd int fd = sample_file ();
  guint8 found[100];
  guint64 end;
  memset (old, 0xa5, 3 * MIB);
  g_assert_true (stasis_fd_pwrite_exact (fd, old, 3 * MIB, 0, &error));
  g_assert_true (map (octets, fd, 100, &end, &error));
  check_mapped (fd, 100);
  g_assert_true (stasis_fd_pread_exact (fd, found, 100, 0, &error));
  g_assert_cmpmem (found, 100, old, 100);
}

/* A page made of one octet, as QEMU sent them long ago; pages of zeros sent as data. */
static void
test_map_filled (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  stasis_autofd int fd = sample_file ();
  guint8 found[PAGE], expected[PAGE];
  guint64 end;
  const gsize first = places.pages + 8 + 7; /* the octets of page 0 */
  memset (octets->data + first, 0, PAGE);
  octets->data[first + PAGE + 9 + 8] = 0x5a; /* page 2 */
  memset (expected, 0x5a, PAGE);
  g_assert_true (map (octets, fd, 0, &end, &error));
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan_mapped (fd, 0, end, NULL, &error);
  const guint64 pages = info->map->blocks[0].pages_offset;
  g_assert_true (stasis_fd_pread_exact (fd, found, PAGE, pages + 2 * PAGE, &error));
  g_assert_cmpmem (found, PAGE, expected, PAGE);
  guint64 data, hole;
  g_assert_true (stasis_extent_next (fd, pages, pages + 2 * PAGE, &data, &hole, &error));
  g_assert_cmpuint (data, ==, pages + PAGE);
  guint8 bits;
  g_assert_true (stasis_fd_pread_exact (fd, &bits, 1, info->map->blocks[0].bitmap_offset, &error));
  g_assert_cmpuint (bits, ==, 0x06);
}

static void
test_map_prefixes (void)
{
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  stasis_autofd int fd = sample_file ();
  const guint whole = octets->len;
  for (guint size = 0; size < whole; size += size < 200 || size > whole - 900 ? 1 : 997)
    {
      g_autoptr (GError) error = NULL;
      guint64 end;
      octets->len = size;
      g_assert_false (map (octets, fd, 0, &end, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
    }
}

static void
test_map_fails (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  guint64 end;
  stasis_autofd int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_false (map (octets, fd, 0, &end, &error));
  g_assert_cmpint (error->domain, ==, G_IO_ERROR);
  g_clear_error (&error);

  /* The RAM alone may have 4 TiB, but then the body would end behind that. */
  stasis_autofd int file = sample_file ();
  memcpy (octets->data + places.list, "\0\0\4\0\0\0\0\4", 8);
  memcpy (octets->data + places.list + 8 + 7, "\0\0\3\377\377\377\0\0", 8);
  g_assert_false (map (octets, file, 0, &end, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
}

static void
count_calls (guint64 done, guint64 total, gpointer data)
{
  guint *n = data;
  g_assert_cmpuint (done, <=, total);
  *n = done == total ? *n + 1 : *n;
}

static void
test_map_progress (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  g_autoptr (StasisStreamIn) in = sample_plain_in (octets, 10);
  stasis_autofd int fd = sample_file ();
  guint64 end;
  guint n = 0;
  g_assert_true (stasis_map_stream (in, fd, 0, &end, count_calls, &n, cancellable, &error));
  g_assert_cmpuint (n, >=, 1);
  check_mapped (fd, 0);

  g_cancellable_cancel (cancellable);
  g_autoptr (StasisStreamIn) again = sample_plain_in (octets, 10);
  g_assert_false (stasis_map_stream (again, fd, 0, &end, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* In an image, where it is verified like any body. */
static void
test_image (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GByteArray) octets = sample_plain (NULL, NULL);
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_MAPPED_RAM);
  const StasisImageTail tail = { .disks = NULL };
  guint64 end;
  map (octets, fd, stasis_image_writer_body_offset (writer), &end, &error);
  g_assert_no_error (error);
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
}

/* There and back: the same body, and from then on the same stream. */
static void
test_unmap (void)
{
  stasis_autofd int fd = new_mapped (offsets[0]);
  g_autoptr (GByteArray) plain = unmap (fd, offsets[0], MIB);
  g_autoptr (StasisStreamIn) in = sample_plain_in (plain, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (in, NULL, &error);
  g_assert_no_error (error);
  const StasisQemuPageCounts total = stasis_qemu_stream_total (info);
  g_assert_cmpuint (total.n_stored + total.n_zero, ==, 80);
  g_assert_cmpuint (total.n_stored, ==, 14 + 4);

  stasis_autofd int again = sample_file ();
  guint64 end;
  g_assert_true (map (plain, again, offsets[0], &end, &error));
  assert_same_octets (fd, again);
  for (gsize step = 1; step < 5000; step = step * 3 + 1)
    {
      g_autoptr (GByteArray) other = unmap (again, offsets[0], step);
      g_assert_cmpmem (other->data, other->len, plain->data, plain->len);
    }
}

/* A body whose blocks do not fit into a buffer, and are full of short runs. */
static void
test_unmap_large (void)
{
  g_autoptr (GError) error = NULL;
  SamplePlaces places;
  g_autoptr (GByteArray) octets = sample_plain (NULL, &places);
  g_autoptr (GByteArray) tail = g_byte_array_new ();
  stasis_autofd int from = sample_file ();
  sample_write_mapped_ram (from, 0);
  /* That sample ends with no devices: give it some, behind the section with the list. */
  const guint64 end = get_size (from) - 7;
  g_byte_array_append (tail, (const guint8 *) "\3\0\0\0\2\0\0\0\0\0\0\0\x10\x7e\0\0\0\2", 18);
  g_byte_array_append (tail, octets->data + places.devices, octets->len - (guint) places.devices);
  g_assert_true (stasis_fd_pwrite_exact (from, tail->data, tail->len, end, &error));

  g_autoptr (GByteArray) plain = unmap (from, 0, 300000);
  stasis_autofd int to = sample_file ();
  guint64 new_end;
  map (plain, to, 0, &new_end, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) again = unmap (to, 0, MIB);
  g_assert_cmpmem (again->data, again->len, plain->data, plain->len);
  g_autoptr (StasisQemuStreamInfo) a
      = stasis_qemu_stream_scan_mapped (from, 0, get_size (from), NULL, &error);
  g_autoptr (StasisQemuStreamInfo) b
      = stasis_qemu_stream_scan_mapped (to, 0, new_end, NULL, &error);
  for (guint i = 0; i < a->map->n_blocks; i++)
    {
      g_assert_true (
          stasis_hash_equal (&a->map->blocks[i].bitmap_hash, &b->map->blocks[i].bitmap_hash));
      g_assert_cmpuint (a->map->blocks[i].pages_offset, ==, b->map->blocks[i].pages_offset);
    }
}

static void
test_unmap_fails (void)
{
  stasis_autofd int fd = new_mapped (4096);
  const guint64 size = get_size (fd);
  for (guint64 end = 4096; end < size; end += end < 4400 || end > size - 900 ? 1 : 49999)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (fd, 4096, end, NULL, &error);
      g_assert_null (in);
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
    }

  /* Cut after it was looked at, in the pages of the last block. */
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImageRamMap) blocks = stasis_mapped_ram_parse (fd, 4096, size, &error);
  g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (fd, 4096, size, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (ftruncate (fd, (off_t) blocks->blocks[1].pages_offset + PAGE / 2), ==, 0);
  g_autoptr (GByteArray) octets = read_all (in, MIB, &error);
  g_assert_null (octets);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
}

/* Every flipped bit of [@start, @end) is noticed. */
static void
check_flips (int fd, guint64 body_end, guint64 start, guint64 end)
{
  for (guint64 at = start; at < end; at++)
    for (guint bit = 0; bit < 8; bit++)
      {
        g_autoptr (GError) error = NULL;
        guint8 octet;
        g_assert_true (stasis_fd_pread_exact (fd, &octet, 1, at, NULL));
        octet ^= (guint8) (1u << bit);
        g_assert_true (stasis_fd_pwrite_exact (fd, &octet, 1, at, NULL));
        g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (fd, 0, body_end, NULL, &error);
        g_assert_null (in);
        g_assert_cmpint (error->domain, ==, STASIS_IMAGE_ERROR);
        octet ^= (guint8) (1u << bit);
        g_assert_true (stasis_fd_pwrite_exact (fd, &octet, 1, at, NULL));
      }
}

/* The blocks' headers, and the parts of the RAM behind the pages. */
static void
test_unmap_flips (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_mapped (0);
  const guint64 end = get_size (fd);
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan_mapped (fd, 0, end, NULL, &error);
  g_assert_no_error (error);
  const StasisImageBlock *blocks = info->map->blocks;
  const StasisQemuDevice *device = g_ptr_array_index (info->devices, 0);
  for (guint i = 0; i < info->map->n_blocks; i++)
    check_flips (fd, end, blocks[i].bitmap_offset - 36, blocks[i].bitmap_offset);
  check_flips (fd, end, blocks[1].pages_offset + blocks[1].used_length, device->offset);
}

static void
test_unmap_cancel (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = new_mapped (0);
  g_autoptr (StasisStreamIn) in
      = stasis_unmap_stream_new (fd, 0, get_size (fd), cancellable, &error);
  guint8 octets[100];
  g_assert_cmpint (stasis_stream_in_read (in, octets, 100, cancellable, &error), >, 0);
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (stasis_stream_in_read (in, octets, 100, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* From any place to any other, hole for hole; @to_disk: to another file system. */
static void
remap_all (gboolean to_disk)
{
  for (gsize i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (offsets); k++)
      {
        g_autoptr (GError) error = NULL;
        g_autofree char *path = NULL;
        guint64 end;
        guint n = 0;
        stasis_autofd int from = new_mapped (offsets[i]);
        stasis_autofd int expected = new_mapped (offsets[k]);
        stasis_autofd int to
            = to_disk ? g_file_open_tmp ("stasis-XXXXXX", &path, &error) : sample_file ();
        g_assert_true (stasis_fd_pwrite_exact (to, "old", 3, offsets[k] + 5, &error));
        stasis_remap (from, offsets[i], get_size (from), to, offsets[k], &end, count_calls, &n,
                      NULL, &error);
        g_assert_no_error (error);
        g_assert_cmpuint (n, >=, 1);
        g_assert_cmpuint (end, ==, get_size (to));
        assert_same_octets (to, expected);
        check_mapped (to, offsets[k]);
        if (path != NULL)
          unlink (path);
      }
}

static void
test_remap (void)
{
  remap_all (FALSE);
}

static void
test_remap_to_disk (void)
{
  remap_all (TRUE);
}

static void
test_remap_fails (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  guint64 end;
  stasis_autofd int from = new_mapped (0);
  stasis_autofd int to = sample_file ();
  g_assert_false (stasis_remap (from, 0, MIB + 5 * PAGE, to, 0, &end, NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_clear_error (&error);

  g_assert_false (stasis_remap (from, 0, get_size (from), to, STASIS_IMAGE_END_MAX - MIB, &end,
                                NULL, NULL, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE);
  g_clear_error (&error);

  g_cancellable_cancel (cancellable);
  g_assert_false (
      stasis_remap (from, 0, get_size (from), to, 0, &end, NULL, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/map-stream/good", test_map);
  g_test_add_func ("/image/map-stream/over", test_map_over);
  g_test_add_func ("/image/map-stream/filled", test_map_filled);
  g_test_add_func ("/image/map-stream/prefixes", test_map_prefixes);
  g_test_add_func ("/image/map-stream/fails", test_map_fails);
  g_test_add_func ("/image/map-stream/progress", test_map_progress);
  g_test_add_func ("/image/map-stream/image", test_image);
  g_test_add_func ("/image/unmap-stream/good", test_unmap);
  g_test_add_func ("/image/unmap-stream/large", test_unmap_large);
  g_test_add_func ("/image/unmap-stream/fails", test_unmap_fails);
  g_test_add_func ("/image/unmap-stream/flips", test_unmap_flips);
  g_test_add_func ("/image/unmap-stream/cancel", test_unmap_cancel);
  g_test_add_func ("/image/remap/good", test_remap);
  g_test_add_func ("/image/remap/to-disk", test_remap_to_disk);
  g_test_add_func ("/image/remap/fails", test_remap_fails);
  return g_test_run ();
}
