/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-command-test.c: tests of src/monitor/monitor-command.c and monitor-send.c
 */

#include "config.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define THREADS  8
#define COMMANDS 100

/* (transfer full) The id of a command's line. */
static char *
get_id (const char *line)
{
  g_autoptr (StasisJson) json = stasis_json_parse (line, -1, NULL);
  return g_strdup (stasis_json_string (stasis_json_get (json, "id"), ""));
}

/* Answer a command with the number it brought. */
static void
echo (int socket, const char *line)
{
  g_autoptr (StasisJson) json = stasis_json_parse (line, -1, NULL);
  const StasisJson *arguments = stasis_json_get (json, "arguments");
  g_autofree char *id = get_id (line);
  g_autofree char *reply
      = g_strdup_printf ("{\"return\": %d, \"id\": \"%s\"}\r\n",
                         (int) stasis_json_int (stasis_json_get (arguments, "n"), -1), id);
  peer_say (socket, reply);
}

/* Answer two commands at a time and the later one first, where two are under way. */
static void
run_swapped (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  for (;;)
    {
      g_autofree char *first = peer_read_line (socket);
      if (first == NULL)
        return;
      struct pollfd poll_fd = { .fd = socket, .events = POLLIN };
      g_autofree char *second = poll (&poll_fd, 1, 5) == 1 ? peer_read_line (socket) : NULL;
      if (second != NULL)
        echo (socket, second);
      echo (socket, first);
    }
}

typedef struct
{
  StasisMonitor *monitor;
  int first;
} Asker;

static gpointer
ask (gpointer data)
{
  const Asker *asker = data;
  for (int i = 0; i < COMMANDS; i++)
    {
      StasisJson *arguments = stasis_json_new_object ();
      stasis_json_set_int (arguments, "n", asker->first + i);
      g_autoptr (StasisJson) value = NULL;
      g_autoptr (GError) error = NULL;
      g_assert_true (stasis_monitor_command (asker->monitor, "echo", arguments, NULL, 0, 30000,
                                             &value, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (stasis_json_int (value, -1), ==, asker->first + i);
    }
  return NULL;
}

/* Everybody gets the reply to his own command. */
static void
test_threads (void)
{
  g_autoptr (Peer) peer = peer_start (run_swapped, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  Asker askers[THREADS];
  GThread *threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    {
      askers[i] = (Asker){ monitor, i * 1000 };
      threads[i] = g_thread_new ("ask", ask, &askers[i]);
    }
  for (int i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
}

/* Answer the first command only when the second has come. */
static void
run_late (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  g_autofree char *first = peer_read_line (socket);
  g_autofree char *second = peer_read_line (socket);
  g_autofree char *first_id = get_id (first);
  g_autofree char *second_id = get_id (second);
  g_autofree char *text = g_strdup_printf (
      "{\"return\": 1, \"id\": \"%s\"}\n{\"return\": 2, \"id\": \"%s\"}\n", first_id, second_id);
  peer_say (socket, text);
  peer_wait_hangup (socket);
}

static void
expect_second (StasisMonitor *monitor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) value = NULL;
  g_assert_true (
      stasis_monitor_command (monitor, "two", NULL, NULL, 0, 10000, &value, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stasis_json_int (value, 0), ==, 2);
}

static void
test_timeout (void)
{
  g_autoptr (Peer) peer = peer_start (run_late, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  const gint64 start = g_get_monotonic_time ();
  g_assert_false (stasis_monitor_command (monitor, "one", NULL, NULL, 0, 50, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
  g_assert_cmpstr (error->message, ==, "QEMU did not answer the command 'one' within 50 ms");
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 50000);
  expect_second (monitor);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (20000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel (void)
{
  g_autoptr (Peer) peer = peer_start (run_late, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_autoptr (GError) error = NULL;
  g_assert_false (
      stasis_monitor_command (monitor, "one", NULL, NULL, 0, -1, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
  expect_second (monitor);
}

static void
run_quiet (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  g_free (peer_read_line (socket));
  peer_say (socket, "{\"return\": {}, \"id\": \"stasis-2\"}\n");
  peer_wait_hangup (socket);
}

/* Cancelled before it begins: nothing is sent. */
static void
test_cancelled_before (void)
{
  g_autoptr (Peer) peer = peer_start (run_quiet, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_cancellable_cancel (cancellable);
  g_assert_false (
      stasis_monitor_command (monitor, "one", NULL, NULL, 0, -1, NULL, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  /* The first number is still free. */
  g_assert_true (stasis_monitor_command (monitor, "two", NULL, NULL, 0, 10000, NULL, NULL, &error));
}

static void
test_not_utf8 (void)
{
  g_autoptr (Peer) peer = peer_start (run_quiet, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "name", "\377");
  g_assert_false (
      stasis_monitor_command (monitor, "one", arguments, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_false (stasis_monitor_is_closed (monitor));
}

/* Takes nothing after the negotiation until told. */
static void
run_deaf (int socket, gconstpointer data)
{
  int *may_go = (int *) data;
  peer_negotiate (socket);
  while (!g_atomic_int_get (may_go))
    g_usleep (1000);
}

static StasisJson *
make_large_argument (void)
{
  g_autofree char *text = g_strnfill (1024 * 1024, 'x');
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "text", text);
  return arguments;
}

/* A QEMU that takes nothing: in time, and the half line spoils the connection. */
static void
test_deaf (gconstpointer data)
{
  const gboolean by_cancel = GPOINTER_TO_INT (data);
  int may_go = FALSE;
  g_autoptr (Peer) peer = peer_start (run_deaf, &may_go);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = by_cancel ? g_thread_new ("cancel", cancel_soon, cancellable) : NULL;
  g_assert_false (stasis_monitor_command (monitor, "large", make_large_argument (), NULL, 0,
                                          by_cancel ? -1 : 50, NULL, cancellable, &error));
  if (by_cancel)
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  else
    g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
  g_clear_error (&error);
  if (thread != NULL)
    g_thread_join (thread);

  g_assert_true (stasis_monitor_is_closed (monitor));
  g_assert_false (stasis_monitor_command (monitor, "next", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_nonnull (strstr (error->message, "'large'"));
  g_atomic_int_set (&may_go, TRUE);
}

static void
run_bite (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  char octet;
  g_assert_cmpint (read (socket, &octet, 1), ==, 1);
}

/* Gone while we write: the reader says why. */
static void
test_gone_while_writing (void)
{
  g_autoptr (Peer) peer = peer_start (run_bite, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_command (monitor, "large", make_large_argument (), NULL, 0, 10000,
                                          NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_cmpstr (error->message, ==, "large: QEMU has ended or closed its monitor");
}

static void
run_large (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  g_autofree char *line = peer_read_line (socket);
  g_autofree char *reply
      = g_strdup_printf ("{\"return\": %d, \"id\": \"stasis-2\"}\n", (int) strlen (line));
  peer_say (socket, reply);
  peer_wait_hangup (socket);
}

/* A command that does not fit into the socket's buffer at once. */
static void
test_large (void)
{
  g_autoptr (Peer) peer = peer_start (run_large, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) value = NULL;
  g_assert_true (stasis_monitor_command (monitor, "large", make_large_argument (), NULL, 0, 60000,
                                         &value, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (stasis_json_int (value, 0), >, 1024 * 1024);
}

static gpointer
ask_large (gpointer data)
{
  const Asker *asker = data;
  for (int i = 0; i < 5; i++)
    {
      StasisJson *arguments = make_large_argument ();
      stasis_json_set_int (arguments, "n", asker->first + i);
      g_autoptr (StasisJson) value = NULL;
      g_autoptr (GError) error = NULL;
      g_assert_true (stasis_monitor_command (asker->monitor, "echo", arguments, NULL, 0, 60000,
                                             &value, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (stasis_json_int (value, -1), ==, asker->first + i);
    }
  return NULL;
}

/* Lines that need many writes do not mix. */
static void
test_threads_large (void)
{
  g_autoptr (Peer) peer = peer_start (run_swapped, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  Asker askers[2];
  GThread *threads[2];
  for (int i = 0; i < 2; i++)
    {
      askers[i] = (Asker){ monitor, i * 1000 };
      threads[i] = g_thread_new ("ask", ask_large, &askers[i]);
    }
  for (int i = 0; i < 2; i++)
    g_thread_join (threads[i]);
}

/* Two commands with descriptors and one without, which need not wait for them. */
static void
run_fds (int socket, gconstpointer data)
{
  int *may_answer = (int *) data;
  peer_negotiate (socket);
  g_autofree char *first = peer_read_line (socket);
  g_assert_nonnull (strstr (first, "\"with\""));
  g_autofree char *other = peer_read_line (socket);
  g_assert_nonnull (strstr (other, "\"without\""));
  echo (socket, other);

  while (!g_atomic_int_get (may_answer))
    g_usleep (1000);
  struct pollfd poll_fd = { .fd = socket, .events = POLLIN };
  g_assert_cmpint (poll (&poll_fd, 1, 50), ==, 0);
  echo (socket, first);
  g_autofree char *second = peer_read_line (socket);
  g_assert_nonnull (strstr (second, "\"with\""));
  echo (socket, second);
  peer_wait_hangup (socket);
}

static gpointer
pass_fd (gpointer monitor)
{
  g_autoptr (GError) error = NULL;
  const int fd = 0;
  g_assert_true (stasis_monitor_command (monitor, "with", NULL, &fd, 1, 10000, NULL, NULL, &error));
  g_assert_no_error (error);
  return NULL;
}

/* Descriptors of one command at a time. */
static void
test_fds_exclude (void)
{
  int may_answer = FALSE;
  g_autoptr (Peer) peer = peer_start (run_fds, &may_answer);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  GThread *first = g_thread_new ("first", pass_fd, monitor);
  g_usleep (50000); /* so that it is under way */
  g_assert_true (
      stasis_monitor_command (monitor, "without", NULL, NULL, 0, 10000, NULL, NULL, &error));
  GThread *second = g_thread_new ("second", pass_fd, monitor);
  g_atomic_int_set (&may_answer, TRUE);
  g_thread_join (first);
  g_thread_join (second);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/command/threads", test_threads);
  g_test_add_func ("/monitor/command/timeout", test_timeout);
  g_test_add_func ("/monitor/command/cancel", test_cancel);
  g_test_add_func ("/monitor/command/cancelled-before", test_cancelled_before);
  g_test_add_func ("/monitor/command/not-utf8", test_not_utf8);
  g_test_add_data_func ("/monitor/command/deaf-timeout", GINT_TO_POINTER (FALSE), test_deaf);
  g_test_add_data_func ("/monitor/command/deaf-cancel", GINT_TO_POINTER (TRUE), test_deaf);
  g_test_add_func ("/monitor/command/gone-while-writing", test_gone_while_writing);
  g_test_add_func ("/monitor/command/large", test_large);
  g_test_add_func ("/monitor/command/threads-large", test_threads_large);
  g_test_add_func ("/monitor/command/fds-exclude", test_fds_exclude);
  return g_test_run ();
}
