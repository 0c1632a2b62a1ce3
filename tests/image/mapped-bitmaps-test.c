/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-bitmaps-test.c: tests of src/image/mapped-bitmaps.c
 */

#include "config.h"

#include "image/mapped-bitmaps.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/bitmap.h"
#include "image/mapped-ram.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE   4096u
#define MIB    (1024u * 1024)
#define OFFSET (512u * 1024) /* of the body */

/* A page of the second window of its bitmap, and one of the third. */
#define SECOND ((guint64) STASIS_BITMAP_WINDOW * 8 + 1)
#define THIRD  ((guint64) STASIS_BITMAP_WINDOW * 8 * 3 - 1)

static guint64
get_size (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return (guint64) st.st_size;
}

static StasisImageRamMap *
parse (int fd)
{
  g_autoptr (GError) error = NULL;
  StasisImageRamMap *map = stasis_mapped_ram_parse (fd, OFFSET, get_size (fd), &error);
  g_assert_no_error (error);
  return map;
}

static GBytes *
read_bitmap (int fd, const StasisImageBlock *block)
{
  guint8 *octets = g_malloc (block->bitmap_length);
  g_assert_true (
      stasis_fd_pread_exact (fd, octets, block->bitmap_length, block->bitmap_offset, NULL));
  return g_bytes_new_take (octets, block->bitmap_length);
}

static void
fill_bitmap (int fd, const StasisImageBlock *block, guint8 octet)
{
  g_autofree guint8 *octets = g_malloc (block->bitmap_length);
  memset (octets, octet, block->bitmap_length);
  g_assert_true (
      stasis_fd_pwrite_exact (fd, octets, block->bitmap_length, block->bitmap_offset, NULL));
}

static void
write_bitmaps (int fd, const StasisImageRamMap *map)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_mapped_bitmaps_write (fd, map, NULL, &error));
  g_assert_no_error (error);
}

/* Whatever the bitmaps hold before, they become what QEMU would have written. */
static void
test_same (gconstpointer data)
{
  stasis_autofd int fd = sample_file ();
  sample_write_mapped_ram (fd, OFFSET);
  g_autoptr (StasisImageRamMap) map = parse (fd);
  g_autoptr (GPtrArray) wanted = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      g_ptr_array_add (wanted, read_bitmap (fd, &map->blocks[i]));
      fill_bitmap (fd, &map->blocks[i], (guint8) GPOINTER_TO_UINT (data));
    }
  const guint64 size = get_size (fd);

  write_bitmaps (fd, map);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      g_autoptr (GBytes) found = read_bitmap (fd, &map->blocks[i]);
      g_assert_true (g_bytes_equal (found, wanted->pdata[i]));
    }
  g_assert_cmpuint (get_size (fd), ==, size);
}

/* One block of its own at the beginning of a file. */
static StasisImageRamMap *
new_map (int fd, guint64 n_pages)
{
  StasisImageBlock block = { .name = "ram", .used_length = n_pages * PAGE };
  stasis_mapped_ram_place (&block, OFFSET);
  g_assert_cmpint (ftruncate (fd, (off_t) (block.pages_offset + block.used_length)), ==, 0);
  GArray *blocks = g_array_new (FALSE, FALSE, sizeof block);
  g_array_append_val (blocks, block);
  return stasis_image_ram_map_new (blocks);
}

static void
put (int fd, const StasisImageRamMap *map, guint64 page, gsize at, guint8 octet)
{
  g_assert_true (
      stasis_fd_pwrite_exact (fd, &octet, 1, map->blocks[0].pages_offset + page * PAGE + at, NULL));
}

static void
assert_pages (int fd, const StasisImageRamMap *map, const guint64 *pages, gsize n_pages)
{
  g_autoptr (GBytes) bitmap = read_bitmap (fd, &map->blocks[0]);
  const guint8 *octets = g_bytes_get_data (bitmap, NULL);
  gsize next = 0;
  for (guint64 page = 0; page < g_bytes_get_size (bitmap) * 8; page++)
    {
      const gboolean wanted = next < n_pages && pages[next] == page;
      g_assert_cmpint (octets[page / 8] >> page % 8 & 1, ==, wanted);
      next += wanted;
    }
  g_assert_cmpuint (next, ==, n_pages);
}

/* First and last octets of pages, of blocks and of windows; pages of zeros that are no holes. */
static void
test_edges (void)
{
  static const guint64 wanted[] = { 0, 7, 8, 64, SECOND - 2, SECOND - 1, SECOND, THIRD };
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageRamMap) map = new_map (fd, THIRD + 1);
  for (gsize i = 0; i < G_N_ELEMENTS (wanted); i++)
    put (fd, map, wanted[i], i % 2 == 0 ? 0 : PAGE - 1, (guint8) (i + 1));
  put (fd, map, 9, 5, 0);
  put (fd, map, 4711, 5, 0);

  write_bitmaps (fd, map);
  assert_pages (fd, map, wanted, G_N_ELEMENTS (wanted));
}

/* The bits behind the last page are clear, though the file goes on. */
static void
test_odd (void)
{
  static const guint64 wanted[] = { 0, 64 };
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageRamMap) map = new_map (fd, 65);
  put (fd, map, 0, 0, 1);
  put (fd, map, 64, 0, 1);
  put (fd, map, 65, 0, 1);
  fill_bitmap (fd, &map->blocks[0], 0xff);

  write_bitmaps (fd, map);
  assert_pages (fd, map, wanted, G_N_ELEMENTS (wanted));
}

static void
test_empty (void)
{
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageRamMap) map = new_map (fd, 300);
  fill_bitmap (fd, &map->blocks[0], 0xff);
  write_bitmaps (fd, map);
  assert_pages (fd, map, NULL, 0);
}

static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = sample_file ();
  sample_write_mapped_ram (fd, OFFSET);
  g_autoptr (StasisImageRamMap) map = parse (fd);
  g_cancellable_cancel (cancellable);
  g_assert_false (stasis_mapped_bitmaps_write (fd, map, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* A file that has become shorter meanwhile. */
static void
test_cut (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisImageRamMap) map = new_map (fd, 100);
  put (fd, map, 50, 0, 1);
  g_assert_cmpint (ftruncate (fd, (off_t) map->blocks[0].pages_offset + 50 * PAGE + 1), ==, 0);
  g_assert_false (stasis_mapped_bitmaps_write (fd, map, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/image/mapped-bitmaps/none-before", GUINT_TO_POINTER (0), test_same);
  g_test_add_data_func ("/image/mapped-bitmaps/all-before", GUINT_TO_POINTER (0xff), test_same);
  g_test_add_func ("/image/mapped-bitmaps/edges", test_edges);
  g_test_add_func ("/image/mapped-bitmaps/odd", test_odd);
  g_test_add_func ("/image/mapped-bitmaps/empty", test_empty);
  g_test_add_func ("/image/mapped-bitmaps/cancelled", test_cancelled);
  g_test_add_func ("/image/mapped-bitmaps/cut", test_cut);
  return g_test_run ();
}
