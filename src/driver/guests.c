/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests.c: what stopping and starting all guests share
 *
 * Theory of operation
 *
 * A run has the lock RUN/guests.lock from beginning to end, so that a stop which begins while
 * another one, or a start, goes on takes up what that has left.  It does not refuse: the host may
 * be about to go down, and then nobody comes a second time.
 *
 * The guests are taken care of by a few threads, each of which does one after another; the
 * functions of domains block, and may be called on any thread.
 */

#include "config.h"

#include "driver/guests.h"

#include <errno.h>
#include <poll.h>

/* Take the lock; say so where somebody else has it. */
static StasisLock *
take_lock (StasisGuestsRun *run, GError **error)
{
  const char *folder = run->driver->paths->run;
  if (!stasis_paths_make (folder, error))
    return NULL;
  g_autofree char *path = g_build_filename (folder, "guests.lock", NULL);
  g_autoptr (GError) local = NULL;
  StasisLock *lock = stasis_lock_take (path, /* wait= */ FALSE, &local);
  if (lock != NULL || !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY))
    {
      if (lock == NULL)
        g_propagate_error (error, g_steal_pointer (&local));
      return lock;
    }
  stasis_guests_tell (run, NULL, STASIS_GUEST_WAITING, local);
  return stasis_lock_take_within (path, G_MAXINT, NULL, NULL, run->cancellable, error);
}

/* Begin. */
gboolean
stasis_guests_begin (StasisGuestsRun *run, StasisDriver *driver, StasisGuestFunc report,
                     gpointer user_data, GCancellable *cancellable, GError **error)
{
  run->driver = driver;
  run->report = report;
  run->user_data = user_data;
  run->cancellable = cancellable;
  g_mutex_init (&run->telling);
  run->lock = take_lock (run, error);
  return run->lock != NULL;
}

/* Its end. */
void
stasis_guests_clear (StasisGuestsRun *run)
{
  g_clear_pointer (&run->lock, stasis_lock_release);
  g_clear_pointer (&run->cramped, g_ptr_array_unref);
  g_mutex_clear (&run->telling);
}

static gboolean
is_failure (StasisGuestNews news)
{
  return news == STASIS_GUEST_NOT_LISTED || news == STASIS_GUEST_LEFT
         || news == STASIS_GUEST_NOT_STARTED;
}

/* What became of a guest. */
void
stasis_guests_tell (StasisGuestsRun *run, const char *domain, StasisGuestNews news,
                    const GError *error)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&run->telling);
  if (is_failure (news))
    run->n_failed++;
  if (run->report != NULL)
    run->report (domain, news, error, run->user_data);
}

/* Wait for a descriptor, a time, or the end. */
gboolean
stasis_guests_wait (StasisGuestsRun *run, int fd, gint64 deadline_us)
{
  GPollFD cancel = { .fd = -1 };
  if (run->cancellable != NULL)
    g_cancellable_make_pollfd (run->cancellable, &cancel);

  gboolean is_readable = FALSE;
  while (!g_cancellable_is_cancelled (run->cancellable))
    {
      /* poll() leaves out negative descriptors. */
      struct pollfd fds[]
          = { { .fd = fd, .events = POLLIN }, { .fd = cancel.fd, .events = POLLIN } };
      const gint64 left_us = deadline_us - g_get_monotonic_time ();
      if (deadline_us != 0 && left_us <= 0)
        break;
      const int timeout_ms = deadline_us != 0 ? (int) MIN (left_us / 1000 + 1, G_MAXINT) : -1;
      is_readable = poll (fds, G_N_ELEMENTS (fds), timeout_ms) > 0 && fds[0].revents != 0;
      if (is_readable)
        break;
    }
  if (cancel.fd >= 0)
    g_cancellable_release_fd (run->cancellable);
  return is_readable;
}

/* What several threads take their items from. */
typedef struct
{
  StasisGuestsRun *run; /* (borrowed) */
  GPtrArray *items;     /* (borrowed) */
  StasisGuestsFunc func;
  gint64 delay_us;
  GMutex lock;
  guint next; /* (guarded by lock) */
} Loop;

/* Waiting for the turn of one, nobody needs to look for another: the lock is kept. */
static gpointer
take_item (Loop *loop)
{
  StasisGuestsRun *run = loop->run;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&loop->lock);
  if (loop->next >= loop->items->len)
    return NULL;
  if (run->not_before_us != 0)
    stasis_guests_wait (run, -1, run->not_before_us);
  if (g_cancellable_is_cancelled (run->cancellable))
    return NULL;
  if (loop->delay_us != 0)
    run->not_before_us = g_get_monotonic_time () + loop->delay_us;
  return g_ptr_array_index (loop->items, loop->next++);
}

static gpointer
work (gpointer data)
{
  Loop *loop = data;
  gpointer item = NULL;
  while ((item = take_item (loop)) != NULL)
    loop->func (loop->run, item);
  return NULL;
}

/* Call @func for each. */
void
stasis_guests_each (StasisGuestsRun *run, GPtrArray *items, guint delay_s, StasisGuestsFunc func)
{
  Loop loop = { .run = run, .items = items, .func = func, .delay_us = delay_s * G_USEC_PER_SEC };
  g_mutex_init (&loop.lock);
  const guint n_threads = MIN (run->driver->host->guests.parallel, items->len);
  g_autoptr (GPtrArray) threads = g_ptr_array_new ();
  for (guint i = 1; i < n_threads; i++)
    {
      /* With fewer threads it only takes longer. */
      GThread *thread = g_thread_try_new ("guests", work, &loop, NULL);
      if (thread != NULL)
        g_ptr_array_add (threads, thread);
    }
  work (&loop);
  for (guint i = 0; i < threads->len; i++)
    g_thread_join (g_ptr_array_index (threads, i));
  g_mutex_clear (&loop.lock);
}
