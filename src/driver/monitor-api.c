/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-api.c: a word with a domain's QEMU, for the public API
 */

#include "config.h"

#include "driver/monitor-command.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "monitor/commands-query.h"
#include "util/json.h"

/* {"execute": NAME, "arguments": {...}, "id": ...}, of which only the first must be there. */
static gboolean
check_request (const StasisJson *request, const char **out_command, GError **error)
{
  static const char *const known[] = { "execute", "arguments", "id", NULL };
  if (!stasis_json_need_string (request, "execute", out_command, error))
    return FALSE;
  for (guint i = 0; i < stasis_json_object_size (request); i++)
    if (!g_strv_contains (known, stasis_json_object_key (request, i)))
      {
        g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                     _ ("a monitor command with the member '%1$s' is not supported"),
                     stasis_json_object_key (request, i));
        return FALSE;
      }
  const StasisJson *arguments = stasis_json_get (request, "arguments");
  if (arguments == NULL || stasis_json_kind (arguments) == STASIS_JSON_OBJECT)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("the arguments of a monitor command must be an object"));
  return FALSE;
}

static StasisJson *
share (const StasisJson *json)
{
  return json != NULL ? stasis_json_ref ((StasisJson *) json) : NULL;
}

static char *
run_qmp (StasisMonitor *monitor, const StasisJson *request, const char *command, int fd,
         GCancellable *cancellable, GError **error)
{
  StasisJson *value = NULL;
  if (!stasis_monitor_command (monitor, command, share (stasis_json_get (request, "arguments")),
                               &fd, fd >= 0 ? 1 : 0, -1, &value, cancellable, error))
    return NULL;
  g_autoptr (StasisJson) reply = stasis_json_new_object ();
  stasis_json_set (reply, "return", value);
  if (stasis_json_get (request, "id") != NULL)
    stasis_json_set (reply, "id", share (stasis_json_get (request, "id")));
  return stasis_json_to_string (reply);
}

/* Its supervisor has seen what the command did before anybody asks it. */
static void
sync_supervisor (StasisDomain *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, &error);
  if (control == NULL || !stasis_control_sync (control, &error))
    g_debug ("%s", error->message);
}

/**
 * stasis_domain_monitor_command:
 * @self: a running domain
 * @command: a QMP command, {"execute": "query-status"}; with %STASIS_MONITOR_COMMAND_HMP a line
 *   of QEMU's human monitor
 * @flags: which of the two
 * @cancellable: (nullable): stops waiting; QEMU may carry the command out all the same
 * @error: return location
 *
 * Passes a command to QEMU. Nobody checks it: what it changes behind the back of Stasis is the
 * caller's business. While a job goes on it fails with %STASIS_ERROR_BUSY. What QEMU answers to a
 * wrong command is an error with QEMU's words.
 *
 * Returns: (transfer full): QEMU's reply, {"return": ...}, or the human monitor's text
 */
char *
stasis_domain_monitor_command (StasisDomain *self, const char *command,
                               StasisMonitorCommandFlags flags, GCancellable *cancellable,
                               GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  return ops != NULL
             ? ops->monitor_command (self, command, flags, cancellable, error)
             : stasis_domain_monitor_command_fd (self, command, flags, -1, cancellable, error);
}

/* Of an embedded driver. */
char *
stasis_domain_monitor_command_fd (StasisDomain *self, const char *command,
                                  StasisMonitorCommandFlags flags, int fd,
                                  GCancellable *cancellable, GError **error)
{
  const gboolean is_hmp = (flags & STASIS_MONITOR_COMMAND_HMP) != 0;
  const char *name = NULL;
  if (is_hmp && fd >= 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("QEMU's human monitor takes no descriptors"));
      return NULL;
    }
  g_autoptr (StasisJson) request = is_hmp ? NULL : stasis_json_parse (command, -1, error);
  if (!is_hmp && (request == NULL || !check_request (request, &name, error)))
    return NULL;

  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  g_autoptr (StasisMonitor) monitor
      = hold != NULL ? stasis_hold_open_monitor (hold, cancellable, error) : NULL;
  if (monitor == NULL)
    return NULL;
  char *reply = is_hmp ? stasis_monitor_hmp (monitor, command, cancellable, error)
                       : run_qmp (monitor, request, name, fd, cancellable, error);
  if (reply != NULL)
    sync_supervisor (self);
  return reply;
}
