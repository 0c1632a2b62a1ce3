/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-wait.c: waiting for QEMU's migration, with progress
 */

#include "config.h"

#include "driver/migration-wait.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/still.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

#define POLL_MS 200

static void
note (StasisJob *job, const StasisMigrationInfo *info)
{
  StasisJobStats *stats = stasis_job_stats (job);
  if (info->ram_total > 0)
    {
      stats->bytes_total = info->ram_total;
      stats->bytes_remaining = info->ram_remaining;
      stats->bytes_processed = info->ram_total - MIN (info->ram_remaining, info->ram_total);
    }
  stats->bytes_written = info->ram_transferred;
  stats->pages_normal = info->ram_normal;
  stats->pages_zero = info->ram_duplicate;
  stats->page_size = info->ram_page_size;
  stasis_job_update (job);
}

/* Stop a guest that changes its memory faster than it is sent; once. */
static gboolean
limit (StasisMonitor *monitor, const StasisMigrationInfo *info, guint *passes_max, GError **error)
{
  if (*passes_max == 0 || info->dirty_sync_count <= *passes_max
      || stasis_migration_status_is_final (info->status))
    return TRUE;
  *passes_max = 0;
  return stasis_monitor_stop (monitor, NULL, error);
}

/* TRUE where it goes on or has completed, FALSE where it failed. */
static gboolean
look (StasisMonitor *monitor, StasisJob *job, guint *passes_max, StasisMigrationStatus *out_status,
      GError **error)
{
  g_autoptr (StasisMigrationInfo) info
      = stasis_monitor_query_migrate (monitor, stasis_job_cancellable (job), error);
  if (info == NULL)
    return FALSE;

  note (job, info);
  *out_status = info->status;
  if (!stasis_migration_status_is_final (info->status)
      || info->status == STASIS_MIGRATION_COMPLETED)
    return limit (monitor, info, passes_max, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("QEMU: migration %1$s: %2$s"),
               stasis_migration_status_to_string (info->status),
               info->error_desc != NULL ? info->error_desc : _ ("no reason given"));
  return FALSE;
}

/* What QEMU says of it before the guest stands still. */
StasisRunState
stasis_migration_announced_trouble (const StasisMonitorEvent *event)
{
  const char *action = stasis_json_string (stasis_json_get (event->data, "action"), "");
  if (g_str_equal (event->name, "BLOCK_IO_ERROR") && g_str_equal (action, "stop"))
    return STASIS_RUN_STATE_IO_ERROR;
  if (g_str_equal (event->name, "WATCHDOG") && g_str_equal (action, "pause"))
    return STASIS_RUN_STATE_WATCHDOG;
  return STASIS_RUN_STATE_UNKNOWN;
}

/* Whether the guest of a migration that is live was stopped by itself: that event has one reason or
 * the other, which QEMU tells until the migration is complete. */
static gboolean
check_stop (StasisMonitor *monitor, gboolean is_live, const StasisMonitorEvent *event,
            GError **error)
{
  if (!is_live)
    return TRUE;
  if (!stasis_still_check_trouble (stasis_migration_announced_trouble (event), error))
    return FALSE;
  if (!g_str_equal (event->name, "STOP"))
    return TRUE;
  StasisRunState state;
  return stasis_monitor_query_status (monitor, &state, NULL, error)
         && stasis_still_check_trouble (state, error);
}

/* The same of all that came before QEMU said that it has completed. */
static gboolean
check_queued (StasisMonitor *monitor, gboolean is_live, GError **error)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, 0, &event, NULL, error))
        return FALSE;
      if (event == NULL)
        return TRUE;
      if (!check_stop (monitor, is_live, event, error))
        return FALSE;
    }
}

/* Its events wake us; in between we look for progress. */
gboolean
stasis_migration_wait_for (StasisMonitor *monitor, StasisJob *job, StasisMigrationStatus status,
                           guint passes_max, GError **error)
{
  const gboolean is_live = passes_max > 0;
  gint64 due_us = 0;
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, POLL_MS, &event, stasis_job_cancellable (job),
                                      error))
        return FALSE;
      if (event != NULL && !check_stop (monitor, is_live, event, error))
        return FALSE;
      /* Each pass over the memory has an event, and there may be many in a second. */
      if (event != NULL && !g_str_equal (event->name, "MIGRATION")
          && g_get_monotonic_time () < due_us)
        continue;
      due_us = g_get_monotonic_time () + POLL_MS * 1000;

      StasisMigrationStatus now = STASIS_MIGRATION_NONE;
      if (!look (monitor, job, &passes_max, &now, error))
        return FALSE;
      if (now == status || now == STASIS_MIGRATION_COMPLETED)
        return check_queued (monitor, is_live, error);
    }
}

/* Until it has ended. */
gboolean
stasis_migration_wait (StasisMonitor *monitor, StasisJob *job, guint passes_max, GError **error)
{
  return stasis_migration_wait_for (monitor, job, STASIS_MIGRATION_COMPLETED, passes_max, error);
}
