/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * errand.c: what the supervisor does under the domain's lock
 *
 * Theory of operation
 *
 * The lock may be held by a driver for as long as a job takes, and there is no way to wait for
 * it in a main loop.  So a thread is made for each errand.  While it waited somebody else may
 * have done the same work, even started the domain anew in a folder of the same name: the status
 * that is read under the lock decides, and it must name our QEMU.
 */

#include "config.h"

#include "supervisor/errand.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-in-postcopy.h"
#include "driver/migrate-settle.h"
#include "driver/recover.h"
#include "driver/teardown.h"
#include "driver/thaw.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/lock.h"

#define THAW_MS      2000 /* others want the lock too */
#define ASK_MS       3000 /* without it */
#define LEAVE_US     (5 * G_USEC_PER_SEC)
#define LEAVE_NAP_US 1000

struct _StasisErrands
{
  const char *folder; /* (borrowed: outlives us) */
  char *lock;         /* (owned) the domain's lock file */
  StasisProcess qemu;
  StasisLife *life; /* (borrowed: outlives us) (nullable) */
  StasisErrandDone done;
  gpointer data;
  char *said; /* (owned) (nullable) the errand's, of which there is one at a time: why the last one
               * failed */

  gboolean is_leaving; /* (atomic) the destination of a migration is to be told of its end */

  /* The main loop's. */
  gboolean is_under_way;
  gboolean is_wanted;   /* asked for while another is under way */
  const char *fallback; /* interned */
};

typedef struct
{
  StasisErrands *errands;
  const char *fallback; /* interned */
  StasisErrandResult result;
  char *token;             /* (owned) (nullable) the undecided migration that was asked about ... */
  StasisDoorAnswer answer; /* ... and what its destination said */
  StasisMigrateJournal *settled; /* (owned) (nullable) it, once that was done */
} Errand;

static void begin (StasisErrands *errands);

static gboolean
finished (gpointer data)
{
  g_autofree Errand *errand = data;
  StasisErrands *errands = errand->errands;
  g_free (errand->token);
  stasis_migrate_journal_free (errand->settled);
  const gboolean is_wanted = errands->is_wanted;
  errands->is_under_way = FALSE;
  errands->is_wanted = FALSE;
  /* Those who look at the guest first. */
  if (is_wanted && errand->result != STASIS_ERRAND_GONE && errand->result != STASIS_ERRAND_OWED)
    begin (errands);
  else
    errands->done (errand->result, errands->data);
  return G_SOURCE_REMOVE;
}

static gboolean
is_our_run (const Errand *errand, const StasisStatus *status)
{
  return stasis_process_equal (&status->qemu, &errand->errands->qemu);
}

/* Our QEMU has given its guest to another one, and somebody has died over it. */
static gboolean
was_our_run (const Errand *errand, const StasisStatus *status)
{
  return status->journal.step == STASIS_STEP_HANDED_OVER
         && stasis_process_equal (&status->journal.beside, &errand->errands->qemu);
}

/* Tried again each second: what stays the same is said once. */
static StasisErrandResult
again (const Errand *errand, const GError *error)
{
  StasisErrands *errands = errand->errands;
  if (g_strcmp0 (errands->said, error->message) != 0)
    g_message ("%s", error->message);
  g_free (errands->said);
  errands->said = g_strdup (error->message);
  return STASIS_ERRAND_AGAIN;
}

static gboolean
recover (const Errand *errand, StasisStatus *status, GError **error)
{
  StasisLife *life = errand->errands->life;
  StasisMonitor *monitor = life != NULL ? stasis_life_borrow (life) : NULL;
  const gboolean ok = stasis_recover (errand->errands->folder, status, monitor, error);
  if (life != NULL)
    stasis_life_return (life, monitor);
  return ok;
}

/* A guest that has ended is to begin anew: journalled, so that it does whatever becomes of us. */
static gboolean
restart_if_due (const Errand *errand, StasisStatus *status, GError **error)
{
  StasisLife *life = errand->errands->life;
  gboolean is_due = FALSE;
  if (!stasis_life_is_restart_due (life, &is_due, error))
    return FALSE;
  if (!is_due)
    return TRUE;
  stasis_journal_begin (&status->journal, STASIS_STEP_RESTART, "restart");
  status->journal.was_running = TRUE;
  /* A full disk does not keep a guest from beginning anew. */
  g_autoptr (GError) local = NULL;
  if (!stasis_status_write (status, errand->errands->folder, &local))
    g_message ("%s", local->message);
  g_clear_error (&local);
  if (!stasis_fault ("restart-journal", error))
    return FALSE;
  if (!stasis_life_note_restart (life, &local))
    g_message ("%s", local->message);
  return recover (errand, status, error);
}

/* Nobody is at it any more, and the guest still waits for its thaw. */
static gboolean
thaw_if_due (const Errand *errand, StasisStatus *status, GError **error)
{
  if (status->frozen == NULL
      || stasis_life_get (errand->errands->life).run_state != STASIS_RUN_STATE_RUNNING)
    return TRUE;
  if (stasis_thaw (errand->errands->folder, status, THAW_MS, error))
    return TRUE;
  g_prefix_error (error, _ ("the guest's file systems are frozen: "));
  return FALSE;
}

/* @is_new: the guest has just been recovered, and those who look at it are not to wait. */
static StasisErrandResult
close_left (const Errand *errand, StasisStatus *status, gboolean is_new)
{
  g_autoptr (GError) error = NULL;
  if (is_new)
    return STASIS_ERRAND_OWED;
  if (stasis_recover_close_left (errand->errands->folder, status, &error))
    return STASIS_ERRAND_DONE;
  again (errand, error);
  return STASIS_ERRAND_OWED;
}

/* The destination may be far: others get the domain's lock meanwhile. */
static void
ask_destination (Errand *errand)
{
  g_autoptr (StasisStatus) status = stasis_status_read (errand->errands->folder, NULL);
  g_autoptr (GError) error = NULL;
  if (status == NULL || status->undecided_migration == NULL || errand->errands->life == NULL
      || !is_our_run (errand, status) || !stasis_process_is_alive (&status->qemu))
    return; /* who has no guest any more revokes nobody else's */
  errand->token = g_strdup (status->undecided_migration->token);
  if (!stasis_migrate_settle_ask (status->undecided_migration, ASK_MS, NULL, &errand->answer,
                                  &error))
    again (errand, error);
}

/* Whoever has let it run: it may run at its destination, too. */
static gboolean
keep_still (const Errand *errand, StasisMonitor *monitor, GError **error)
{
  if (stasis_life_get (errand->errands->life).run_state != STASIS_RUN_STATE_RUNNING)
    return TRUE;
  g_warning (_ ("the guest ran although nobody knows whether it runs at the destination of its "
                "migration: it is paused again"));
  return stasis_monitor_stop (monitor, NULL, error);
}

/* OWED as long as nobody can tell whose the guest is. */
static StasisErrandResult
settle_migration (Errand *errand, StasisStatus *status)
{
  StasisLife *life = errand->errands->life;
  g_autoptr (StasisMigrateJournal) migration
      = stasis_migrate_journal_copy (status->undecided_migration);
  gboolean is_settled = FALSE;
  g_autoptr (GError) error = NULL;
  const StasisDoorAnswer answer = g_strcmp0 (errand->token, status->undecided_migration->token) == 0
                                      ? errand->answer
                                      : STASIS_DOOR_UNKNOWN;
  StasisMonitor *monitor = stasis_life_borrow (life);
  const gboolean ok = monitor != NULL
                      && stasis_migrate_settle_undecided (errand->errands->folder, status, monitor,
                                                          answer, &is_settled, &error)
                      && (is_settled || keep_still (errand, monitor, &error));
  stasis_life_return (life, monitor);
  if (error != NULL)
    again (errand, error);
  if (!ok || !is_settled)
    return STASIS_ERRAND_OWED;
  errand->settled = g_steal_pointer (&migration);
  return stasis_process_is_alive (&status->qemu) ? STASIS_ERRAND_DONE : STASIS_ERRAND_GONE;
}

/* (transfer full) (nullable): the migration that a dead driver has left, if the guest leaves by it.
 */
static StasisMigrateJournal *
left_migration (const StasisStatus *status)
{
  const gboolean is_source = status->journal.step == STASIS_STEP_MIGRATE_SENDING
                             || status->journal.step == STASIS_STEP_MIGRATE_HANDED;
  return is_source ? stasis_migrate_journal_copy (status->journal.migration) : NULL;
}

/* Whose the guest is: it goes on here, or is over there.  Where QEMU ended by itself nothing is
 * said, for what is over there may be the only copy. */
static gboolean
is_decided (const StasisStatus *status)
{
  if (status->journal.step != STASIS_STEP_NONE || status->undecided_migration != NULL)
    return FALSE;
  return stasis_process_is_alive (&status->qemu)
         || (status->last != NULL
             && g_strcmp0 (stasis_last_read_reason (status->last, status->id), "migrated") == 0);
}

/* OWED as long as it lacks memory. */
static StasisErrandResult
end_postcopy (const Errand *errand, StasisStatus *status)
{
  StasisLife *life = errand->errands->life;
  gboolean is_over = FALSE;
  g_autoptr (GError) error = NULL;
  StasisMonitor *monitor = stasis_life_borrow (life);
  if (monitor != NULL)
    stasis_migrate_in_end_postcopy (errand->errands->folder, status, monitor, &is_over, &error);
  stasis_life_return (life, monitor);
  if (error != NULL)
    again (errand, error);
  return is_over ? STASIS_ERRAND_DONE : STASIS_ERRAND_OWED;
}

/* With the lock held. */
static StasisErrandResult
work (Errand *errand)
{
  const char *folder = errand->errands->folder;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_status_read (folder, &error);
  if (status == NULL)
    return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND) ? STASIS_ERRAND_GONE
                                                                     : again (errand, error);
  if (!is_our_run (errand, status) && !was_our_run (errand, status))
    return STASIS_ERRAND_GONE;

  const gboolean is_old = status->journal.step == STASIS_STEP_NONE;
  g_autoptr (StasisMigrateJournal) migration = left_migration (status);
  if (migration != NULL || status->undecided_migration != NULL)
    g_atomic_int_set (&errand->errands->is_leaving, TRUE);
  if (!recover (errand, status, &error))
    {
      /* An owner that lives but has let go of the lock: its death will bring us here again. */
      if (!g_error_matches (error, STASIS_ERROR, STASIS_ERROR_BUSY))
        return again (errand, error);
      g_clear_error (&error);
    }
  if (migration != NULL && is_decided (status))
    errand->settled = g_steal_pointer (&migration);
  if (!stasis_process_is_alive (&status->qemu))
    return stasis_teardown (status, folder, errand->fallback, &error) ? STASIS_ERRAND_GONE
                                                                      : again (errand, error);
  if (!is_our_run (errand, status))
    return STASIS_ERRAND_GONE;
  if (status->journal.step == STASIS_STEP_NONE && errand->errands->life != NULL
      && (!restart_if_due (errand, status, &error) || !thaw_if_due (errand, status, &error)))
    return again (errand, error);
  if (status->is_fd_left && status->journal.step == STASIS_STEP_NONE)
    return close_left (errand, status, !is_old);
  if (status->undecided_migration != NULL && status->journal.step == STASIS_STEP_NONE
      && errand->errands->life != NULL)
    return settle_migration (errand, status);
  if (status->postcopy != NULL && status->journal.step == STASIS_STEP_NONE
      && errand->errands->life != NULL)
    return end_postcopy (errand, status);
  g_clear_pointer (&errand->errands->said, g_free);
  return STASIS_ERRAND_DONE;
}

static gpointer
run (gpointer data)
{
  Errand *errand = data;
  g_autoptr (GError) error = NULL;
  ask_destination (errand);
  g_autoptr (StasisLock) lock = stasis_lock_take (errand->errands->lock, /* wait= */ TRUE, &error);
  errand->result = lock != NULL ? work (errand) : again (errand, error);
  g_clear_pointer (&lock, stasis_lock_release);
  if (errand->settled != NULL)
    stasis_migrate_settle_take_leave (errand->settled);
  g_atomic_int_set (&errand->errands->is_leaving, FALSE);
  g_idle_add_full (G_PRIORITY_DEFAULT, finished, errand, NULL);
  return NULL;
}

static void
begin (StasisErrands *errands)
{
  Errand *errand = g_new0 (Errand, 1);
  errand->errands = errands;
  errand->fallback = errands->fallback;
  errands->is_under_way = TRUE;
  g_thread_unref (g_thread_new ("errand", run, errand));
}

/* The end of a run is seen, and ends the process, before the errand that made it has told of it. */
void
stasis_errands_await_leave (StasisErrands *errands)
{
  const gint64 deadline_us = g_get_monotonic_time () + LEAVE_US;
  while (g_atomic_int_get (&errands->is_leaving) && g_get_monotonic_time () < deadline_us)
    g_usleep (LEAVE_NAP_US);
}

/* Errands for the domain of this folder. */
StasisErrands *
stasis_errands_new (const char *folder, const StasisStatus *status, StasisLife *life,
                    StasisErrandDone done, gpointer data)
{
  StasisErrands *errands = g_new0 (StasisErrands, 1);
  errands->folder = folder;
  errands->lock = g_strdup (status->lock);
  errands->qemu = status->qemu;
  errands->life = life;
  errands->done = done;
  errands->data = data;
  errands->fallback = g_intern_static_string ("crashed");
  return errands;
}

/* Recover, or tear down, on a thread of its own. */
void
stasis_errands_request (StasisErrands *errands, const char *fallback_reason)
{
  errands->fallback = g_intern_string (fallback_reason);
  if (errands->is_under_way)
    errands->is_wanted = TRUE;
  else
    begin (errands);
}

gboolean
stasis_errands_is_job_left (const char *folder)
{
  g_autoptr (StasisStatus) status = stasis_status_read (folder, NULL);
  return status != NULL && stasis_journal_has_job (&status->journal);
}
