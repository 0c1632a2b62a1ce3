/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-block.c: change the graph of block nodes below a guest that runs
 */

#include "config.h"

#include "monitor/commands-block.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"
#include "monitor/error.h"

#define CONCLUDED   "concluded"
#define JOB_LOOK_US 2000

/* A node that was described. */
gboolean
stasis_monitor_blockdev_add (StasisMonitor *monitor, StasisJson *node_take,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand add
      = { "blockdev-add", _ ("cannot open a disk"), STASIS_COMMAND_DISK_MS, -1 };
  return stasis_command_run (monitor, &add, node_take, NULL, cancellable, error);
}

static gboolean
run_named (StasisMonitor *monitor, const StasisCommand *command, const char *key, const char *value,
           GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, key, value);
  return stasis_command_run (monitor, command, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_blockdev_del (StasisMonitor *monitor, const char *node, GCancellable *cancellable,
                             GError **error)
{
  const StasisCommand del
      = { "blockdev-del", _ ("cannot close a disk"), STASIS_COMMAND_DISK_MS, -1 };
  return run_named (monitor, &del, "node-name", node, cancellable, error);
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

gboolean
stasis_monitor_job_complete (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                             GError **error)
{
  const StasisCommand complete
      = { "job-complete", _ ("cannot complete a block job"), STASIS_COMMAND_DISK_MS, -1 };
  return run_named (monitor, &complete, "id", job, cancellable, error);
}

gboolean
stasis_monitor_job_cancel (StasisMonitor *monitor, const char *job, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand cancel
      = { "job-cancel", _ ("cannot cancel a block job"), STASIS_COMMAND_DISK_MS, -1 };
  return run_named (monitor, &cancel, "id", job, cancellable, error);
}

static gboolean
dismiss (StasisMonitor *monitor, const char *job, GError **error)
{
  const StasisCommand command
      = { "job-dismiss", _ ("cannot forget a block job"), STASIS_COMMAND_MS, -1 };
  return run_named (monitor, &command, "id", job, NULL, error);
}

static const StasisJson *
find_job (const StasisJson *jobs, const char *job)
{
  for (guint i = 0; i < stasis_json_array_length (jobs); i++)
    {
      const StasisJson *one = stasis_json_array_get (jobs, i);
      if (g_strcmp0 (stasis_json_string (stasis_json_get (one, "id"), NULL), job) == 0)
        return one;
    }
  return NULL;
}

static gboolean
throw_job (GError **error, StasisMonitorError code, const char *job, const char *what)
{
  g_set_error (error, STASIS_MONITOR_ERROR, code, _ ("the block job '%1$s' %2$s"), job, what);
  return FALSE;
}

/* It has ended: as it should, or with a word why not. */
static gboolean
conclude (StasisMonitor *monitor, const StasisJson *found, const char *job, gboolean is_wanted,
          GError **error)
{
  const char *fault = stasis_json_string (stasis_json_get (found, "error"), NULL);
  if (!dismiss (monitor, job, error))
    return FALSE;
  if (is_wanted && fault == NULL)
    return TRUE;
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND,
               _ ("the block job '%1$s' has ended: %2$s"), job,
               fault != NULL ? fault : _ ("it was cancelled"));
  return FALSE;
}

/* Until it is so far. */
gboolean
stasis_monitor_job_wait (StasisMonitor *monitor, const char *job, const char *status,
                         gint64 timeout_ms, GError **error)
{
  const char *context = _ ("cannot ask for block jobs");
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_TIME_SPAN_MILLISECOND;
  for (;;)
    {
      g_autoptr (StasisJson) jobs
          = stasis_command_run_list (monitor, "query-jobs", context, NULL, error);
      if (jobs == NULL)
        return FALSE;
      const StasisJson *found = find_job (jobs, job);
      const char *now = stasis_json_string (stasis_json_get (found, "status"), "");
      if (found == NULL)
        return throw_job (error, STASIS_MONITOR_ERROR_COMMAND, job, _ ("is not there"));
      if (g_str_equal (now, CONCLUDED))
        return conclude (monitor, found, job, g_str_equal (status, CONCLUDED), error);
      if (g_str_equal (now, status))
        return TRUE;
      if (timeout_ms >= 0 && g_get_monotonic_time () > deadline_us)
        return throw_job (error, STASIS_MONITOR_ERROR_TIMEOUT, job, _ ("takes too long"));
      g_usleep (JOB_LOOK_US);
    }
}
