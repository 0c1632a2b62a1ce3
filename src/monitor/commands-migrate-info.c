/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-info.c: how QEMU's migration goes
 */

#include "config.h"

#include "monitor/commands-migrate-info.h"

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
