/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-finish.c: a guest that has come begins here
 *
 * Theory of operation
 *
 * The source has said that all of the guest has left it, and QEMU here that it has all of it.  Then
 * it is decided, for good (migrate-verdict.c), and from that moment nothing may fail any more that
 * would cost the guest: what does is told, and the guest is ours all the same.  Everything that
 * need not be before the guest runs comes after.
 */

#include "config.h"

#include "driver/migrate-in-private.h"
#include "driver/migrate-note.h"

#include <glib/gi18n-lib.h>

#include "driver/job-stats-json.h"
#include "driver/late-options.h"
#include "driver/migrate-persist.h"
#include "driver/migration-end.h"
#include "driver/recover.h"
#include "driver/start.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-migrate.h"
#include "util/fault.h"

#define LOAD_US (G_GINT64_CONSTANT (120) * G_USEC_PER_SEC)
#define LOOK_MS 100

/* From Perform: it is the statement that the source's QEMU has no more to send before the guest may
 * run here. */
static StasisMigrateCookie *
read_cookie (const StasisMigrateIn *in, GBytes *octets, GError **error)
{
  gsize size = 0;
  const void *data = octets != NULL ? g_bytes_get_data (octets, &size) : NULL;
  g_autoptr (StasisMigrateCookie) cookie
      = size > 0 ? stasis_migrate_cookie_parse (data, size, error) : NULL;
  if (size > 0 && (cookie == NULL || !stasis_migrate_cookie_check_token (cookie, in->token, error)))
    return NULL;
  if (cookie != NULL && cookie->final != NULL)
    return g_steal_pointer (&cookie);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("the source of the migration of domain '%s' has not said that all of it is sent"),
               in->name);
  return NULL;
}

/* Until QEMU has all that the guest needs to run. */
static gboolean
await_loaded (StasisMigrateIn *in, gboolean *out_is_postcopy, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + LOAD_US;
  gboolean is_loaded = FALSE;
  stasis_job_set_phase (in->job, "finish");
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_migrate_in_look (in, &is_loaded, out_is_postcopy, error))
        return FALSE;
      if (is_loaded)
        return TRUE;
      if (g_get_monotonic_time () > deadline_us)
        break;
      if (!stasis_monitor_wait_event (in->monitor, LOOK_MS, &event,
                                      stasis_job_cancellable (in->job), error))
        return FALSE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("domain '%1$s' was sent, and QEMU has not got all of it after %2$d s"), in->name,
               (int) (LOAD_US / G_USEC_PER_SEC));
  return FALSE;
}

/* A guest that cannot have its disks is better off at its source; later it would be here, and not
 * run.  QEMU before 10.0 takes them with `cont`; for a guest that stays paused it was told to take
 * them earlier. */
static gboolean
take_disks (StasisMigrateIn *in, gboolean runs, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_monitor_can_activate_disks (in->monitor))
    {
      if (stasis_monitor_activate_disks (in->monitor, stasis_job_cancellable (in->job), &local))
        return TRUE;
      g_propagate_prefixed_error (error, g_steal_pointer (&local), _ ("domain '%s': "), in->name);
      return FALSE;
    }
  if (runs || in->has_disks_early)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("domain '%1$s' is to be paused here, and was prepared to run: with '%2$s' that "
                  "has to be said when it is prepared"),
               in->name, in->def->emulator);
  return FALSE;
}

/* For whoever recovers from our death. */
static gboolean
note_run (StasisMigrateIn *in, gboolean runs, GError **error)
{
  StasisJournal *journal = &in->hold->status->journal;
  if (journal->was_running == runs)
    return TRUE;
  journal->was_running = runs;
  return stasis_hold_write (in->hold, error);
}

static gboolean
decide (StasisMigrateIn *in, GError **error)
{
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  in->may_have_begun = TRUE;
  if (!stasis_migrate_verdict_decide (in->verdicts, in->token, STASIS_VERDICT_BEGUN, in->name,
                                      in->uuid, &holds, error))
    return FALSE;
  if (holds == STASIS_VERDICT_BEGUN)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               _ ("the source of the migration of domain '%s' has kept it"), in->name);
  return FALSE;
}

/* What has ended is recovered as well. */
static gboolean
check_alive (const StasisHold *hold, GError **error)
{
  const StasisStatus *status = hold->status;
  if (stasis_process_is_alive (&status->qemu))
    return TRUE;
  g_propagate_error (error, stasis_monitor_ended (status->log, status->log_start));
  return FALSE;
}

/* A fault from here on is a process that dies. */
static gboolean
let_run (StasisMigrateIn *in, gboolean runs, GError **error)
{
  g_autoptr (GError) local = NULL;
  in->hold->status->journal.step = STASIS_STEP_MIGRATE_BEGUN;
  stasis_fault ("migrate-in-decided", NULL);
  if (!stasis_hold_write (in->hold, &local))
    g_warning ("%s", local->message); /* the verdict is written, which says the same */
  stasis_fault ("migrate-in-begun", NULL);
  if (runs
      && (!stasis_start_let_run (in->hold, in->monitor, error) || !check_alive (in->hold, error)))
    {
      g_prefix_error (error, _ ("domain '%s' has come here, and does not run: "), in->name);
      return FALSE;
    }
  stasis_fault ("migrate-in-running", NULL);
  return TRUE;
}

static gboolean
check_connected (const StasisMigrateIn *in, GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (in->monitor, NULL, error);
  if (info == NULL)
    return FALSE;
  if (info->status != STASIS_MIGRATION_POSTCOPY_PAUSED)
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_QEMU,
      _ ("domain '%s' runs here, and lacks memory that is at its source: the connection is "
         "broken; 'migrate --postcopy --postcopy-resume' at the source goes on"),
      in->name);
  return FALSE;
}

/* Another connection is to come, and QEMU takes the old one for alive. */
static void
break_off (StasisMigrateIn *in)
{
  g_autoptr (GError) local = NULL;
  if (g_atomic_int_compare_and_exchange (&in->is_broken, TRUE, FALSE)
      && !stasis_monitor_migrate_pause (in->monitor, NULL, &local))
    g_debug ("%s", local->message); /* it may have seen it, or have all of it, by now */
}

/* The pages that are still at the source. */
static gboolean
await_rest (StasisMigrateIn *in, GError **error)
{
  gboolean is_loaded = TRUE;
  gboolean is_postcopy = TRUE;
  stasis_job_set_phase (in->job, "postcopy");
  while (is_postcopy)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      break_off (in);
      if (!stasis_migrate_in_look (in, &is_loaded, &is_postcopy, error)
          || !check_connected (in, error))
        return FALSE;
      if (is_postcopy
          && !stasis_monitor_wait_event (in->monitor, LOOK_MS, &event,
                                         stasis_job_cancellable (in->job), error))
        return FALSE;
    }
  return TRUE;
}

/* Of a QEMU that is there: what was set up in it for the migration. */
static void
clear_qemu (StasisMigrateIn *in)
{
  g_autoptr (GError) local = NULL;
  const gboolean is_postcopy = (in->flags & STASIS_MIGRATE_POSTCOPY) != 0;
  const gboolean lacks_memory = is_postcopy && stasis_migrate_in_is_postcopy (in->monitor);
  if (lacks_memory)
    stasis_migrate_in_keep_postcopy (in->hold->status);
  else if (!stasis_migration_reset (in->monitor, in->parameters, &local))
    g_message ("%s", local->message);
  if (is_postcopy && !lacks_memory)
    stasis_migrate_in_forget_userfault (in->monitor);
  stasis_journal_clear (&in->hold->status->journal);
}

/* Once the guest goes on: it is a domain like any other.  Where its QEMU has ended already, its
 * definition is here all the same; the journal stays, for whoever clears up.
 * @note: (nullable): of its former leaving, from a journal that recovery may have cleared */
static gboolean
settle (StasisMigrateIn *in, const char *note, GError **error)
{
  StasisStatus *status = in->hold->status;
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisControl) control = NULL;
  const gboolean is_persistent = stasis_migrate_persist_apply (in->hold->folder, status, error);
  stasis_migrate_note_remove (note); /* it has come back */
  if (!stasis_monitor_is_closed (in->monitor))
    clear_qemu (in);
  if (stasis_hold_write (in->hold, &local))
    control = stasis_control_open (in->hold->folder, &local);
  if (control == NULL || !stasis_control_sync (control, &local))
    g_debug ("%s", local->message);
  return is_persistent;
}

/* How long it stood still, by what each of the hosts has measured by itself. */
static void
note_pause (StasisMigrateIn *in, const StasisMigrateFinal *sent, gint64 heard_us, gint64 run_us)
{
  StasisJobStats *stats = stasis_job_stats (in->job);
  const gboolean is_known
      = run_us != 0 && sent->source_run_us > 0 && sent->source_end_us >= sent->source_run_us;
  stats->pause_us = is_known ? run_us - heard_us + (sent->source_end_us - sent->source_run_us) : -1;
}

static GBytes *
make_cookie (StasisMigrateIn *in, const StasisMigrateFinal *sent, gint64 run_us)
{
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_new (in->token);
  g_autoptr (GError) error = NULL;
  StasisMigrateFinal *final = stasis_migrate_cookie_add_final (cookie);
  final->has_begun = TRUE;
  final->source_run_us = sent->source_run_us;
  final->source_end_us = sent->source_end_us;
  final->dest_run_us = run_us;
  final->stats = stasis_job_stats_to_json (stasis_job_stats (in->job));
  final->dest_end_us = g_get_real_time ();
  GBytes *octets = stasis_migrate_cookie_format (cookie, NULL, &error);
  if (octets == NULL)
    g_warning ("%s", error->message); /* the source asks at the door */
  return octets;
}

/* It is ours.  FALSE where something of it has not come out as it should. */
static gboolean
go_on (StasisMigrateIn *in, gboolean runs, gboolean is_postcopy, const StasisMigrateFinal *sent,
       gint64 heard_us, GBytes **out_cookie, GError **error)
{
  in->is_over = TRUE;
  g_autofree char *note = g_strdup (in->hold->status->journal.migration->note);
  gboolean ok = let_run (in, runs, error);
  const gint64 run_us = ok && runs ? g_get_real_time () : 0;
  stasis_migrate_in_take_stats (in, sent);
  note_pause (in, sent, heard_us, run_us);
  if (ok && is_postcopy)
    ok = await_rest (in, error);
  g_autoptr (GError) local = NULL;
  if (!settle (in, note, &local) && ok)
    {
      ok = FALSE;
      g_propagate_prefixed_error (error, g_steal_pointer (&local),
                                  _ ("domain '%s' has come here, but "), in->name);
    }
  *out_cookie = make_cookie (in, sent, run_us);
  return ok;
}

/* It has all of it, and it is decided. */
static gboolean
take_over (StasisMigrateIn *in, gboolean runs, gboolean *out_is_postcopy, GError **error)
{
  return stasis_fault ("migrate-in-finish", error) && await_loaded (in, out_is_postcopy, error)
         && stasis_fault ("migrate-in-loaded", error)
         && stasis_late_options_links (in->def, in->monitor, stasis_job_cancellable (in->job),
                                       error)
         && stasis_migrate_in_unexport (in, error)
         && (*out_is_postcopy || take_disks (in, runs, error)) && note_run (in, runs, error)
         && stasis_job_commit (in->job, error) && stasis_fault ("migrate-in-committed", error)
         && decide (in, error);
}

StasisDomain *
stasis_migrate_in_begin (StasisMigrateIn *in, StasisMigrateFlags flags, GBytes *octets,
                         GBytes **out_cookie, GError **error)
{
  const gboolean runs = in->runs && (flags & STASIS_MIGRATE_PAUSED) == 0 && !in->is_again;
  const gint64 heard_us = g_get_real_time ();
  gboolean is_postcopy = in->is_again;
  g_autoptr (StasisMigrateCookie) cookie = read_cookie (in, octets, error);
  if (cookie == NULL || (!in->is_again && !take_over (in, runs, &is_postcopy, error)))
    return NULL;
  g_autoptr (GError) local = NULL;
  const gboolean ok = go_on (in, runs, is_postcopy, cookie->final, heard_us, out_cookie, &local);
  stasis_job_end (in->job, local);
  g_clear_pointer (&in->monitor, stasis_monitor_close);
  g_clear_pointer (&in->job, stasis_job_free);
  g_clear_pointer (&in->hold, stasis_hold_release);
  if (ok)
    return stasis_domain_new (in->driver, in->name, in->uuid);
  in->why = g_error_copy (local);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}
