/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * draw-map-test.c: tests of src/image/draw-map.c, canvas.c, font.c and png.c
 */

#include "config.h"

#include "image/draw-map.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/font.h"
#include "image/mapped-ram.h"
#include "image/octets.h"
#include "image/png.h"
#include "sample.h"
#include "util/fd.h"

#define MIB (1024u * 1024)
#define GIB ((guint64) 1024 * MIB)

/* Where the first cell of the first block is, and how far it is to the next. */
#define CELL_X 188u
#define CELL_Y 168u
#define CELL   8u

typedef struct
{
  guint32 width;
  guint32 height;
  guint8 *pixels; /* (owned) */
} Picture;

static void
picture_clear (Picture *picture)
{
  g_free (picture->pixels);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Picture, picture_clear)

/* The rows of an IDAT chunk, each with the filter "up". */
static void
decode_rows (const guint8 *octets, gsize size, Picture *picture)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) memory
      = g_memory_input_stream_new_from_data (octets, (gssize) size, NULL);
  g_autoptr (GZlibDecompressor) zlib = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
  g_autoptr (GInputStream) in = g_converter_input_stream_new (memory, G_CONVERTER (zlib));
  const gsize row = (gsize) picture->width * 3;
  picture->pixels = g_malloc (row * picture->height);
  for (gsize y = 0; y < picture->height; y++)
    {
      guint8 filter;
      guint8 *here = picture->pixels + y * row;
      gsize n;
      g_assert_true (g_input_stream_read_all (in, &filter, 1, &n, NULL, &error));
      g_assert_cmpuint (filter, ==, 2);
      g_assert_true (g_input_stream_read_all (in, here, row, &n, NULL, &error));
      g_assert_cmpuint (n, ==, row);
      for (gsize x = 0; y > 0 && x < row; x++)
        here[x] = (guint8) (here[x] + (here - row)[x]);
    }
  guint8 more;
  g_assert_cmpint (g_input_stream_read (in, &more, 1, NULL, NULL), ==, 0);
}

static void
decode (GBytes *png, Picture *picture)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (png, &size);
  g_assert_cmpmem (octets, 8, "\x89PNG\r\n\x1a\n", 8);
  g_assert_cmpmem (octets + 8, 8, "\0\0\0\x0dIHDR", 8);
  picture->width = stasis_get_be32 (octets + 16);
  picture->height = stasis_get_be32 (octets + 20);
  g_assert_cmpmem (octets + 24, 5, "\x08\2\0\0\0", 5);
  const guint32 length = stasis_get_be32 (octets + 33);
  g_assert_cmpmem (octets + 37, 4, "IDAT", 4);
  decode_rows (octets + 41, length, picture);
  g_assert_cmpmem (octets + size - 12, 12, "\0\0\0\0IEND\xae\x42\x60\x82", 12);
  g_assert_cmpuint (41 + length + 4 + 12, ==, size);
}

static guint32
pixel (const Picture *picture, guint32 x, guint32 y)
{
  g_assert_cmpuint (x, <, picture->width);
  g_assert_cmpuint (y, <, picture->height);
  const guint8 *octets = picture->pixels + ((gsize) y * picture->width + x) * 3;
  return (guint32) octets[0] << 16 | (guint32) octets[1] << 8 | octets[2];
}

static guint32
cell (const Picture *picture, guint column, guint row)
{
  return pixel (picture, CELL_X + column * CELL + 3, CELL_Y + row * CELL + 3);
}

static void
test_png (void)
{
  g_autoptr (GError) error = NULL;
  guint8 pixels[7 * 5 * 3];
  for (gsize i = 0; i < sizeof pixels; i++)
    pixels[i] = (guint8) (i * i * 37);
  g_autoptr (GBytes) png = stasis_png_encode (pixels, 7, 5, &error);
  g_assert_no_error (error);
  g_auto (Picture) picture = { .width = 0 };
  decode (png, &picture);
  g_assert_cmpmem (picture.pixels, sizeof pixels, pixels, sizeof pixels);

  /* The checksum of a header, as other programs have it: 1x1, 8 bits, colours. */
  g_autoptr (GBytes) dot = stasis_png_encode (pixels, 1, 1, &error);
  g_assert_cmpmem ((const guint8 *) g_bytes_get_data (dot, NULL) + 29, 4, "\x90\x77\x53\xde", 4);
}

/* Its pixels as text. */
static char *
letter_text (gunichar letter, guint scale)
{
  GString *text = g_string_new (NULL);
  for (guint y = 0; y < STASIS_FONT_HEIGHT * scale; y++)
    for (guint x = 0; x < STASIS_FONT_ADVANCE * scale; x++)
      g_string_append_c (text, stasis_font_has_ink (letter, scale, x, y) ? '#' : '.');
  return g_string_free (text, FALSE);
}

/* No two letters look alike, at any size. */
static void
test_font (void)
{
  for (guint scale = 1; scale <= 4; scale *= 2)
    {
      g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      for (gunichar letter = ' '; letter <= '~'; letter++)
        g_assert_true (g_hash_table_add (seen, letter_text (letter, scale)));
      g_assert_false (g_hash_table_add (seen, letter_text (0xe9, scale)));
      g_assert_false (g_hash_table_add (seen, letter_text ('\n', scale)));
      g_assert_false (g_hash_table_add (seen, letter_text (0x7f, scale)));
    }
}

static void
draw (const StasisMemoryPicture *picture, Picture *out)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) png = stasis_memory_picture_to_png (picture, &error);
  g_assert_no_error (error);
  decode (png, out);
}

/* One page in a cell: 512 KiB are one row. */
static void
test_cells (void)
{
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("web");
  g_auto (Picture) drawn = { .width = 0 };
  g_assert_cmpuint (stasis_memory_picture_add_block (picture, "pc.ram", 2 * MIB), ==, 0);
  stasis_memory_picture_mark (picture, 0, 1, 2, STASIS_PAGE_STORED);
  stasis_memory_picture_mark (picture, 0, 128, 1, STASIS_PAGE_COMPRESSED);
  stasis_memory_picture_mark (picture, 0, 511, 100, STASIS_PAGE_CHANGED);
  stasis_memory_picture_mark (picture, 0, 512, 1, STASIS_PAGE_CHANGED);
  stasis_memory_picture_mark (picture, 0, G_MAXUINT64, G_MAXUINT64, STASIS_PAGE_CHANGED);
  draw (picture, &drawn);
  g_assert_cmphex (cell (&drawn, 0, 0), ==, 0xe4e8ee);
  g_assert_cmphex (cell (&drawn, 1, 0), ==, 0x2f6fb7);
  g_assert_cmphex (cell (&drawn, 2, 0), ==, 0x2f6fb7);
  g_assert_cmphex (cell (&drawn, 3, 0), ==, 0xe4e8ee);
  g_assert_cmphex (cell (&drawn, 0, 1), ==, 0x2a9d78);
  g_assert_cmphex (cell (&drawn, 126, 3), ==, 0xe4e8ee);
  g_assert_cmphex (cell (&drawn, 127, 3), ==, 0xe2762b);
  g_assert_cmphex (pixel (&drawn, CELL_X + 127 * CELL + 3, CELL_Y + 4 * CELL + 3), ==, 0xffffff);
}

/* 128 GiB: 2 Mi pages for 128 rows of 128, so 2048 in each cell. */
static void
test_shades (void)
{
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("web");
  g_auto (Picture) drawn = { .width = 0 };
  stasis_memory_picture_add_block (picture, "pc.ram", 128 * GIB);
  for (guint i = 0; i <= 8; i++)
    stasis_memory_picture_mark (picture, 0, i * 2048, i * 256, STASIS_PAGE_STORED);
  stasis_memory_picture_mark (picture, 0, 20 * 2048, 1, STASIS_PAGE_STORED);
  stasis_memory_picture_mark (picture, 0, 127 * 128 * 2048 + 5, 1, STASIS_PAGE_CHANGED);
  draw (picture, &drawn);
  for (guint i = 1; i <= 8; i++) /* ever darker */
    g_assert_cmpuint (cell (&drawn, i, 0) >> 16, <, cell (&drawn, i - 1, 0) >> 16);
  g_assert_cmphex (cell (&drawn, 0, 0), ==, 0xe4e8ee);
  g_assert_cmphex (cell (&drawn, 8, 0), ==, 0x2f6fb7);
  g_assert_cmphex (cell (&drawn, 20, 0), ==, cell (&drawn, 1, 0)); /* one page is seen */
  g_assert_cmphex (cell (&drawn, 0, 127), !=, 0xe4e8ee);
  g_assert_cmphex (cell (&drawn, 1, 127), ==, 0xe4e8ee);
}

static void
assert_text (const StasisMemoryPicture *picture, const char *text, gboolean is_there)
{
  g_autoptr (GBytes) svg = stasis_memory_picture_to_svg (picture);
  gsize size;
  const char *octets = g_bytes_get_data (svg, &size);
  g_assert_cmpint (g_strstr_len (octets, (gssize) size, text) != NULL, ==, is_there);
}

/* What is not in an incremental image is nothing that it knows to be zero. */
static void
test_incremental (void)
{
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("web");
  g_auto (Picture) drawn = { .width = 0 };
  assert_text (picture, ">zero<", TRUE);
  stasis_memory_picture_set_incremental (picture);
  stasis_memory_picture_add_block (picture, "pc.ram", 2 * MIB);
  stasis_memory_picture_mark (picture, 0, 1, 1, STASIS_PAGE_STORED);
  stasis_memory_picture_add_block (picture, "vga.vram", MIB);
  draw (picture, &drawn);
  g_assert_cmphex (cell (&drawn, 0, 0), ==, 0xe9dcc3);
  g_assert_cmphex (cell (&drawn, 1, 0), ==, 0x2f6fb7);
  assert_text (picture, ">in the parent<", TRUE);
  assert_text (picture, "1 MiB: in the parent", TRUE);
  assert_text (picture, "zero", FALSE);
}

/* The largest there are, and the most. */
static void
test_limits (void)
{
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("");
  g_auto (Picture) nothing = { .width = 0 };
  g_auto (Picture) drawn = { .width = 0 };
  draw (picture, &nothing);
  stasis_memory_picture_add_block (picture, "pc.ram", 4096 * GIB);
  stasis_memory_picture_mark (picture, 0, 0, 1024 * MIB, STASIS_PAGE_STORED);
  for (guint i = 1; i < STASIS_IMAGE_BLOCKS_MAX; i++)
    {
      g_autofree char *name = g_strnfill (STASIS_IMAGE_BLOCK_NAME_MAX, i % 2 == 0 ? 'x' : '\xe9');
      stasis_memory_picture_add_block (picture, name, 4096);
    }
  draw (picture, &drawn);
  g_assert_cmphex (cell (&drawn, 127, 127), ==, 0x2f6fb7);
  g_assert_cmpuint (drawn.width, ==, nothing.width);
  g_assert_cmpuint (drawn.height, <, 6000);
}

static StasisPageKind
every_second (guint block, guint64 page, gpointer data)
{
  (*(guint *) data)++;
  return block == 0 && page % 2 == 0 ? STASIS_PAGE_CHANGED : STASIS_PAGE_STORED;
}

static void
test_map (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("web");
  stasis_autofd int fd = sample_file ();
  guint n = 0;
  struct stat st;
  sample_write_mapped_ram (fd, 0);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, 0, (guint64) st.st_size, &error);
  stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error);
  stasis_memory_picture_add_map (picture, fd, map, every_second, &n, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, map->blocks[0].n_set + map->blocks[1].n_set + map->blocks[2].n_set);
  g_auto (Picture) drawn = { .width = 0 };
  draw (picture, &drawn);
  for (guint page = 0; page < 768; page++)
    {
      const gboolean set = (guint64) page * 2654435761u % 97 <= 30;
      const guint32 expected = !set ? 0xe4e8ee : page % 2 == 0 ? 0xe2762b : 0x2f6fb7;
      g_assert_cmphex (cell (&drawn, page % 128, page / 128), ==, expected);
    }
}

/* Well-formed whatever the names, and every text in it. */
static void
test_svg (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMemoryPicture) picture = stasis_memory_picture_new ("<web> & \"co\" \xc3\xa9");
  stasis_memory_picture_add_block (picture, "a<b>&\xff", 3 * MIB);
  stasis_memory_picture_mark (picture, 0, 0, 384, STASIS_PAGE_STORED);
  g_autoptr (GBytes) svg = stasis_memory_picture_to_svg (picture);
  gsize size;
  const char *text = g_bytes_get_data (svg, &size);
  const GMarkupParser parser = { .text = NULL };
  g_autoptr (GMarkupParseContext) context
      = g_markup_parse_context_new (&parser, G_MARKUP_PREFIX_ERROR_POSITION, NULL, NULL);
  g_assert_true (g_markup_parse_context_parse (context, text, (gssize) size, &error));
  g_assert_true (g_markup_parse_context_end_parse (context, &error));
  g_assert_nonnull (g_strstr_len (text, (gssize) size, "&lt;web&gt; &amp; &quot;co&quot;"));
  g_assert_nonnull (g_strstr_len (text, (gssize) size, "3 MiB: 1.5 MiB stored (50 %)"));
  g_assert_null (g_strstr_len (text, (gssize) size, "compressed"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/draw-map/png", test_png);
  g_test_add_func ("/image/draw-map/font", test_font);
  g_test_add_func ("/image/draw-map/cells", test_cells);
  g_test_add_func ("/image/draw-map/shades", test_shades);
  g_test_add_func ("/image/draw-map/incremental", test_incremental);
  g_test_add_func ("/image/draw-map/limits", test_limits);
  g_test_add_func ("/image/draw-map/map", test_map);
  g_test_add_func ("/image/draw-map/svg", test_svg);
  return g_test_run ();
}
