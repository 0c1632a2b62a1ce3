/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * png.c: a picture of pixels as a PNG file
 *
 * Only what a drawing needs: 8 bits of red, green and blue, no filters but "the same as above",
 * which is what rows of cells mostly are.  (Portable Network Graphics, second edition.)
 */

#include "config.h"

#include "image/png.h"

#include <string.h>

#include "image/octets.h"

#define FILTER_UP 2

static const guint8 signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

static guint32
crc (const guint8 *octets, gsize size)
{
  guint32 value = 0xffffffff;
  for (gsize i = 0; i < size; i++)
    {
      value ^= octets[i];
      for (guint bit = 0; bit < 8; bit++)
        value = (value & 1) != 0 ? value >> 1 ^ 0xedb88320u : value >> 1;
    }
  return ~value;
}

static void
append_number (GByteArray *out, guint32 value)
{
  guint8 octets[4];
  stasis_put_be32 (octets, value);
  g_byte_array_append (out, octets, sizeof octets);
}

static void
append_chunk (GByteArray *out, const char *type, const guint8 *octets, gsize size)
{
  append_number (out, (guint32) size);
  const guint start = out->len;
  g_byte_array_append (out, (const guint8 *) type, 4);
  if (size > 0)
    g_byte_array_append (out, octets, (guint) size);
  append_number (out, crc (out->data + start, out->len - start));
}

/* Each row with its filter in front. */
static guint8 *
filter_rows (const guint8 *pixels, gsize row, guint32 height)
{
  guint8 *rows = g_malloc ((row + 1) * height);
  for (gsize y = 0; y < height; y++)
    {
      guint8 *out = rows + y * (row + 1);
      const guint8 *here = pixels + y * row;
      const guint8 *above = y > 0 ? here - row : here;
      out[0] = FILTER_UP;
      for (gsize x = 0; x < row; x++)
        out[1 + x] = (guint8) (here[x] - (y > 0 ? above[x] : 0));
    }
  return rows;
}

static GBytes *
compress (const guint8 *octets, gsize size, GError **error)
{
  g_autoptr (GZlibCompressor) compressor = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_ZLIB, 9);
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr (GOutputStream) out = g_converter_output_stream_new (memory, G_CONVERTER (compressor));
  if (!g_output_stream_write_all (out, octets, size, NULL, NULL, error)
      || !g_output_stream_close (out, NULL, error))
    return NULL;
  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (memory));
}

GBytes *
stasis_png_encode (const guint8 *pixels, guint32 width, guint32 height, GError **error)
{
  const gsize row = (gsize) width * 3;
  g_autofree guint8 *rows = filter_rows (pixels, row, height);
  g_autoptr (GBytes) data = compress (rows, (row + 1) * height, error);
  if (data == NULL)
    return NULL;

  guint8 header[13] = { 0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0 }; /* 8 bits, colours */
  stasis_put_be32 (header, width);
  stasis_put_be32 (header + 4, height);
  GByteArray *out = g_byte_array_new ();
  g_byte_array_append (out, signature, sizeof signature);
  append_chunk (out, "IHDR", header, sizeof header);
  append_chunk (out, "IDAT", g_bytes_get_data (data, NULL), g_bytes_get_size (data));
  append_chunk (out, "IEND", NULL, 0);
  return g_byte_array_free_to_bytes (out);
}
