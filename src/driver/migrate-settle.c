/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-settle.c: whose the guest is after a migration was cut off
 *
 * Theory of operation
 *
 * The source's journal says SENDING as long as the destination cannot have all of the guest, and
 * HANDED, synced, before QEMU is allowed to send the state of the devices.  The destination decides
 * once, for good (migrate-verdict.c): "begun" before the guest is let run there, or "revoked".
 *
 *   SENDING          the guest goes on here
 *   HANDED, revoked  the guest goes on here
 *   HANDED, begun    what is here is a copy: it is ended
 *   HANDED, unknown  it stays paused; the supervisor asks again, or people decide
 *   ... and kept     the guest goes on here
 *
 * So two copies would have to be let run by two verdicts on one token, of which there is one only.
 * The source asks to revoke rather than how it stands: its driver is dead, and somebody has to have
 * the guest.  Not so in postcopy: there the destination may be the only one that can go on.
 *
 * Kept is the word that all was sent, which is for Perform's cookie to carry: without it the
 * destination decides for nobody else.  Where Perform has failed, in the process that would have
 * made it, there is no such cookie, and never will be: no Finish can have begun, however much of
 * the guest has arrived.  Who asked for a revocation and got none may go on all the same.  (A
 * client that makes up such a cookie has the rights to start the domain over there without us.)
 * Whoever finds the journal of a dead process does not know, unless it says so.
 *
 * In postcopy QEMU keeps memory here that the destination lacks, and cannot let its own guest run
 * any more: neither is anything cancelled nor ended then.  That holds for a QEMU as well that gave
 * up ("failed") because the connection broke when it had written all, unless the destination says
 * that it lacks nothing.
 */

#include "config.h"

#include "driver/migrate-settle.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>
#include <stasis/migrate.h>

#include "driver/migrate-mirror-drop.h"
#include "driver/migrate-note.h"
#include "driver/migrate-source.h"
#include "driver/migration-end.h"
#include "driver/recover.h"
#include "driver/still.h"
#include "driver/teardown.h"
#include "driver/thaw.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fault.h"

#define ASK_MS       2000 /* with the domain's lock held */
#define LEAVE_MS     2000
#define SWITCH_MS    50
#define SWITCH_LOOKS 20u

static gboolean
query (StasisMonitor *monitor, StasisMigrationStatus *out_status, GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
  if (info == NULL)
    return FALSE;
  *out_status = info->status;
  return TRUE;
}

/* Whatever the journal says: the destination may have everything. */
static gboolean
may_have_left (StasisMigrationStatus status)
{
  return stasis_migration_status_is_postcopy (status) || status == STASIS_MIGRATION_DEVICE
         || status == STASIS_MIGRATION_COMPLETED || status == STASIS_MIGRATION_COLO;
}

static gboolean
ask_doors (const StasisMigrateJournal *migration, StasisDoorQuestion question, int timeout_ms,
           GCancellable *cancellable, StasisDoorAnswer *out_answer, GError **error)
{
  g_autoptr (GError) last = NULL;
  gboolean has_answer = FALSE;
  for (guint i = 0; migration->doors[i] != NULL; i++)
    {
      StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
      g_clear_error (&last);
      if (!stasis_migrate_door_ask (migration->doors[i], migration->token, migration->secret,
                                    question, timeout_ms, cancellable, &answer, &last))
        continue;
      if (!has_answer || answer != STASIS_DOOR_UNKNOWN)
        *out_answer = answer;
      has_answer = TRUE;
      if (answer == STASIS_DOOR_BEGUN || answer == STASIS_DOOR_REVOKED)
        return TRUE;
    }
  if (has_answer)
    return TRUE;
  if (last != NULL)
    g_propagate_error (error, g_steal_pointer (&last));
  else
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                         _ ("no address is known where the destination could be asked"));
  return FALSE;
}

gboolean
stasis_migrate_settle_ask_as (const StasisMigrateJournal *migration, StasisDoorQuestion question,
                              int timeout_ms, GCancellable *cancellable,
                              StasisDoorAnswer *out_answer, GError **error)
{
  return ask_doors (migration, question, timeout_ms, cancellable, out_answer, error);
}

gboolean
stasis_migrate_settle_ask (const StasisMigrateJournal *migration, int timeout_ms,
                           GCancellable *cancellable, StasisDoorAnswer *out_answer, GError **error)
{
  return ask_doors (migration, migration->is_postcopy ? STASIS_DOOR_STATUS : STASIS_DOOR_REVOKE,
                    timeout_ms, cancellable, out_answer, error);
}

void
stasis_migrate_settle_take_leave (const StasisMigrateJournal *migration)
{
  for (guint i = 0; migration->doors[i] != NULL; i++)
    {
      StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
      g_autoptr (GError) local = NULL;
      if (!stasis_migrate_door_ask (migration->doors[i], migration->token, migration->secret,
                                    STASIS_DOOR_SETTLED, LEAVE_MS, NULL, &answer, &local))
        g_debug ("%s", local->message);
    }
}

/* A guest that stopped over a disk while it was migrated is not let run. */
static gboolean
let_run (StasisMonitor *monitor, const StasisJournal *journal, GError **error)
{
  gboolean have_failed = FALSE;
  if (journal->are_disks_fine && !stasis_still_query_disks (monitor, &have_failed, error))
    return FALSE;
  return have_failed || stasis_recover_let_run (monitor, error);
}

static StasisMigrateJournal *
migration_of (const StasisStatus *status)
{
  return status->undecided_migration != NULL ? status->undecided_migration
                                             : status->journal.migration;
}

/* It is decided. */
static void
forget (StasisStatus *status)
{
  stasis_migrate_note_remove (migration_of (status)->note);
  stasis_journal_clear (&status->journal);
  g_clear_pointer (&status->undecided_migration, stasis_migrate_journal_free);
}

/* What copies its disks, where the migration did not come to the end of that: @end is for them. */
static void
end_copies (const StasisStatus *status, StasisMonitor *monitor,
            void (*end) (StasisMonitor *monitor, const char *const *copied))
{
  const StasisMigrateJournal *migration = migration_of (status);
  if (migration != NULL && migration->copied != NULL)
    end (monitor, (const char *const *) migration->copied);
}

/* The guest goes on here, as it was; it first, then all that was set up in QEMU. */
static gboolean
take_back (const char *folder, StasisStatus *status, StasisMonitor *monitor, gboolean was_running,
           GError **error)
{
  g_autoptr (GError) local = NULL;
  end_copies (status, monitor, stasis_migrate_mirrors_disconnect);
  if (!stasis_migration_end (monitor, status->qemu.pid, error))
    return FALSE;
  if (was_running && !let_run (monitor, &status->journal, error))
    return FALSE;
  if (!was_running && !stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  if (was_running)
    stasis_thaw_if_frozen (folder, status);
  else if (!stasis_monitor_activate_disks (monitor, NULL, &local))
    g_debug ("%s", local->message); /* QEMU before 10.0 cannot: `cont` does it there */
  g_clear_error (&local);
  end_copies (status, monitor, stasis_migrate_mirrors_drop);
  if (!stasis_monitor_closefd (monitor, STASIS_MIGRATE_FD_NAME, NULL, &local))
    g_debug ("%s", local->message); /* it may hold none */
  g_clear_error (&local);
  const StasisJson *former = status->undecided_migration != NULL
                                 ? status->undecided_migration->parameters
                                 : status->journal.parameters;
  if (!stasis_migration_reset (monitor, former, &local))
    g_message ("%s", local->message); /* a guest that runs is not failed over that */
  forget (status);
  return stasis_status_write (status, folder, error);
}

/* QEMU has given up sending after the switch: all of it may have come by then, or not.  FALSE as
 * long as the destination does not say that it has. */
static gboolean
is_whole (const StasisStatus *status)
{
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  g_autoptr (GError) local = NULL;
  if (!ask_doors (migration_of (status), STASIS_DOOR_WHOLE, ASK_MS, NULL, &answer, &local))
    g_debug ("%s", local->message);
  return answer == STASIS_DOOR_BEGUN;
}

/* The guest runs there: whatever fails, it is not to run here. */
static gboolean
end_copy (const char *folder, StasisStatus *status, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_end_reason_write (folder, "migrated", &local))
    g_debug ("%s", local->message);
  stasis_migrate_source_undefine (status, migration_of (status));
  if (!stasis_teardown (status, folder, "migrated", error))
    return FALSE;
  forget (status);
  return TRUE;
}

static gboolean
apply (const char *folder, StasisStatus *status, StasisMonitor *monitor, gboolean was_running,
       StasisDoorAnswer answer, gboolean *out_is_settled, GError **error)
{
  StasisMigrationStatus now = STASIS_MIGRATION_UNKNOWN;
  *out_is_settled = FALSE;
  if (answer != STASIS_DOOR_BEGUN && answer != STASIS_DOOR_REVOKED)
    return TRUE;
  if (!query (monitor, &now, error))
    return FALSE;
  if (stasis_migration_status_is_postcopy (now))
    return TRUE;
  if (answer == STASIS_DOOR_BEGUN && now == STASIS_MIGRATION_FAILED && !is_whole (status))
    {
      migration_of (status)->is_postcopy = TRUE; /* before it nobody begins without all of it */
      return TRUE;
    }
  *out_is_settled = TRUE;
  return answer == STASIS_DOOR_BEGUN ? end_copy (folder, status, error)
                                     : take_back (folder, status, monitor, was_running, error);
}

gboolean
stasis_migrate_settle_undecided (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                                 StasisDoorAnswer answer, gboolean *out_is_settled, GError **error)
{
  const StasisMigrateJournal *migration = status->undecided_migration;
  if (migration != NULL)
    return apply (folder, status, monitor, migration->was_running, answer, out_is_settled, error);
  *out_is_settled = TRUE;
  return TRUE;
}

gboolean
stasis_migrate_throw_undecided (const char *name, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' may run at the destination of its migration, which cannot be asked: "
                  "'stasis migrate-resolve' decides whose it is"),
               name);
  return FALSE;
}

gboolean
stasis_migrate_throw_elsewhere (const StasisStatus *status, GError **error)
{
  if (!status->undecided_migration->is_postcopy)
    return stasis_migrate_throw_undecided (status->name, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' is at the destination of its migration, which lacks memory that is "
                  "here: 'migrate --postcopy --postcopy-resume' goes on"),
               status->name);
  return FALSE;
}

/* QEMU lets the guest run by itself where its migration fails late.  What it is sending is not cut
 * off: it may be all that there is of the guest's memory. */
static gboolean
leave_paused (const char *folder, StasisStatus *status, StasisMonitor *monitor, const char *why,
              GError **error)
{
  if (!stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  StasisMigrateJournal *migration = stasis_migrate_journal_copy (status->journal.migration);
  migration->was_running = status->journal.was_running;
  stasis_json_unref (migration->parameters);
  migration->parameters = g_steal_pointer (&status->journal.parameters);
  stasis_migrate_journal_free (status->undecided_migration);
  status->undecided_migration = migration;
  stasis_journal_clear (&status->journal);
  if (!stasis_status_write (status, folder, error))
    return FALSE;
  if (status->undecided_migration->is_postcopy)
    g_warning (
        _ ("domain '%1$s' stays paused: it is at the destination of its migration, which "
           "lacks memory that is here (%2$s); 'migrate --postcopy --postcopy-resume' goes on"),
        status->name, why);
  else
    g_warning (
        _ ("domain '%1$s' stays paused: its migration was cut off at the very end, and it may "
           "run at its destination (%2$s); that is asked again, and 'stasis migrate-resolve' "
           "decides it by hand"),
        status->name, why);
  return TRUE;
}

/* QEMU may have been told to go on right before, and be on its way to postcopy, after which nothing
 * is to be revoked.  What does not get there in time is asked how it stands, too. */
static gboolean
await_switch (StasisMonitor *monitor, StasisMigrateJournal *migration, StasisMigrationStatus *now,
              GError **error)
{
  if ((migration->flags & STASIS_MIGRATE_POSTCOPY) == 0)
    return TRUE;
  for (guint i = 0; i < SWITCH_LOOKS; i++)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (*now != STASIS_MIGRATION_PRE_SWITCHOVER && *now != STASIS_MIGRATION_DEVICE
          && *now != STASIS_MIGRATION_POSTCOPY_DEVICE)
        return TRUE;
      if (!stasis_monitor_wait_event (monitor, SWITCH_MS, &event, NULL, error)
          || !query (monitor, now, error))
        return FALSE;
    }
  migration->is_postcopy |= *now != STASIS_MIGRATION_PRE_SWITCHOVER;
  return TRUE;
}

gboolean
stasis_migrate_settle_handed (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                              GError **error)
{
  StasisMigrationStatus now = STASIS_MIGRATION_UNKNOWN;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  g_autoptr (GError) local = NULL;
  gboolean is_settled = FALSE;
  if (!query (monitor, &now, error))
    return FALSE;
  StasisMigrateJournal *migration = status->journal.migration;
  if (!await_switch (monitor, migration, &now, error))
    return FALSE;
  migration->is_postcopy = migration->is_postcopy || stasis_migration_status_is_postcopy (now);
  const gboolean has_answer = stasis_migrate_settle_ask (migration, ASK_MS, NULL, &answer, &local);
  if (!stasis_fault ("migrate-asked", error)
      || !apply (folder, status, monitor, status->journal.was_running, answer, &is_settled, error))
    return FALSE;
  if (is_settled)
    return TRUE;
  if (migration->is_kept && !migration->is_postcopy)
    return take_back (folder, status, monitor, status->journal.was_running, error);
  return leave_paused (folder, status, monitor,
                       has_answer ? stasis_door_answer_to_string (answer) : local->message, error);
}

gboolean
stasis_migrate_settle_sending (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                               GError **error)
{
  StasisMigrationStatus now = STASIS_MIGRATION_UNKNOWN;
  if (!query (monitor, &now, error))
    return FALSE;
  /* Without a door nothing was sent yet: QEMU still tells of an earlier migration, of a save. */
  if (may_have_left (now) && status->journal.migration->doors[0] != NULL)
    return stasis_migrate_settle_handed (folder, status, monitor, error);
  return take_back (folder, status, monitor, status->journal.was_running, error);
}

/* It has begun there, and QEMU has ended here before anybody said that it had all of it there. */
static const char *
warn_lost (const StasisStatus *status)
{
  g_warning (
      _ ("domain '%s' has ended in post-copy: where its destination lacks memory that was here "
         "(post-copy failed) the guest is lost; it does not start here before 'stasis "
         "migrate-resolve'"),
      status->name);
  return "crashed";
}

/* Not to revoke: what is over there may be the only copy. */
const char *
stasis_migrate_settle_dead (StasisStatus *status)
{
  const StasisMigrateJournal *migration = status->journal.migration;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  g_autoptr (GError) local = NULL;
  if (!ask_doors (migration, STASIS_DOOR_STATUS, ASK_MS, NULL, &answer, &local))
    g_debug ("%s", local->message);
  if (answer == STASIS_DOOR_BEGUN && (migration->flags & STASIS_MIGRATE_POSTCOPY) != 0)
    return warn_lost (status);
  if (answer == STASIS_DOOR_BEGUN || answer == STASIS_DOOR_REVOKED)
    stasis_migrate_note_remove (migration->note);
  else
    g_warning (_ ("domain '%s' has ended in its migration, and may run at the destination, which "
                  "cannot tell: it does not start here before 'stasis migrate-resolve'"),
               status->name);
  if (answer != STASIS_DOOR_BEGUN)
    return "crashed";
  stasis_migrate_source_undefine (status, migration);
  return "migrated";
}

gboolean
stasis_migrate_settle_incoming (const StasisStatus *status, StasisVerdict *out_verdict,
                                GError **error)
{
  const StasisMigrateJournal *migration = status->journal.migration;
  if (migration->verdicts != NULL)
    return stasis_migrate_verdict_decide (migration->verdicts, migration->token, *out_verdict,
                                          status->name, status->uuid, out_verdict, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                       _ ("the journal does not say where its migration is decided"));
  return FALSE;
}
