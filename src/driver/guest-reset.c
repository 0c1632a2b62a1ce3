/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-reset.c: have a guest that has ended begin anew
 */

#include "config.h"

#include "driver/guest-reset.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-run.h"
#include "util/atomic-file.h"
#include "util/fault.h"
#include "util/json.h"

#define RESET_MS    10000
#define NAP_MS      20   /* between two looks */
#define FIRMWARE_MS 2000 /* for a reset of the firmware's own, which not each one does */
#define SETTLED_MS  500  /* after it: the firmware tries several ways, and each may count */

/* A QEMU that was started with -action reboot=shutdown takes our reset for the guest's own. */
static gboolean
has_reboot_policy (const char *on_reboot)
{
  return g_strcmp0 (on_reboot, "destroy") == 0 || g_strcmp0 (on_reboot, "preserve") == 0;
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

/* SeaBIOS, found in memory as it was left by a reset that it did not do itself, resets once more.
 */
static gboolean
is_guest_reset (const StasisMonitorEvent *event)
{
  return event != NULL && g_str_equal (event->name, "RESET")
         && g_strcmp0 (stasis_json_string (stasis_json_get (event->data, "reason"), NULL),
                       "guest-reset")
                == 0;
}

/* Let the firmware do its own reset, and have the policy apply from then on. */
gboolean
stasis_guest_end_reset (StasisMonitor *monitor, const char *on_reboot, GError **error)
{
  if (!has_reboot_policy (on_reboot))
    return TRUE;
  gint64 deadline = g_get_monotonic_time () + FIRMWARE_MS * 1000;
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, NAP_MS, &event, NULL, error))
        return FALSE;
      if (is_guest_reset (event))
        deadline = g_get_monotonic_time () + SETTLED_MS * 1000;
      else if (g_get_monotonic_time () > deadline)
        return stasis_monitor_set_reboot_action (monitor, "shutdown", NULL, error);
    }
}

/* Reset a guest that has ended. */
gboolean
stasis_guest_reset (StasisMonitor *monitor, const char *on_reboot, GError **error)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  if (stasis_run_state_is_end (state)
      && ((has_reboot_policy (on_reboot)
           && !stasis_monitor_set_reboot_action (monitor, "reset", NULL, error))
          || !stasis_monitor_system_reset (monitor, NULL, error) || !await_reset (monitor, error)))
    return FALSE;
  return stasis_fault ("restart-reset", error);
}

/* The guest begins anew. */
gboolean
stasis_guest_note_boot (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, STASIS_SUPERVISOR_FILE, NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return TRUE;
  g_autoptr (StasisJson) before = stasis_json_parse (text, (gssize) size, NULL);
  if (before == NULL)
    return TRUE;
  const char *reason
      = stasis_json_string (stasis_json_get (before, STASIS_SUPERVISOR_RUNNING_REASON), NULL);
  /* A supervisor that lives has done it, and may write it itself now. */
  if (g_strcmp0 (reason, "booted") == 0
      && stasis_json_get (before, STASIS_SUPERVISOR_STOPPED_BY) == NULL
      && !stasis_json_boolean (stasis_json_get (before, STASIS_SUPERVISOR_REBOOT_PENDING), FALSE))
    return TRUE;

  g_autoptr (StasisJson) now = stasis_json_new_object ();
  stasis_json_set_string (now, STASIS_SUPERVISOR_RUNNING_REASON, "booted");
  stasis_json_set_boolean (
      now, STASIS_SUPERVISOR_HAS_RUN,
      stasis_json_boolean (stasis_json_get (before, STASIS_SUPERVISOR_HAS_RUN), FALSE));
  stasis_json_set_boolean (now, STASIS_SUPERVISOR_REBOOT_PENDING, FALSE);
  g_autofree char *out = stasis_json_to_string (now);
  return stasis_atomic_file_write (path, out, strlen (out), 0600, error);
}
