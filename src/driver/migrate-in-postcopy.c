/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-postcopy.c: a guest that has come, and lacks some of its memory
 *
 * Theory of operation
 *
 * Once QEMU has a guest's devices in postcopy the source's QEMU can let it run no more: who gives
 * up then, at whatever end, has it begin here, for nobody else could have it.  So what would revoke
 * decides for the destination (unless it has been decided already).
 *
 * Whoever waits for the last page may go away, or the connection may break.  Then the domain is one
 * like any other, but for `postcopy` in its status, of which nothing is reset in QEMU; its
 * supervisor does that when QEMU has all of it.
 */

#include "config.h"

#include "driver/migrate-in-postcopy.h"

#include <glib/gi18n-lib.h>

#include "driver/migration-end.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate-info.h"
#include "monitor/commands-run.h"

#define LOAD_US (10 * G_USEC_PER_SEC) /* for the devices, which are on their way */
#define NAP_MS  20

/* *@out_is_postcopy: and *@out_is_loaded: it has what it needs to run. */
static gboolean
look (StasisMonitor *monitor, gboolean *out_is_postcopy, gboolean *out_is_loaded, GError **error)
{
  StasisRunState state;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
  if (info == NULL || !stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  *out_is_postcopy = stasis_migration_status_is_postcopy (info->status);
  *out_is_loaded = state != STASIS_RUN_STATE_INMIGRATE;
  return TRUE;
}

gboolean
stasis_migrate_in_is_last_hope (StasisMonitor *monitor)
{
  const gint64 deadline_us = g_get_monotonic_time () + LOAD_US;
  gboolean is_postcopy = FALSE;
  gboolean is_loaded = FALSE;
  while (look (monitor, &is_postcopy, &is_loaded, NULL) && is_postcopy)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (is_loaded)
        return TRUE;
      if (g_get_monotonic_time () > deadline_us
          || !stasis_monitor_wait_event (monitor, NAP_MS, &event, NULL, NULL))
        break;
    }
  return FALSE;
}

gboolean
stasis_migrate_in_is_postcopy (StasisMonitor *monitor)
{
  gboolean is_postcopy = FALSE;
  gboolean is_loaded = FALSE;
  return look (monitor, &is_postcopy, &is_loaded, NULL) && is_postcopy;
}

gboolean
stasis_migrate_in_lacks_memory (const char *run)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisStatus) status = run != NULL ? stasis_status_read (run, &local) : NULL;
  if (status == NULL)
    return local != NULL && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  const StasisStep step = status->journal.step;
  return status->postcopy != NULL || step == STASIS_STEP_MIGRATE_INCOMING
         || step == STASIS_STEP_MIGRATE_BEGUN;
}

void
stasis_migrate_in_keep_postcopy (StasisStatus *status)
{
  StasisMigrateJournal *migration = stasis_migrate_journal_copy (status->journal.migration);
  stasis_json_unref (migration->parameters);
  migration->parameters = g_steal_pointer (&status->journal.parameters);
  stasis_migrate_journal_free (status->postcopy);
  status->postcopy = migration;
}

/* All of it has come, or QEMU never gets there. */
void
stasis_migrate_in_forget_userfault (StasisMonitor *monitor)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_closefd (monitor, STASIS_MIGRATE_USERFAULT_NAME, NULL, &local))
    g_debug ("%s", local->message); /* it may hold none */
}

gboolean
stasis_migrate_in_end_postcopy (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                                gboolean *out_is_over, GError **error)
{
  gboolean is_postcopy = FALSE;
  gboolean is_loaded = FALSE;
  g_autoptr (GError) local = NULL;
  *out_is_over = FALSE;
  if (!look (monitor, &is_postcopy, &is_loaded, error))
    return FALSE;
  if (is_postcopy)
    return TRUE;
  if (!stasis_migration_reset (monitor, status->postcopy->parameters, &local))
    g_message ("%s", local->message);
  stasis_migrate_in_forget_userfault (monitor);
  g_clear_pointer (&status->postcopy, stasis_migrate_journal_free);
  *out_is_over = TRUE;
  return stasis_status_write (status, folder, error);
}
