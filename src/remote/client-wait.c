/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-wait.c: waiting for a reply, and what happens meanwhile
 *
 * A stasisd tells how far a job is by itself, and ends it when it is told the serial of its call.
 * Of a libvirtd both are asked for by the domain, in calls of their own beside the one that waits.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/job-stats-json.h"
#include "remote/client-private.h"
#include "remote/job-params.h"

#define POLL_US (G_USEC_PER_SEC / 2)

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  StasisClient *self = data;
  g_mutex_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

static void
cancel (StasisClient *self, guint32 serial, const StasisClientJob *job)
{
  const StasisWireValue value = { .u = serial };
  if (self->is_own) /* the call itself says what became of it */
    stasis_client_call_aside (self, STASIS_PROGRAM_OWN, "cancel", &value);
  else if (job->domain != NULL)
    {
      const StasisWireValue args[] = { { .domain = (StasisWireDomain *) job->domain } };
      g_autoptr (GError) error = NULL;
      if (!stasis_client_call (self, STASIS_PROGRAM_REMOTE, "domain-abort-job", args, NULL, &error))
        g_debug ("%s", error->message);
    }
}

/* As an embedded driver would have. */
static void
tell (const StasisClientJob *job, const StasisClientNews *news)
{
  if (news->event == STASIS_OWN_WARNING)
    {
      g_log ("stasis-driver", G_LOG_LEVEL_WARNING, "%s", news->text);
      return;
    }
  if (news->event == STASIS_OWN_GUEST && job != NULL && job->hear != NULL)
    job->hear (news->text, job->user_data);
  if (news->event != STASIS_OWN_JOB_PROGRESS || job == NULL || job->progress == NULL)
    return;
  g_autoptr (StasisJson) json = stasis_json_parse (news->text, -1, NULL);
  StasisJobStats *stats = json != NULL ? stasis_job_stats_from_json (json, NULL) : NULL;
  if (stats != NULL)
    job->progress (stats, job->user_data);
  stasis_job_stats_free (stats);
}

static void
ask (StasisClient *self, const StasisClientJob *job)
{
  static const char name[] = "domain-get-job-stats";
  const StasisWireValue args[] = { { .domain = (StasisWireDomain *) job->domain }, { .u = 0 } };
  StasisWireValue rets[2];
  if (!stasis_client_call (self, STASIS_PROGRAM_REMOTE, name, args, rets, NULL))
    return;
  StasisJobStats *stats = stasis_job_params_parse (rets[0].i, rets[1].items);
  if (stats->state == STASIS_JOB_ACTIVE)
    job->progress (stats, job->user_data);
  stasis_job_stats_free (stats);
  stasis_client_clear (STASIS_PROGRAM_REMOTE, name, rets);
}

/* With the lock held; it is given back meanwhile. */
static void
look_around (StasisClient *self, StasisPending *pending, const StasisClientJob *job,
             gboolean *is_cancelled, gint64 *next_poll)
{
  const gboolean has_ended
      = job->cancellable != NULL && !*is_cancelled && g_cancellable_is_cancelled (job->cancellable);
  const gint64 now = g_get_monotonic_time ();
  const gboolean is_asked
      = !self->is_own && job->domain != NULL && job->progress != NULL && now >= *next_poll;
  StasisClientNews *news = g_queue_pop_head (&pending->news);
  if (news != NULL && news->event != STASIS_OWN_JOB_PROGRESS)
    pending->n_kept -= strlen (news->text);
  if (!has_ended && !is_asked && news == NULL)
    {
      if (!pending->is_done && self->why == NULL)
        g_cond_wait_until (&self->changed, &self->lock, *next_poll > 0 ? *next_poll : G_MAXINT64);
      return;
    }
  g_mutex_unlock (&self->lock);
  if (news != NULL)
    tell (job, news);
  stasis_client_news_free (news);
  if (has_ended)
    {
      *is_cancelled = TRUE;
      cancel (self, pending->serial, job);
    }
  if (is_asked)
    {
      ask (self, job);
      *next_poll = g_get_monotonic_time () + POLL_US;
    }
  g_mutex_lock (&self->lock);
}

static void
wait_for_job (StasisClient *self, StasisPending *pending, const StasisClientJob *job)
{
  gboolean is_cancelled = FALSE;
  const gboolean polls = !self->is_own && job->domain != NULL && job->progress != NULL;
  gint64 next_poll = polls ? g_get_monotonic_time () + POLL_US : 0;
  const gulong handler
      = job->cancellable != NULL
            ? g_cancellable_connect (job->cancellable, G_CALLBACK (on_cancelled), self, NULL)
            : 0;
  g_mutex_lock (&self->lock);
  while ((!pending->is_done && self->why == NULL) || pending->news.length > 0)
    look_around (self, pending, job, &is_cancelled, &next_poll);
  g_mutex_unlock (&self->lock);
  if (handler != 0)
    g_cancellable_disconnect (job->cancellable, handler);
}

static void
wait_plainly (StasisClient *self, StasisPending *pending, gint64 deadline)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  while (!pending->is_done && self->why == NULL)
    if (!g_cond_wait_until (&self->changed, &self->lock, deadline > 0 ? deadline : G_MAXINT64))
      return;
}

/* Why there is no reply. */
static gboolean
throw_end (StasisClient *self, const StasisPending *pending, GError **error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  const char *name = pending->procedure->name;
  if (self->why == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                 _ ("no answer from '%1$s' to '%2$s' in time"), self->uri, name);
  else if (pending->procedure->access == STASIS_ACCESS_WRITE)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                 _ ("lost '%1$s' in the middle of '%2$s', which may go on there: %3$s"), self->uri,
                 name, self->why);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, _ ("lost '%1$s': %2$s"),
                 self->uri, self->why);
  return FALSE;
}

/* Until the reply is there. */
gboolean
stasis_client_wait (StasisClient *self, StasisPending *pending, gint64 deadline,
                    const StasisClientJob *job, GError **error)
{
  if (job != NULL)
    wait_for_job (self, pending, job);
  else
    wait_plainly (self, pending, deadline);

  g_mutex_lock (&self->lock);
  g_hash_table_remove (self->pending, GUINT_TO_POINTER (pending->serial));
  g_mutex_unlock (&self->lock);
  /* From now on nobody else knows of it. */
  for (const GList *item = pending->news.head; item != NULL; item = item->next)
    tell (job, item->data);
  return pending->is_done || throw_end (self, pending, error);
}
