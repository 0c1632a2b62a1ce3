/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trailer-test.c: tests of src/image/trailer.c
 */

#include "config.h"

#include "image/trailer.h"

#include <string.h>

#include "image/error.h"
#include "libvirt-sample.h"
#include "streams.h"
#include "util/fd.h"

static const guint8 uuid[STASIS_UUID_SIZE] = "0123456789abcdef";

/* The trailer as it was written in 2007. */
static GBytes *
make_image (GBytes *stream)
{
  return streams_append (stream,
                         "LibvirtQemudUUID\0"
                         "0123456789abcdef",
                         33);
}

static GBytes *
read_pipe (GBytes *octets, gsize piece, gboolean *out_has_uuid, GError **error)
{
  g_autoptr (StasisStreamIn) in = streams_dribble (octets, piece);
  g_autoptr (StasisStreamIn) body = stasis_trailer_body_new (in, "x");
  g_assert_null (stasis_trailer_body_uuid (body));
  GBytes *stream = streams_drain (body, NULL, error);
  const guint8 *found = stasis_trailer_body_uuid (body);
  g_assert_cmpint (found != NULL, ==, stream != NULL);
  *out_has_uuid = found != NULL && memcmp (found, uuid, sizeof uuid) == 0;
  return stream;
}

static gboolean
read_file (GBytes *octets, guint64 *out_end, GError **error)
{
  guint8 found[STASIS_UUID_SIZE] = "";
  stasis_autofd int fd = streams_file (octets);
  return stasis_trailer_read_file (fd, "x", found, out_end, error)
         && memcmp (found, uuid, sizeof uuid) == 0;
}

static void
test_round_trip (void)
{
  static const gsize sizes[] = { 8, 9, 32, 33, 34, 1000, 262144 - 33, 262144, 700001 };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize piece = sizes[i] > 10000 ? 5000 : 1; piece < 2000000; piece *= 13)
      {
        g_autoptr (GError) error = NULL;
        g_autoptr (GBytes) stream = libvirt_sample_stream (sizes[i]);
        g_autoptr (GBytes) octets = make_image (stream);
        gboolean has_uuid = FALSE;
        guint64 end = 0;
        g_autoptr (GBytes) found = read_pipe (octets, piece, &has_uuid, &error);
        g_assert_no_error (error);
        g_assert_true (has_uuid);
        g_assert_true (g_bytes_equal (found, stream));
        g_assert_true (read_file (octets, &end, &error));
        g_assert_cmpuint (end, ==, sizes[i]);
      }
}

static void
test_write (void)
{
  g_autoptr (GBytes) stream = libvirt_sample_stream (100);
  g_autoptr (GBytes) expected = make_image (stream);
  g_autoptr (GByteArray) array = g_byte_array_new ();
  g_autoptr (StasisStreamOut) out = streams_collect (array);
  g_assert_true (stasis_stream_out_write (out, g_bytes_get_data (stream, NULL), 100, NULL, NULL));
  g_assert_true (stasis_trailer_write (out, uuid, NULL, NULL));
  g_assert_cmpmem (array->data, array->len, g_bytes_get_data (expected, NULL),
                   g_bytes_get_size (expected));
}

static void
check_refused (GBytes *octets)
{
  g_autoptr (GError) error = NULL;
  gboolean has_uuid;
  guint64 end;
  g_assert_null (read_pipe (octets, 7, &has_uuid, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "'x'"));
  g_clear_error (&error);
  g_assert_false (read_file (octets, &end, &error));
  g_assert_true (error->domain == STASIS_IMAGE_ERROR);
  g_assert_nonnull (strstr (error->message, "'x'"));
}

/* No prefix has a trailer, and nothing may follow one. */
static void
test_prefixes (void)
{
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) octets = make_image (stream);
  for (gsize size = 0; size < 93; size++)
    {
      g_autoptr (GBytes) cut = streams_cut (octets, size);
      check_refused (cut);
    }
  g_autoptr (GBytes) more = streams_append (octets, "", 1);
  check_refused (more);
}

/* Bits of what the form itself has are noticed; of the stream and the UUID there is no telling. */
static void
test_bits (void)
{
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) octets = make_image (stream);
  for (gsize i = 0; i < 93 * 8; i++)
    {
      const gsize at = i / 8;
      g_autoptr (GBytes) changed = streams_flip (octets, at, i % 8);
      gboolean has_uuid = FALSE;
      g_autoptr (GBytes) found = read_pipe (changed, 50, &has_uuid, NULL);
      g_assert_cmpint (found == NULL, ==, at < 8 || (at >= 60 && at < 77));
      g_assert_cmpint (has_uuid, ==, at >= 8 && at < 60);
    }
}

/* A good trailer behind too short a stream is not given out. */
static void
test_short (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = g_bytes_new_static ("QEVM\0\0\0", 7);
  g_autoptr (GBytes) octets = make_image (stream);
  gboolean has_uuid;
  g_assert_null (read_pipe (octets, 100, &has_uuid, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
}

/* Octets in the stream that look like a trailer are none. */
static void
test_in_the_midst (void)
{
  g_autoptr (GBytes) stream = libvirt_sample_stream (60);
  g_autoptr (GBytes) once = make_image (stream);
  g_autoptr (GBytes) twice = make_image (once);
  for (gsize piece = 1; piece < 200; piece++)
    {
      gboolean has_uuid = FALSE;
      g_autoptr (GBytes) found = read_pipe (twice, piece, &has_uuid, NULL);
      g_assert_true (has_uuid);
      g_assert_true (g_bytes_equal (found, once));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/trailer/round-trip", test_round_trip);
  g_test_add_func ("/image/trailer/write", test_write);
  g_test_add_func ("/image/trailer/prefixes", test_prefixes);
  g_test_add_func ("/image/trailer/bits", test_bits);
  g_test_add_func ("/image/trailer/short", test_short);
  g_test_add_func ("/image/trailer/in-the-midst", test_in_the_midst);
  return g_test_run ();
}
