/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: stasis-supervisor, the small process beside every running domain
 *
 *   stasis-supervisor FOLDER [READY_FD]
 *
 * Theory of operation
 *
 * FOLDER is the run folder of a domain whose QEMU has been started.  The supervisor outlives who
 * started it and may itself be killed and started anew at any time: what it must know it reads
 * from the status file or asks QEMU for.  It does three things: answers on the control socket
 * (requests.c), applies the life-cycle policy (life.c), and clears up when a job's owner or QEMU
 * itself dies (watch.c, errand.c).  Besides, it keeps QEMU's log and its own small (log-watch.c).
 *
 * The main loop owns everything but the life-cycle thread's connection; nothing in it blocks.
 * Threads hand their results to it.  The lock file says that a supervisor lives: whoever finds it
 * taken leaves.  It, the sockets and the folder are never removed here but by the teardown under
 * the domain's lock, for a new run of the domain may have made a folder of the same name.
 */

#include "config.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "driver/supervise.h"
#include "supervisor/errand.h"
#include "supervisor/life.h"
#include "supervisor/log-watch.h"
#include "supervisor/memory-check.h"
#include "supervisor/requests.h"
#include "supervisor/watch.h"
#include "util/fd.h"
#include "util/lock.h"

#define LOCK_FILE "supervisor.lock"
#define RETRY_MS  1000 /* after an errand that could not be done yet */

typedef struct
{
  char *folder;     /* (owned) absolute */
  StasisLock *lock; /* (owned) */
  int qemu_pidfd;   /* (owned) or -1: it has ended before we came */
  StasisLife *life; /* NULL without QEMU */
  StasisErrands *errands;
  StasisRequests *requests;
  StasisMemoryChecker *checker;
  StasisWatch *watch;
  GMainLoop *loop;
  guint retry; /* a source, or 0 */
  gboolean has_qemu_ended;
  gboolean is_status_gone;
  gboolean is_undecided; /* the status says that a migration's destination is to be asked */
  gboolean is_frozen;    /* the status says that a guest which nobody is at is to be thawed */
  gboolean is_over;      /* nothing is left to supervise */
  StasisProcess qemu;    /* that we are beside */
  int id;                /* of that run of the domain */
  const char *fallback;  /* how the run ended, if nobody says */
} Supervisor;

static void
settle (Supervisor *self)
{
  stasis_errands_request (self->errands, self->fallback);
}

static void
finish (Supervisor *self)
{
  self->is_over = TRUE;
  g_main_loop_quit (self->loop);
}

static gboolean
on_retry (gpointer data)
{
  Supervisor *self = data;
  self->retry = 0;
  settle (self);
  return G_SOURCE_REMOVE;
}

/* Once, however many errands could not be done. */
static void
retry_later (Supervisor *self)
{
  if (self->retry == 0)
    self->retry = g_timeout_add (RETRY_MS, on_retry, self);
}

static void
ignore_result (const GError *error, gpointer data)
{
}

/* A recovery took QEMU's events to itself, or changed the run state. */
static void
look_anew (Supervisor *self)
{
  if (self->life != NULL)
    stasis_life_sync (self->life, ignore_result, NULL);
  stasis_watch_look (self->watch);
}

static void
on_errand_done (StasisErrandResult result, gpointer data)
{
  Supervisor *self = data;
  switch (result)
    {
    case STASIS_ERRAND_GONE:
      finish (self);
      break;
    case STASIS_ERRAND_AGAIN:
      retry_later (self);
      break;
    case STASIS_ERRAND_OWED:
      retry_later (self);
      look_anew (self);
      break;
    case STASIS_ERRAND_DONE:
      if (self->has_qemu_ended)
        {
          /* Its end is told once: nothing else would bring us here again. */
          retry_later (self);
          break;
        }
      look_anew (self);
      break;
    }
}

static void
on_last_words (const GError *error, gpointer data)
{
  Supervisor *self = data;
  self->fallback = stasis_life_was_ended (self->life) ? "destroyed" : "crashed";
  settle (self);
}

static gboolean
on_qemu_ended (gint fd, GIOCondition condition, gpointer data)
{
  Supervisor *self = data;
  self->has_qemu_ended = TRUE;
  /* Its last events may tell whether a signal ended it. */
  stasis_life_sync (self->life, on_last_words, self);
  return G_SOURCE_REMOVE;
}

static void
on_job_lost (gpointer data)
{
  settle (data);
}

static void
on_owner_died (gpointer data)
{
  settle (data);
}

static void
on_restart_due (gpointer data)
{
  settle (data);
}

static void
on_status_changed (const StasisStatus *status, gpointer data)
{
  Supervisor *self = data;
  if (self->requests != NULL)
    stasis_requests_set_status (self->requests, status);
  if (self->checker != NULL)
    stasis_memory_checker_set_status (self->checker, status);
  if (status->journal.step == STASIS_STEP_NONE
      && !stasis_process_equal (&status->qemu, &self->qemu))
    {
      finish (self);
      return;
    }
  const gboolean was_frozen = self->is_frozen;
  self->is_frozen = status->frozen != NULL && status->journal.step == STASIS_STEP_NONE;
  const gboolean was_undecided = self->is_undecided;
  self->is_undecided = (status->undecided_migration != NULL || status->postcopy != NULL)
                       && status->journal.step == STASIS_STEP_NONE;
  if ((self->is_frozen && !was_frozen) || (self->is_undecided && !was_undecided))
    settle (self);
}

/* By a teardown; or somebody removed it beside a QEMU that lives.  Then its life-cycle policy still
 * holds, and its end is ours. */
static void
on_status_gone (gpointer data)
{
  Supervisor *self = data;
  if (stasis_process_wait (self->qemu_pidfd, 0))
    {
      /* The folder goes last, and our own teardown is not to be cut off before that. */
      if (!g_file_test (self->folder, G_FILE_TEST_EXISTS))
        finish (self);
      return;
    }
  if (!self->is_status_gone)
    g_warning (_ ("'%1$s/status.json' was removed while QEMU runs; 'destroy %2$s' ends it"),
               self->folder, strrchr (self->folder, '/') + 1);
  self->is_status_gone = TRUE;
}

static gboolean
take_lock (Supervisor *self, gboolean *out_is_other, GError **error)
{
  g_autofree char *path = g_build_filename (self->folder, LOCK_FILE, NULL);
  g_autoptr (GError) local = NULL;
  self->lock = stasis_lock_take (path, /* wait= */ FALSE, &local);
  *out_is_other = self->lock == NULL && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY);
  if (self->lock != NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The guest may be another QEMU's by now (handover).  What is known of ours is of no use then: we
 * begin anew, as a supervisor that comes later does. */
static void
begin_anew_if_due (const Supervisor *self, char **argv)
{
  g_autoptr (StasisStatus) status = stasis_status_read (self->folder, NULL);
  if (status == NULL || status->id != self->id || stasis_process_equal (&status->qemu, &self->qemu)
      || !stasis_process_is_alive (&status->qemu))
    return;
  char *again[] = { argv[0], self->folder, NULL };
  execv ("/proc/self/exe", again);
  g_message ("cannot begin anew: %s", g_strerror (errno));
}

static gboolean
watch_qemu (Supervisor *self, const StasisStatus *status, GError **error)
{
  g_autoptr (GError) local = NULL;
  self->qemu = status->qemu;
  self->id = status->id;
  self->qemu_pidfd = stasis_process_open (&status->qemu, &local);
  if (self->qemu_pidfd < 0)
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  self->life = stasis_life_new (self->folder, status, self->qemu_pidfd, on_restart_due, self);
  g_unix_fd_add (self->qemu_pidfd, G_IO_IN, on_qemu_ended, self);
  g_autofree char *own_log = stasis_supervise_log_path (self->folder, status);
  stasis_log_watch (status->log, own_log, self->qemu_pidfd);
  return TRUE;
}

static gboolean
start (Supervisor *self, GError **error)
{
  static const StasisWatchFuncs funcs = { on_status_changed, on_owner_died, on_status_gone };
  g_autoptr (StasisStatus) status = stasis_status_read (self->folder, error);
  if (status == NULL || !watch_qemu (self, status, error))
    return FALSE;
  self->errands = stasis_errands_new (self->folder, status, self->life, on_errand_done, self);
  if (self->life == NULL)
    {
      settle (self);
      return TRUE;
    }
  self->requests = stasis_requests_new (self->folder, self->life, on_job_lost, self, error);
  if (self->requests == NULL)
    return FALSE;
  self->checker = stasis_memory_checker_new (self->folder, self->life);
  self->watch = stasis_watch_new (self->folder, &funcs, self, error);
  if (status->is_fd_left)
    settle (self);
  return self->watch != NULL;
}

/* Tell who started us; the descriptor is closed in any case. */
static void
tell_ready (const char *number)
{
  if (number == NULL)
    return;
  stasis_autofd int fd = atoi (number);
  g_autoptr (GError) error = NULL;
  if (!stasis_fd_write_exact (fd, "r", 1, &error))
    g_message ("%s", error->message);
}

int
main (int argc, char **argv)
{
  /* One arena for all threads: this process is to stay small. */
  mallopt (M_ARENA_MAX, 1);
  signal (SIGPIPE, SIG_IGN);
  if (argc < 2 || argc > 3)
    {
      g_printerr ("stasis-supervisor: started by hand? It belongs to the stasis driver.\n");
      return 2;
    }

  static Supervisor self = { .qemu_pidfd = -1, .fallback = "crashed" };
  g_autoptr (GError) error = NULL;
  gboolean is_other = FALSE;
  self.folder = g_canonicalize_filename (argv[1], NULL);
  self.loop = g_main_loop_new (NULL, FALSE);
  if (take_lock (&self, &is_other, &error) && start (&self, &error))
    {
      tell_ready (argc == 3 ? argv[2] : NULL);
      if (!self.is_over)
        g_main_loop_run (self.loop);
      stasis_errands_await_leave (self.errands);
      begin_anew_if_due (&self, argv);
      return 0;
    }
  if (is_other)
    return 0;
  g_printerr ("stasis-supervisor: %s\n", error->message);
  return 1;
}
