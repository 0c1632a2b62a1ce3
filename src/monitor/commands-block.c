/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-block.c: change the graph of block nodes below a guest that runs
 */

#include "config.h"

#include "monitor/commands-block.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* A node that was described. */
gboolean
stasis_monitor_blockdev_add (StasisMonitor *monitor, StasisJson *node_take,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand add
      = { "blockdev-add", _ ("cannot open a disk"), STASIS_COMMAND_DISK_MS, -1 };
  return stasis_command_run (monitor, &add, node_take, NULL, cancellable, error);
}

gboolean
stasis_monitor_blockdev_del (StasisMonitor *monitor, const char *node, GCancellable *cancellable,
                             GError **error)
{
  const StasisCommand del
      = { "blockdev-del", _ ("cannot close a disk"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "node-name", node);
  return stasis_command_run (monitor, &del, arguments, NULL, cancellable, error);
}

static StasisJson *
snapshot_action (const StasisBlockSnapshot *snapshot)
{
  StasisJson *data = stasis_json_new_object ();
  stasis_json_set_string (data, "node", snapshot->node);
  stasis_json_set_string (data, "overlay", snapshot->overlay);
  StasisJson *action = stasis_json_new_object ();
  stasis_json_set_string (action, "type", "blockdev-snapshot");
  stasis_json_set (action, "data", data);
  return action;
}

/* In one transaction. */
gboolean
stasis_monitor_snapshot (StasisMonitor *monitor, const StasisBlockSnapshot *snapshots, gsize n,
                         GCancellable *cancellable, GError **error)
{
  const StasisCommand command
      = { "transaction", _ ("cannot snapshot the guest's disks"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *actions = stasis_json_new_array ();
  for (gsize i = 0; i < n; i++)
    stasis_json_array_append (actions, snapshot_action (&snapshots[i]));
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "actions", actions);
  return stasis_command_run (monitor, &command, arguments, NULL, cancellable, error);
}

/* The way back. */
gboolean
stasis_monitor_block_commit (StasisMonitor *monitor, const char *job, const char *overlay,
                             const char *node, GCancellable *cancellable, GError **error)
{
  const StasisCommand commit
      = { "block-commit", _ ("cannot merge a disk's overlay"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "job-id", job);
  stasis_json_set_string (arguments, "device", overlay);
  stasis_json_set_string (arguments, "base-node", node);
  stasis_json_set_boolean (arguments, "auto-dismiss", FALSE);
  return stasis_command_run (monitor, &commit, arguments, NULL, cancellable, error);
}
