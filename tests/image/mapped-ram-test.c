/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-ram-test.c: tests of src/image/mapped-ram.c, with bitmap.c
 */

#include "config.h"

#include "image/mapped-ram.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/bitmap.h"
#include "image/error.h"
#include "sample.h"
#include "util/fd.h"

#define MIB    (1024u * 1024)
#define OFFSET (512u * 1024) /* of the body */

/* Where things stand in the body of sample_write_mapped_ram(). */
enum
{
  AT_MAGIC = 0,
  AT_SECTION = 8,
  AT_MACHINE_LENGTH = 9,
  AT_SUBSECTION = 17,
  AT_SUBSECTION_NAME = 19,
  AT_CAPABILITIES = 49,
  AT_CAPABILITY = 54,
  AT_SECTION_START = 64,
  AT_RAM = 70,
  AT_INSTANCE = 73,
  AT_RAM_VERSION = 77,
  AT_TOTAL = 81,
  AT_NAME = 89,
  AT_USED = 96,
  AT_VERSION = 104,
  AT_PAGE_SIZE = 108,
  AT_BITMAP = 116,
  AT_PAGES = 124,
  AT_HEAD_END = 132,
};

static int
new_body (void)
{
  const int fd = sample_file ();
  sample_write_mapped_ram (fd, OFFSET);
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
test_good (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_body ();
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, OFFSET, get_size (fd), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (map->n_blocks, ==, 3);
  g_assert_cmpstr (map->blocks[2].name, ==, "/rom@etc/table");
  g_assert_cmpuint (map->blocks[0].bitmap_offset, ==, OFFSET + AT_HEAD_END);
  g_assert_cmpuint (map->blocks[0].pages_offset, ==, MIB);
  g_assert_cmpuint (map->blocks[1].pages_offset, ==, 5 * MIB);
  g_assert_cmpuint (map->blocks[1].used_length, ==, MIB / 4);
  g_assert_cmpuint (map->blocks[1].bitmap_length, ==, 8);
  g_assert_true (stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_image_ram_map_at (map, MIB) == &map->blocks[0]);
  g_assert_true (stasis_image_ram_map_at (map, 4 * MIB - 1) == &map->blocks[0]);
  g_assert_null (stasis_image_ram_map_at (map, 4 * MIB));
  g_assert_null (stasis_image_ram_map_at (map, MIB - 1));
}

typedef struct
{
  const char *name;
  gsize at;
  const char *octets;
  gsize size;
  int code;
} Case;

#define BAD   STASIS_IMAGE_ERROR_CORRUPT
#define NEWER STASIS_IMAGE_ERROR_UNSUPPORTED

static const Case cases[] = {
  { "magic", AT_MAGIC, "QEVN", 4, BAD },
  { "stream-version", AT_MAGIC + 4, "\0\0\0\4", 4, BAD },
  { "no-configuration", AT_SECTION, "\1", 1, BAD },
  { "machine-256", AT_MACHINE_LENGTH, "\0\0\1\1", 4, BAD },
  { "machine-max", AT_MACHINE_LENGTH, "\377\377\377\377", 4, BAD },
  { "subsection", AT_SUBSECTION_NAME, "x", 1, NEWER },
  { "subsection-version", AT_SUBSECTION_NAME + 29, "\2", 1, NEWER },
  { "no-subsection", AT_SUBSECTION, "\1", 1, BAD },
  { "no-capability", AT_CAPABILITIES + 3, "\0", 1, BAD },
  { "capabilities-65", AT_CAPABILITIES, "\0\0\0\x41", 4, BAD },
  { "capabilities-max", AT_CAPABILITIES, "\377\377\377\377", 4, BAD },
  { "other-capability", AT_CAPABILITY, "x", 1, BAD },
  { "section", AT_SECTION_START, "\2", 1, BAD },
  { "not-ram", AT_RAM, "rom", 3, BAD },
  { "instance", AT_INSTANCE, "\1", 1, BAD },
  { "ram-version", AT_RAM_VERSION + 3, "\5", 1, NEWER },
  { "no-mem-size", AT_TOTAL + 7, "\2", 1, BAD },
  { "total-zero", AT_TOTAL, "\0\0\0\0\0\0\0\4", 8, BAD },
  { "total-max", AT_TOTAL, "\377\377\377\377\377\377\360\4", 8, BAD },
  { "name-empty", AT_NAME, "\0", 1, BAD },
  { "name-not-utf8", AT_NAME + 1, "\377", 1, BAD },
  { "used-zero", AT_USED, "\0\0\0\0\0\0\0\0", 8, BAD },
  { "used-odd", AT_USED + 7, "\1", 1, BAD },
  { "used-above-total", AT_USED + 4, "\1\0\0\0", 4, BAD },
  { "used-max", AT_USED, "\377\377\377\377\377\377\360\0", 8, BAD },
  { "version", AT_VERSION + 3, "\2", 1, NEWER },
  { "page-size", AT_PAGE_SIZE + 6, "\x20", 1, NEWER },
  { "page-size-zero", AT_PAGE_SIZE + 6, "\0", 1, NEWER },
  { "bitmap-elsewhere", AT_BITMAP + 7, "\0", 1, BAD },
  { "pages-elsewhere", AT_PAGES + 5, "\x20", 1, BAD },
  { "pages-max", AT_PAGES, "\377\377\377\377\377\360\0\0", 8, BAD },
};

static void
test_bad (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_body ();
  g_assert_cmpint (pwrite (fd, c->octets, c->size, (off_t) (OFFSET + c->at)), ==, (gssize) c->size);
  g_assert_null (stasis_mapped_ram_parse (fd, OFFSET, get_size (fd), &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, c->code);
}

/* Every end that cuts the heads, and some that cut pages. */
static void
test_prefixes (void)
{
  stasis_autofd int fd = new_body ();
  const guint64 end = get_size (fd) - 20; /* behind the last block's pages */
  for (guint64 size = 0; OFFSET + size < end; size += size < 200 ? 1 : 9973)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_mapped_ram_parse (fd, OFFSET, OFFSET + size, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
    }
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, OFFSET, end, NULL);
  g_assert_nonnull (map);
}

/* Bits behind the last page: a block of 128 KiB has 32. */
static void
test_spare_bits (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = new_body ();
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, OFFSET, get_size (fd), &error);
  g_assert_cmpint (pwrite (fd, "\1", 1, (off_t) map->blocks[2].bitmap_offset + 4), ==, 1);
  g_assert_false (stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

/* Runs as bit by bit, over a bitmap larger than the window. */
static void
test_bitmap_runs (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  const gsize size = 3 * STASIS_BITMAP_WINDOW - 24;
  StasisImageBlock block = { .name = "x", .bitmap_offset = 40, .bitmap_length = size };
  g_autofree guint8 *octets = g_malloc (size);
  for (gsize i = 0; i < size; i++)
    octets[i] = i / 100 % 3 == 0 ? 0 : i / 100 % 3 == 1 ? 0xff : (guint8) (i * 37);
  g_assert_true (stasis_fd_pwrite_exact (fd, octets, size, 40, &error));

  g_autofree StasisBitmap *bitmap = g_new0 (StasisBitmap, 1);
  const guint64 limit = size * 8 - 3;
  guint64 end;
  for (guint64 page = 0; page < limit; page = end)
    {
      gboolean set;
      g_assert_true (stasis_bitmap_run (bitmap, fd, &block, page, limit, &set, &end, &error));
      g_assert_cmpuint (end, >, page);
      g_assert_cmpuint (end, <=, limit);
      for (guint64 i = page; i < end; i++)
        g_assert_cmpint ((octets[i / 8] >> i % 8 & 1) != 0, ==, set);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/mapped-ram/good", test_good);
  g_test_add_func ("/image/mapped-ram/prefixes", test_prefixes);
  g_test_add_func ("/image/mapped-ram/spare-bits", test_spare_bits);
  g_test_add_func ("/image/mapped-ram/bitmap-runs", test_bitmap_runs);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/mapped-ram/bad/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_bad);
    }
  return g_test_run ();
}
