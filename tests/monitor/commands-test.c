/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-test.c: tests of src/monitor/commands*.c: replies of another form than QEMU's
 */

#include "config.h"

#include <string.h>

#include "monitor/commands-fd.h"
#include "monitor/commands-jobs.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-nbd.h"
#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "peer.h"

/* TRUE where it worked; whatever it returned is freed. */
typedef gboolean (*RunFunc) (StasisMonitor *monitor, GError **error);

static gboolean
run_status (StasisMonitor *monitor, GError **error)
{
  StasisRunState state = STASIS_RUN_STATE_COLO;
  return stasis_monitor_query_status (monitor, &state, NULL, error);
}

static gboolean
run_add_fd (StasisMonitor *monitor, GError **error)
{
  return stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, 0, NULL, NULL, NULL, NULL, error);
}

static gboolean
run_fdsets (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_fdsets (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_capabilities (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GHashTable) table = stasis_monitor_query_migrate_capabilities (monitor, NULL, error);
  return table != NULL;
}

static gboolean
run_cpus (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_cpus (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_block (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_block (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_chardev (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_chardev (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_vnc (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_vnc (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_model (StasisMonitor *monitor, GError **error)
{
  g_autoptr (StasisJson) model
      = stasis_monitor_query_cpu_model_expansion (monitor, "full", "x", NULL, NULL, error);
  return model != NULL;
}

static gboolean
run_kvm (StasisMonitor *monitor, GError **error)
{
  gboolean is_kvm = FALSE;
  return stasis_monitor_query_kvm (monitor, &is_kvm, NULL, error);
}

static gboolean
run_balloon (StasisMonitor *monitor, GError **error)
{
  guint64 actual = 0;
  return stasis_monitor_query_balloon (monitor, &actual, NULL, error);
}

static gboolean
run_ram_blocks (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_ram_blocks (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_block_jobs (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_block_jobs (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_exports (StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) list = stasis_monitor_query_block_exports (monitor, NULL, error);
  return list != NULL;
}

static gboolean
run_quit (StasisMonitor *monitor, GError **error)
{
  return stasis_monitor_quit (monitor, NULL, error);
}

static gboolean
run_migrate (StasisMonitor *monitor, GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
  return info != NULL;
}

typedef struct
{
  const char *name;
  RunFunc run;
  const char *reply; /* {"return": REPLY}; NULL: hang up */
  gboolean is_fine;
} Case;

static const Case cases[] = {
  { "status", run_status, "{\"status\": \"running\"}", TRUE },
  { "status-new", run_status, "{\"status\": \"dreaming\"}", TRUE },
  { "status-none", run_status, "{}", FALSE },
  { "status-number", run_status, "{\"status\": 1}", FALSE },
  { "status-list", run_status, "[]", FALSE },
  { "add-fd", run_add_fd, "{\"fdset-id\": 1, \"fd\": 2}", TRUE },
  { "add-fd-half", run_add_fd, "{\"fdset-id\": 1}", FALSE },
  { "add-fd-large", run_add_fd, "{\"fdset-id\": 18446744073709551615, \"fd\": 2}", FALSE },
  { "fdsets-object", run_fdsets, "{}", FALSE },
  { "fdsets-no-id", run_fdsets, "[{\"fds\": []}]", FALSE },
  { "fdsets-no-fds", run_fdsets, "[{\"fdset-id\": 1}]", TRUE },
  { "fdsets-bad-fd", run_fdsets, "[{\"fdset-id\": 1, \"fds\": [{\"fd\": 1}, {}]}]", FALSE },
  { "capabilities", run_capabilities, "[{\"capability\": \"x\", \"state\": true}]", TRUE },
  { "capabilities-no-state", run_capabilities, "[{\"capability\": \"x\"}]", FALSE },
  { "capabilities-twice", run_capabilities,
    "[{\"capability\": \"x\", \"state\": true}, {\"capability\": \"x\", \"state\": false}]", TRUE },
  { "cpus-numbers", run_cpus, "[1, 2]", FALSE },
  { "cpus-negative", run_cpus, "[{\"cpu-index\": -1}]", FALSE },
  { "cpus-no-thread", run_cpus, "[{\"cpu-index\": 1}]", TRUE },
  { "block-nothing-inserted", run_block, "[{\"device\": \"cd\", \"inserted\": null}]", TRUE },
  { "block-strange", run_block, "[null, 1, {\"inserted\": {\"image\": []}}]", TRUE },
  { "chardev-no-filename", run_chardev, "[{\"label\": \"x\"}]", FALSE },
  { "vnc-no-family", run_vnc,
    "[{\"id\": \"d\", \"server\": [{\"host\": \"h\", \"service\": \"1\"}]}]", FALSE },
  { "vnc-no-id", run_vnc, "[{}]", FALSE },
  { "model-none", run_model, "{}", FALSE },
  { "model-no-name", run_model, "{\"model\": {\"props\": {}}}", FALSE },
  { "kvm", run_kvm, "{\"enabled\": true, \"present\": true}", TRUE },
  { "kvm-none", run_kvm, "{\"present\": true}", FALSE },
  { "balloon-negative", run_balloon, "{\"actual\": -1}", FALSE },
  { "ram-blocks-number", run_ram_blocks, "5", FALSE },
  { "ram-blocks-text", run_ram_blocks, "\"hello\"", FALSE },
  { "block-jobs", run_block_jobs,
    "[{\"device\": \"j\", \"type\": \"x\", \"status\": \"y\", \"offset\": 1, \"len\": 2,"
    " \"speed\": -1, \"ready\": \"x\"}]",
    TRUE },
  { "block-jobs-no-name", run_block_jobs,
    "[{\"type\": \"x\", \"status\": \"y\", \"offset\": 1, \"len\": 2}]", FALSE },
  { "block-jobs-negative", run_block_jobs,
    "[{\"device\": \"j\", \"type\": \"x\", \"status\": \"y\", \"offset\": -1, \"len\": 2}]",
    FALSE },
  { "block-jobs-object", run_block_jobs, "{}", FALSE },
  { "exports-no-node", run_exports,
    "[{\"id\": \"x\", \"type\": \"nbd\", \"shutting-down\": false}]", FALSE },
  { "exports-number", run_exports, "[7]", FALSE },
  { "quit", run_quit, "{}", TRUE },
  { "quit-hangup", run_quit, NULL, TRUE },
  { "migrate-list", run_migrate, "[]", TRUE },
  { "migrate-strange", run_migrate, "{\"status\": 5, \"ram\": {\"total\": -1, \"mbps\": \"x\"}}",
    TRUE },
};

static void
run_peer (int socket, gconstpointer data)
{
  const Case *c = data;
  peer_negotiate (socket);
  g_free (peer_read_line (socket));
  if (c->reply == NULL)
    return;
  g_autofree char *reply = g_strdup_printf ("{\"return\": %s, \"id\": \"stasis-2\"}\r\n", c->reply);
  peer_say (socket, reply);
  peer_wait_hangup (socket);
}

static void
test_reply (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (Peer) peer = peer_start (run_peer, c);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (c->run (monitor, &error), ==, c->is_fine);
  if (c->is_fine)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
  g_assert_true (g_str_has_prefix (error->message, "cannot "));
  /* One bad reply does not end the connection. */
  g_assert_false (stasis_monitor_is_closed (monitor));
}

static void
run_failed (int socket, gconstpointer data)
{
  peer_negotiate (socket);
  g_free (peer_read_line (socket));
  peer_say (socket, "{\"return\": {\"status\": \"failed\", \"error-desc\": \"disk full\", "
                    "\"total-time\": 5}, \"id\": \"stasis-2\"}\r\n");
  g_free (peer_read_line (socket));
  peer_say (socket, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"none\"}, "
                    "\"id\": \"stasis-3\"}\r\n");
  peer_wait_hangup (socket);
}

/* Why a migration failed; and a QEMU that was built without VNC has no VNC. */
static void
test_failed (void)
{
  g_autoptr (Peer) peer = peer_start (run_failed, NULL);
  g_autoptr (StasisMonitor) monitor = peer_open (peer, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_FAILED);
  g_assert_cmpstr (info->error_desc, ==, "disk full");
  g_assert_cmpuint (info->total_time_ms, ==, 5);
  g_assert_cmpuint (info->ram_total, ==, 0);

  g_autoptr (GPtrArray) servers = stasis_monitor_query_vnc (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (servers->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/commands/reply/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_reply);
    }
  g_test_add_func ("/monitor/commands/failed", test_failed);
  return g_test_run ();
}
