/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.c: work on pieces in parallel, with the pieces kept in order
 *
 * Theory of operation
 *
 * The slots are a ring.  Three counters run over it, none ever passing the one before: slots that
 * were submitted, that a thread has begun, that the consumer has released.  Each counter has one
 * owner (the threads share theirs under the lock); a slot belongs to the producer, then to one
 * thread, then to the consumer, and nobody holds the lock while looking into it.
 *
 * There is one lock and one condition.  Pieces are megabytes, so waking a dozen threads for each is
 * nothing beside the work.
 */

#include "config.h"

#include "image/pipeline.h"

#include <glib/gi18n-lib.h>

typedef struct
{
  gpointer slot;    /* (owned) */
  gboolean is_done; /* the work */
  GError *error;    /* (owned, nullable) of the work */
} Entry;

struct _StasisPipeline
{
  StasisPipelineArgs args;
  GPtrArray *threads; /* of GThread */
  Entry *entries;     /* (owned) args.n_slots of them */

  GMutex lock;
  GCond changed;
  /* All guarded by the lock. */
  guint64 n_submitted;
  guint64 n_begun;
  guint64 n_released;
  gboolean is_closed;
  GError *end_error; /* (owned, nullable) what the producer closed with */
  GError *failure;   /* (owned, nullable) nobody shall go on */
};

typedef gboolean (*Condition) (const StasisPipeline *self);

/* @n_threads, or where that is 0 one for each core; at most 8. */
guint
stasis_pipeline_choose_n_threads (guint n_threads)
{
  const guint asked = n_threads != 0 ? n_threads : g_get_num_processors ();
  return CLAMP (asked, 1, STASIS_PIPELINE_THREADS_MAX);
}

static Entry *
entry_at (const StasisPipeline *self, guint64 number)
{
  return &self->entries[number % self->args.n_slots];
}

/* The next entry to work on; NULL where there is nothing more to do. */
static Entry *
begin_work (StasisPipeline *self)
{
  Entry *entry = NULL;
  g_mutex_lock (&self->lock);
  while (self->failure == NULL && !self->is_closed && self->n_begun == self->n_submitted)
    g_cond_wait (&self->changed, &self->lock);
  if (self->failure == NULL && self->n_begun < self->n_submitted)
    entry = entry_at (self, self->n_begun++);
  g_mutex_unlock (&self->lock);
  return entry;
}

static void
end_work (StasisPipeline *self, Entry *entry, GError *error_take)
{
  g_mutex_lock (&self->lock);
  entry->is_done = TRUE;
  entry->error = error_take;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static gpointer
run_thread (gpointer data)
{
  StasisPipeline *self = data;
  const StasisPipelineArgs *args = &self->args;
  gpointer worker = args->worker_new != NULL ? args->worker_new (args->data) : NULL;
  Entry *entry;
  while ((entry = begin_work (self)) != NULL)
    {
      GError *error = NULL;
      args->work (entry->slot, worker, args->data, &error);
      end_work (self, entry, error);
    }
  if (worker != NULL)
    args->worker_free (worker);
  return NULL;
}

/* Fails only where no thread can be started. */
StasisPipeline *
stasis_pipeline_new (const StasisPipelineArgs *args, GError **error)
{
  g_autoptr (StasisPipeline) self = g_new0 (StasisPipeline, 1);
  self->args = *args;
  self->threads = g_ptr_array_new ();
  self->entries = g_new0 (Entry, args->n_slots);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  for (guint i = 0; i < args->n_slots; i++)
    self->entries[i].slot = args->slot_new ();

  g_autoptr (GError) cause = NULL;
  for (guint i = 0; i < args->n_threads; i++)
    {
      GThread *thread
          = g_thread_try_new ("stasis-pipeline", run_thread, self, cause == NULL ? &cause : NULL);
      if (thread != NULL)
        g_ptr_array_add (self->threads, thread);
    }
  if (self->threads->len == 0)
    {
      g_propagate_error (error, g_steal_pointer (&cause));
      return NULL;
    }
  return g_steal_pointer (&self);
}

static void
wake (GCancellable *cancellable, StasisPipeline *self)
{
  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Wait for @condition.  FALSE where it is cancelled or somebody has failed. */
static gboolean
wait_for (StasisPipeline *self, Condition condition, GCancellable *cancellable, GError **error)
{
  /* Without the lock: the handler may run at once. */
  const gulong handler = cancellable != NULL
                             ? g_cancellable_connect (cancellable, G_CALLBACK (wake), self, NULL)
                             : 0;
  g_mutex_lock (&self->lock);
  while (self->failure == NULL && !condition (self) && !g_cancellable_is_cancelled (cancellable))
    g_cond_wait (&self->changed, &self->lock);
  const gboolean is_met = self->failure == NULL && condition (self);
  if (self->failure != NULL)
    g_propagate_error (error, g_error_copy (self->failure));
  g_mutex_unlock (&self->lock);
  g_cancellable_disconnect (cancellable, handler);

  if (!is_met && error != NULL && *error == NULL)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return is_met;
}

static gboolean
has_free_slot (const StasisPipeline *self)
{
  return self->n_submitted - self->n_released < self->args.n_slots;
}

/* Producer: the slot to be filled next. */
gpointer
stasis_pipeline_fill (StasisPipeline *self, GCancellable *cancellable, GError **error)
{
  if (!wait_for (self, has_free_slot, cancellable, error))
    return NULL;
  return entry_at (self, self->n_submitted)->slot; /* our own counter */
}

void
stasis_pipeline_submit (StasisPipeline *self)
{
  g_mutex_lock (&self->lock);
  entry_at (self, self->n_submitted++)->is_done = FALSE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Producer: there is no more. */
void
stasis_pipeline_close (StasisPipeline *self, GError *error_take)
{
  g_mutex_lock (&self->lock);
  self->is_closed = TRUE;
  self->end_error = error_take;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static gboolean
is_drained (const StasisPipeline *self)
{
  return self->n_released == self->n_submitted;
}

/* Producer, after closing: wait until the consumer has released everything. */
gboolean
stasis_pipeline_drain (StasisPipeline *self, GCancellable *cancellable, GError **error)
{
  return wait_for (self, is_drained, cancellable, error);
}

static gboolean
is_next_done_or_end (const StasisPipeline *self)
{
  return self->n_released < self->n_submitted ? entry_at (self, self->n_released)->is_done
                                              : self->is_closed;
}

/* Consumer: the next slot with its work done. */
gboolean
stasis_pipeline_take (StasisPipeline *self, gpointer *out_slot, GCancellable *cancellable,
                      GError **error)
{
  *out_slot = NULL;
  if (!wait_for (self, is_next_done_or_end, cancellable, error))
    return FALSE;

  g_mutex_lock (&self->lock);
  const Entry *entry
      = self->n_released < self->n_submitted ? entry_at (self, self->n_released) : NULL;
  const GError *cause = entry != NULL ? entry->error : self->end_error;
  g_mutex_unlock (&self->lock);
  if (cause != NULL)
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  if (entry != NULL)
    *out_slot = entry->slot;
  return TRUE;
}

/* Consumer: the slot that was taken is free again. */
void
stasis_pipeline_release (StasisPipeline *self)
{
  g_mutex_lock (&self->lock);
  self->n_released++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* Nobody shall go on. */
void
stasis_pipeline_fail (StasisPipeline *self, GError *error_take)
{
  g_mutex_lock (&self->lock);
  if (self->failure == NULL)
    self->failure = error_take;
  else
    g_error_free (error_take);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* NULL is fine. */
void
stasis_pipeline_free (StasisPipeline *self)
{
  if (self == NULL)
    return;

  stasis_pipeline_fail (
      self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("nobody waits for it")));
  for (guint i = 0; i < self->threads->len; i++)
    g_thread_join (g_ptr_array_index (self->threads, i));
  g_ptr_array_unref (self->threads);
  for (guint i = 0; i < self->args.n_slots; i++)
    {
      self->args.slot_free (self->entries[i].slot);
      g_clear_error (&self->entries[i].error);
    }
  g_free (self->entries);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_clear_error (&self->end_error);
  g_clear_error (&self->failure);
  g_free (self);
}
