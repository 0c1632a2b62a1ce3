/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * life.c: the thread that watches QEMU and applies the life-cycle policy
 *
 * Theory of operation
 *
 * QEMU answers when it can: while it writes out a device's state it may not for a second.  So
 * nothing in the main loop waits for it; this thread does.  It owns the QMP connection, takes its
 * events in order, acts on those that end the guest, and does what the main loop asks of it by a
 * queue.  How the guest is stands behind a lock that is never held across a command.
 *
 * A connection that is lost while QEMU lives is opened anew, and the run state asked for: events
 * tell when to look, never all there is to know.  A look that QEMU did not answer in time is
 * repeated until it does, for the events that led to it have been taken.
 */

#include "config.h"

#include "supervisor/life-private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "supervisor/steer.h"
#include "util/fd.h"

#define SOCKET_FILE "supervisor.sock"
#define OPEN_MS     5000
#define RETRY_MS    500 /* between two tries to connect */

typedef enum
{
  REQUEST_SYNC,
  REQUEST_REBOOT,
  REQUEST_PAUSE,
  REQUEST_RESTART_DUE,
  REQUEST_NOTE_RESTART,
  REQUEST_STEER,
} RequestKind;

typedef struct
{
  RequestKind kind;
  StasisLifeDone done; /* (nullable) where somebody waits for the answer */
  gpointer data;
  StasisJson *limits;   /* (borrowed) (nullable) */
  gboolean is_answered; /* guarded by the life's lock */
  gboolean is_due;      /* the answer, as is the error */
  GError *error;        /* (owned) (nullable) */
} Request;

static void
request_free (gpointer data)
{
  Request *request = data;
  g_clear_error (&request->error);
  g_free (request);
}

static gboolean
deliver (gpointer data)
{
  const Request *request = data;
  request->done (request->error, request->data);
  return G_SOURCE_REMOVE;
}

static void
answer (StasisLife *life, Request *request)
{
  if (request->done != NULL)
    {
      g_idle_add_full (G_PRIORITY_DEFAULT, deliver, request, request_free);
      return;
    }
  g_mutex_lock (&life->lock);
  request->is_answered = TRUE;
  g_cond_broadcast (&life->returned);
  g_mutex_unlock (&life->lock);
}

/* Of its migration we get the next event, which may be far. */
static gboolean
look_at_migration (StasisLife *life, GError **error)
{
  if (life->guest.postcopy == NULL)
    return TRUE;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (life->monitor, NULL, error);
  if (info == NULL)
    return FALSE;
  g_mutex_lock (&life->lock);
  stasis_guest_state_migrates (&life->guest, info->status);
  g_mutex_unlock (&life->lock);
  return TRUE;
}

static void
connect_monitor (StasisLife *life)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (life->folder, SOCKET_FILE, NULL);
  const int socket = stasis_unix_connect (path, &error);
  StasisMonitor *monitor = NULL;
  if (socket >= 0)
    monitor = stasis_monitor_open (socket, life->log, life->log_start, OPEN_MS, NULL, &error);
  g_mutex_lock (&life->lock);
  life->monitor = monitor;
  g_mutex_unlock (&life->lock);
  if (monitor == NULL || !look_at_migration (life, &error) || !stasis_life_look (life, &error))
    g_debug ("%s", error->message);
}

/* The earlier of the two; -1 is never. */
static int
earlier (int left_ms, gint64 other_ms)
{
  return left_ms < 0 ? (int) other_ms : (int) MIN (left_ms, other_ms);
}

static int
timeout_ms (const StasisLife *life)
{
  const gint64 now = g_get_monotonic_time ();
  int left = -1;
  if (life->kill_at_us > 0)
    left = earlier (left, MAX (0, life->kill_at_us - now) / 1000 + 1);
  if (life->monitor == NULL)
    left = earlier (left, RETRY_MS);
  else if (life->look_at_us > 0)
    left = earlier (left, MAX (0, life->look_at_us - now) / 1000 + 1);
  return left;
}

/* Until there is an event, a request, or a deadline is over. */
static void
wait_something (StasisLife *life)
{
  struct pollfd fds[] = {
    { .fd = life->wake, .events = POLLIN },
    { .fd = life->monitor != NULL ? stasis_monitor_event_fd (life->monitor) : -1,
      .events = POLLIN },
  };
  eventfd_t count;
  if (poll (fds, G_N_ELEMENTS (fds), timeout_ms (life)) > 0 && (fds[0].revents & POLLIN))
    eventfd_read (life->wake, &count);
}

static void
drop_closed_monitor (StasisLife *life)
{
  if (life->monitor == NULL || !stasis_monitor_is_closed (life->monitor))
    return;
  /* All that came before the end is there by now. */
  stasis_life_drain (life);
  /* The commands of who has borrowed it fail at once. */
  g_mutex_lock (&life->lock);
  while (life->n_lent > 0)
    g_cond_wait (&life->returned, &life->lock);
  StasisMonitor *monitor = g_steal_pointer (&life->monitor);
  g_mutex_unlock (&life->lock);
  stasis_monitor_close (monitor);
}

static gboolean
press_power_button (StasisLife *life, GError **error)
{
  g_mutex_lock (&life->lock);
  const StasisRunState state = life->guest.run_state;
  life->guest.is_reboot_pending = state == STASIS_RUN_STATE_RUNNING;
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  if (state != STASIS_RUN_STATE_RUNNING)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("its guest does not run (%s)"), stasis_run_state_to_string (state));
      return FALSE;
    }
  /* Before the button: a later supervisor must know what the shutdown is to mean. */
  if (!stasis_guest_state_store (&guest, life->folder, error))
    return FALSE;
  life->own_powerdowns++;
  return stasis_monitor_system_powerdown (life->monitor, NULL, error);
}

/* Asked for by nobody: why it stands still is kept. */
static gboolean
pause_damaged (StasisLife *life, GError **error)
{
  const StasisRunState state = stasis_life_get (life).run_state;
  if (state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED)
    {
      if (!stasis_monitor_stop (life->monitor, NULL, error))
        return FALSE;
      stasis_life_drain (life);
      if (!stasis_life_look (life, error))
        return FALSE;
    }
  g_mutex_lock (&life->lock);
  stasis_guest_state_blame_memory (&life->guest);
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  return stasis_guest_state_store (&guest, life->folder, error);
}

static void
handle (StasisLife *life, Request *request)
{
  if (request->kind == REQUEST_NOTE_RESTART)
    {
      stasis_life_begin_restart (life, &request->error);
      return;
    }
  if (life->monitor == NULL)
    {
      g_set_error_literal (&request->error, STASIS_ERROR, STASIS_ERROR_QEMU,
                           _ ("QEMU does not answer on its monitor"));
      return;
    }
  stasis_life_drain (life);
  if (stasis_life_look (life, &request->error))
    {
      if (request->kind == REQUEST_REBOOT)
        press_power_button (life, &request->error);
      else if (request->kind == REQUEST_PAUSE)
        pause_damaged (life, &request->error);
      else if (request->kind == REQUEST_STEER)
        stasis_steer (life->monitor, request->limits, &request->error);
    }
  /* One that did not get to its end is to be tried again. */
  request->is_due = life->is_restart_due || life->is_restarting;
}

/* SIGTERM was not enough. */
static void
kill_stubborn (StasisLife *life)
{
  if (life->kill_at_us == 0 || g_get_monotonic_time () < life->kill_at_us)
    return;
  life->kill_at_us = 0;
  syscall (SYS_pidfd_send_signal, life->qemu_pidfd, SIGKILL, NULL, 0);
}

/* There was an event, or the last look told nothing certain and its time has come again. */
static gboolean
is_look_due (StasisLife *life)
{
  if (life->monitor == NULL)
    return FALSE;
  const gboolean is_stale = stasis_life_drain (life);
  return is_stale || (life->look_at_us > 0 && g_get_monotonic_time () >= life->look_at_us);
}

static gpointer
run (gpointer data)
{
  StasisLife *life = data;
  for (;;)
    {
      if (life->monitor == NULL)
        connect_monitor (life);
      /* A connection that fails in its first use is tried again after a while. */
      drop_closed_monitor (life);
      if (g_async_queue_length (life->requests) == 0)
        wait_something (life);

      g_autoptr (GError) error = NULL;
      if (is_look_due (life) && !stasis_life_look (life, &error))
        g_debug ("%s", error->message);
      Request *request;
      while ((request = g_async_queue_try_pop (life->requests)) != NULL)
        {
          handle (life, request);
          answer (life, request);
        }
      kill_stubborn (life);
    }
  return NULL;
}

/* Begin to watch. */
StasisLife *
stasis_life_new (const char *folder, const StasisStatus *status, int qemu_pidfd,
                 StasisLifeRestart restart, gpointer data)
{
  StasisLife *life = g_new0 (StasisLife, 1);
  life->folder = folder;
  life->log = g_strdup (status->log);
  life->log_start = status->log_start;
  life->qemu_pidfd = qemu_pidfd;
  life->on_poweroff = stasis_policy_parse (status->on_poweroff, STASIS_POLICY_DESTROY);
  life->on_reboot = stasis_policy_parse (status->on_reboot, STASIS_POLICY_RESTART);
  life->on_crash = stasis_policy_parse (status->on_crash, STASIS_POLICY_DESTROY);
  life->restart = restart;
  life->restart_data = data;
  life->requests = g_async_queue_new ();
  life->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_mutex_init (&life->lock);
  g_cond_init (&life->returned);
  stasis_guest_state_init (&life->guest, status->reason);
  stasis_guest_state_load (&life->guest, folder);
  if (status->postcopy != NULL
      || (status->undecided_migration != NULL && status->undecided_migration->is_postcopy))
    stasis_guest_state_migrates (&life->guest, STASIS_MIGRATION_POSTCOPY_ACTIVE);
  /* A supervisor before us died in the middle of it. */
  life->is_restarting = status->journal.step == STASIS_STEP_RESTART;
  if (life->is_restarting)
    life->guest.is_reboot_pending = FALSE;
  g_thread_unref (g_thread_new ("life", run, life));
  return life;
}

/* Tell of what changes from now on. */
void
stasis_life_set_changed (StasisLife *life, StasisLifeChanged changed, gpointer data)
{
  g_mutex_lock (&life->lock);
  life->changed = changed;
  life->changed_data = data;
  stasis_life_tell (life);
  g_mutex_unlock (&life->lock);
}

/* Tell of each event of QEMU. */
void
stasis_life_set_heard (StasisLife *life, StasisLifeHeard heard, gpointer data)
{
  g_mutex_lock (&life->lock);
  life->heard = heard;
  life->heard_data = data;
  g_mutex_unlock (&life->lock);
}

/* How the guest was when last heard of. */
StasisGuestState
stasis_life_get (StasisLife *life)
{
  g_mutex_lock (&life->lock);
  const StasisGuestState guest = life->guest;
  g_mutex_unlock (&life->lock);
  return guest;
}

/* Which operation goes on. */
void
stasis_life_set_job (StasisLife *life, const char *operation, gboolean is_settled)
{
  g_mutex_lock (&life->lock);
  life->job = operation != NULL ? g_intern_string (operation) : NULL;
  if (is_settled)
    stasis_life_tell (life);
  g_mutex_unlock (&life->lock);
}

/* TRUE where somebody ended QEMU from outside. */
gboolean
stasis_life_was_ended (StasisLife *life)
{
  g_mutex_lock (&life->lock);
  const gboolean was_ended = life->was_ended;
  g_mutex_unlock (&life->lock);
  return was_ended;
}

/* Use the connection to QEMU from another thread. */
StasisMonitor *
stasis_life_borrow (StasisLife *life)
{
  g_mutex_lock (&life->lock);
  StasisMonitor *monitor = life->monitor;
  if (monitor != NULL)
    life->n_lent++;
  g_mutex_unlock (&life->lock);
  return monitor;
}

/* NULL is fine. */
void
stasis_life_return (StasisLife *life, StasisMonitor *monitor)
{
  if (monitor == NULL)
    return;
  g_mutex_lock (&life->lock);
  life->n_lent--;
  g_cond_broadcast (&life->returned);
  g_mutex_unlock (&life->lock);
}

static void
push (StasisLife *life, Request *request)
{
  g_async_queue_push (life->requests, request);
  eventfd_write (life->wake, 1);
}

static void
push_new (StasisLife *life, RequestKind kind, StasisLifeDone done, gpointer data)
{
  Request *request = g_new0 (Request, 1);
  request->kind = kind;
  request->done = done;
  request->data = data;
  push (life, request);
}

/* Wait for the answer. */
static gboolean
ask (StasisLife *life, Request *request, GError **error)
{
  push (life, request);
  g_mutex_lock (&life->lock);
  while (!request->is_answered)
    g_cond_wait (&life->returned, &life->lock);
  g_mutex_unlock (&life->lock);
  if (request->error == NULL)
    return TRUE;
  g_propagate_error (error, request->error);
  return FALSE;
}

/* Look at all that QEMU has said so far. */
void
stasis_life_sync (StasisLife *life, StasisLifeDone done, gpointer data)
{
  push_new (life, REQUEST_SYNC, done, data);
}

/* Press the power button; at the next shutdown the guest is reset. */
void
stasis_life_reboot (StasisLife *life, StasisLifeDone done, gpointer data)
{
  push_new (life, REQUEST_REBOOT, done, data);
}

/* Change a migration's limits. */
void
stasis_life_steer (StasisLife *life, StasisJson *limits, StasisLifeDone done, gpointer data)
{
  Request *request = g_new0 (Request, 1);
  request->kind = REQUEST_STEER;
  request->limits = limits;
  request->done = done;
  request->data = data;
  push (life, request);
}

/* Pause a guest whose memory is damaged. */
void
stasis_life_pause (StasisLife *life, StasisLifeDone done, gpointer data)
{
  push_new (life, REQUEST_PAUSE, done, data);
}

/* Look now whether the guest has ended and is to be reset. */
gboolean
stasis_life_is_restart_due (StasisLife *life, gboolean *out_is_due, GError **error)
{
  Request request = { .kind = REQUEST_RESTART_DUE };
  if (!ask (life, &request, error))
    return FALSE;
  *out_is_due = request.is_due;
  return TRUE;
}

/* It is about to be reset. */
gboolean
stasis_life_note_restart (StasisLife *life, GError **error)
{
  Request request = { .kind = REQUEST_NOTE_RESTART };
  return ask (life, &request, error);
}
