/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate.c: start, steer and cancel QEMU's migration
 */

#include "config.h"

#include "monitor/commands-migrate.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

static StasisJson *
channel (const char *type, const StasisQemuAddress *address)
{
  StasisJson *place = stasis_qemu_address_to_json (address);
  stasis_json_set_string (place, "transport", "socket");
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "channel-type", type);
  stasis_json_set (json, "addr", place);
  return json;
}

static StasisJson *
arguments_of (const StasisMigrationRoute *route)
{
  StasisJson *arguments = stasis_json_new_object ();
  if (route->uri != NULL)
    {
      stasis_json_set_string (arguments, "uri", route->uri);
      return arguments;
    }
  StasisJson *channels = stasis_json_new_array ();
  if (route->main != NULL)
    stasis_json_array_append (channels, channel ("main", route->main));
  if (route->cpr != NULL)
    stasis_json_array_append (channels, channel ("cpr", route->cpr));
  stasis_json_set (arguments, "channels", channels);
  return arguments;
}

/* QEMU complains of that argument. */
static gboolean
is_about (const GError *error, const char *argument)
{
  g_autofree char *quoted = g_strdup_printf ("Parameter '%s'", argument);
  return g_error_matches (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
         && strstr (error->message, quoted) != NULL;
}

/* Run a command with a way among its arguments. */
static gboolean
run_by (StasisMonitor *monitor, const StasisCommand *command, const StasisMigrationRoute *route,
        StasisJson *arguments_take, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_command_run (monitor, command, arguments_take, NULL, cancellable, &local))
    return TRUE;
  /* One without channels misses the uri first. */
  if (route->uri == NULL && (is_about (local, "channels") || is_about (local, "uri")))
    g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED,
                 _ ("%s: this QEMU has no migration channels"), command->context);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Start a migration, or go on with one. */
gboolean
stasis_monitor_migrate_by (StasisMonitor *monitor, const StasisMigrationRoute *route,
                           gboolean is_resume, GCancellable *cancellable, GError **error)
{
  const StasisCommand migrate
      = { "migrate", _ ("cannot start the migration"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = arguments_of (route);
  if (is_resume)
    stasis_json_set_boolean (arguments, "resume", TRUE);
  return run_by (monitor, &migrate, route, arguments, cancellable, error);
}

/* Start a migration. */
gboolean
stasis_monitor_migrate (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                        GError **error)
{
  const StasisMigrationRoute route = { uri, NULL, NULL };
  return stasis_monitor_migrate_by (monitor, &route, FALSE, cancellable, error);
}

/* Cancel a migration, but never one whose destination may run. */
gboolean
stasis_monitor_migrate_cancel (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const char *context = _ ("cannot cancel the migration");
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, cancellable, error);
  if (info == NULL)
    return FALSE;
  if (stasis_migration_status_is_shared (info->status))
    {
      g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND,
                   _ ("%1$s: it is in the state '%2$s', and the guest may run at its destination"),
                   context, stasis_migration_status_to_string (info->status));
      return FALSE;
    }
  return stasis_command_run_plain (monitor, "migrate_cancel", context, cancellable, error);
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

/* From precopy to postcopy. */
gboolean
stasis_monitor_migrate_start_postcopy (StasisMonitor *monitor, GCancellable *cancellable,
                                       GError **error)
{
  return stasis_command_run_plain (monitor, "migrate-start-postcopy",
                                   _ ("cannot switch the migration to postcopy"), cancellable,
                                   error);
}

/* Break the connection of postcopy. */
gboolean
stasis_monitor_migrate_pause (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  return stasis_command_run_plain (monitor, "migrate-pause", _ ("cannot pause the migration"),
                                   cancellable, error);
}

/* A new connection for postcopy. */
gboolean
stasis_monitor_migrate_recover (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                                GError **error)
{
  const StasisCommand recover
      = { "migrate-recover", _ ("cannot recover the migration"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "uri", uri);
  return stasis_command_run (monitor, &recover, arguments, NULL, cancellable, error);
}

/* Begin to receive. */
gboolean
stasis_monitor_migrate_incoming_by (StasisMonitor *monitor, const StasisMigrationRoute *route,
                                    gboolean *out_stays, GCancellable *cancellable, GError **error)
{
  const StasisCommand incoming
      = { "migrate-incoming", _ ("cannot receive the migration"), STASIS_COMMAND_MS, -1 };
  if (out_stays == NULL)
    return run_by (monitor, &incoming, route, arguments_of (route), cancellable, error);

  g_autoptr (GError) local = NULL;
  StasisJson *arguments = arguments_of (route);
  stasis_json_set_boolean (arguments, "exit-on-error", FALSE);
  *out_stays = run_by (monitor, &incoming, route, arguments, cancellable, &local);
  if (*out_stays)
    return TRUE;
  if (is_about (local, "exit-on-error"))
    return run_by (monitor, &incoming, route, arguments_of (route), cancellable, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The same, and QEMU exits where it fails. */
gboolean
stasis_monitor_migrate_incoming (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                                 GError **error)
{
  const StasisMigrationRoute route = { uri, NULL, NULL };
  return stasis_monitor_migrate_incoming_by (monitor, &route, NULL, cancellable, error);
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

/* Break it off. */
gboolean
stasis_monitor_yank (StasisMonitor *monitor, const char *type, GCancellable *cancellable,
                     GError **error)
{
  const StasisCommand yank
      = { "yank", _ ("cannot break off a connection of QEMU"), STASIS_COMMAND_MS, -1 };
  StasisJson *instance = stasis_json_new_object ();
  stasis_json_set_string (instance, "type", type);
  StasisJson *instances = stasis_json_new_array ();
  stasis_json_array_append (instances, instance);
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "instances", instances);
  return stasis_command_run (monitor, &yank, arguments, NULL, cancellable, error);
}
