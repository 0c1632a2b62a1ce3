/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-reader-test.c: tests of src/image/streamed-reader.c: nothing wrong gets through a pipe
 */

#include "config.h"

#include "image/streamed-reader.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "image/error.h"
#include "image/info.h"
#include "sample-edits.h"
#include "sample.h"
#include "util/fd.h"

/* Read all of an image.  What came out of the body is a beginning of @stream (nullable), and all of
 * it where TRUE is returned. */
static gboolean
read_all (StasisStreamIn *in, GBytes *stream, GError **error)
{
  g_autoptr (StasisStreamedReader) reader = stasis_streamed_reader_open (in, "it", 2, NULL, error);
  if (reader == NULL)
    return FALSE;

  StasisStreamIn *body = stasis_streamed_reader_body (reader);
  g_autoptr (GByteArray) found = g_byte_array_new ();
  guint8 octets[70];
  gssize n;
  while ((n = stasis_stream_in_read (body, octets, sizeof octets, NULL, error)) > 0)
    {
      g_assert_null (stasis_streamed_reader_disks (reader));
      g_byte_array_append (found, octets, (guint) n);
    }
  if (stream != NULL)
    {
      const gsize size = g_bytes_get_size (stream);
      g_assert_cmpuint (found->len, <=, size);
      g_assert_true (found->len == 0
                     || memcmp (found->data, g_bytes_get_data (stream, NULL), found->len) == 0);
      g_assert_true (n < 0 || found->len == size);
    }
  g_assert_true ((n == 0) == (stasis_streamed_reader_disks (reader) != NULL));
  return n == 0;
}

static gboolean
read_bytes (GBytes *image, GBytes *stream, GError **error)
{
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (image);
  return read_all (in, stream, error);
}

static void
test_accessors (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (StasisImage) file = sample_open (fd, &error);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (fd, 0, G_MAXUINT64);
  g_autoptr (StasisStreamedReader) reader = stasis_streamed_reader_open (in, "it", 0, NULL, &error);
  g_assert_no_error (error);
  const StasisImage *image = stasis_streamed_reader_image (reader);
  g_assert_cmpstr (stasis_image_name (image), ==, "it");
  g_assert_cmpmem (stasis_image_uuid (image), 16, stasis_image_uuid (file), 16);
  g_assert_cmpmem (stasis_image_domain_uuid (image), 16, stasis_image_domain_uuid (file), 16);
  g_assert_cmpint (stasis_image_created_ns (image), ==, stasis_image_created_ns (file));
  g_assert_cmpstr (stasis_image_writer_version (image), ==, stasis_image_writer_version (file));
  g_assert_true (g_bytes_equal (stasis_image_xml (image), stasis_image_xml (file)));
  g_assert_true (stasis_image_was_running (image));
  g_assert_cmpint (stasis_image_body_kind (image), ==, STASIS_IMAGE_BODY_CHUNKS);
  /* All that is known; of disks and file nothing is. */
  g_autoptr (StasisJson) info = stasis_image_info_to_json (image);
  g_assert_nonnull (stasis_json_get (info, "qemu"));
  g_assert_null (stasis_json_get (info, "disks"));
  g_assert_null (stasis_json_get (info, "file"));
  /* The front was read, and not an octet of the body. */
  g_assert_cmpuint (in->position, ==, stasis_image_body_offset (file));
}

static void
test_edited (gconstpointer data)
{
  const SampleCase *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_edited (c->kind, c->edit);
  g_autoptr (GBytes) image = sample_octets (fd);
  const gboolean ok = read_bytes (image, NULL, &error);
  if (c->code == -1)
    {
      g_assert_no_error (error);
      g_assert_true (ok);
      return;
    }
  const int code = c->code == SAMPLE_DAMAGED ? (int) STASIS_IMAGE_ERROR_CORRUPT : c->code;
  g_assert_false (ok);
  g_assert_error (error, STASIS_IMAGE_ERROR, code);
  if (c->message != NULL && strstr (error->message, c->message) == NULL)
    g_error ("'%s' is not in '%s'", c->message, error->message);
}

static void
test_prefixes (void)
{
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_autoptr (GBytes) stream = sample_stream ();
  for (gsize size = 0; size < g_bytes_get_size (image); size++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) prefix = g_bytes_new_from_bytes (image, 0, size);
      g_assert_false (read_bytes (prefix, stream, &error));
      const int code = size < 4 ? STASIS_IMAGE_ERROR_NOT_AN_IMAGE : STASIS_IMAGE_ERROR_CORRUPT;
      g_assert_error (error, STASIS_IMAGE_ERROR, code);
      if (size >= 8)
        g_assert_nonnull (strstr (error->message, "is cut"));
    }
  g_autoptr (GError) error = NULL;
  g_assert_true (read_bytes (image, stream, &error));
}

/* Three changes of each octet; nothing wrong is handed out before it is noticed. */
static void
test_changes (void)
{
  static const guint8 changes[] = { 0x01, 0x80, 0xff };
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_autoptr (GBytes) stream = sample_stream ();
  gsize size;
  const guint8 *octets = g_bytes_get_data (image, &size);
  g_autofree guint8 *changed = g_memdup2 (octets, size);
  for (gsize at = 0; at < size; at++)
    for (gsize i = 0; i < G_N_ELEMENTS (changes); i++)
      {
        g_autoptr (GError) error = NULL;
        changed[at] = octets[at] ^ changes[i];
        g_autoptr (GBytes) bytes = g_bytes_new_static (changed, size);
        if (read_bytes (bytes, stream, &error))
          g_error ("change %#x at %zu was not noticed", changes[i], at);
        g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
        changed[at] = octets[at];
      }
}

static void
test_trailing (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_assert_cmpint (pwrite (fd, "", 1, lseek (fd, 0, SEEK_END)), ==, 1);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_assert_false (read_bytes (image, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT);
  g_assert_nonnull (strstr (error->message, "behind its end"));
}

/* Other kinds of images, and no images. */
static void
test_strangers (void)
{
  static const struct
  {
    const char *octets;
    gsize size;
    int code;
  } strangers[] = {
    { "", 0, STASIS_IMAGE_ERROR_NOT_AN_IMAGE },
    { "#!/bin/sh\n", 10, STASIS_IMAGE_ERROR_NOT_AN_IMAGE },
    { "LibvirtQemudSave\2\0\0\0", 20, STASIS_IMAGE_ERROR_UNSUPPORTED },
    { "QEVM\0\0\0\3", 8, STASIS_IMAGE_ERROR_UNSUPPORTED },
  };
  g_autoptr (GError) error = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (strangers); i++)
    {
      g_autoptr (GBytes) octets = g_bytes_new_static (strangers[i].octets, strangers[i].size);
      g_assert_false (read_bytes (octets, NULL, &error));
      g_assert_error (error, STASIS_IMAGE_ERROR, strangers[i].code);
      g_clear_error (&error);
    }

  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_STREAM);
  g_autoptr (GBytes) in_place = sample_octets (fd);
  g_assert_false (read_bytes (in_place, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  sample_patch_header (fd, 12, "PART", 4);
  g_autoptr (GBytes) partial = sample_octets (fd);
  g_assert_false (read_bytes (partial, NULL, &error));
  g_assert_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
}

typedef struct
{
  int fd; /* (owned) */
  GBytes *octets;
  gsize step;
} Feed;

static gpointer
feed (gpointer data)
{
  Feed *self = data;
  gsize size;
  const guint8 *octets = g_bytes_get_data (self->octets, &size);
  for (gsize at = 0; at < size; at += MIN (self->step, size - at))
    stasis_fd_write_exact (self->fd, octets + at, MIN (self->step, size - at), NULL);
  stasis_fd_clear (&self->fd);
  return NULL;
}

/* A pipe that dribbles, and one that gushes. */
static void
test_pipe (gconstpointer step)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  const gboolean is_slow = GPOINTER_TO_SIZE (step) < 100;
  const gsize stream_size = is_slow ? 5000 : 20 * 1024 * 1024 + 1;
  stasis_autofd int fd = sample_written (1, stream_size);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_autoptr (GBytes) stream = sample_long_stream (stream_size);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  stasis_autofd int reading = fds[0];
  Feed self = { fds[1], image, GPOINTER_TO_SIZE (step) };
  GThread *thread = g_thread_new ("feed", feed, &self);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (reading);
  g_assert_true (read_all (in, stream, &error));
  g_assert_no_error (error);
  g_thread_join (thread);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* All of the image is there, but the pipe is not closed: it is not over. */
static void
test_no_end_of_input (void)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  stasis_autofd int reading = fds[0];
  stasis_autofd int writing = fds[1];
  stasis_fd_write_exact (writing, g_bytes_get_data (image, NULL), g_bytes_get_size (image), &error);
  g_assert_no_error (error);

  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (reading);
  g_autoptr (StasisStreamedReader) reader = stasis_streamed_reader_open (in, "it", 1, NULL, &error);
  g_autoptr (GBytes) stream = sample_stream ();
  guint8 octets[1000];
  const gsize size = g_bytes_get_size (stream);
  StasisStreamIn *body = stasis_streamed_reader_body (reader);
  g_assert_true (stasis_stream_in_read_exact (body, octets, size, NULL, &error));

  /* Called away while it waits for the end, and then freed while its thread still does. */
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_cmpint (stasis_stream_in_read (body, octets, 1, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_null (stasis_streamed_reader_disks (reader));
  g_thread_join (thread);
}

/* Nothing comes: opening waits, and then the body, and both can be called away. */
static void
test_cancel (gconstpointer in_body)
{
  int fds[2];
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  stasis_autofd int fd = sample_image (STASIS_IMAGE_BODY_CHUNKS);
  g_autoptr (GBytes) image = sample_octets (fd);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM, 0, fds), ==, 0);
  stasis_autofd int reading = fds[0];
  stasis_autofd int writing = fds[1];
  const gsize there = in_body != NULL ? g_bytes_get_size (image) - 350 : 4000;
  stasis_fd_write_exact (writing, g_bytes_get_data (image, NULL), there, &error);
  g_assert_no_error (error);

  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (reading);
  g_autoptr (StasisStreamedReader) reader
      = stasis_streamed_reader_open (in, "it", 1, cancellable, &error);
  if (in_body != NULL)
    {
      guint8 octets[1000];
      g_assert_no_error (error);
      g_assert_cmpint (stasis_stream_in_read_full (stasis_streamed_reader_body (reader), octets,
                                                   sizeof octets, cancellable, &error),
                       ==, -1);
    }
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* Nobody wants the rest. */
static void
test_given_up (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_written (1, 40 * 1024 * 1024);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (fd, 0, G_MAXUINT64);
  StasisStreamedReader *reader = stasis_streamed_reader_open (in, "it", 0, NULL, &error);
  guint8 octet;
  g_assert_cmpint (
      stasis_stream_in_read (stasis_streamed_reader_body (reader), &octet, 1, NULL, &error), ==, 1);
  g_assert_cmpuint (octet, ==, 'Q');
  stasis_streamed_reader_free (reader);
  stasis_streamed_reader_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < sample_n_cases; i++)
    {
      g_autofree char *path
          = g_strdup_printf ("/image/streamed-reader/records/%s", sample_cases[i].name);
      if (sample_cases[i].kind == STASIS_IMAGE_BODY_CHUNKS)
        g_test_add_data_func (path, &sample_cases[i], test_edited);
    }
  g_test_add_func ("/image/streamed-reader/accessors", test_accessors);
  g_test_add_func ("/image/streamed-reader/prefixes", test_prefixes);
  g_test_add_func ("/image/streamed-reader/changes", test_changes);
  g_test_add_func ("/image/streamed-reader/trailing", test_trailing);
  g_test_add_func ("/image/streamed-reader/strangers", test_strangers);
  g_test_add_data_func ("/image/streamed-reader/pipe/dribble", GSIZE_TO_POINTER (3), test_pipe);
  g_test_add_data_func ("/image/streamed-reader/pipe/gush", GSIZE_TO_POINTER (300001), test_pipe);
  g_test_add_func ("/image/streamed-reader/no-end-of-input", test_no_end_of_input);
  g_test_add_data_func ("/image/streamed-reader/cancel/open", NULL, test_cancel);
  g_test_add_data_func ("/image/streamed-reader/cancel/body", "", test_cancel);
  g_test_add_func ("/image/streamed-reader/given-up", test_given_up);
  return g_test_run ();
}
