/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor.c: a QMP connection to one QEMU: open, close, events
 *
 * Theory of operation
 *
 * A connection has one lock and one condition.  The reader thread (monitor-reader.c) puts replies
 * and events under that lock and wakes everybody; callers (monitor-command.c, and those who wait
 * for events here) wait on the condition until what they want is there, the connection has
 * failed, their deadline is over or they are cancelled, and look in this order, so that an answer
 * that came is never lost.  A cancellable wakes the condition by its signal: while a caller is
 * inside (enter, leave) it is connected.
 *
 * The lock is never held while octets are written, the log is read or a handler of a cancellable
 * is disconnected: that would wait for on_cancelled, which takes the lock.
 *
 * Closing marks the connection failed and waits until the last caller has left; so it may be
 * called while other threads wait inside, but nobody may enter after it.
 */

#include "config.h"

#include "monitor/monitor-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  StasisMonitor *monitor = data;
  g_mutex_lock (&monitor->lock);
  g_cond_broadcast (&monitor->changed);
  g_mutex_unlock (&monitor->lock);
}

/* A caller goes inside. */
gulong
stasis_monitor_enter (StasisMonitor *monitor, GCancellable *cancellable)
{
  g_mutex_lock (&monitor->lock);
  monitor->n_users++;
  g_mutex_unlock (&monitor->lock);
  if (cancellable == NULL)
    return 0;
  return g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), monitor, NULL);
}

/* A caller has done with the monitor and will not touch it again. */
void
stasis_monitor_leave (StasisMonitor *monitor, GCancellable *cancellable, gulong handler)
{
  g_cancellable_disconnect (cancellable, handler);
  g_mutex_lock (&monitor->lock);
  monitor->n_users--;
  g_cond_broadcast (&monitor->changed);
  g_mutex_unlock (&monitor->lock);
}

/* The deadline of a timeout in ms; -1 stays -1. */
gint64
stasis_monitor_deadline (gint64 timeout_ms)
{
  const gint64 now = g_get_monotonic_time ();
  if (timeout_ms < 0 || timeout_ms > (G_MAXINT64 - now) / 1000)
    return -1;
  return now + timeout_ms * 1000;
}

/* Locked: wait until something has changed. */
gboolean
stasis_monitor_wait_changed (StasisMonitor *monitor, gint64 deadline_us)
{
  if (deadline_us >= 0)
    return g_cond_wait_until (&monitor->changed, &monitor->lock, deadline_us);
  g_cond_wait (&monitor->changed, &monitor->lock);
  return TRUE;
}

static StasisMonitor *
new_monitor (int socket_take, const char *log_path, guint64 log_start, GError **error)
{
  StasisMonitor *monitor = g_new0 (StasisMonitor, 1);
  monitor->socket = socket_take;
  monitor->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  monitor->event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  monitor->log_path = g_strdup (log_path);
  monitor->log_start = log_start;
  monitor->calls = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_mutex_init (&monitor->lock);
  g_cond_init (&monitor->changed);
  stasis_event_queue_init (&monitor->events, STASIS_MONITOR_EVENTS_MAX);

  if (monitor->wake_fd < 0 || monitor->event_fd < 0)
    stasis_throw_errno (error, _ ("cannot make an eventfd"));
  else if ((monitor->reader
            = g_thread_try_new ("monitor", stasis_monitor_reader_run, monitor, error))
           != NULL)
    return monitor;
  stasis_monitor_close (monitor);
  return NULL;
}

static gboolean
wait_greeting (StasisMonitor *monitor, gint64 deadline_us, GCancellable *cancellable,
               GError **error)
{
  for (;;)
    {
      if (monitor->greeting != NULL)
        return TRUE;
      if (monitor->fault != NULL)
        {
          g_propagate_error (error, g_error_copy (monitor->fault));
          return FALSE;
        }
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (!stasis_monitor_wait_changed (monitor, deadline_us))
        break;
    }
  g_set_error_literal (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT,
                       _ ("QEMU did not greet in time; is another program connected to this "
                          "monitor?"));
  return FALSE;
}

static gboolean
take_greeting (StasisMonitor *monitor, gint64 deadline_us, GCancellable *cancellable,
               GError **error)
{
  const gulong handler = stasis_monitor_enter (monitor, cancellable);
  g_mutex_lock (&monitor->lock);
  const gboolean ok = wait_greeting (monitor, deadline_us, cancellable, error);
  g_autoptr (StasisJson) greeting = ok ? stasis_json_ref (monitor->greeting) : NULL;
  g_mutex_unlock (&monitor->lock);
  stasis_monitor_leave (monitor, cancellable, handler);
  if (!ok)
    return FALSE;

  const StasisJson *version = stasis_json_get (greeting, "version");
  const StasisJson *qemu = stasis_json_get (version, "qemu");
  monitor->version.major = (guint) stasis_json_uint (stasis_json_get (qemu, "major"), 0);
  monitor->version.minor = (guint) stasis_json_uint (stasis_json_get (qemu, "minor"), 0);
  monitor->version.micro = (guint) stasis_json_uint (stasis_json_get (qemu, "micro"), 0);
  monitor->version.package
      = g_strdup (stasis_json_string (stasis_json_get (version, "package"), ""));
  return TRUE;
}

/* Take the greeting and negotiate capabilities.  We ask for none: `oob` is for commands that must
 * overtake others, and those may not carry descriptors. */
StasisMonitor *
stasis_monitor_open (int socket_take, const char *log_path, guint64 log_start, gint64 timeout_ms,
                     GCancellable *cancellable, GError **error)
{
  const gint64 deadline_us = stasis_monitor_deadline (timeout_ms);
  g_autoptr (StasisMonitor) monitor = new_monitor (socket_take, log_path, log_start, error);
  if (monitor == NULL || !take_greeting (monitor, deadline_us, cancellable, error))
    return NULL;

  gint64 left_ms = -1;
  if (deadline_us >= 0)
    left_ms = MAX (0, (deadline_us - g_get_monotonic_time ()) / 1000);
  if (!stasis_monitor_command (monitor, "qmp_capabilities", NULL, NULL, 0, left_ms, NULL,
                               cancellable, error))
    return NULL;
  return g_steal_pointer (&monitor);
}

static void
wait_users_gone (StasisMonitor *monitor)
{
  stasis_monitor_fail (monitor,
                       g_error_new_literal (STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED,
                                            _ ("the monitor was closed")));
  g_mutex_lock (&monitor->lock);
  while (monitor->n_users > 0)
    g_cond_wait (&monitor->changed, &monitor->lock);
  g_mutex_unlock (&monitor->lock);
}

/* Fail the waiters, end the thread, free all.  NULL is fine. */
void
stasis_monitor_close (StasisMonitor *monitor)
{
  if (monitor == NULL)
    return;

  wait_users_gone (monitor);
  if (monitor->reader != NULL)
    {
      eventfd_write (monitor->wake_fd, 1);
      g_thread_join (monitor->reader);
    }
  stasis_fd_clear (&monitor->socket);
  stasis_fd_clear (&monitor->wake_fd);
  stasis_fd_clear (&monitor->event_fd);
  stasis_event_queue_clear (&monitor->events);
  stasis_json_unref (monitor->greeting);
  g_hash_table_unref (monitor->calls);
  g_clear_error (&monitor->fault);
  g_mutex_clear (&monitor->lock);
  g_cond_clear (&monitor->changed);
  g_free (monitor->version.package);
  g_free (monitor->log_path);
  g_free (monitor);
}

static StasisMonitorEvent *
pop_locked (StasisMonitor *monitor)
{
  StasisMonitorEvent *event = stasis_event_queue_pop (&monitor->events);
  stasis_monitor_update_event_fd (monitor);
  return event;
}

/* The next event if there is one. */
StasisMonitorEvent *
stasis_monitor_pop_event (StasisMonitor *monitor)
{
  g_mutex_lock (&monitor->lock);
  StasisMonitorEvent *event = pop_locked (monitor);
  g_mutex_unlock (&monitor->lock);
  return event;
}

static gboolean
wait_event_locked (StasisMonitor *monitor, gint64 deadline_us, StasisMonitorEvent **out_event,
                   GCancellable *cancellable, GError **error)
{
  gboolean is_late = FALSE;
  for (;;)
    {
      *out_event = pop_locked (monitor);
      if (*out_event != NULL)
        return TRUE;
      if (monitor->fault != NULL)
        {
          g_propagate_error (error, g_error_copy (monitor->fault));
          return FALSE;
        }
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (is_late)
        return TRUE;
      is_late = !stasis_monitor_wait_changed (monitor, deadline_us);
    }
}

/* Wait for the next event. */
gboolean
stasis_monitor_wait_event (StasisMonitor *monitor, gint64 timeout_ms,
                           StasisMonitorEvent **out_event, GCancellable *cancellable,
                           GError **error)
{
  const gint64 deadline_us = stasis_monitor_deadline (timeout_ms);
  const gulong handler = stasis_monitor_enter (monitor, cancellable);
  g_mutex_lock (&monitor->lock);
  const gboolean ok = wait_event_locked (monitor, deadline_us, out_event, cancellable, error);
  g_mutex_unlock (&monitor->lock);
  stasis_monitor_leave (monitor, cancellable, handler);
  return ok;
}

/* The descriptor that tells of events (borrowed). */
int
stasis_monitor_event_fd (const StasisMonitor *monitor)
{
  return monitor->event_fd;
}

/* How often the guest was let run, woken or reset. */
guint
stasis_monitor_stirs (StasisMonitor *monitor)
{
  g_mutex_lock (&monitor->lock);
  const guint n_stirs = monitor->n_stirs;
  g_mutex_unlock (&monitor->lock);
  return n_stirs;
}

/* TRUE once the connection has failed. */
gboolean
stasis_monitor_is_closed (StasisMonitor *monitor)
{
  g_mutex_lock (&monitor->lock);
  const gboolean is_closed = monitor->fault != NULL;
  g_mutex_unlock (&monitor->lock);
  return is_closed;
}

/* What QEMU said of itself (borrowed). */
const StasisMonitorVersion *
stasis_monitor_version (const StasisMonitor *monitor)
{
  return &monitor->version;
}
