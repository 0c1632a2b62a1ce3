/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands.c: what the typed commands share
 */

#include "config.h"

#include "monitor/commands-private.h"

#include <glib/gi18n-lib.h>

/* Run a command; an error begins with its context. */
gboolean
stasis_command_run (StasisMonitor *monitor, const StasisCommand *command,
                    StasisJson *arguments_take, StasisJson **out_return, GCancellable *cancellable,
                    GError **error)
{
  if (stasis_monitor_command (monitor, command->command, arguments_take, &command->fd,
                              command->fd >= 0 ? 1 : 0, command->timeout_ms, out_return,
                              cancellable, error))
    return TRUE;
  g_prefix_error (error, "%s: ", command->context);
  return FALSE;
}

/* A command without arguments, descriptors and return value. */
gboolean
stasis_command_run_plain (StasisMonitor *monitor, const char *command, const char *context,
                          GCancellable *cancellable, GError **error)
{
  const StasisCommand plain = { command, context, STASIS_COMMAND_MS, -1 };
  return stasis_command_run (monitor, &plain, NULL, NULL, cancellable, error);
}

/* The reply lacks what it must hold. */
gboolean
stasis_command_throw_reply (const char *command, const char *context, const GError *fault,
                            GError **error)
{
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
               _ ("%1$s: QEMU's answer to '%2$s' is of another form: %3$s"), context, command,
               fault->message);
  return FALSE;
}

/* A command that returns a list. */
StasisJson *
stasis_command_run_list (StasisMonitor *monitor, const char *command, const char *context,
                         GCancellable *cancellable, GError **error)
{
  const StasisCommand plain = { command, context, STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) list = NULL;
  if (!stasis_command_run (monitor, &plain, NULL, &list, cancellable, error))
    return NULL;

  if (stasis_json_kind (list) != STASIS_JSON_ARRAY)
    {
      g_autoptr (GError) fault
          = g_error_new_literal (STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE, _ ("not a list"));
      stasis_command_throw_reply (command, context, fault, error);
      return NULL;
    }
  return g_steal_pointer (&list);
}
