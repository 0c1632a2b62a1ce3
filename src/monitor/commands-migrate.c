/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate.c: start, watch and cancel QEMU's migration
 */

#include "config.h"

#include "monitor/commands-migrate.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* Start a migration with all of QMP's arguments. */
gboolean
stasis_monitor_migrate_full (StasisMonitor *monitor, StasisJson *arguments_take,
                             GCancellable *cancellable, GError **error)
{
  const StasisCommand migrate
      = { "migrate", _ ("cannot start the migration"), STASIS_COMMAND_MS, -1 };
  return stasis_command_run (monitor, &migrate, arguments_take, NULL, cancellable, error);
}

/* Start a migration. */
gboolean
stasis_monitor_migrate (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                        GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "uri", uri);
  return stasis_monitor_migrate_full (monitor, arguments, cancellable, error);
}

/* Cancel a migration; it is over only once its status is final. */
gboolean
stasis_monitor_migrate_cancel (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  return stasis_command_run_plain (monitor, "migrate_cancel", _ ("cannot cancel the migration"),
                                   cancellable, error);
}

/* Go on from a status that waits for us. */
gboolean
stasis_monitor_migrate_continue (StasisMonitor *monitor, StasisMigrationStatus status,
                                 GCancellable *cancellable, GError **error)
{
  const StasisCommand go_on
      = { "migrate-continue", _ ("cannot continue the migration"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "state", stasis_migration_status_to_string (status));
  return stasis_command_run (monitor, &go_on, arguments, NULL, cancellable, error);
}

/* Begin to receive. */
gboolean
stasis_monitor_migrate_incoming (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                                 GError **error)
{
  const StasisCommand incoming
      = { "migrate-incoming", _ ("cannot receive the migration"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "uri", uri);
  return stasis_command_run (monitor, &incoming, arguments, NULL, cancellable, error);
}

/* What QEMU is busy with that may hang. */
gboolean
stasis_monitor_query_yank (StasisMonitor *monitor, const char *type, gboolean *out_is_there,
                           GCancellable *cancellable, GError **error)
{
  const char *command = "query-yank";
  const char *context = _ ("cannot ask what QEMU is busy with");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  *out_is_there = FALSE;
  if (list == NULL)
    return FALSE;
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const char *name = NULL;
      g_autoptr (GError) fault = NULL;
      if (!stasis_json_need_string (stasis_json_array_get (list, i), "type", &name, &fault))
        {
          stasis_command_throw_reply (command, context, fault, error);
          return FALSE;
        }
      *out_is_there |= g_str_equal (name, type);
    }
  return TRUE;
}
