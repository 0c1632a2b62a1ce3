/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compress-test.c: the filters of src/image/compress*.c and decompress*.c, by all compressors
 */

#include "config.h"

#include "image/compress.h"

#include <string.h>

#include "image/error.h"
#include "image/filters.h"
#include "streams.h"

#define MIB (1024u * 1024)

static const StasisCompression all[]
    = { STASIS_COMPRESSION_NONE, STASIS_COMPRESSION_GZIP, STASIS_COMPRESSION_BZIP2,
        STASIS_COMPRESSION_XZ,   STASIS_COMPRESSION_LZOP, STASIS_COMPRESSION_ZSTD };

/* FALSE, and the test is skipped, where a program is missing. */
static gboolean
can (StasisCompression compression)
{
  const StasisFilterProgram *program = stasis_filter_program (compression);
  g_autofree char *path = program == NULL ? NULL : g_find_program_in_path (program->name);
  if (program == NULL || path != NULL)
    return TRUE;
  g_autofree char *why = g_strdup_printf ("no %s here", program->name);
  g_test_skip (why);
  return FALSE;
}

static GBytes *
compress (StasisCompression compression, GBytes *bytes, gsize piece)
{
  g_autoptr (GError) error = NULL;
  GByteArray *array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_autoptr (StasisStreamOut) filter = stasis_compress_new (compression, 0, 2, out, &error);
  g_assert_no_error (error);
  g_autoptr (StasisStreamIn) in = streams_dribble (bytes, piece);
  g_assert_true (stasis_stream_copy (in, filter, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_stream_out_finish (filter, NULL, &error));
  g_assert_no_error (error);
  return g_byte_array_free_to_bytes (array);
}

static GBytes *
decompress (StasisCompression compression, GBytes *bytes, gsize piece, GError **error)
{
  g_autoptr (StasisStreamIn) in = streams_dribble (bytes, piece);
  g_autoptr (GError) local_error = NULL;
  g_autoptr (StasisStreamIn) filter = stasis_decompress_new (compression, in, &local_error);
  g_assert_no_error (local_error);
  return streams_drain (filter, NULL, error);
}

static void
check_fine (StasisCompression compression, GBytes *compressed, GBytes *expected, gsize piece)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) plain = decompress (compression, compressed, piece, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (plain, expected));
}

static void
check_corrupt (StasisCompression compression, GBytes *compressed)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) plain = decompress (compression, compressed, 100000, &error);
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_null (plain);
}

static void
test_round_trip (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  static const gsize sizes[] = { 0, 1, 300, STASIS_FILTER_PIECE, 3 * MIB + 1 };
  if (!can (compression))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) plain = streams_octets (sizes[i]);
      const gsize piece = sizes[i] > 1000 ? 70001 : 1;
      g_autoptr (GBytes) compressed = compress (compression, plain, piece);
      if (compression != STASIS_COMPRESSION_NONE && sizes[i] > 1000)
        g_assert_cmpuint (g_bytes_get_size (compressed), <, sizes[i]);
      check_fine (compression, compressed, plain, piece);
    }
}

/* Our octets are what the well-known program understands, and the other way round. */
static void
test_program (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  const char *name = stasis_compression_to_string (compression);
  g_autofree char *path = g_find_program_in_path (name);
  if (path == NULL)
    return g_test_skip ("the program is missing");

  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) plain = streams_octets (MIB + 5);
  g_autoptr (GBytes) ours = compress (compression, plain, MIB);
  g_autoptr (GBytes) theirs = NULL;
  g_autoptr (GSubprocess) unpack = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, path, "-dc", NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate (unpack, ours, NULL, &theirs, NULL, &error));
  g_assert_true (g_subprocess_get_successful (unpack));
  g_assert_true (g_bytes_equal (theirs, plain));

  g_autoptr (GBytes) packed = NULL;
  g_autoptr (GSubprocess) pack = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, path, "-c", NULL);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate (pack, plain, NULL, &packed, NULL, &error));
  check_fine (compression, packed, plain, 4097);
}

/* Members, streams, frames one after the other; to lzop these are several files, which is refused.
 */
static void
test_several (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  if (!can (compression))
    return;
  g_autoptr (GBytes) plain = streams_octets (5000);
  g_autoptr (GBytes) one = compress (compression, plain, 5000);
  g_autoptr (GBytes) two
      = streams_append (one, g_bytes_get_data (one, NULL), g_bytes_get_size (one));
  g_autoptr (GBytes) twice = streams_append (plain, g_bytes_get_data (plain, NULL), 5000);
  if (compression == STASIS_COMPRESSION_LZOP)
    return check_corrupt (compression, two);
  for (gsize piece = 1; piece < 100000; piece *= 30)
    check_fine (compression, two, twice, piece);
}

static void
test_prefixes (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  if (!can (compression))
    return;
  g_autoptr (GBytes) plain = streams_octets (200);
  g_autoptr (GBytes) compressed = compress (compression, plain, 200);
  for (gsize size = 0; size < g_bytes_get_size (compressed); size++)
    {
      g_autoptr (GBytes) cut = streams_cut (compressed, size);
      check_corrupt (compression, cut);
    }
}

static void
test_trailing (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  if (!can (compression))
    return;
  g_autofree guint8 *garbage = g_malloc0 (3 * MIB);
  memset (garbage, 'x', 3 * MIB);
  g_autoptr (GBytes) plain = streams_octets (1000);
  g_autoptr (GBytes) compressed = compress (compression, plain, 1000);
  static const gsize sizes[] = { 1, 4, 1000, 3 * MIB };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) more = streams_append (compressed, garbage, sizes[i]);
      check_corrupt (compression, more);
    }
}

/* Whatever bit is turned: noticed, or it made no difference.  (Fields such as gzip's time and
 * system have no checksum, and mean nothing to us.) */
static void
test_bits (gconstpointer data)
{
  const StasisCompression compression = *(const StasisCompression *) data;
  if (!can (compression))
    return;
  g_autoptr (GBytes) plain = streams_octets (100);
  g_autoptr (GBytes) compressed = compress (compression, plain, 100);
  const gsize size = g_bytes_get_size (compressed);
  /* Each start of a program takes a while: one bit of each octet is enough for those. */
  const gsize step = stasis_filter_program (compression) == NULL ? 1 : 9;
  gsize n_unnoticed = 0;
  for (gsize i = 0; i < size * 8; i += step)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) changed = streams_flip (compressed, i / 8, i % 8);
      g_autoptr (GBytes) result = decompress (compression, changed, 5000, &error);
      if (result == NULL)
        g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
      else
        g_assert_true (g_bytes_equal (result, plain));
      n_unnoticed += result != NULL;
    }
  g_test_message ("%zu of %zu bits mean nothing", n_unnoticed, size * 8 / step);
  g_assert_cmpuint (n_unnoticed, <, size * 8 / step / 4);
}

static void
add (const char *what, void (*test) (gconstpointer), gboolean with_none)
{
  for (gsize i = with_none ? 0 : 1; i < G_N_ELEMENTS (all); i++)
    {
      g_autofree char *path
          = g_strdup_printf ("/image/compress/%s/%s", what, stasis_compression_to_string (all[i]));
      g_test_add_data_func (path, &all[i], test);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("round-trip", test_round_trip, TRUE);
  add ("program", test_program, FALSE);
  add ("several", test_several, FALSE);
  add ("prefixes", test_prefixes, FALSE);
  add ("trailing", test_trailing, FALSE);
  add ("bits", test_bits, FALSE);
  return g_test_run ();
}
