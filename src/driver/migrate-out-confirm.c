/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-confirm.c: the end of a migration at its source
 *
 * What is not to go on is undone as recovery would do it for a dead process: by the journal, and a
 * connection of its own, once QEMU has seen the end of ours.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-out-private.h"
#include "driver/migrate-note.h"
#include "driver/migrate-settle.h"
#include "driver/migrate-source.h"
#include "driver/recover.h"
#include "driver/teardown.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

/* QEMU has sent everything away and its disks are closed: there is nothing to wait for. */
static void
end_qemu_at_once (const StasisStatus *status)
{
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, NULL);
  if (pidfd >= 0)
    stasis_process_end (pidfd, /* grace_ms= */ 0);
}

/* For how long it stood still: each host has a clock of its own, so the time that the destination
 * has counted by its clock is taken from what has passed by ours.  What is too much in it is the
 * way of one answer. */
static gint64
find_pause (const StasisMigrateOut *out, const StasisMigrateFinal *final)
{
  if (!out->was_running)
    return -1;
  const gint64 since = g_get_real_time () - out->stopped_us;
  const gint64 there = final->dest_end_us - final->dest_run_us;
  if (out->stopped_us > 0 && final->dest_run_us > 0 && there >= 0 && there <= since)
    return since - there;
  return (gint64) out->downtime_ms * 1000;
}

gboolean
stasis_migrate_out_end_copy (StasisMigrateOut *out, const StasisMigrateFinal *final, GError **error)
{
  StasisStatus *status = out->hold->status;
  g_autoptr (GError) local = NULL;
  if (!stasis_fault ("migrate-out-confirm", error))
    return FALSE;
  if (!stasis_end_reason_write (out->hold->folder, "migrated", &local))
    g_debug ("%s", local->message);
  stasis_job_stats (out->job)->pause_us = find_pause (out, final);
  stasis_job_end (out->job, NULL);
  end_qemu_at_once (status);
  stasis_migrate_source_undefine (status, status->journal.migration);
  out->is_settled = stasis_teardown (status, out->hold->folder, "migrated", error);
  if (out->is_settled)
    {
      stasis_migrate_note_remove (status->journal.migration->note);
      return TRUE;
    }
  g_prefix_error (error, _ ("the guest is at the destination, but: "));
  return FALSE;
}

/* @why: (nullable): what failed; where nothing did, and the guest is here, it was given up. */
static void
end_job (StasisMigrateOut *out, gboolean is_here, const GError *why)
{
  g_autoptr (GError) none = NULL;
  if (out->job == NULL)
    return;
  if (why == NULL && is_here)
    g_set_error_literal (&none, G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("the migration was given up"));
  if (!is_here && out->hold->status->is_transient)
    stasis_job_forget_last (out->job);
  stasis_job_end (out->job, is_here && why != NULL ? why : none);
  g_clear_pointer (&out->job, stasis_job_free);
}

/* QEMU lets the guest run by itself where its migration fails late. */
static void
stop_at_once (const StasisMigrateOut *out)
{
  g_autoptr (GError) local = NULL;
  if (out->hold->status->journal.step == STASIS_STEP_MIGRATE_HANDED && out->monitor != NULL
      && !stasis_monitor_stop (out->monitor, NULL, &local))
    g_debug ("%s", local->message);
}

static gboolean
throw_undecided (const StasisMigrateOut *out, GError **error)
{
  if (out->hold->status->undecided_migration->is_postcopy)
    return stasis_migrate_throw_elsewhere (out->hold->status, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' stays paused: its destination cannot be asked whose the guest is; "
                  "that is tried again, and 'stasis migrate-resolve' decides it by hand"),
               out->name);
  return FALSE;
}

/* Its QEMU has ended: over its end elsewhere, or by itself. */
gboolean
stasis_migrate_out_has_begun_there (const StasisMigrateOut *out)
{
  const StasisStatus *status = out->hold != NULL ? out->hold->status : NULL;
  return status != NULL && status->last != NULL
         && g_strcmp0 (stasis_last_read_reason (status->last, status->id), "migrated") == 0;
}

gboolean
stasis_migrate_out_undo (StasisMigrateOut *out, const GError *why, gboolean *out_is_here,
                         GError **error)
{
  *out_is_here = TRUE;
  if (out->hold == NULL || out->hold->status == NULL)
    return TRUE;
  StasisStatus *status = out->hold->status;
  if (out->job != NULL)
    stasis_job_set_phase (out->job, "roll back");
  stop_at_once (out);
  g_clear_pointer (&out->monitor, stasis_monitor_close);
  const gboolean ok = stasis_recover (out->hold->folder, status, NULL, error);
  *out_is_here = !ok || stasis_process_is_alive (&status->qemu) || why != NULL;
  end_job (out, *out_is_here, why);
  if (ok && status->undecided_migration != NULL)
    return throw_undecided (out, error);
  /* A QEMU that ended by itself may have sent all of it before: the destination is to say so. */
  out->is_settled
      = ok && (stasis_process_is_alive (&status->qemu) || stasis_migrate_out_has_begun_there (out));
  return ok;
}
