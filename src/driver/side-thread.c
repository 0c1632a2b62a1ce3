/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * side-thread.c: what a job does on a second thread while its own waits for QEMU
 *
 * A restore verifies its image, or feeds it to QEMU through a pipe; a save takes what QEMU writes
 * into a pipe.  Either end may fail first.  The job waits for both before anything is decided.
 */

#include "config.h"

#include "driver/side-thread.h"

#define UPDATE_US (G_USEC_PER_SEC / 5)

struct _StasisSideThread
{
  StasisSideFunc func;
  gpointer data;             /* (borrowed) */
  StasisJob *job;            /* (borrowed) */
  GCancellable *cancellable; /* (owned) */
  GThread *thread;           /* (owned) (nullable) once joined */
  GMutex lock;
  GCond changed;
  guint64 done; /* (guarded by lock), so the rest */
  guint64 total;
  gboolean is_over;
  gboolean is_good;
  GError *error; /* (owned) (nullable) */
};

/* Octets so far and in all. */
void
stasis_side_thread_tell (guint64 done, guint64 total, gpointer side)
{
  StasisSideThread *self = side;
  g_mutex_lock (&self->lock);
  self->done = done;
  self->total = total;
  g_mutex_unlock (&self->lock);
}

static gpointer
run (gpointer data)
{
  StasisSideThread *self = data;
  GError *error = NULL;
  const gboolean good = self->func (self, self->data, self->cancellable, &error);
  g_mutex_lock (&self->lock);
  self->is_over = TRUE;
  self->is_good = good;
  self->error = error;
  g_cond_signal (&self->changed);
  g_mutex_unlock (&self->lock);
  if (!good)
    g_cancellable_cancel (stasis_job_cancellable (self->job));
  return NULL;
}

/* The job's poll: on the job's thread. */
static void
take_over (StasisJobStats *stats, gpointer data)
{
  StasisSideThread *self = data;
  g_mutex_lock (&self->lock);
  stats->bytes_total = self->total;
  stats->bytes_processed = self->done;
  stats->bytes_remaining = self->total - MIN (self->done, self->total);
  g_mutex_unlock (&self->lock);
}

/* Begin the work. */
StasisSideThread *
stasis_side_thread_start (const char *name, StasisSideFunc func, gpointer data, StasisJob *job)
{
  StasisSideThread *self = g_new0 (StasisSideThread, 1);
  self->func = func;
  self->data = data;
  self->job = job;
  self->cancellable = g_cancellable_new ();
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  stasis_job_set_poll (job, take_over, self);
  self->thread = g_thread_new (name, run, self);
  return self;
}

/* TRUE once it has failed by itself. */
gboolean
stasis_side_thread_has_failed (StasisSideThread *self)
{
  g_mutex_lock (&self->lock);
  const gboolean failed = self->is_over && !self->is_good
                          && !g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_mutex_unlock (&self->lock);
  return failed;
}

/* Have it stop soon. */
void
stasis_side_thread_stop (StasisSideThread *self)
{
  g_cancellable_cancel (self->cancellable);
}

/* Wait for its end. */
gboolean
stasis_side_thread_finish (StasisSideThread *self, GError **error)
{
  GCancellable *jobs = stasis_job_cancellable (self->job);
  for (;;)
    {
      g_mutex_lock (&self->lock);
      if (!self->is_over)
        g_cond_wait_until (&self->changed, &self->lock, g_get_monotonic_time () + UPDATE_US);
      const gboolean over = self->is_over;
      g_mutex_unlock (&self->lock);
      if (over)
        break;
      stasis_job_update (self->job);
      if (g_cancellable_set_error_if_cancelled (jobs, error))
        return FALSE;
    }
  g_thread_join (g_steal_pointer (&self->thread));
  stasis_job_update (self->job);
  if (!self->is_good)
    g_propagate_error (error, g_steal_pointer (&self->error));
  return self->is_good;
}

/* Stop at once.  NULL is fine. */
void
stasis_side_thread_free (StasisSideThread *self)
{
  if (self == NULL)
    return;

  g_cancellable_cancel (self->cancellable);
  if (self->thread != NULL)
    g_thread_join (self->thread);
  stasis_job_poll (self->job);
  stasis_job_set_poll (self->job, NULL, NULL);
  g_clear_error (&self->error);
  g_object_unref (self->cancellable);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

/* Start it and wait for its end. */
gboolean
stasis_side_thread_run (const char *name, StasisSideFunc func, gpointer data, StasisJob *job,
                        StasisJobPoll poll, gpointer poll_data, GError **error)
{
  g_autoptr (StasisSideThread) side = stasis_side_thread_start (name, func, data, job);
  stasis_job_set_poll (job, poll, poll_data);
  return stasis_side_thread_finish (side, error);
}
