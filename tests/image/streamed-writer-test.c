/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-writer-test.c: tests of src/image/streamed-writer.c, and the round trip through the
 * reader
 */

#include "config.h"

#include "image/streamed-writer.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "image/chunk-record.h"
#include "image/error.h"
#include "image/reader-private.h"
#include "image/streamed-reader.h"
#include "sample.h"
#include "util/fd.h"

#define PIECE STASIS_CHUNK_WRITE_SIZE

/* Begin with the sample's facts. */
static StasisStreamedWriter *
begin (StasisStreamOut *out, int level, guint n_threads, GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  const StasisImageFacts facts = { .xml = xml, .qemu_facts = qemu_facts };
  return stasis_streamed_writer_begin (out, &facts, level, n_threads, NULL, error);
}

/* In odd pieces. */
static gboolean
write_stream (StasisStreamedWriter *writer, GBytes *stream, GCancellable *cancellable,
              GError **error)
{
  gsize size;
  const guint8 *octets = g_bytes_get_data (stream, &size);
  gsize step = 1;
  for (gsize at = 0; at < size; at += step)
    {
      step = MIN (step * 3 + 1, MIN (size - at, 700001));
      if (!stasis_streamed_writer_write (writer, octets + at, step, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

/* All that comes out of @in is @expected. */
static void
assert_stream (StasisStreamIn *in, GBytes *expected)
{
  g_autoptr (GError) error = NULL;
  gsize size;
  const guint8 *octets = g_bytes_get_data (expected, &size);
  g_autofree guint8 *found = g_malloc (size + 1);
  const gssize n = stasis_stream_in_read_full (in, found, size + 1, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (n, ==, (gssize) size);
  g_assert_true (memcmp (found, octets, size) == 0);
}

static const struct
{
  const char *name;
  gsize size;
  int level;
  guint n_threads;
  guint n_chunks;
} trips[] = {
  { "least", 8, 3, 1, 1 },
  { "exact", PIECE, 0, 2, 1 },
  { "one-less", PIECE - 1, 1, 2, 1 },
  { "one-more", PIECE + 1, 1, 3, 2 },
  { "raw", 3 * PIECE + 5, 0, 0, 4 },
  { "level-3", 3 * PIECE + 5, 3, 0, 4 },
  { "level-7", PIECE + 70000, 7, 8, 2 },
  { "level-19", 300000, 19, 8, 1 },
  { "many", 24 * PIECE + 77, 1, 8, 25 },
};

static void
test_trip (gconstpointer data)
{
  const gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  g_autoptr (StasisStreamedWriter) writer = begin (out, trips[i].level, trips[i].n_threads, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) stream = sample_long_stream (trips[i].size);
  g_assert_true (write_stream (writer, stream, NULL, &error));
  g_autoptr (StasisJson) disks = sample_disks ();
  g_assert_true (stasis_streamed_writer_finish (writer, disks, NULL, &error));
  g_assert_cmpuint (stasis_streamed_writer_octets_in (writer), ==, trips[i].size);
  g_assert_cmpuint (stasis_streamed_writer_octets_out (writer), ==, out->position);

  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_image_stream_length (image), ==, trips[i].size);
  g_assert_cmpuint (stasis_image_file_size (image), ==, out->position);
  g_assert_cmpuint (image->chunks->len, ==, trips[i].n_chunks);
  g_assert_cmpmem (stasis_image_uuid (image), 16, stasis_streamed_writer_uuid (writer), 16);
  if (trips[i].level > 0 && trips[i].size > 100000)
    g_assert_cmpuint (stasis_image_file_size (image), <, trips[i].size * 3 / 4);
  g_assert_true (sample_verify (fd, &error));

  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (fd, 0, G_MAXUINT64);
  g_autoptr (StasisStreamedReader) reader
      = stasis_streamed_reader_open (in, "it", trips[i].n_threads, NULL, &error);
  g_assert_no_error (error);
  assert_stream (stasis_streamed_reader_body (reader), stream);
  g_autofree char *expected = stasis_json_to_string (disks);
  g_autofree char *found = stasis_json_to_string (stasis_streamed_reader_disks (reader));
  g_assert_cmpstr (found, ==, expected);
}

/* What cannot be compressed is stored, and not a single octet longer than it is. */
static void
test_noise (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree guint32 *noise = g_malloc (PIECE);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  for (gsize i = 0; i < PIECE / 4; i++)
    noise[i] = g_rand_int (rand);
  memcpy (noise, "QEVM\0\0\0\3", 8);
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  g_autoptr (StasisStreamedWriter) writer = begin (out, 3, 2, &error);
  g_assert_true (stasis_streamed_writer_write (writer, noise, PIECE, NULL, &error));
  g_assert_true (stasis_streamed_writer_finish (writer, NULL, NULL, &error));
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_array_index (image->chunks, StasisImageChunk, 0).stored, ==, PIECE + 16);
}

/* The writer as a sink, into which something else is copied. */
static void
test_sink (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) stream = sample_long_stream (PIECE + 9);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (stream);
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  g_autoptr (StasisStreamedWriter) writer = begin (out, 1, 2, &error);
  StasisStreamOut *sink = stasis_streamed_writer_body (writer);
  g_assert_true (stasis_stream_copy (in, sink, NULL, NULL, NULL, &error));
  g_assert_true (stasis_stream_out_finish (sink, NULL, &error));
  stasis_stream_out_free (sink);
  g_assert_true (stasis_streamed_writer_finish (writer, NULL, NULL, &error));
  g_assert_true (sample_verify (fd, &error));
}

static void
test_invalid (void)
{
  static const struct
  {
    const char *octets;
    gsize size;
  } streams[] = { { "", 0 }, { "QEVM\0\0\0", 7 }, { "QEVM\0\0\0\2....", 12 }, { "LibvirtQ", 8 } };
  for (gsize i = 0; i < G_N_ELEMENTS (streams); i++)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = sample_file ();
      g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
      g_autoptr (StasisStreamedWriter) writer = begin (out, 1, 2, &error);
      g_assert_true (
          stasis_streamed_writer_write (writer, streams[i].octets, streams[i].size, NULL, &error));
      g_assert_false (stasis_streamed_writer_finish (writer, NULL, NULL, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
      g_clear_error (&error);
      g_assert_null (sample_open (fd, &error));
    }
}

static void
test_levels (void)
{
  static const int levels[] = { -1, 20, G_MAXINT, G_MININT };
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (begin (out, levels[i], 1, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
    }
  g_assert_cmpuint (out->position, ==, 0);
}

/* An XML or facts that no image may have: nothing is written. */
static void
test_bad_facts (void)
{
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  g_autoptr (GBytes) xml = g_bytes_new_static ("x\0", 2);
  g_autoptr (StasisJson) facts = sample_facts ();
  g_autoptr (StasisJson) none = stasis_json_new_object ();
  g_autoptr (GBytes) good = g_bytes_new_static ("<x/>", 4);
  const StasisImageFacts bad[]
      = { { .xml = xml, .qemu_facts = facts }, { .xml = good, .qemu_facts = none } };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_streamed_writer_begin (out, &bad[i], 1, 1, NULL, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID);
    }
  g_assert_cmpuint (out->position, ==, 0);
}

/* The reader of the pipe dies in the middle. */
static void
test_broken_pipe (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  stasis_autofd int writing = fds[1];
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (writing);
  g_autoptr (GBytes) stream = sample_long_stream (40 * PIECE);
  g_autoptr (StasisStreamedWriter) writer = begin (out, 0, 2, &error);
  g_assert_no_error (error);
  close (fds[0]);
  g_assert_false (write_stream (writer, stream, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

/* It dies behind the last write: finishing must notice. */
static void
test_broken_pipe_at_end (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  stasis_autofd int writing = fds[1];
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (writing);
  g_autoptr (StasisStreamedWriter) writer = begin (out, 0, 2, &error);
  g_assert_true (stasis_streamed_writer_write (writer, "QEVM\0\0\0\3 and so on", 18, NULL, &error));
  close (fds[0]);
  g_assert_false (stasis_streamed_writer_finish (writer, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* Nobody reads: the writer waits, and can be called away; so can finishing. */
static void
test_cancel (gconstpointer at_end)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  stasis_autofd int reading = fds[0];
  stasis_autofd int writing = fds[1];
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (writing);
  g_autoptr (GBytes) stream = sample_long_stream (at_end != NULL ? PIECE : 40 * PIECE);
  g_autoptr (StasisStreamedWriter) writer = begin (out, 0, 2, &error);
  g_assert_no_error (error);

  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  if (at_end != NULL)
    {
      g_assert_true (write_stream (writer, stream, cancellable, &error));
      g_assert_false (stasis_streamed_writer_finish (writer, NULL, cancellable, &error));
    }
  else
    g_assert_false (write_stream (writer, stream, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* Given up: what is there is cut, for everybody to see. */
static void
test_given_up (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  StasisStreamedWriter *writer = begin (out, 1, 2, &error);
  g_autoptr (GBytes) stream = sample_long_stream (3 * PIECE);
  g_assert_true (write_stream (writer, stream, NULL, &error));
  stasis_streamed_writer_free (writer);
  g_assert_null (sample_open (fd, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  stasis_streamed_writer_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (trips); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/streamed-writer/trip/%s", trips[i].name);
      g_test_add_data_func (path, GSIZE_TO_POINTER (i), test_trip);
    }
  g_test_add_func ("/image/streamed-writer/noise", test_noise);
  g_test_add_func ("/image/streamed-writer/sink", test_sink);
  g_test_add_func ("/image/streamed-writer/invalid", test_invalid);
  g_test_add_func ("/image/streamed-writer/levels", test_levels);
  g_test_add_func ("/image/streamed-writer/bad-facts", test_bad_facts);
  g_test_add_func ("/image/streamed-writer/broken-pipe", test_broken_pipe);
  g_test_add_func ("/image/streamed-writer/broken-pipe-at-end", test_broken_pipe_at_end);
  g_test_add_data_func ("/image/streamed-writer/cancel", NULL, test_cancel);
  g_test_add_data_func ("/image/streamed-writer/cancel-at-end", "", test_cancel);
  g_test_add_func ("/image/streamed-writer/given-up", test_given_up);
  return g_test_run ();
}
