/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-agent-test.c: tests of src/monitor/guest-agent.c, with an agent that is hostile or dead
 *
 * What a real agent does is tested by tests/integration/quiesce-test.py.
 */

#include "config.h"

#include "monitor/guest-agent.h"

#include <string.h>
#include <sys/socket.h>

#include "monitor/error.h"
#include "peer.h"
#include "util/fd.h"

#define SHORT_MS 50
#define LONG_MS  60000

/* Answer the sync that comes. */
static gboolean
answer_sync (int socket)
{
  g_autofree char *line = peer_read_line (socket);
  const char *id = line != NULL ? strstr (line, "\"id\"") : NULL;
  if (id == NULL)
    return FALSE;
  g_assert_cmphex ((guchar) line[0], ==, 0xff);
  g_autoptr (StasisJson) json = stasis_json_parse (line + 1, -1, NULL);
  const StasisJson *arguments = stasis_json_get (json, "arguments");
  g_autofree char *answer
      = g_strdup_printf ("\xff{\"return\": %" G_GINT64_FORMAT "}\n",
                         stasis_json_int (stasis_json_get (arguments, "id"), 0));
  peer_say (socket, answer);
  return TRUE;
}

/* Sync, then say this to the first command, and wait. */
static void
run_say (int socket, gconstpointer data)
{
  if (!answer_sync (socket))
    return;
  g_autofree char *line = peer_read_line (socket);
  if (line == NULL)
    return;
  if (data != NULL)
    peer_say (socket, data);
  peer_wait_hangup (socket);
}

static void
run_silent (int socket, gconstpointer data)
{
  peer_wait_hangup (socket);
}

static void
run_hang_up (int socket, gconstpointer data)
{
}

/* Without end, until the other side has had enough. */
static void
flood (int socket)
{
  g_autofree char *blanks = g_strnfill (65536, '\n');
  while (send (socket, blanks, 65536, MSG_NOSIGNAL) > 0)
    ;
}

static void
run_flood_at_once (int socket, gconstpointer data)
{
  flood (socket);
}

static void
run_flood (int socket, gconstpointer data)
{
  g_autofree char *line = answer_sync (socket) ? peer_read_line (socket) : NULL;
  if (line != NULL)
    flood (socket);
}

static StasisAgent *
open_agent (Peer *peer, gint64 timeout_ms, GError **error)
{
  return stasis_agent_open (stasis_fd_steal (&peer->monitor_end), timeout_ms, NULL, error);
}

static StasisAgent *
open_good (Peer *peer)
{
  g_autoptr (GError) error = NULL;
  StasisAgent *agent = open_agent (peer, LONG_MS, &error);
  g_assert_no_error (error);
  return agent;
}

static void
test_freeze (void)
{
  g_autoptr (Peer) peer = peer_start (run_say, "{\"return\": 3}\n");
  g_autoptr (StasisAgent) agent = open_good (peer);
  g_autoptr (GError) error = NULL;
  guint n = 0;
  g_assert_true (stasis_agent_fs_freeze (agent, &n, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 3);
}

static void
test_info (void)
{
  g_autoptr (Peer) peer = peer_start (
      run_say, "{\"return\": {\"supported_commands\": [{\"name\": \"a\", \"enabled\": true},"
               " {\"name\": \"b\", \"enabled\": false}, 7]}}\n");
  g_autoptr (StasisAgent) agent = open_good (peer);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) info = stasis_agent_info (agent, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_agent_info_has (info, "a"));
  g_assert_false (stasis_agent_info_has (info, "b"));
  g_assert_false (stasis_agent_info_has (info, "c"));
}

typedef struct
{
  const char *name;
  const char *said;
  StasisMonitorError code;
  const char *words; /* of the message */
} Refusal;

static const Refusal refusals[] = {
  { "error", "{\"error\": {\"class\": \"GenericError\", \"desc\": \"failed to freeze /\"}}\n",
    STASIS_MONITOR_ERROR_COMMAND, "guest-fsfreeze-freeze: failed to freeze /" },
  { "unknown", "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n",
    STASIS_MONITOR_ERROR_UNSUPPORTED, "disabled" },
  { "escapes", "{\"error\": {\"desc\": \"\\u001b]0;title\\u0007\\nerror: x\"}}\n",
    STASIS_MONITOR_ERROR_COMMAND, "guest-fsfreeze-freeze: ?]0;title??error: x" },
  { "negative", "{\"return\": -1}\n", STASIS_MONITOR_ERROR_PROTOCOL, "another form" },
  { "huge", "{\"return\": 4294967296}\n", STASIS_MONITOR_ERROR_PROTOCOL, "another form" },
  { "text", "{\"return\": \"3\"}\n", STASIS_MONITOR_ERROR_PROTOCOL, "another form" },
  { "event", "{\"event\": \"X\"}\n", STASIS_MONITOR_ERROR_PROTOCOL, "no answer" },
  { "garbage", "garbage\n", STASIS_MONITOR_ERROR_PROTOCOL, "no answer" },
};

static void
test_refusal (gconstpointer data)
{
  const Refusal *one = data;
  g_autoptr (Peer) peer = peer_start (run_say, one->said);
  g_autoptr (StasisAgent) agent = open_good (peer);
  g_autoptr (GError) error = NULL;
  guint n = 0;
  g_assert_false (stasis_agent_fs_freeze (agent, &n, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, (int) one->code);
  g_assert_nonnull (strstr (error->message, one->words));
}

static void
test_silent (void)
{
  g_autoptr (Peer) peer = peer_start (run_silent, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_agent (peer, SHORT_MS, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
}

static void
test_hang_up (void)
{
  g_autoptr (Peer) peer = peer_start (run_hang_up, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_agent (peer, LONG_MS, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
}

static void
test_flood_at_once (void)
{
  g_autoptr (Peer) peer = peer_start (run_flood_at_once, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (open_agent (peer, LONG_MS, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (SHORT_MS * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* Empty lines mean nothing, so there is no limit to them, and there is always something to read. */
static void
test_flood (void)
{
  g_autoptr (Peer) peer = peer_start (run_flood, NULL);
  g_autoptr (StasisAgent) agent = open_good (peer);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_false (stasis_agent_ping (agent, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);
}

/* An agent that never comes to it has got both lines all the same. */
static void
run_late (int socket, gconstpointer data)
{
  g_autofree char *sync = peer_read_line (socket);
  g_autofree char *thaw = peer_read_line (socket);
  g_assert_nonnull (strstr (sync, "guest-sync-delimited"));
  g_assert_nonnull (strstr (thaw, "guest-fsfreeze-thaw"));
}

static void
test_thaw_at_once (void)
{
  g_autoptr (Peer) peer = peer_start (run_late, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_agent_thaw (stasis_fd_steal (&peer->monitor_end), LONG_MS, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
}

static void
test_thaw (void)
{
  g_autoptr (Peer) peer = peer_start (run_say, "{\"return\": 2}\n");
  g_autoptr (GError) error = NULL;
  guint n = 0;
  g_assert_true (stasis_agent_thaw (stasis_fd_steal (&peer->monitor_end), LONG_MS, &n, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (n, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/guest-agent/freeze", test_freeze);
  g_test_add_func ("/monitor/guest-agent/info", test_info);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/guest-agent/refusal/%s", refusals[i].name);
      g_test_add_data_func (path, &refusals[i], test_refusal);
    }
  g_test_add_func ("/monitor/guest-agent/silent", test_silent);
  g_test_add_func ("/monitor/guest-agent/hang-up", test_hang_up);
  g_test_add_func ("/monitor/guest-agent/flood-at-once", test_flood_at_once);
  g_test_add_func ("/monitor/guest-agent/flood", test_flood);
  g_test_add_func ("/monitor/guest-agent/thaw-at-once", test_thaw_at_once);
  g_test_add_func ("/monitor/guest-agent/thaw", test_thaw);
  return g_test_run ();
}
