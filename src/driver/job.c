/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c: a long operation while it goes on: statistics, progress, abort
 *
 * The operation runs on the caller's thread and calls stasis_job_update() wherever it comes by.
 * That hands the statistics to the caller's progress function and to the supervisor, whose
 * answer tells whether somebody wants the job aborted.  No thread of its own.
 */

#include "config.h"

#include "driver/job.h"

#include <string.h>
#include <unistd.h>

#include <stasis/error.h>

#include "driver/job-fate.h"
#include "driver/job-stats-json.h"
#include "driver/supervise.h"
#include "util/atomic-file.h"
#include "util/json.h"

#define UPDATE_INTERVAL_US (G_USEC_PER_SEC / 5)
#define STANDSTILL_US      (2 * G_USEC_PER_SEC)
#define GIVE_WAY_US        G_USEC_PER_SEC
#define GIVE_WAY_NAP_US    10000

struct _StasisJob
{
  StasisJobStats *stats; /* (owned) */
  char *id;              /* (owned) */
  StasisProgressFunc progress;
  gpointer progress_data;
  GCancellable *cancellable; /* (owned) */
  GCancellable *callers;     /* (owned) (nullable) */
  gulong handler;            /* on callers */
  StasisControl *control;    /* (owned) (nullable) */
  gboolean is_background;    /* as the supervisor knows it */
  char *last_path;           /* (owned) (nullable) */
  char *folder;              /* (owned) (nullable) whose fate is this job's */
  char *engine_note;         /* (owned) (nullable) */
  StasisJobPoll poll;        /* (nullable) */
  gpointer poll_data;
  gint64 began_us;
  gint64 updated_us;
  gint64 measured_us; /* of the rate; 0: not yet */
  guint64 measured_processed;
  guint64 measured_written;
};

static void
on_callers_cancelled (GCancellable *callers, gpointer data)
{
  g_cancellable_cancel (data);
}

/* A job of this operation, which begins now. */
StasisJob *
stasis_job_new (const char *operation, StasisProgressFunc progress, gpointer progress_data,
                GCancellable *cancellable)
{
  StasisJob *job = g_new0 (StasisJob, 1);
  job->stats = stasis_job_stats_new ();
  job->stats->state = STASIS_JOB_ACTIVE;
  job->stats->operation = g_strdup (operation);
  job->id = stasis_job_id_new ();
  job->stats->owner_pid = getpid ();
  job->progress = progress;
  job->progress_data = progress_data;
  job->cancellable = g_cancellable_new ();
  job->began_us = g_get_monotonic_time ();
  if (cancellable != NULL)
    {
      job->callers = g_object_ref (cancellable);
      job->handler = g_cancellable_connect (cancellable, G_CALLBACK (on_callers_cancelled),
                                            g_object_ref (job->cancellable), g_object_unref);
    }
  return job;
}

/* NULL is fine. */
void
stasis_job_free (StasisJob *job)
{
  if (job == NULL)
    return;

  if (job->callers != NULL)
    g_cancellable_disconnect (job->callers, job->handler);
  g_clear_object (&job->callers);
  g_object_unref (job->cancellable);
  stasis_control_free (job->control);
  stasis_job_stats_free (job->stats);
  g_free (job->id);
  g_free (job->last_path);
  g_free (job->folder);
  g_free (job->engine_note);
  g_free (job);
}

/* Where this process is killed nothing is kept, rather than what an older job did. */
void
stasis_job_begin (StasisJob *job, const char *last_path)
{
  g_assert (job->last_path == NULL);
  job->last_path = g_strdup (last_path);
  unlink (last_path);
}

/* How it ends is not kept. */
void
stasis_job_forget_last (StasisJob *job)
{
  g_clear_pointer (&job->last_path, g_free);
}

static gboolean
begin_on_supervisor (const StasisJob *job, GError **error)
{
  return stasis_control_job_begin (job->control, job->stats->operation, job->id, job->is_background,
                                   error);
}

static gboolean
begin_in_turn (const StasisJob *job, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + GIVE_WAY_US;
  for (;;)
    {
      g_autoptr (GError) local = NULL;
      if (begin_on_supervisor (job, &local))
        return TRUE;
      if (!g_error_matches (local, STASIS_ERROR, STASIS_ERROR_BUSY)
          || g_get_monotonic_time () > deadline)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_usleep (GIVE_WAY_NAP_US);
    }
}

/* A supervisor that was killed a moment ago is replaced. */
static void
begin_anew (StasisJob *job, const char *folder)
{
  g_autoptr (GError) error = NULL;
  stasis_control_free (job->control);
  job->control
      = stasis_supervise_ensure (folder, &error) ? stasis_control_open (folder, &error) : NULL;
  if (job->control == NULL)
    job->control = stasis_control_new (folder);
  if (!begin_on_supervisor (job, error == NULL ? &error : NULL))
    g_debug ("the job goes on unseen for now: %s", error->message);
}

/* What was in the background goes on with its connection.  Where it is not taken now the updates
 * offer it again. */
static void
attach (StasisJob *job, const char *folder, gboolean is_background)
{
  g_autoptr (GError) error = NULL;
  job->is_background = is_background;
  if (job->control == NULL)
    job->control = stasis_control_open (folder, NULL);
  if (job->control != NULL && begin_in_turn (job, &error))
    return;
  if (!g_error_matches (error, STASIS_ERROR, STASIS_ERROR_BUSY))
    begin_anew (job, folder);
}

/* What tells it from all others. */
const char *
stasis_job_id (const StasisJob *job)
{
  return job->id;
}

/* It is the job that a journal has told of already. */
void
stasis_job_set_id (StasisJob *job, const char *id)
{
  g_free (job->id);
  job->id = g_strdup (id);
}

/* Whether the link without an id may be of this job: unless its supervisor has said that it knows
 * of ids, and so uses that one for other jobs alone. */
static gboolean
has_plain_link (const StasisJob *job)
{
  return job->control == NULL || !stasis_control_knows_ids (job->control);
}

/* Nothing is decided of it yet, by a supervisor that knows of no ids. */
void
stasis_job_claim (StasisJob *job, const char *folder)
{
  g_free (job->folder);
  job->folder = g_strdup (folder);
  if (has_plain_link (job))
    stasis_job_fate_clear (folder, NULL);
}

/* Tell the supervisor.  A folder that came with the guest was never another job's. */
void
stasis_job_attach (StasisJob *job, const char *folder)
{
  if (job->folder == NULL)
    job->folder = g_strdup (folder);
  attach (job, folder, /* is_background= */ FALSE);
}

/* The same while the guest is left alone. */
void
stasis_job_attach_background (StasisJob *job, const char *folder)
{
  if (job->folder == NULL)
    job->folder = g_strdup (folder);
  attach (job, folder, /* is_background= */ TRUE);
}

/* Whether the supervisor knows that it is over, or has none on our connection. */
static gboolean
end_on_supervisor (const StasisJob *job)
{
  g_autoptr (GError) error = NULL;
  return stasis_control_job_end (job->control, job->stats, &error)
         || g_error_matches (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE);
}

/* Nobody sees it any more.  Who was not told of that may still want to abort it, and is to find
 * what was decided. */
void
stasis_job_leave (StasisJob *job)
{
  if (job->control != NULL && end_on_supervisor (job) && job->folder != NULL)
    stasis_job_fate_clear (job->folder, job->id);
  g_clear_pointer (&job->control, stasis_control_free);
}

static gboolean
go_by (StasisJob *job, StasisJobFate fate, GError **error)
{
  if (fate == STASIS_JOB_FATE_ABORT)
    g_cancellable_cancel (job->cancellable);
  return !g_cancellable_set_error_if_cancelled (job->cancellable, error);
}

/* Whether it may go on. */
gboolean
stasis_job_check (StasisJob *job, GError **error)
{
  if (job->folder == NULL)
    return go_by (job, STASIS_JOB_FATE_OPEN, error);
  return go_by (job, stasis_job_fate_get (job->folder, job->id), error)
         && (!has_plain_link (job) || go_by (job, stasis_job_fate_get (job->folder, NULL), error));
}

/* The last moment for an abort, by a supervisor of today or by an older one. */
gboolean
stasis_job_commit (StasisJob *job, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (job->cancellable, error))
    return FALSE;
  if (job->folder == NULL)
    return TRUE;
  return go_by (job, stasis_job_fate_decide (job->folder, job->id, STASIS_JOB_FATE_COMMIT, NULL),
                error)
         && (!has_plain_link (job)
             || go_by (job,
                       stasis_job_fate_decide (job->folder, NULL, STASIS_JOB_FATE_COMMIT, NULL),
                       error));
}

GCancellable *
stasis_job_cancellable (StasisJob *job)
{
  return job->cancellable;
}

StasisJobStats *
stasis_job_stats (StasisJob *job)
{
  return job->stats;
}

static void
publish (StasisJob *job)
{
  job->stats->elapsed_us = g_get_monotonic_time () - job->began_us;
  if (job->progress != NULL)
    job->progress (job->stats, job->progress_data);
}

void
stasis_job_set_phase (StasisJob *job, const char *phase)
{
  g_free (job->stats->phase);
  job->stats->phase = g_strdup (phase);
  job->updated_us = 0;
  stasis_job_update (job);
}

void
stasis_job_set_engine (StasisJob *job, const char *engine)
{
  g_free (job->stats->engine);
  job->stats->engine = job->engine_note != NULL
                           ? g_strdup_printf ("%s; %s", engine, job->engine_note)
                           : g_strdup (engine);
}

void
stasis_job_set_engine_note (StasisJob *job, const char *note)
{
  g_free (job->engine_note);
  job->engine_note = g_strdup (note);
}

void
stasis_job_set_new_disks (StasisJob *job, char *text_take)
{
  g_free (job->stats->new_disks);
  job->stats->new_disks = text_take;
}

void
stasis_job_set_poll (StasisJob *job, StasisJobPoll poll, gpointer data)
{
  job->poll = poll;
  job->poll_data = data;
}

gboolean
stasis_job_has_poll (const StasisJob *job)
{
  return job->poll != NULL;
}

void
stasis_job_poll (StasisJob *job)
{
  if (job->poll != NULL)
    job->poll (job->stats, job->poll_data);
}

/* Octets since the last measurement.  QEMU may have sent all that it has, and a slow reader of the
 * image be at it still. */
static guint64
moved (const StasisJob *job)
{
  const StasisJobStats *stats = job->stats;
  if (stats->bytes_processed > job->measured_processed)
    return stats->bytes_processed - job->measured_processed;
  return stats->bytes_written - MIN (job->measured_written, stats->bytes_written);
}

static void
measure_from (StasisJob *job, gint64 now)
{
  job->measured_us = now;
  job->measured_processed = job->stats->bytes_processed;
  job->measured_written = job->stats->bytes_written;
}

/* Rate and expectation from what happened since the last measurement.  What goes in large pieces
 * has not stopped because none has come for a moment. */
static void
estimate (StasisJob *job, gint64 now)
{
  StasisJobStats *stats = job->stats;
  const gint64 passed = now - job->measured_us;
  if (job->measured_us == 0 || stats->bytes_processed < job->measured_processed)
    measure_from (job, now);
  else if (passed >= UPDATE_INTERVAL_US && (moved (job) > 0 || passed >= STANDSTILL_US))
    {
      stats->bytes_per_second = moved (job) * G_USEC_PER_SEC / (guint64) passed;
      measure_from (job, now);
    }
  stats->remaining_us = -1;
  if (stats->bytes_per_second > 0)
    stats->remaining_us = (gint64) ((double) stats->bytes_remaining * G_USEC_PER_SEC
                                    / (double) stats->bytes_per_second);
}

/* Tell everybody how it stands. */
void
stasis_job_update (StasisJob *job)
{
  const gint64 now = g_get_monotonic_time ();
  if (now - job->updated_us < UPDATE_INTERVAL_US)
    return;

  stasis_job_poll (job);
  estimate (job, now);
  job->updated_us = now;
  publish (job);
  gboolean is_aborted = FALSE;
  /* A supervisor that died is not the job's trouble: a new one is started by whoever asks. */
  if (job->control != NULL
      && stasis_control_job_update (job->control, job->stats, &is_aborted, NULL) && is_aborted)
    g_cancellable_cancel (job->cancellable);
}

static void
keep (const StasisJobStats *stats, const char *path)
{
  g_autoptr (StasisJson) json = stasis_job_stats_to_json (stats);
  g_autofree char *text = stasis_json_to_pretty_string (json);
  g_autofree char *folder = g_path_get_dirname (path);
  if (stasis_paths_make (folder, NULL))
    stasis_atomic_file_write (path, text, strlen (text), 0600, NULL);
}

/* A job that is over before anybody has measured has its average for a rate. */
static void
complete (StasisJobStats *stats, gint64 elapsed_us)
{
  stats->bytes_total = MAX (stats->bytes_total, stats->bytes_processed);
  stats->bytes_processed = stats->bytes_total;
  stats->bytes_remaining = 0;
  if (stats->bytes_per_second == 0 && elapsed_us > 0)
    stats->bytes_per_second = MIN (stats->bytes_total, G_MAXUINT64 / G_USEC_PER_SEC)
                              * G_USEC_PER_SEC / (guint64) elapsed_us;
}

/* The last word. */
void
stasis_job_end (StasisJob *job, const GError *error)
{
  StasisJobStats *stats = job->stats;
  stats->state = STASIS_JOB_COMPLETED;
  if (error == NULL)
    complete (stats, g_get_monotonic_time () - job->began_us);
  else
    {
      const gboolean cancelled = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      stats->state = cancelled ? STASIS_JOB_CANCELLED : STASIS_JOB_FAILED;
      stats->error = g_strdup (error->message);
    }
  stats->remaining_us = 0;
  publish (job);
  if (job->last_path != NULL)
    keep (stats, job->last_path);
  stasis_job_leave (job);
}

/* What stasis_job_end() kept. */
StasisJobStats *
stasis_job_load_completed (const StasisPaths *paths, const char *name, GError **error)
{
  g_autofree char *path = stasis_paths_last_job (paths, name);
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return stasis_job_stats_new ();

  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, error);
  StasisJobStats *stats = json != NULL ? stasis_job_stats_from_json (json, error) : NULL;
  if (stats == NULL)
    g_prefix_error (error, "'%s': ", path);
  return stats;
}
