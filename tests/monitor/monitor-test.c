/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-test.c: tests of src/monitor/monitor.c: opening, closing, events
 */

#include "config.h"

#include <poll.h>
#include <string.h>

#include "peer.h"
#include "util/fd.h"

typedef struct
{
  const char *name;
  const char *greeting;
  const char *reply; /* to the negotiation; NULL: hang up before it */
  int code;          /* the StasisMonitorError, or -1: it opens */
} OpenCase;

static const OpenCase open_cases[] = {
  { "good", PEER_GREETING, "{\"return\": {}, \"id\": \"stasis-1\"}\r\n", -1 },
  { "event-first", "{\"event\": \"STOP\"}\n" PEER_GREETING,
    "{\"return\": {}, \"id\": \"stasis-1\"}\r\n", -1 },
  { "no-version", "{\"QMP\": 3}\n", "{\"return\": {}, \"id\": \"stasis-1\"}\r\n", -1 },
  { "refused", PEER_GREETING,
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": \"stasis-1\"}\r\n",
    STASIS_MONITOR_ERROR_COMMAND },
  { "garbage", "SSH-2.0-OpenSSH\r\n", "", STASIS_MONITOR_ERROR_PROTOCOL },
  { "hangup", "", NULL, STASIS_MONITOR_ERROR_CLOSED },
  { "half-then-hangup", "{\"QMP\": {", NULL, STASIS_MONITOR_ERROR_CLOSED },
  { "greeting-then-hangup", PEER_GREETING, NULL, STASIS_MONITOR_ERROR_CLOSED },
  { "silence", "", "", STASIS_MONITOR_ERROR_TIMEOUT },
  { "no-reply", PEER_GREETING, "", STASIS_MONITOR_ERROR_TIMEOUT },
  { "reply-without-greeting", "{\"return\": {}}\n", "", STASIS_MONITOR_ERROR_TIMEOUT },
};

static void
run_open (int socket, gconstpointer data)
{
  const OpenCase *c = data;
  peer_say (socket, c->greeting);
  if (c->reply == NULL)
    return;
  g_free (peer_read_line (socket));
  peer_say (socket, c->reply);
  peer_wait_hangup (socket);
}

static void
test_open (gconstpointer data)
{
  const OpenCase *c = data;
  g_autoptr (Peer) peer = peer_start (run_open, c);
  g_autoptr (GError) error = NULL;
  const gint64 timeout_ms = c->code == STASIS_MONITOR_ERROR_TIMEOUT ? 100 : 10000;

  g_autoptr (StasisMonitor) monitor = stasis_monitor_open (stasis_fd_steal (&peer->monitor_end),
                                                           NULL, 0, timeout_ms, NULL, &error);

  if (c->code < 0)
    {
      g_assert_no_error (error);
      g_assert_nonnull (monitor);
      return;
    }
  g_assert_null (monitor);
  g_assert_error (error, STASIS_MONITOR_ERROR, c->code);
}

static void
run_wait (int socket, gconstpointer data)
{
  peer_wait_hangup (socket);
}

static void
test_open_cancelled (void)
{
  g_autoptr (Peer) peer = peer_start (run_wait, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_cancellable_cancel (cancellable);
  g_assert_null (
      stasis_monitor_open (stasis_fd_steal (&peer->monitor_end), NULL, 0, -1, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

static void
run_quiet (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  peer_wait_hangup (socket);
}

static void
test_version (void)
{
  g_autoptr (Peer) peer = peer_start (run_quiet, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  const StasisMonitorVersion *version = stasis_monitor_version (monitor);
  g_assert_cmpuint (version->major, ==, 9);
  g_assert_cmpuint (version->minor, ==, 1);
  g_assert_cmpuint (version->micro, ==, 2);
  g_assert_cmpstr (version->package, ==, "suffix");
}

static gboolean
is_readable (int fd, int timeout_ms)
{
  struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
  return poll (&poll_fd, 1, timeout_ms) == 1;
}

static void
run_two_events (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  peer_say (socket, "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}, \"event\": \"ONE\", "
                    "\"data\": {\"a\": 1}}\r\n"
                    "{\"timestamp\": {\"seconds\": -1, \"microseconds\": -1}, \"event\": \"TWO\"}"
                    "\r\n{\"return\": 0, \"id\": \"stasis-2\"}\n");
  g_free (peer_read_line (socket));
  peer_wait_hangup (socket);
}

/* In order, with all they carry; the descriptor is readable just as long. */
static void
test_events (void)
{
  g_autoptr (Peer) peer = peer_start (run_two_events, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  const int fd = stasis_monitor_event_fd (monitor);
  g_assert_true (is_readable (fd, 10000));

  g_autoptr (StasisMonitorEvent) one = NULL;
  g_assert_true (stasis_monitor_wait_event (monitor, 10000, &one, NULL, &error));
  g_assert_cmpstr (one->name, ==, "ONE");
  g_assert_cmpint (one->timestamp_us, ==, 5000007);
  g_assert_cmpint (stasis_json_int (stasis_json_get (one->data, "a"), 0), ==, 1);
  g_autoptr (StasisMonitorEvent) two = NULL;
  g_assert_true (stasis_monitor_wait_event (monitor, 10000, &two, NULL, &error));
  g_assert_cmpstr (two->name, ==, "TWO");
  g_assert_cmpint (two->timestamp_us, ==, -1);
  g_assert_null (two->data);

  g_assert_false (is_readable (fd, 0));
  g_assert_null (stasis_monitor_pop_event (monitor));
  g_autoptr (StasisMonitorEvent) none = NULL;
  g_assert_true (stasis_monitor_wait_event (monitor, 20, &none, NULL, &error));
  g_assert_null (none);
  g_assert_no_error (error);
}

static void
run_stirs (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  peer_say (socket, "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\"}\n{\"event\": \"RESET\"}\n");
  g_autofree char *line = peer_read_line (socket);
  peer_say (socket, "{\"event\": \"WAKEUP\"}\n{\"return\": {}, \"id\": \"stasis-2\"}\n");
  peer_wait_hangup (socket);
}

/* What came before a reply is counted when the command returns, whoever took the events. */
static void
test_stirs (void)
{
  g_autoptr (Peer) peer = peer_start (run_stirs, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMonitorEvent) one = NULL;
  g_assert_true (stasis_monitor_wait_event (monitor, 10000, &one, NULL, &error));
  g_assert_true (stasis_monitor_command (monitor, "any", NULL, NULL, 0, 10000, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_monitor_stirs (monitor), ==, 3);
}

#define FLOOD (STASIS_MONITOR_EVENTS_MAX + 904)

static void
run_flood (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  for (guint i = 0; i < FLOOD; i++)
    {
      g_autofree char *event = g_strdup_printf ("{\"event\": \"E\", \"data\": {\"i\": %u}}\r\n", i);
      peer_say (socket, event);
    }
  g_free (peer_read_line (socket));
  peer_say (socket, "{\"return\": {}, \"id\": \"stasis-2\"}\r\n");
  peer_wait_hangup (socket);
}

/* Too many: the oldest go, and that is told where they were. */
static void
test_events_lost (void)
{
  g_autoptr (Peer) peer = peer_start (run_flood, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_command (monitor, "x", NULL, NULL, 0, 10000, NULL, NULL, &error));

  g_autoptr (StasisMonitorEvent) lost = stasis_monitor_pop_event (monitor);
  g_assert_cmpstr (lost->name, ==, STASIS_MONITOR_EVENTS_LOST);
  g_assert_cmpint (stasis_json_int (stasis_json_get (lost->data, "lost"), 0), ==, 904);
  for (guint i = 904; i < FLOOD; i++)
    {
      g_autoptr (StasisMonitorEvent) event = stasis_monitor_pop_event (monitor);
      g_assert_cmpint (stasis_json_int (stasis_json_get (event->data, "i"), 0), ==, i);
    }
  g_assert_null (stasis_monitor_pop_event (monitor));
}

static void
run_event_hangup (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  peer_say (socket, "{\"event\": \"LAST\"}\r\n");
}

/* What came before the end is handed out before the end is told. */
static void
test_event_then_hangup (void)
{
  g_autoptr (Peer) peer = peer_start (run_event_hangup, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_command (monitor, "x", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_clear_error (&error);

  g_autoptr (StasisMonitorEvent) last = NULL;
  g_assert_true (stasis_monitor_wait_event (monitor, 0, &last, NULL, &error));
  g_assert_cmpstr (last->name, ==, "LAST");
  g_autoptr (StasisMonitorEvent) none = NULL;
  g_assert_false (stasis_monitor_wait_event (monitor, -1, &none, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_null (none);
  g_assert_true (is_readable (stasis_monitor_event_fd (monitor), 0));
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (20000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_wait_cancelled (void)
{
  g_autoptr (Peer) peer = peer_start (run_quiet, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_autoptr (StasisMonitorEvent) none = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_wait_event (monitor, -1, &none, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

typedef struct
{
  StasisMonitor *monitor;
  int n_inside; /* atomic */
} Waiters;

static gpointer
wait_for_command (gpointer data)
{
  Waiters *waiters = data;
  g_autoptr (GError) error = NULL;
  g_atomic_int_inc (&waiters->n_inside);
  g_assert_false (
      stasis_monitor_command (waiters->monitor, "x", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  return NULL;
}

static gpointer
wait_for_event (gpointer data)
{
  Waiters *waiters = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMonitorEvent) none = NULL;
  g_atomic_int_inc (&waiters->n_inside);
  g_assert_false (stasis_monitor_wait_event (waiters->monitor, -1, &none, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  return NULL;
}

/* Closing sends everybody home before it frees anything. */
static void
test_close_with_waiters (void)
{
  g_autoptr (Peer) peer = peer_start (run_quiet, NULL);
  Waiters waiters = { peer_open (peer, NULL), 0 };
  GThread *threads[] = { g_thread_new ("command", wait_for_command, &waiters),
                         g_thread_new ("command", wait_for_command, &waiters),
                         g_thread_new ("event", wait_for_event, &waiters) };
  while (g_atomic_int_get (&waiters.n_inside) < 3)
    g_thread_yield ();
  g_usleep (50000); /* from counted to inside: nothing tells */
  stasis_monitor_close (waiters.monitor);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (open_cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/monitor/open/%s", open_cases[i].name);
      g_test_add_data_func (path, &open_cases[i], test_open);
    }
  g_test_add_func ("/monitor/monitor/open-cancelled", test_open_cancelled);
  g_test_add_func ("/monitor/monitor/version", test_version);
  g_test_add_func ("/monitor/monitor/events", test_events);
  g_test_add_func ("/monitor/monitor/stirs", test_stirs);
  g_test_add_func ("/monitor/monitor/events-lost", test_events_lost);
  g_test_add_func ("/monitor/monitor/event-then-hangup", test_event_then_hangup);
  g_test_add_func ("/monitor/monitor/wait-cancelled", test_wait_cancelled);
  g_test_add_func ("/monitor/monitor/close-with-waiters", test_close_with_waiters);

  return g_test_run ();
}
