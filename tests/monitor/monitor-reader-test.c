/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-reader-test.c: tests of src/monitor/monitor-reader.c: whatever octets may come
 */

#include "config.h"

#include <glib/gstdio.h>
#include <string.h>

#include "peer.h"

#define OK      "{\"return\": {\"a\": 1}, \"id\": \"stasis-2\"}\r\n"
#define OPEN_10 "[[[[[[[[[["
#define DEEP    OPEN_10 OPEN_10 OPEN_10 OPEN_10 OPEN_10 OPEN_10 OPEN_10 "]]]]]]]]]]\n"

typedef struct
{
  const char *name;
  const char *octets; /* after the command has come; then the peer hangs up or waits */
  gboolean hangs_up;
  int code;            /* the StasisMonitorError, or -1: the reply is {"a": 1} */
  const char *message; /* (nullable) a part of the error's */
} Case;

static const Case cases[] = {
  { "reply", OK, FALSE, -1, NULL },
  { "reply-then-hangup", OK, TRUE, -1, NULL },
  { "reply-then-garbage", OK "garbage\n", FALSE, -1, NULL },
  { "plain-line-end", "{\"return\": {\"a\": 1}, \"id\": \"stasis-2\"}\n", FALSE, -1, NULL },
  { "empty-lines", "\r\n\n  \n" OK, FALSE, -1, NULL },
  { "id-first", "{\"id\": \"stasis-2\", \"return\": {\"a\": 1}}\n", FALSE, -1, NULL },
  { "wrong-id", "{\"return\": {\"a\": 2}, \"id\": \"stasis-3\"}\n" OK, FALSE, -1, NULL },
  { "old-id", "{\"return\": {\"a\": 2}, \"id\": \"stasis-1\"}\n" OK, FALSE, -1, NULL },
  { "foreign-id", "{\"return\": {\"a\": 2}, \"id\": \"libvirt-2\"}\n" OK, FALSE, -1, NULL },
  { "foreign-id-as-long", "{\"return\": {\"a\": 2}, \"id\": \"libvirt2\"}\n" OK, FALSE, -1, NULL },
  { "number-id", "{\"return\": {\"a\": 2}, \"id\": 2}\n" OK, FALSE, -1, NULL },
  { "object-id", "{\"return\": {\"a\": 2}, \"id\": {}}\n" OK, FALSE, -1, NULL },
  { "id-with-sign", "{\"return\": {\"a\": 2}, \"id\": \"stasis-+2\"}\n" OK, FALSE, -1, NULL },
  { "id-too-large", "{\"return\": {}, \"id\": \"stasis-18446744073709551618\"}\n" OK, FALSE, -1,
    NULL },
  { "id-zero", "{\"return\": {}, \"id\": \"stasis-0\"}\n" OK, FALSE, -1, NULL },
  { "no-id", "{\"return\": {\"a\": 2}}\n" OK, FALSE, -1, NULL },
  { "error-without-id", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\n" OK, FALSE,
    -1, NULL },
  { "twice", OK "{\"return\": {\"a\": 2}, \"id\": \"stasis-2\"}\r\n", FALSE, -1, NULL },
  { "events-between", "{\"event\": \"STOP\"}\n{\"event\": \"RESUME\", \"data\": {}}\n" OK, FALSE,
    -1, NULL },
  { "second-greeting", PEER_GREETING OK, FALSE, -1, NULL },
  { "error",
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, "
    "\"id\": \"stasis-2\"}\n",
    FALSE, STASIS_MONITOR_ERROR_COMMAND, "QEMU: do-it: no such thing" },
  { "error-class",
    "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"gone\"}, "
    "\"id\": \"stasis-2\"}\n",
    FALSE, STASIS_MONITOR_ERROR_COMMAND, "QEMU: do-it: gone (DeviceNotFound)" },
  { "no-such-command",
    "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"none\"}, "
    "\"id\": \"stasis-2\"}\n",
    FALSE, STASIS_MONITOR_ERROR_UNSUPPORTED, "none" },
  { "error-without-words", "{\"error\": 7, \"id\": \"stasis-2\"}\n", FALSE,
    STASIS_MONITOR_ERROR_COMMAND, "no reason given" },
  { "hangup", "", TRUE, STASIS_MONITOR_ERROR_CLOSED, "do-it: QEMU has ended" },
  { "half-then-hangup", "{\"return\": {\"a\":", TRUE, STASIS_MONITOR_ERROR_CLOSED, NULL },
  { "no-line-end-then-hangup", "{\"return\": {\"a\": 1}, \"id\": \"stasis-2\"}", TRUE,
    STASIS_MONITOR_ERROR_CLOSED, NULL },
  { "garbage", "garbage\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, "what is not QMP" },
  { "octets", "\377\376\1\2\3\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, NULL },
  { "not-utf8", "{\"return\": \"\377\", \"id\": \"stasis-2\"}\n", FALSE,
    STASIS_MONITOR_ERROR_PROTOCOL, NULL },
  { "nul", "{\"return\": \"\\u0000\", \"id\": \"stasis-2\"}\n", FALSE,
    STASIS_MONITOR_ERROR_PROTOCOL, NULL },
  { "two-on-a-line", "{\"return\": {}} {\"return\": {}}\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL,
    NULL },
  { "array", "[1]\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, "neither greeting" },
  { "number", "1\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, NULL },
  { "null", "null\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, NULL },
  { "empty-object", "{}\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, "neither greeting" },
  { "event-not-named", "{\"event\": 5}\n", FALSE, STASIS_MONITOR_ERROR_PROTOCOL, "an event" },
  { "event-data-string", "{\"event\": \"X\", \"data\": \"y\"}\n", FALSE,
    STASIS_MONITOR_ERROR_PROTOCOL, "an event" },
  { "too-deep", DEEP, FALSE, STASIS_MONITOR_ERROR_PROTOCOL, "nested" },
};

static void
run_case (int socket, gconstpointer data)
{
  const Case *c = data;
  peer_negotiate (socket);
  g_free (peer_read_line (socket));
  peer_say (socket, c->octets);
  if (!c->hangs_up)
    peer_wait_hangup (socket);
}

static void
test_octets (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (Peer) peer = peer_start (run_case, c);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (StasisJson) value = NULL;
  g_autoptr (GError) error = NULL;

  const gboolean ok
      = stasis_monitor_command (monitor, "do-it", NULL, NULL, 0, 10000, &value, NULL, &error);

  if (c->code < 0)
    {
      g_assert_no_error (error);
      g_assert_true (ok);
      g_assert_cmpint (stasis_json_int (stasis_json_get (value, "a"), 0), ==, 1);
      return;
    }
  g_assert_false (ok);
  g_assert_null (value);
  g_assert_error (error, STASIS_MONITOR_ERROR, c->code);
  if (c->message != NULL)
    g_assert_nonnull (strstr (error->message, c->message));
  const gboolean is_fatal
      = c->code == STASIS_MONITOR_ERROR_CLOSED || c->code == STASIS_MONITOR_ERROR_PROTOCOL;
  g_assert_cmpint (stasis_monitor_is_closed (monitor), ==, is_fatal);
}

static void
run_hangup (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  for (int i = 0; i < 3; i++)
    g_free (peer_read_line (socket));
}

static gpointer
run_command (gpointer monitor)
{
  GError *error = NULL;
  g_assert_false (stasis_monitor_command (monitor, "wait", NULL, NULL, 0, -1, NULL, NULL, &error));
  return error;
}

/* Every waiter learns at once that QEMU is gone, and reads the end of its log. */
static void
test_hangup_log (void)
{
  g_autofree char *log = NULL;
  g_autoptr (GError) error = NULL;
  const int fd = g_file_open_tmp ("stasis-XXXXXX", &log, &error);
  g_assert_no_error (error);
  g_close (fd, NULL);
  g_file_set_contents (log, "qemu: first\nqemu: \33[31mout of memory\n", -1, &error);
  g_assert_no_error (error);

  g_autoptr (Peer) peer = peer_start (run_hangup, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, log);
  GThread *threads[3];
  for (int i = 0; i < 3; i++)
    threads[i] = g_thread_new ("waiter", run_command, monitor);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GError) fault = g_thread_join (threads[i]);
      g_assert_error (fault, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
      g_assert_true (g_str_has_suffix (fault->message, "qemu: first\nqemu: ?[31mout of memory"));
    }

  /* Later ones too. */
  g_assert_false (stasis_monitor_command (monitor, "x", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_unlink (log);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/reader/octets/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_octets);
    }
  g_test_add_func ("/monitor/reader/hangup-log", test_hangup_log);

  return g_test_run ();
}
