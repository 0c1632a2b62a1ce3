/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-wait.c: waiting for QEMU to send a guest, with progress
 *
 * Its events wake us, and in between it is asked.  A guest that stops by itself meanwhile (an error
 * of a disk, its watchdog) is not sent on: at the destination nobody would see why, and QEMU tells
 * it no more once it has come to the end.  Neither is one that has ended: where it powers off, or
 * panics, in the moment in which QEMU pauses it, the run state hides that, and only an event tells.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-unplug.h"
#include "driver/migrate-out-private.h"
#include "driver/migrate-stall.h"
#include "driver/migrate-switch.h"
#include "driver/migration-wait.h"
#include "driver/still.h"
#include "driver/vcpus.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

#define POLL_MS         200
#define EXPECTED_MS_MAX (G_GUINT64_CONSTANT (24) * 3600 * 1000)
#define SYNCS_ONE_PASS  1u /* at the beginning: before the guest has been stopped */

static void
note (StasisMigrateOut *out, const StasisMigrationInfo *info)
{
  StasisJobStats *stats = stasis_job_stats (out->job);
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
  stats->dirty_per_second = info->dirty_pages_rate * info->ram_page_size;
  stats->passes = info->dirty_sync_count;
  stats->throttle = info->cpu_throttle;
  stats->expected_pause_us = info->status == STASIS_MIGRATION_ACTIVE
                                 ? (gint64) MIN (info->expected_downtime_ms, EXPECTED_MS_MAX) * 1000
                                 : -1;
  out->downtime_ms = info->downtime_ms;
  out->is_postcopy = stasis_migration_status_is_postcopy (info->status);
  stasis_job_update (out->job);
}

static gboolean
throw_end (const StasisMigrationInfo *info, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("QEMU: migration %1$s: %2$s"),
               stasis_migration_status_to_string (info->status),
               info->error_desc != NULL ? info->error_desc : _ ("no reason given"));
  return FALSE;
}

/* What an event says that the guest has come to, or UNKNOWN. */
static StasisRunState
announced (const StasisMonitorEvent *event)
{
  const char *action = stasis_json_string (stasis_json_get (event->data, "action"), "");
  if (g_str_equal (event->name, "SHUTDOWN"))
    return STASIS_RUN_STATE_SHUTDOWN;
  if (g_str_equal (event->name, "GUEST_PANICKED") && !g_str_equal (action, "run"))
    return STASIS_RUN_STATE_GUEST_PANICKED;
  return stasis_migration_announced_trouble (event);
}

static gboolean
throw_trouble (const StasisMigrateOut *out, StasisRunState state, GError **error)
{
  if (!stasis_run_state_is_trouble (state) && !stasis_run_state_is_end (state))
    return TRUE;
  /* Nobody but people lets it run again. */
  out->hold->status->journal.was_running = FALSE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the guest of domain '%1$s' stopped by itself (%2$s) while it was migrated"),
               out->name, stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
look_at_event (StasisMigrateOut *out, const StasisMonitorEvent *event, GError **error)
{
  if (!throw_trouble (out, announced (event), error))
    return FALSE;
  if (!g_str_equal (event->name, "STOP"))
    return TRUE;
  out->stopped_us = event->timestamp_us > 0 ? event->timestamp_us : g_get_real_time ();
  StasisRunState state;
  return stasis_monitor_query_status (out->monitor, &state, NULL, error)
         && throw_trouble (out, state, error);
}

static gboolean
look_at_queued (StasisMigrateOut *out, GError **error)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (out->monitor, 0, &event, NULL, error))
        return FALSE;
      if (event == NULL)
        return TRUE;
      if (!look_at_event (out, event, error))
        return FALSE;
    }
}

gboolean
stasis_migrate_out_doze (StasisMigrateOut *out, GError **error)
{
  g_autoptr (StasisMonitorEvent) event = NULL;
  return stasis_monitor_wait_event (out->monitor, POLL_MS, &event,
                                    stasis_job_cancellable (out->job), error)
         && (event == NULL || look_at_event (out, event, error))
         && stasis_job_check (out->job, error);
}

/* What ends waiting.  In postcopy it is the destination's business how it goes on. */
static gboolean
is_there (StasisMigrationStatus now, StasisMigrationStatus wanted)
{
  return now == wanted || now == STASIS_MIGRATION_COMPLETED
         || (wanted == STASIS_MIGRATION_POSTCOPY_ACTIVE && now == STASIS_MIGRATION_POSTCOPY_PAUSED);
}

/* To postcopy, once; as if somebody had asked for it. */
static gboolean
switch_if_due (StasisMigrateOut *out, const StasisMigrationInfo *info, GError **error)
{
  const gboolean is_passed
      = out->postcopy_passes != 0 && info->dirty_sync_count > out->postcopy_passes;
  const gboolean is_late
      = out->postcopy_at_us != 0 && g_get_monotonic_time () >= out->postcopy_at_us;
  if (info->status != STASIS_MIGRATION_ACTIVE || (!is_passed && !is_late))
    return TRUE;
  out->postcopy_passes = 0;
  out->postcopy_at_us = 0;
  return stasis_migrate_switch (out->monitor, NULL, error);
}

gboolean
stasis_migrate_out_wait (StasisMigrateOut *out, StasisMigrationStatus status,
                         GCancellable *cancellable, GError **error)
{
  StasisMigrateStall stall;
  gint64 due_us = 0;
  stasis_migrate_stall_begin (&stall, out->driver->host->migrate_stall, g_get_monotonic_time ());
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (out->monitor, POLL_MS, &event, cancellable, error)
          || (event != NULL && !look_at_event (out, event, error)))
        return FALSE;
      /* Each pass over the memory has an event, and there may be many in a second. */
      if (event != NULL && !g_str_equal (event->name, "MIGRATION")
          && g_get_monotonic_time () < due_us)
        continue;
      due_us = g_get_monotonic_time () + POLL_MS * 1000;
      g_autoptr (StasisMigrationInfo) info
          = stasis_monitor_query_migrate (out->monitor, cancellable, error);
      if (info == NULL)
        return FALSE;
      note (out, info);
      if (!stasis_migrate_out_look_at_disks (out, error))
        return FALSE;
      if (is_there (info->status, status))
        return look_at_queued (out, error);
      if (!switch_if_due (out, info, error))
        return FALSE;
      if (stasis_migration_status_is_final (info->status))
        return throw_end (info, error);
      /* Before, the guest runs, or somebody can abort it. */
      if (status != STASIS_MIGRATION_PRE_SWITCHOVER
          && !stasis_migrate_stall_look (&stall, info, g_get_monotonic_time (), error))
        return FALSE;
    }
}

/* Its announcement may have been held back (QEMU 10.0 makes one in a second). */
static gboolean
check_disks (StasisMigrateOut *out, GError **error)
{
  gboolean have_failed = FALSE;
  return !out->hold->status->journal.are_disks_fine
         || (stasis_still_query_disks (out->monitor, &have_failed, error)
             && (!have_failed || throw_trouble (out, STASIS_RUN_STATE_IO_ERROR, error)));
}

static gboolean
check_devices (const StasisMigrateOut *out, GError **error)
{
  g_autoptr (StasisDomainDef) now = NULL;
  if (!stasis_vcpus_check_boot (out->def, out->monitor, NULL, error)
      || !stasis_device_unplug_compare (out->monitor, out->def, &now, error))
    return FALSE;
  if (now == NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the guest of domain '%s' released a device while it was migrated: try again"),
               out->name);
  return FALSE;
}

/* Somebody may have given it another downtime limit meanwhile. */
static gboolean
check_passes (const StasisMigrateOut *out, GError **error)
{
  if (!out->is_one_pass)
    return TRUE;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (out->monitor, NULL, error);
  if (info == NULL)
    return FALSE;
  if (info->dirty_sync_count <= SYNCS_ONE_PASS || !out->was_running)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("QEMU went over the memory %1$" G_GUINT64_FORMAT
                  " times while the guest ran, and may have missed what it wrote: its downtime "
                  "limit was changed meanwhile"),
               info->dirty_sync_count);
  return FALSE;
}

gboolean
stasis_migrate_out_check_guest (StasisMigrateOut *out, GError **error)
{
  StasisRunState state;
  return stasis_monitor_query_status (out->monitor, &state, NULL, error)
         && throw_trouble (out, state, error) && check_disks (out, error)
         && check_devices (out, error) && check_passes (out, error)
         && look_at_queued (out, error); /* what came while QEMU answered all that */
}
