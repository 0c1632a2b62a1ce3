/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-stream-test.c: tests of src/image/body-stream.c
 */

#include "config.h"

#include "image/body-stream.h"

#include <unistd.h>

#include "image/error.h"
#include "image/reader-private.h"
#include "sample.h"
#include "util/fd.h"

#define MIB (1024u * 1024)

/* Read it all; what came is a beginning of @expected. */
static gboolean
read_all (StasisStreamIn *in, GBytes *expected, gssize *out_count, GError **error)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (expected, &size);
  gsize done = 0;
  g_autofree guint8 *buffer = g_malloc (100003);
  gssize n;
  while ((n = stasis_stream_in_read (in, buffer, 100003, NULL, error)) > 0)
    {
      g_assert_cmpuint (done + (gsize) n, <=, size);
      g_assert_true (memcmp (octets + done, buffer, (gsize) n) == 0);
      done += (gsize) n;
    }
  *out_count = (gssize) done;
  return n == 0;
}

/* An image with a STREAM body of that length. */
static int
stream_image (GBytes *stream)
{
  g_autoptr (GError) error = NULL;
  const int fd = sample_file ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, STASIS_IMAGE_BODY_STREAM);
  stasis_fd_pwrite_exact (fd, g_bytes_get_data (stream, NULL), g_bytes_get_size (stream),
                          stasis_image_writer_body_offset (writer), &error);
  const StasisImageTail tail = { .disks = NULL };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return fd;
}

static void
test_whole (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const gboolean is_streamed = data != NULL;
  g_autoptr (GBytes) stream = sample_long_stream (5 * MIB + 3);
  stasis_autofd int fd = is_streamed ? sample_written (1, 5 * MIB + 3) : stream_image (stream);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_image_stream_length (image), ==, 5 * MIB + 3);

  /* Twice, and both at once. */
  gssize n;
  guint8 octets[4];
  g_autoptr (StasisStreamIn) first = stasis_image_body_stream (image, 2, &error);
  g_autoptr (StasisStreamIn) second = stasis_image_body_stream (image, 0, &error);
  g_assert_true (stasis_stream_in_read_exact (second, octets, 4, NULL, &error));
  g_assert_cmpmem (octets, 4, "QEVM", 4);
  g_assert_true (read_all (first, stream, &n, &error));
  g_assert_cmpint (n, ==, 5 * MIB + 3);
}

/* An octet is changed: everything before its chunk comes, and nothing of it. */
static void
test_damaged (gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  const gboolean is_streamed = data != NULL;
  g_autoptr (GBytes) stream = sample_long_stream (5 * MIB + 3);
  stasis_autofd int fd = is_streamed ? sample_written (0, 5 * MIB + 3) : stream_image (stream);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  const off_t at = is_streamed ? g_array_index (image->chunks, StasisImageChunk, 1).offset + 1000
                               : (4 << 20) + 5;
  guint8 octet;
  g_assert_cmpint (pread (fd, &octet, 1, at), ==, 1);
  octet ^= 4;
  g_assert_cmpint (pwrite (fd, &octet, 1, at), ==, 1);

  gssize n;
  g_autoptr (StasisStreamIn) in = stasis_image_body_stream (image, 2, &error);
  g_assert_false (read_all (in, stream, &n, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "web.stasis"));
  g_assert_cmpint (n, ==, is_streamed ? 2 << 20 : 7 << 19);
}

static void
test_mapped_ram (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_MAPPED_RAM);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_null (stasis_image_body_stream (image, 0, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
  g_assert_cmpuint (stasis_image_stream_length (image), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/image/body-stream/whole/stream", NULL, test_whole);
  g_test_add_data_func ("/image/body-stream/whole/chunks", "", test_whole);
  g_test_add_data_func ("/image/body-stream/damaged/stream", NULL, test_damaged);
  g_test_add_data_func ("/image/body-stream/damaged/chunks", "", test_damaged);
  g_test_add_func ("/image/body-stream/mapped-ram", test_mapped_ram);
  return g_test_run ();
}
