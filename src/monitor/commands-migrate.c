/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate.c: start, watch and cancel QEMU's migration
 */

#include "config.h"

#include "monitor/commands-migrate.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

static const char *const status_names[] = {
  [STASIS_MIGRATION_UNKNOWN] = "unknown",
  [STASIS_MIGRATION_NONE] = "none",
  [STASIS_MIGRATION_SETUP] = "setup",
  [STASIS_MIGRATION_CANCELLING] = "cancelling",
  [STASIS_MIGRATION_CANCELLED] = "cancelled",
  [STASIS_MIGRATION_ACTIVE] = "active",
  [STASIS_MIGRATION_POSTCOPY_ACTIVE] = "postcopy-active",
  [STASIS_MIGRATION_POSTCOPY_PAUSED] = "postcopy-paused",
  [STASIS_MIGRATION_POSTCOPY_RECOVER_SETUP] = "postcopy-recover-setup",
  [STASIS_MIGRATION_POSTCOPY_RECOVER] = "postcopy-recover",
  [STASIS_MIGRATION_COMPLETED] = "completed",
  [STASIS_MIGRATION_FAILED] = "failed",
  [STASIS_MIGRATION_COLO] = "colo",
  [STASIS_MIGRATION_PRE_SWITCHOVER] = "pre-switchover",
  [STASIS_MIGRATION_DEVICE] = "device",
  [STASIS_MIGRATION_WAIT_UNPLUG] = "wait-unplug",
};

/* QEMU's name of a migration status. */
const char *
stasis_migration_status_to_string (StasisMigrationStatus status)
{
  return (guint) status < G_N_ELEMENTS (status_names) ? status_names[status] : "unknown";
}

/* The status of that name, or STASIS_MIGRATION_UNKNOWN. */
StasisMigrationStatus
stasis_migration_status_from_string (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (status_names); i++)
    if (g_strcmp0 (name, status_names[i]) == 0)
      return (StasisMigrationStatus) i;
  return STASIS_MIGRATION_UNKNOWN;
}

/* TRUE where nothing more will happen. */
gboolean
stasis_migration_status_is_final (StasisMigrationStatus status)
{
  return status == STASIS_MIGRATION_COMPLETED || status == STASIS_MIGRATION_FAILED
         || status == STASIS_MIGRATION_CANCELLED;
}

/* NULL is fine. */
void
stasis_migration_info_free (StasisMigrationInfo *info)
{
  if (info == NULL)
    return;

  g_free (info->error_desc);
  g_free (info);
}

/* Switch capabilities on and off. */
gboolean
stasis_monitor_migrate_set_capabilities (StasisMonitor *monitor,
                                         const StasisMigrationCapability *capabilities,
                                         guint n_capabilities, GCancellable *cancellable,
                                         GError **error)
{
  const StasisCommand set = { "migrate-set-capabilities", _ ("cannot set migration capabilities"),
                              STASIS_COMMAND_MS, -1 };
  StasisJson *list = stasis_json_new_array ();
  for (guint i = 0; i < n_capabilities; i++)
    {
      StasisJson *capability = stasis_json_new_object ();
      stasis_json_set_string (capability, "capability", capabilities[i].name);
      stasis_json_set_boolean (capability, "state", capabilities[i].is_on);
      stasis_json_array_append (list, capability);
    }
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "capabilities", list);
  return stasis_command_run (monitor, &set, arguments, NULL, cancellable, error);
}

/* What this QEMU can do, and what of it is on. */
GHashTable *
stasis_monitor_query_migrate_capabilities (StasisMonitor *monitor, GCancellable *cancellable,
                                           GError **error)
{
  const char *command = "query-migrate-capabilities";
  const char *context = _ ("cannot ask for migration capabilities");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  if (list == NULL)
    return NULL;

  g_autoptr (GHashTable) capabilities
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *item = stasis_json_array_get (list, i);
      const char *name = NULL;
      gboolean is_on = FALSE;
      g_autoptr (GError) fault = NULL;
      if (!stasis_json_need_string (item, "capability", &name, &fault)
          || !stasis_json_need_boolean (item, "state", &is_on, &fault))
        {
          stasis_command_throw_reply (command, context, fault, error);
          return NULL;
        }
      g_hash_table_replace (capabilities, g_strdup (name), GINT_TO_POINTER (is_on));
    }
  return g_steal_pointer (&capabilities);
}

/* Set parameters by QMP's names. */
gboolean
stasis_monitor_migrate_set_parameters (StasisMonitor *monitor, StasisJson *parameters_take,
                                       GCancellable *cancellable, GError **error)
{
  const StasisCommand set
      = { "migrate-set-parameters", _ ("cannot set migration parameters"), STASIS_COMMAND_MS, -1 };
  return stasis_command_run (monitor, &set, parameters_take, NULL, cancellable, error);
}

/* The parameters by QMP's names. */
StasisJson *
stasis_monitor_query_migrate_parameters (StasisMonitor *monitor, GCancellable *cancellable,
                                         GError **error)
{
  const StasisCommand query = { "query-migrate-parameters",
                                _ ("cannot ask for migration parameters"), STASIS_COMMAND_MS, -1 };
  StasisJson *parameters = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &parameters, cancellable, error))
    return NULL;
  return parameters;
}

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

static guint64
uint_member (const StasisJson *object, const char *key)
{
  return stasis_json_uint (stasis_json_get (object, key), 0);
}

static void
fill_ram (StasisMigrationInfo *info, const StasisJson *ram)
{
  info->ram_transferred = uint_member (ram, "transferred");
  info->ram_remaining = uint_member (ram, "remaining");
  info->ram_total = uint_member (ram, "total");
  info->ram_normal = uint_member (ram, "normal");
  info->ram_normal_bytes = uint_member (ram, "normal-bytes");
  info->ram_duplicate = uint_member (ram, "duplicate");
  info->ram_page_size = uint_member (ram, "page-size");
  info->dirty_pages_rate = uint_member (ram, "dirty-pages-rate");
  info->dirty_sync_count = uint_member (ram, "dirty-sync-count");
  info->pages_per_second = uint_member (ram, "pages-per-second");
  info->mbps = stasis_json_double (stasis_json_get (ram, "mbps"), 0);
}

/* How the migration goes.  Without one QEMU answers with an empty object. */
StasisMigrationInfo *
stasis_monitor_query_migrate (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const StasisCommand query
      = { "query-migrate", _ ("cannot ask how the migration goes"), STASIS_COMMAND_MS, -1 };
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &query, NULL, &reply, cancellable, error))
    return NULL;

  StasisMigrationInfo *info = g_new0 (StasisMigrationInfo, 1);
  info->status = stasis_migration_status_from_string (
      stasis_json_string (stasis_json_get (reply, "status"), "none"));
  fill_ram (info, stasis_json_get (reply, "ram"));
  info->total_time_ms = uint_member (reply, "total-time");
  info->setup_time_ms = uint_member (reply, "setup-time");
  info->downtime_ms = uint_member (reply, "downtime");
  info->expected_downtime_ms = uint_member (reply, "expected-downtime");
  info->error_desc = g_strdup (stasis_json_string (stasis_json_get (reply, "error-desc"), NULL));
  return info;
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
