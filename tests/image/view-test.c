/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view-test.c: tests of src/image/view.c
 */

#include "config.h"

#include "image/view.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/error.h"
#include "image/extents.h"
#include "image/mapped-ram.h"
#include "sample.h"
#include "util/fd.h"

static const StasisImageBlock *
main_block (const StasisImage *image)
{
  const StasisImageBlock *block
      = stasis_image_ram_map_lookup (stasis_image_ram_map (image), "pc.ram");
  g_assert_nonnull (block);
  return block;
}

static StasisImage *
open_image (int fd)
{
  g_autoptr (GError) error = NULL;
  StasisImage *image = sample_open (fd, &error);
  g_assert_no_error (error);
  return image;
}

static void
assert_same (int a, int b, guint64 start, guint64 end)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *x = g_malloc (end - start + 1);
  g_autofree guint8 *y = g_malloc (end - start + 1);
  stasis_fd_pread_exact (a, x, end - start, start, &error);
  g_assert_no_error (error);
  stasis_fd_pread_exact (b, y, end - start, start, &error);
  g_assert_no_error (error);
  g_assert_cmpint (memcmp (x, y, end - start), ==, 0);
}

static void
assert_hole (int fd, guint64 start, guint64 end)
{
  g_autoptr (GError) error = NULL;
  guint64 data, stop;
  g_assert_true (stasis_extent_next (fd, start, end, &data, &stop, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (data, ==, end);
}

/* Zero in the view, whatever else is on its page of memory. */
static void
assert_zero (int fd, guint64 start, guint64 end)
{
  g_autoptr (GError) error = NULL;
  guint64 found;
  g_assert_true (stasis_extent_find_nonzero (fd, start, end, &found, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (found, ==, end);
}

static void
test_good (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  const StasisImageBlock *block = main_block (image);
  const guint64 start = stasis_image_body_offset (image);
  const guint64 end = start + stasis_image_body_length (image);
  stasis_autofd int view
      = stasis_image_view_new (image, block, STASIS_IMAGE_VIEW_MAX, NULL, &error);
  g_assert_no_error (error);

  struct stat st;
  g_assert_cmpint (fstat (view, &st), ==, 0);
  g_assert_cmpuint ((guint64) st.st_size, ==, end);
  g_assert_cmpuint ((guint64) st.st_blocks * 512, <, block->used_length / 4);
  assert_hole (view, 0, start);
  assert_same (fd, view, start, block->bitmap_offset);
  assert_zero (view, block->bitmap_offset, block->bitmap_offset + block->bitmap_length);
  assert_hole (view, block->pages_offset, block->pages_offset + block->used_length);
  assert_same (fd, view, block->pages_offset + block->used_length, end);

  /* QEMU finds the other blocks' pages, and of this one none. */
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (view, start, end, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_mapped_ram_read_bitmaps (view, map, NULL, &error));
  g_assert_cmpuint (map->blocks[0].n_set, ==, 0);
  g_assert_cmpuint (map->blocks[1].n_set, ==, stasis_image_ram_map (image)->blocks[1].n_set);
  g_assert_cmpuint (map->blocks[2].n_set, >, 0);
}

/* The image is as it was, and has nothing in pages that are zero. */
static void
test_untouched (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  stasis_autofd int before = sample_copy (fd);
  g_autoptr (StasisImage) image = open_image (fd);
  stasis_autofd int view
      = stasis_image_view_new (image, main_block (image), STASIS_IMAGE_VIEW_MAX, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) then = sample_octets (before);
  g_autoptr (GBytes) now = sample_octets (fd);
  g_assert_true (g_bytes_equal (then, now));
}

static void
write_octet (int fd, guint64 at, guint8 octet)
{
  g_assert_cmpint (pwrite (fd, &octet, 1, (off_t) at), ==, 1);
}

static void
assert_refused (int fd, const char *message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (fd);
  stasis_autofd int view
      = stasis_image_view_new (image, main_block (image), STASIS_IMAGE_VIEW_MAX, NULL, &error);
  g_assert_cmpint (view, ==, -1);
  g_assert_nonnull (error);
  if (strstr (error->message, message) == NULL)
    g_error ("'%s' does not say '%s'", error->message, message);
}

/* The first page of the block whose bit is clear. */
static guint64
clear_page (int fd, const StasisImageBlock *block)
{
  for (guint64 page = 0;; page++)
    {
      guint8 octet;
      g_assert_cmpint (pread (fd, &octet, 1, (off_t) (block->bitmap_offset + page / 8)), ==, 1);
      if ((octet >> page % 8 & 1) == 0)
        return page;
    }
}

/* What a live save may leave: data that nobody is to see. */
static void
test_stale (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  const StasisImageBlock *block = main_block (image);
  const guint64 page = clear_page (fd, block);
  write_octet (fd, block->pages_offset + page * block->page_size + 77, 1);
  assert_refused (fd, "that the bitmap calls zero");
}

/* A page of zeros that takes room is no harm. */
static void
test_zeros (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  const StasisImageBlock *block = main_block (image);
  write_octet (fd, block->pages_offset + clear_page (fd, block) * block->page_size, 0);
  stasis_autofd int view
      = stasis_image_view_new (image, block, STASIS_IMAGE_VIEW_MAX, NULL, &error);
  g_assert_no_error (error);
}

/* A bit that was lost: the page is there, and the bitmap calls it zero. */
static void
test_lost_bit (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  write_octet (fd, main_block (image)->bitmap_offset, 0);
  assert_refused (fd, "that the bitmap calls zero");
}

/* Two images may lie about where a block is: the record, and QEMU's header. */
static void
test_other_header (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  const guint64 at = main_block (image)->bitmap_offset;
  write_octet (fd, at - 1, 1); /* the last octet of the pages' offset */
  assert_refused (fd, "the place of a RAM block makes no sense");
}

static void
test_other_name (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  const guint64 at = main_block (image)->bitmap_offset;
  write_octet (fd, at - 28 - 8 - 1, 'n'); /* the last of "pc.ram" */
  assert_refused (fd, "is not what the RAM map says");
}

static void
test_cut (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (fd);
  const StasisImageBlock *block = main_block (image);
  g_assert_cmpint (ftruncate (fd, (off_t) block->bitmap_offset), ==, 0);
  stasis_autofd int view
      = stasis_image_view_new (image, block, STASIS_IMAGE_VIEW_MAX, NULL, &error);
  g_assert_cmpint (view, ==, -1);
  g_assert_nonnull (error);
}

/* What is not mapped is held in memory. */
static void
test_too_large (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = open_image (fd);
  stasis_autofd int view
      = stasis_image_view_new (image, main_block (image), 64u * 1024, NULL, &error);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
  g_assert_cmpint (view, ==, -1);
}

static void
test_cancelled (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = open_image (fd);
  g_cancellable_cancel (cancellable);
  stasis_autofd int view = stasis_image_view_new (image, main_block (image), STASIS_IMAGE_VIEW_MAX,
                                                  cancellable, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (view, ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/view/good", test_good);
  g_test_add_func ("/view/untouched", test_untouched);
  g_test_add_func ("/view/stale", test_stale);
  g_test_add_func ("/view/zeros", test_zeros);
  g_test_add_func ("/view/lost-bit", test_lost_bit);
  g_test_add_func ("/view/other-header", test_other_header);
  g_test_add_func ("/view/other-name", test_other_name);
  g_test_add_func ("/view/cut", test_cut);
  g_test_add_func ("/view/too-large", test_too_large);
  g_test_add_func ("/view/cancelled", test_cancelled);
  return g_test_run ();
}
