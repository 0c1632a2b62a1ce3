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
  [STASIS_MIGRATION_POSTCOPY_DEVICE] = "postcopy-device",
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

/* Memory here, and there. */
gboolean
stasis_migration_status_is_postcopy (StasisMigrationStatus status)
{
  return status == STASIS_MIGRATION_POSTCOPY_ACTIVE || status == STASIS_MIGRATION_POSTCOPY_PAUSED
         || status == STASIS_MIGRATION_POSTCOPY_RECOVER_SETUP
         || status == STASIS_MIGRATION_POSTCOPY_RECOVER;
}

/* TRUE once the destination may have begun. */
gboolean
stasis_migration_status_is_shared (StasisMigrationStatus status)
{
  return status == STASIS_MIGRATION_UNKNOWN || status == STASIS_MIGRATION_COLO
         || (status >= STASIS_MIGRATION_POSTCOPY_DEVICE
             && status <= STASIS_MIGRATION_POSTCOPY_RECOVER);
}

/* NULL is fine. */
void
stasis_migration_info_free (StasisMigrationInfo *info)
{
  if (info == NULL)
    return;

  g_free (info->error_desc);
  g_strfreev (info->blocked_reasons);
  g_clear_pointer (&info->listens_at, g_ptr_array_unref);
  g_free (info);
}

static guint64
uint_member (const StasisJson *object, const char *key)
{
  return stasis_json_uint (stasis_json_get (object, key), 0);
}

static double
double_member (const StasisJson *object, const char *key)
{
  return stasis_json_double (stasis_json_get (object, key), 0);
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
  info->ram_precopy_bytes = uint_member (ram, "precopy-bytes");
  info->ram_downtime_bytes = uint_member (ram, "downtime-bytes");
  info->ram_postcopy_bytes = uint_member (ram, "postcopy-bytes");
  info->multifd_bytes = uint_member (ram, "multifd-bytes");
  info->postcopy_requests = uint_member (ram, "postcopy-requests");
  info->dirty_pages_rate = uint_member (ram, "dirty-pages-rate");
  info->dirty_sync_count = uint_member (ram, "dirty-sync-count");
  info->pages_per_second = uint_member (ram, "pages-per-second");
  info->mbps = double_member (ram, "mbps");
}

static void
fill_xbzrle (StasisMigrationInfo *info, const StasisJson *json)
{
  StasisMigrationXbzrle *xbzrle = &info->xbzrle;
  info->has_xbzrle = json != NULL;
  xbzrle->cache_size = uint_member (json, "cache-size");
  xbzrle->bytes = uint_member (json, "bytes");
  xbzrle->pages = uint_member (json, "pages");
  xbzrle->cache_misses = uint_member (json, "cache-miss");
  xbzrle->overflows = uint_member (json, "overflow");
  xbzrle->cache_miss_rate = double_member (json, "cache-miss-rate");
  xbzrle->encoding_rate = double_member (json, "encoding-rate");
}

static void
fill_compression (StasisMigrationInfo *info, const StasisJson *json)
{
  StasisMigrationCompression *compression = &info->compression;
  info->has_compression = json != NULL;
  compression->pages = uint_member (json, "pages");
  compression->busy = uint_member (json, "busy");
  compression->compressed_size = uint_member (json, "compressed-size");
  compression->busy_rate = double_member (json, "busy-rate");
  compression->compression_rate = double_member (json, "compression-rate");
}

/* (transfer full) (nullable): NULL where there is none */
static char **
dup_strings (const StasisJson *list)
{
  if (stasis_json_array_length (list) == 0)
    return NULL;
  g_autoptr (GStrvBuilder) strings = g_strv_builder_new ();
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    g_strv_builder_add (strings, stasis_json_string (stasis_json_array_get (list, i), ""));
  return g_strv_builder_end (strings);
}

/* Those that are of a kind that we know. */
static GPtrArray *
parse_addresses (const StasisJson *list)
{
  GPtrArray *addresses = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_qemu_address_free);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      StasisQemuAddress *address = stasis_qemu_address_from_json (stasis_json_array_get (list, i));
      if (address != NULL)
        g_ptr_array_add (addresses, address);
    }
  return addresses;
}

/* The answer of query-migrate. */
StasisMigrationInfo *
stasis_migration_info_from_json (const StasisJson *reply)
{
  StasisMigrationInfo *info = g_new0 (StasisMigrationInfo, 1);
  const StasisJson *status = stasis_json_get (reply, "status");
  info->status = status != NULL
                     ? stasis_migration_status_from_string (stasis_json_string (status, NULL))
                     : STASIS_MIGRATION_NONE;
  fill_ram (info, stasis_json_get (reply, "ram"));
  fill_xbzrle (info, stasis_json_get (reply, "xbzrle-cache"));
  fill_compression (info, stasis_json_get (reply, "compression"));
  info->total_time_ms = uint_member (reply, "total-time");
  info->setup_time_ms = uint_member (reply, "setup-time");
  info->downtime_ms = uint_member (reply, "downtime");
  info->expected_downtime_ms = uint_member (reply, "expected-downtime");
  info->postcopy_blocktime_ms = uint_member (reply, "postcopy-blocktime");
  info->cpu_throttle = (guint) MIN (uint_member (reply, "cpu-throttle-percentage"), 100);
  info->error_desc = g_strdup (stasis_json_string (stasis_json_get (reply, "error-desc"), NULL));
  info->blocked_reasons = dup_strings (stasis_json_get (reply, "blocked-reasons"));
  info->listens_at = parse_addresses (stasis_json_get (reply, "socket-address"));
  return info;
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
  return stasis_migration_info_from_json (reply);
}
