/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-sink-test.c: tests of src/driver/save-sink.c
 */

#include "config.h"

#include "driver/save-sink.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stasis/error.h>

#include "util/fd.h"

#define KEEP  100u
#define TOTAL 5000u

static guint8 octets[TOTAL];

static gsize
read_some (int fd, guint8 *into, gsize size)
{
  const gssize n = read (fd, into, size);
  g_assert_cmpint (n, >=, 0);
  return (gsize) n;
}

/* Whatever the pieces, all but the last octets come at once and in order, these at the end. */
static void
check_pieces (gsize piece)
{
  int ends[2];
  guint8 got[TOTAL + 1];
  gboolean begun = FALSE;
  g_autoptr (GError) error = NULL;
  g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], KEEP);
  StasisStreamOut *out = stasis_save_sink_stream (sink);
  for (gsize at = 0; at < TOTAL; at += piece)
    g_assert_true (stasis_stream_out_write (out, octets + at, MIN (piece, TOTAL - at), NULL, NULL));
  g_assert_cmpuint (stasis_save_sink_written (sink), <=, TOTAL - KEEP);
  g_assert_true (stasis_save_sink_settle (sink, NULL, &error));
  g_assert_cmpuint (stasis_save_sink_written (sink), ==, TOTAL - KEEP);
  g_assert_cmpuint (read_some (ends[0], got, sizeof got), ==, TOTAL - KEEP);

  g_assert_true (stasis_save_sink_release (sink, &begun, NULL, &error));
  g_assert_true (begun);
  g_assert_cmpuint (stasis_save_sink_written (sink), ==, TOTAL);
  g_assert_cmpuint (read_some (ends[0], got + TOTAL - KEEP, KEEP + 1), ==, KEEP);
  g_assert_cmpmem (got, TOTAL, octets, TOTAL);
  close (ends[0]);
  close (ends[1]);
}

static void
test_pieces (void)
{
  const gsize pieces[] = { 1, 7, KEEP - 1, KEEP, KEEP + 1, 2 * KEEP, 2 * KEEP + 1, TOTAL };
  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    check_pieces (pieces[i]);
}

/* An image that is shorter than what is held back. */
static void
test_short (void)
{
  int ends[2];
  gboolean begun = FALSE;
  g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], KEEP);
  g_assert_true (stasis_stream_out_write (stasis_save_sink_stream (sink), octets, 3, NULL, NULL));
  g_assert_true (stasis_save_sink_settle (sink, NULL, NULL));
  g_assert_cmpuint (stasis_save_sink_written (sink), ==, 0);
  g_assert_true (stasis_save_sink_release (sink, &begun, NULL, NULL));
  g_assert_cmpuint (stasis_save_sink_written (sink), ==, 3);
  close (ends[0]);
  close (ends[1]);
}

/* @take: octets that the reader takes before it goes. */
static void
check_reader (const int ends[2], gsize take, gboolean is_good)
{
  guint8 got[KEEP];
  gboolean begun;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJob) job = stasis_job_new ("save", NULL, NULL, NULL);
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], KEEP);
  g_assert_true (
      stasis_stream_out_write (stasis_save_sink_stream (sink), octets, KEEP, NULL, NULL));
  g_assert_true (stasis_save_sink_release (sink, &begun, NULL, NULL));
  if (take > 0)
    g_assert_cmpuint (read_some (ends[0], got, take), ==, take);
  close (ends[0]);
  g_assert_true (stasis_save_sink_await_reader (sink, NULL, job, &error) == is_good);
  if (!is_good)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  close (ends[1]);
}

/* A reader that has all of it, or goes away with one octet too few. */
static void
test_reader (void)
{
  for (guint is_socket = 0; is_socket < 2; is_socket++)
    for (gsize take = KEEP - 1; take <= KEEP; take++)
      {
        int ends[2];
        if (is_socket)
          g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
        else
          g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
        check_reader (ends, take, take == KEEP);
      }
}

/* Somebody behind a pipe of which nothing is known any more. */
static gboolean
know_nothing (gpointer data, guint64 count, gboolean may_lack_some, gboolean *out_taken,
              GError **error)
{
  g_assert_true (may_lack_some);
  *(guint64 *) data = count;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, "nobody knows");
  return FALSE;
}

/* Once some has come. */
static gpointer
leave (gpointer data)
{
  int *fd = data;
  guint8 octet;
  g_assert_cmpuint (read_some (*fd, &octet, 1), ==, 1);
  close (*fd);
  return NULL;
}

/* What breaks within the end may have been enough: a reader behind it is asked. */
static void
test_broken_end (void)
{
  int ends[2];
  gboolean begun = FALSE;
  guint64 asked = 0;
  const StasisSaveReader reader = { .look = know_nothing, .data = &asked };
  g_autofree guint8 *end = g_malloc0 (1024 * 1024);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], 1024 * 1024);
  stasis_save_sink_set_reader (sink, &reader);
  g_assert_true (
      stasis_stream_out_write (stasis_save_sink_stream (sink), end, 1024 * 1024, NULL, NULL));
  GThread *thread = g_thread_new ("leave", leave, &ends[0]);
  g_assert_false (stasis_save_sink_release (sink, &begun, NULL, &error));
  g_thread_join (thread);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_FAILED);
  g_assert_true (begun);
  g_assert_cmpuint (asked, >, 0);
  g_assert_cmpuint (asked, ==, stasis_save_sink_written (sink));
  close (ends[1]);
}

/* Of an end that is more than one write some may be missing: a reader that goes within it, while it
 * is written or later, may have an image. */
static void
test_long_end (void)
{
  enum
  {
    END = 3 * PIPE_BUF,
    ROOM = 2 * PIPE_BUF,
  };
  const guint8 end[END] = { 0 };
  for (gboolean is_roomy = FALSE; is_roomy <= TRUE; is_roomy++)
    {
      int ends[2];
      gboolean begun = FALSE;
      g_autoptr (GError) error = NULL;
      g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
      g_assert_cmpint (fcntl (ends[1], F_SETPIPE_SZ, is_roomy ? 2 * END : ROOM), >, 0);
      g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], END);
      g_assert_true (
          stasis_stream_out_write (stasis_save_sink_stream (sink), end, END, NULL, NULL));
      GThread *thread = is_roomy ? NULL : g_thread_new ("leave", leave, &ends[0]);
      g_assert_true (stasis_save_sink_release (sink, &begun, NULL, &error) == is_roomy);
      g_assert_true (begun);
      if (is_roomy)
        {
          leave (&ends[0]);
          g_assert_false (stasis_save_sink_await_reader (sink, NULL, NULL, &error));
        }
      else
        g_thread_join (thread);
      g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);
      close (ends[1]);
    }
}

static gpointer
cancel_soon (gpointer data)
{
  g_usleep (100000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancel (void)
{
  int ends[2];
  gboolean begun;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJob) job = stasis_job_new ("save", NULL, NULL, NULL);
  g_assert_true (g_unix_open_pipe (ends, FD_CLOEXEC, NULL));
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (ends[1], KEEP);
  g_assert_true (stasis_stream_out_write (stasis_save_sink_stream (sink), octets, 9, NULL, NULL));
  g_assert_true (stasis_save_sink_release (sink, &begun, NULL, NULL));
  GThread *thread = g_thread_new ("cancel", cancel_soon, stasis_job_cancellable (job));
  g_assert_false (stasis_save_sink_await_reader (sink, stasis_job_cancellable (job), job, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  close (ends[0]);
  close (ends[1]);
}

/* A file is written from its position on, and left at the end. */
static void
test_file (void)
{
  guint8 got[TOTAL];
  gboolean begun;
  char path[] = "/tmp/stasis-save-sink-XXXXXX";
  const int fd = mkstemp (path);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJob) job = stasis_job_new ("save", NULL, NULL, NULL);
  g_assert_cmpint (fd, >=, 0);
  unlink (path);
  g_assert_cmpint (write (fd, "head", 4), ==, 4);
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (fd, KEEP);
  g_assert_true (
      stasis_stream_out_write (stasis_save_sink_stream (sink), octets, TOTAL, NULL, NULL));
  g_assert_true (stasis_save_sink_settle (sink, NULL, &error));
  g_assert_true (stasis_save_sink_release (sink, &begun, NULL, &error));
  g_assert_true (stasis_save_sink_await_reader (sink, NULL, job, &error));
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, TOTAL + 4);
  g_assert_true (stasis_fd_pread_exact (fd, got, TOTAL, 4, &error));
  g_assert_cmpmem (got, TOTAL, octets, TOTAL);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  for (gsize i = 0; i < TOTAL; i++)
    octets[i] = (guint8) (i * 7 + i / 256);
  g_test_add_func ("/driver/save-sink/pieces", test_pieces);
  g_test_add_func ("/driver/save-sink/short", test_short);
  g_test_add_func ("/driver/save-sink/reader", test_reader);
  g_test_add_func ("/driver/save-sink/broken-end", test_broken_end);
  g_test_add_func ("/driver/save-sink/long-end", test_long_end);
  g_test_add_func ("/driver/save-sink/cancel", test_cancel);
  g_test_add_func ("/driver/save-sink/file", test_file);
  return g_test_run ();
}
