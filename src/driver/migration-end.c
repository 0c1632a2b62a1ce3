/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-end.c: ending an outgoing migration that nobody wants any more
 *
 * Theory of operation
 *
 * A final status is not the end: QEMU sets it from the migration's own thread, and clears up later,
 * in its main loop (migrate_fd_cleanup in migration/migration.c).  What it clears up it takes from
 * the capabilities of that time: without `multifd` the threads and buffers of multifd stay, and the
 * next migration that wants them ends QEMU with an assertion (10.0:
 * multifd_device_state_send_setup), and the guest with it.  No status tells, but the list of what
 * may be yanked does: the migration is the last that is taken from it (QEMU 6.0 and later).
 *
 * Parameters outlive a migration too, and whoever migrates next would go by them: those that we
 * change are noted before, in the journal where we may die, and set back with the capabilities.
 */

#include "config.h"

#include "driver/migration-end.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migration-quiet.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-tls.h"

#define MIGRATION_MS   20000 /* a write to a slow disk has to return before it ends */
#define MIGRATION_NAP  20    /* ms between two looks */
#define CLEANUP_NAP_US 500

static gboolean
is_active (StasisMigrationStatus status)
{
  return status != STASIS_MIGRATION_NONE && status != STASIS_MIGRATION_UNKNOWN
         && !stasis_migration_status_is_final (status);
}

/* Ours would be mixed up with it, or end it. */
gboolean
stasis_migration_check_none (StasisMonitor *monitor, const char *name, GCancellable *cancellable,
                             GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, cancellable, error);
  if (info == NULL)
    return FALSE;
  if (!is_active (info->status))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("QEMU is migrating domain '%1$s' already (%2$s), on somebody else's command"),
               name, stasis_migration_status_to_string (info->status));
  return FALSE;
}

/* Until QEMU has cleared up. */
static gboolean
await_cleanup (StasisMonitor *monitor, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + MIGRATION_MS * 1000;
  while (g_get_monotonic_time () < deadline)
    {
      gboolean is_held = FALSE;
      if (!stasis_monitor_query_yank (monitor, "migration", &is_held, NULL, error))
        return FALSE;
      if (!is_held)
        return TRUE;
      g_usleep (CLEANUP_NAP_US);
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                       _ ("QEMU does not let go of its migration"));
  return FALSE;
}

/* End it, and wait for that. */
gboolean
stasis_migration_end (StasisMonitor *monitor, pid_t qemu, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + MIGRATION_MS * 1000;
  gboolean is_cancelled = FALSE;
  for (;;)
    {
      g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
      if (info == NULL)
        return FALSE;
      if (!is_active (info->status))
        return TRUE;
      if (!is_cancelled)
        {
          if (stasis_migration_status_is_shared (info->status))
            return stasis_monitor_migrate_cancel (monitor, NULL, error);
          stasis_migration_quiet (monitor, qemu);
          if (!stasis_monitor_migrate_cancel (monitor, NULL, error))
            return FALSE;
        }
      is_cancelled = TRUE;

      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, MIGRATION_NAP, &event, NULL, error))
        return FALSE;
      if (g_get_monotonic_time () > deadline)
        break;
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                       _ ("QEMU does not end its migration"));
  return FALSE;
}

static const char *const numbers[] = {
  "max-bandwidth",        "downtime-limit",
  "multifd-channels",     "avail-switchover-bandwidth",
  "compress-level",       "compress-threads",
  "decompress-threads",   "cpu-throttle-increment",
  "cpu-throttle-initial", "max-postcopy-bandwidth",
  "multifd-zlib-level",   "multifd-zstd-level",
  "xbzrle-cache-size",
};
static const char *const words[] = { "multifd-compression", "tls-hostname" };

static void
pick (StasisJson *picked, const StasisJson *all, const char *name, StasisJsonKind kind)
{
  const StasisJson *value = stasis_json_get (all, name);
  if (value != NULL && stasis_json_kind (value) == kind)
    stasis_json_set (picked, name, stasis_json_ref ((StasisJson *) value));
}

/* Only what we know: it may come from a file. */
StasisJson *
stasis_migration_pick_parameters (const StasisJson *all)
{
  StasisJson *picked = stasis_json_new_object ();
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    pick (picked, all, numbers[i], STASIS_JSON_INTEGER);
  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    pick (picked, all, words[i], STASIS_JSON_STRING);
  return picked;
}

/* (transfer full): those of @former that are others now. */
static StasisJson *
find_changed (const StasisJson *former, const StasisJson *now)
{
  g_autoptr (StasisJson) picked = stasis_migration_pick_parameters (former);
  StasisJson *changed = stasis_json_new_object ();
  for (guint i = 0; i < stasis_json_object_size (picked); i++)
    {
      const char *name = stasis_json_object_key (picked, i);
      const StasisJson *value = stasis_json_object_value (picked, i);
      const StasisJson *other = stasis_json_get (now, name);
      if (other == NULL
          || (stasis_json_int (value, 0) == stasis_json_int (other, 0)
              && g_strcmp0 (stasis_json_string (value, ""), stasis_json_string (other, "")) == 0))
        continue;
      stasis_json_set (changed, name, stasis_json_ref ((StasisJson *) value));
    }
  return changed;
}

/* Before we change them. */
StasisJson *
stasis_migration_note_parameters (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) now
      = stasis_monitor_query_migrate_parameters (monitor, cancellable, error);
  return now != NULL ? stasis_migration_pick_parameters (now) : NULL;
}

/* Before the capabilities: direct I/O without multifd is refused. */
static gboolean
reset_parameters (StasisMonitor *monitor, const StasisJson *former, GError **error)
{
  g_autoptr (StasisJson) now = stasis_monitor_query_migrate_parameters (monitor, NULL, error);
  if (now == NULL)
    return FALSE;
  g_autoptr (StasisJson) parameters = find_changed (former, now);
  if (stasis_json_boolean (stasis_json_get (now, "direct-io"), FALSE))
    stasis_json_set_boolean (parameters, "direct-io", FALSE);
  const gboolean is_tls = g_strcmp0 (stasis_json_string (stasis_json_get (now, "tls-creds"), NULL),
                                     STASIS_TLS_MIGRATION)
                          == 0;
  if (is_tls)
    {
      stasis_json_set_string (parameters, "tls-creds", "");
      if (stasis_json_get (parameters, "tls-hostname") == NULL)
        stasis_json_set_string (parameters, "tls-hostname", "");
    }
  if (stasis_json_object_size (parameters) > 0
      && !stasis_monitor_migrate_set_parameters (monitor, g_steal_pointer (&parameters), NULL,
                                                 error))
    return FALSE;
  return !is_tls || stasis_monitor_object_del (monitor, STASIS_TLS_MIGRATION, NULL, error);
}

/* Every migration capability off, direct-io off, other parameters as they were. */
gboolean
stasis_migration_reset (StasisMonitor *monitor, const StasisJson *former, GError **error)
{
  if (!await_cleanup (monitor, error))
    return FALSE;
  g_autoptr (GHashTable) offers = stasis_monitor_query_migrate_capabilities (monitor, NULL, error);
  if (offers == NULL)
    return FALSE;

  g_autoptr (GArray) off = g_array_new (FALSE, FALSE, sizeof (StasisMigrationCapability));
  GHashTableIter iter;
  gpointer name;
  gpointer is_on;
  g_hash_table_iter_init (&iter, offers);
  while (g_hash_table_iter_next (&iter, &name, &is_on))
    if (GPOINTER_TO_INT (is_on))
      {
        const StasisMigrationCapability one = { name, FALSE };
        g_array_append_val (off, one);
      }

  if (!reset_parameters (monitor, former, error))
    return FALSE;
  return off->len == 0
         || stasis_monitor_migrate_set_capabilities (
             monitor, (const StasisMigrationCapability *) off->data, off->len, NULL, error);
}
