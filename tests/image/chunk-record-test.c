/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk-record-test.c: tests of src/image/chunk-record.c
 */

#include "config.h"

#include "image/chunk-record.h"

#include <string.h>

#include "image/error.h"
#include "image/types.h"

static const struct
{
  const char *name;
  StasisChunkSequence before;
  StasisChunkHead head;
  guint64 record_length;
  int code; /* a StasisImageError, or -1 */
} cases[] = {
  { "first", { 0, 0 }, { STASIS_CHUNK_RAW, 1, 0 }, 17, -1 },
  { "longest", { 0, 0 }, { STASIS_CHUNK_RAW, STASIS_CHUNK_MAX, 0 }, 16 + STASIS_CHUNK_MAX, -1 },
  { "too-long",
    { 0, 0 },
    { STASIS_CHUNK_RAW, STASIS_CHUNK_MAX + 1, 0 },
    17 + STASIS_CHUNK_MAX,
    STASIS_IMAGE_ERROR_CORRUPT },
  { "empty", { 0, 0 }, { STASIS_CHUNK_RAW, 0, 0 }, 16, STASIS_IMAGE_ERROR_CORRUPT },
  { "no-head", { 0, 0 }, { STASIS_CHUNK_RAW, 1, 0 }, 15, STASIS_IMAGE_ERROR_CORRUPT },
  { "zstd-shorter", { 0, 0 }, { STASIS_CHUNK_ZSTD, 100, 0 }, 16 + 99, -1 },
  { "zstd-as-long", { 0, 0 }, { STASIS_CHUNK_ZSTD, 100, 0 }, 116, STASIS_IMAGE_ERROR_CORRUPT },
  { "encoding", { 0, 0 }, { 2, 100, 0 }, 50, STASIS_IMAGE_ERROR_UNSUPPORTED },
  { "early", { 1, 9 }, { STASIS_CHUNK_RAW, 1, 8 }, 17, STASIS_IMAGE_ERROR_CORRUPT },
  { "late", { 1, 9 }, { STASIS_CHUNK_RAW, 1, 10 }, 17, STASIS_IMAGE_ERROR_CORRUPT },
  { "last", { STASIS_CHUNKS_MAX - 1, 9 }, { STASIS_CHUNK_RAW, 1, 9 }, 17, -1 },
  { "too-many",
    { STASIS_CHUNKS_MAX, 9 },
    { STASIS_CHUNK_RAW, 1, 9 },
    17,
    STASIS_IMAGE_ERROR_CORRUPT },
  { "end",
    { 5, STASIS_IMAGE_END_MAX - 8 },
    { STASIS_CHUNK_RAW, 8, STASIS_IMAGE_END_MAX - 8 },
    24,
    -1 },
  { "behind-end",
    { 5, STASIS_IMAGE_END_MAX - 8 },
    { STASIS_CHUNK_RAW, 9, STASIS_IMAGE_END_MAX - 8 },
    25,
    STASIS_IMAGE_ERROR_CORRUPT },
};

static void
test_sequence (gconstpointer data)
{
  const gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  guint8 octets[STASIS_CHUNK_HEAD_SIZE];
  StasisChunkSequence sequence = cases[i].before;
  StasisChunkHead head;
  const StasisRecord record
      = { .type = STASIS_RECORD_CHUNK, .offset = 4096, .length = cases[i].record_length };
  stasis_chunk_head_encode (&cases[i].head, octets);
  const gboolean ok = stasis_chunk_sequence_next (&sequence, &record, octets, &head, &error);
  if (cases[i].code >= 0)
    {
      const int code = cases[i].code;
      g_assert_false (ok);
      g_assert_error (error, STASIS_IMAGE_ERROR, code);
      return;
    }
  g_assert_no_error (error);
  g_assert_cmpuint (head.length, ==, cases[i].head.length);
  g_assert_cmpuint (sequence.position, ==, cases[i].before.position + head.length);
  g_assert_cmpuint (sequence.n_chunks, ==, cases[i].before.n_chunks + 1);
}

static void
test_codec (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisChunkCodec) pack = stasis_chunk_codec_new (3);
  g_autoptr (StasisChunkCodec) unpack = stasis_chunk_codec_new (0);
  static guint8 octets[100000], packed[100000], found[100000];
  memset (octets, 'x', sizeof octets);
  const gsize n = stasis_chunk_codec_pack (pack, octets, sizeof octets, packed, sizeof packed);
  g_assert_cmpuint (n, >, 0);
  g_assert_cmpuint (n, <, 1000);
  g_assert_cmpuint (stasis_chunk_codec_pack (pack, octets, sizeof octets, packed, n - 1), ==, 0);
  g_assert_cmpuint (stasis_chunk_codec_pack (pack, octets, sizeof octets, packed, n + 64), ==, n);

  const StasisRecord record = { .type = STASIS_RECORD_CHUNK, .length = n + 16 };
  StasisChunkHead head = { STASIS_CHUNK_ZSTD, sizeof octets, 0 };
  g_assert_true (stasis_chunk_codec_unpack (unpack, &record, &head, packed, n, found, &error));
  g_assert_cmpmem (found, sizeof found, octets, sizeof octets);
  head.length--;
  g_assert_false (stasis_chunk_codec_unpack (unpack, &record, &head, packed, n, found, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_clear_error (&error);

  /* Whatever happens to the frame, its own checksum sees it. */
  head.length = sizeof octets;
  for (gsize at = 0; at < n; at++)
    {
      packed[at] ^= 1;
      g_assert_false (stasis_chunk_codec_unpack (unpack, &record, &head, packed, n, found, NULL)
                      && memcmp (found, octets, sizeof octets) != 0);
      packed[at] ^= 1;
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/chunk-record/sequence/%s", cases[i].name);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_sequence);
    }
  g_test_add_func ("/image/chunk-record/codec", test_codec);
  return g_test_run ();
}
