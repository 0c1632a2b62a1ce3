/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-run.c: let the guest run, stop it, ask how it is
 */

#include "config.h"

#include "monitor/commands-run.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

static const char *const run_state_names[] = {
  [STASIS_RUN_STATE_UNKNOWN] = "unknown",
  [STASIS_RUN_STATE_DEBUG] = "debug",
  [STASIS_RUN_STATE_INMIGRATE] = "inmigrate",
  [STASIS_RUN_STATE_INTERNAL_ERROR] = "internal-error",
  [STASIS_RUN_STATE_IO_ERROR] = "io-error",
  [STASIS_RUN_STATE_PAUSED] = "paused",
  [STASIS_RUN_STATE_POSTMIGRATE] = "postmigrate",
  [STASIS_RUN_STATE_PRELAUNCH] = "prelaunch",
  [STASIS_RUN_STATE_FINISH_MIGRATE] = "finish-migrate",
  [STASIS_RUN_STATE_RESTORE_VM] = "restore-vm",
  [STASIS_RUN_STATE_RUNNING] = "running",
  [STASIS_RUN_STATE_SAVE_VM] = "save-vm",
  [STASIS_RUN_STATE_SHUTDOWN] = "shutdown",
  [STASIS_RUN_STATE_SUSPENDED] = "suspended",
  [STASIS_RUN_STATE_WATCHDOG] = "watchdog",
  [STASIS_RUN_STATE_GUEST_PANICKED] = "guest-panicked",
  [STASIS_RUN_STATE_COLO] = "colo",
};

/* QEMU's name of a run state. */
const char *
stasis_run_state_to_string (StasisRunState state)
{
  return (guint) state < G_N_ELEMENTS (run_state_names) ? run_state_names[state] : "unknown";
}

/* The run state of that name, or STASIS_RUN_STATE_UNKNOWN. */
StasisRunState
stasis_run_state_from_string (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (run_state_names); i++)
    if (g_strcmp0 (name, run_state_names[i]) == 0)
      return (StasisRunState) i;
  return STASIS_RUN_STATE_UNKNOWN;
}

/* TRUE where the guest itself has ended. */
gboolean
stasis_run_state_is_end (StasisRunState state)
{
  return state == STASIS_RUN_STATE_SHUTDOWN || state == STASIS_RUN_STATE_GUEST_PANICKED;
}

/* TRUE where the guest was stopped by what happened in it. */
gboolean
stasis_run_state_is_trouble (StasisRunState state)
{
  return state == STASIS_RUN_STATE_IO_ERROR || state == STASIS_RUN_STATE_WATCHDOG
         || state == STASIS_RUN_STATE_INTERNAL_ERROR || state == STASIS_RUN_STATE_DEBUG;
}

/* Stop the CPUs and flush the disks. */
gboolean
stasis_monitor_stop (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  return stasis_monitor_stop_within (monitor, STASIS_COMMAND_DISK_MS, cancellable, error);
}

/* Whoever's disks are at another host, too. */
gboolean
stasis_monitor_stop_within (StasisMonitor *monitor, gint64 timeout_ms, GCancellable *cancellable,
                            GError **error)
{
  const StasisCommand stop = { "stop", _ ("cannot stop the guest"), timeout_ms, -1 };
  return stasis_command_run (monitor, &stop, NULL, NULL, cancellable, error);
}

/* Let the CPUs run; after an incoming migration QEMU takes over the disks first. */
gboolean
stasis_monitor_cont (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const StasisCommand cont = { "cont", _ ("cannot let the guest run"), STASIS_COMMAND_DISK_MS, -1 };
  return stasis_command_run (monitor, &cont, NULL, NULL, cancellable, error);
}

/* The run state. */
gboolean
stasis_monitor_query_status (StasisMonitor *monitor, StasisRunState *out_state,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand query
      = { "query-status", _ ("cannot ask for the guest's state"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &reply, cancellable, error))
    return FALSE;

  const char *status = NULL;
  g_autoptr (GError) fault = NULL;
  if (!stasis_json_need_string (reply, "status", &status, &fault))
    return stasis_command_throw_reply (query.command, query.context, fault, error);
  *out_state = stasis_run_state_from_string (status);
  return TRUE;
}

/* Press the power button. */
gboolean
stasis_monitor_system_powerdown (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  return stasis_command_run_plain (monitor, "system_powerdown",
                                   _ ("cannot press the guest's power button"), cancellable, error);
}

/* Press the reset button. */
gboolean
stasis_monitor_system_reset (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  return stasis_command_run_plain (monitor, "system_reset", _ ("cannot reset the guest"),
                                   cancellable, error);
}

/* What QEMU does when the guest is reset. */
gboolean
stasis_monitor_set_reboot_action (StasisMonitor *monitor, const char *action,
                                  GCancellable *cancellable, GError **error)
{
  const StasisCommand set
      = { "set-action", _ ("cannot say what a reset is to do"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "reboot", action);
  return stasis_command_run (monitor, &set, arguments, NULL, cancellable, error);
}

/* End QEMU, whether it answers first or not. */
gboolean
stasis_monitor_quit (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) fault = NULL;
  if (stasis_command_run_plain (monitor, "quit", _ ("cannot end QEMU"), cancellable, &fault)
      || g_error_matches (fault, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&fault));
  return FALSE;
}
