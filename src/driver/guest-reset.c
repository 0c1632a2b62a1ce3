/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-reset.c: have a guest that has ended begin anew
 */

#include "config.h"

#include "driver/guest-reset.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-run.h"
#include "util/fault.h"

#define RESET_MS 10000
#define NAP_MS   20 /* between two looks */

/* A QEMU that was started with -action reboot=shutdown takes our reset for the guest's own. */
static gboolean
set_reboot_action (StasisMonitor *monitor, const char *on_reboot, const char *action,
                   GError **error)
{
  if (g_strcmp0 (on_reboot, "destroy") != 0 && g_strcmp0 (on_reboot, "preserve") != 0)
    return TRUE;
  return stasis_monitor_set_reboot_action (monitor, action, NULL, error);
}

/* QEMU answers first, and resets the guest then: until it has, `cont` is refused. */
static gboolean
await_reset (StasisMonitor *monitor, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + RESET_MS * 1000;
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  while (stasis_monitor_query_status (monitor, &state, NULL, error))
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_run_state_is_end (state))
        return TRUE;
      if (g_get_monotonic_time () > deadline)
        {
          g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                               _ ("QEMU does not reset its guest"));
          return FALSE;
        }
      if (!stasis_monitor_wait_event (monitor, NAP_MS, &event, NULL, error))
        return FALSE;
    }
  return FALSE;
}

/* Reset a guest that has ended. */
gboolean
stasis_guest_reset (StasisMonitor *monitor, const char *on_reboot, GError **error)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  if (stasis_run_state_is_end (state)
      && (!set_reboot_action (monitor, on_reboot, "reset", error)
          || !stasis_monitor_system_reset (monitor, NULL, error) || !await_reset (monitor, error)))
    return FALSE;
  /* Before the guest runs and may reset itself; whoever was to do it before us may have died. */
  return set_reboot_action (monitor, on_reboot, "shutdown", error)
         && stasis_fault ("restart-reset", error);
}
