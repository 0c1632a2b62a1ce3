/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.h: work on pieces in parallel, with the pieces kept in order
 *
 * One producer fills slots, several threads work on them, one consumer takes them in the order in
 * which they were filled.  There are as many slots as there are, so memory is bounded, and whoever
 * is ahead waits.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_PIPELINE_THREADS_MAX 8u

typedef struct _StasisPipeline StasisPipeline;

typedef struct
{
  guint n_threads; /* that work, at least 1 */
  guint n_slots;   /* at least 2 */
  gpointer (*slot_new) (void);
  GDestroyNotify slot_free;
  /* What each thread has for itself; NULL: nothing. */
  gpointer (*worker_new) (gpointer data);
  GDestroyNotify worker_free;
  /* Do to a slot what is to be done; on any of the threads, several at the same time.  What fails
   * is told to the consumer in the place of that slot. */
  gboolean (*work) (gpointer slot, gpointer worker, gpointer data, GError **error);
  gpointer data;
} StasisPipelineArgs;

/* @n_threads, or where that is 0 one for each core; at most 8. */
guint stasis_pipeline_choose_n_threads (guint n_threads);

/* Fails only where no thread can be started. */
StasisPipeline *stasis_pipeline_new (const StasisPipelineArgs *args,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Producer: the slot to be filled next, once there is one that is free.  NULL with the consumer's
 * error where it has failed.  The same slot again until it is submitted. */
gpointer stasis_pipeline_fill (StasisPipeline *self, GCancellable *cancellable, GError **error);
void stasis_pipeline_submit (StasisPipeline *self);

/* Producer: there is no more; with @error_take (nullable) because something failed, of which the
 * consumer hears behind the last slot. */
void stasis_pipeline_close (StasisPipeline *self, GError *error_take);

/* Producer, after closing: wait until the consumer has released everything. */
gboolean stasis_pipeline_drain (StasisPipeline *self, GCancellable *cancellable, GError **error);

/* Consumer: the next slot with its work done: *@out_slot, NULL at the end. */
gboolean stasis_pipeline_take (StasisPipeline *self, gpointer *out_slot, GCancellable *cancellable,
                               GError **error);
/* Consumer: the slot that was taken is free again. */
void stasis_pipeline_release (StasisPipeline *self);

/* Consumer, or whoever has enough: nobody shall go on.  From here on all calls fail with a copy of
 * the first such error. */
void stasis_pipeline_fail (StasisPipeline *self, GError *error_take);

/* Waits for the threads that work, not for producer and consumer: they must have left.  NULL is
 * fine. */
void stasis_pipeline_free (StasisPipeline *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPipeline, stasis_pipeline_free)

G_END_DECLS
