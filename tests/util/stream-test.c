/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-test.c: streams over files, pipes, sockets and memory
 */

#include "config.h"

#include "util/stream.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"

#define LARGE (1024u * 1024)

static int
make_file (const void *octets, gsize size)
{
  const int fd = open (g_get_tmp_dir (), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_true (stasis_fd_write_exact (fd, octets, size, NULL));
  return fd;
}

static void
test_file_in (void)
{
  stasis_autofd int fd = make_file ("0123456789", 10);
  g_autoptr (GError) error = NULL;
  char octets[16] = "";
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (fd, 2, 8);
  g_assert_true (stasis_stream_in_read_exact (in, octets, 4, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (octets, ==, "2345");
  g_assert_cmpint (stasis_stream_in_read_full (in, octets, sizeof octets, NULL, &error), ==, 2);
  g_assert_cmpuint (in->position, ==, 6);
  g_assert_cmpint (stasis_stream_in_read (in, octets, 1, NULL, &error), ==, 0);
  g_assert_false (stasis_stream_in_read_exact (in, octets, 1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
}

static void
test_file_cut (void)
{
  stasis_autofd int fd = make_file ("0123456789", 10);
  char octets[16];
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) cut = stasis_stream_in_new_file (fd, 4, 12);
  g_assert_cmpint (stasis_stream_in_read_full (cut, octets, sizeof octets, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  g_assert_true (cut->has_failed);
  g_assert_cmpint (stasis_stream_in_read (cut, octets, 1, NULL, NULL), ==, -1);

  g_autoptr (StasisStreamIn) open_end = stasis_stream_in_new_file (fd, 4, G_MAXUINT64);
  g_assert_cmpint (stasis_stream_in_read_full (open_end, octets, sizeof octets, NULL, NULL), ==, 6);
}

static void
test_file_out (void)
{
  stasis_autofd int fd = make_file ("0123456789", 10);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 2);
  g_assert_true (stasis_stream_out_write (out, "ab", 2, NULL, NULL));
  g_assert_true (stasis_stream_out_write (out, NULL, 0, NULL, NULL));
  g_assert_true (stasis_stream_out_write (out, "c", 1, NULL, NULL));
  g_assert_true (stasis_stream_out_finish (out, NULL, NULL));
  g_assert_cmpuint (out->position, ==, 3);
  char octets[11] = "";
  g_assert_true (stasis_fd_pread_exact (fd, octets, 10, 0, NULL));
  g_assert_cmpstr (octets, ==, "01abc56789");
}

static gpointer
drain (gpointer data)
{
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (GPOINTER_TO_INT (data));
  GByteArray *all = g_byte_array_new ();
  guint8 piece[5000];
  gssize n;
  while ((n = stasis_stream_in_read (in, piece, sizeof piece, NULL, NULL)) > 0)
    g_byte_array_append (all, piece, (guint) n);
  return all;
}

/* A large copy over a pair of descriptors arrives as it was. */
static void
check_copy (int from, int to)
{
  g_autofree guint8 *octets = g_malloc (LARGE);
  for (gsize i = 0; i < LARGE; i++)
    octets[i] = (guint8) (i * 31 >> 3);
  g_autoptr (GBytes) bytes = g_bytes_new_static (octets, LARGE);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (to);
  const int flags = fcntl (to, F_GETFL);

  GThread *reader = g_thread_new ("drain", drain, GINT_TO_POINTER (from));
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_stream_copy (in, out, NULL, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (to, F_GETFL), ==, flags);
  stasis_stream_out_free (g_steal_pointer (&out));
  close (to);
  g_autoptr (GByteArray) all = g_thread_join (reader);
  g_assert_cmpmem (all->data, all->len, octets, LARGE);
  close (from);
}

static void
test_pipe (void)
{
  int fds[2];
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  check_copy (fds[0], fds[1]);
}

static void
test_socket (void)
{
  int fds[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  check_copy (fds[0], fds[1]);
}

static void
test_reader_gone (void)
{
  int fds[2];
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  close (fds[0]);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (fds[1]);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_stream_out_write (out, "x", 1, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  close (fds[1]);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50 * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* A reader that does not read, and a writer that does not write. */
static void
test_cancel (void)
{
  int fds[2];
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  g_autofree guint8 *octets = g_malloc0 (LARGE);
  for (guint side = 0; side < 2; side++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (fds[0]);
      g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (fds[1]);
      GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
      if (side == 0)
        g_assert_cmpint (stasis_stream_in_read (in, octets, LARGE, cancellable, &error), ==, -1);
      else
        g_assert_false (stasis_stream_out_write (out, octets, LARGE, cancellable, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_thread_join (thread);
    }
  close (fds[0]);
  close (fds[1]);
}

int
main (int argc, char **argv)
{
  signal (SIGPIPE, SIG_IGN);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/util/stream/file-in", test_file_in);
  g_test_add_func ("/util/stream/file-cut", test_file_cut);
  g_test_add_func ("/util/stream/file-out", test_file_out);
  g_test_add_func ("/util/stream/pipe", test_pipe);
  g_test_add_func ("/util/stream/socket", test_socket);
  g_test_add_func ("/util/stream/reader-gone", test_reader_gone);
  g_test_add_func ("/util/stream/cancel", test_cancel);
  return g_test_run ();
}
