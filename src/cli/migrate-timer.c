/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-timer.c: a migration's guest is paused after a while
 *
 * In a thread of its own: the main one sits in the library's call.  While nothing is sent yet the
 * domain is busy, which is tried again until the migration is over.
 */

#include "config.h"

#include "cli/migrate-timer.h"

#include <glib/gi18n.h>

#define RETRY_US (G_USEC_PER_SEC / 5)

struct _StasisCliTimer
{
  StasisDomain *domain;        /* (owned) */
  StasisCliProgress *progress; /* (borrowed) */
  guint seconds;
  GThread *thread; /* (owned) */

  GMutex lock;
  GCond ended;
  gboolean is_over; /* (guarded by lock) */
};

/* FALSE once it is over. */
static gboolean
wait_until (StasisCliTimer *self, gint64 when)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  while (!self->is_over)
    if (!g_cond_wait_until (&self->ended, &self->lock, when))
      return !self->is_over;
  return FALSE;
}

static void
say (const StasisCliTimer *self, const GError *error)
{
  g_autofree char *text
      = error == NULL
            ? g_strdup_printf (_ ("%u seconds have passed: the guest stands still now"),
                               self->seconds)
            : g_strdup_printf (_ ("%1$u seconds have passed, but the guest cannot be paused: %2$s"),
                               self->seconds, error->message);
  stasis_cli_progress_message (self->progress, text);
}

static gpointer
run (gpointer data)
{
  StasisCliTimer *self = data;
  gint64 when = g_get_monotonic_time () + (gint64) self->seconds * G_USEC_PER_SEC;
  while (wait_until (self, when))
    {
      g_autoptr (GError) error = NULL;
      const gboolean is_paused = stasis_domain_suspend (self->domain, &error);
      if (is_paused || !g_error_matches (error, STASIS_ERROR, STASIS_ERROR_BUSY))
        {
          say (self, error);
          break;
        }
      when = g_get_monotonic_time () + RETRY_US;
    }
  return NULL;
}

/* Begin. */
StasisCliTimer *
stasis_cli_timer_begin (StasisDomain *domain, guint seconds, StasisCliProgress *progress)
{
  StasisCliTimer *self = g_new0 (StasisCliTimer, 1);
  self->domain = g_object_ref (domain);
  self->progress = progress;
  self->seconds = seconds;
  g_mutex_init (&self->lock);
  g_cond_init (&self->ended);
  self->thread = g_thread_new ("timer", run, self);
  return self;
}

/* End. */
void
stasis_cli_timer_end (StasisCliTimer *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->lock);
  self->is_over = TRUE;
  g_cond_signal (&self->ended);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
  g_cond_clear (&self->ended);
  g_mutex_clear (&self->lock);
  g_object_unref (self->domain);
  g_free (self);
}
