/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * supervise.c: see to it that a running domain has its supervisor
 *
 * A supervisor holds supervisor.lock as long as it lives, so the kernel tells whether there is
 * one.  Two that start one at the same time are fine: the second supervisor finds the lock taken
 * and leaves, which its starter sees as an end of file with the lock held.
 */

#include "config.h"

#include "driver/supervise.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib-unix.h>
#include <stasis/error.h>

#include "driver/control.h"
#include "driver/log-limit.h"
#include "driver/scope.h"
#include "driver/spawn.h"
#include "driver/status.h"
#include "monitor/log-tail.h"
#include "util/fd.h"
#include "util/lock.h"

#define LOCK_FILE "supervisor.lock"
#define PROGRAM   "stasis-supervisor"
#define READY_MS  10000
#define NAP_MS    5

/* TRUE while a supervisor lives. */
gboolean
stasis_supervise_is_alive (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, LOCK_FILE, NULL);
  return stasis_lock_is_held (path);
}

/* NAME.supervisor.log beside QEMU's NAME.log. */
char *
stasis_supervise_log_path (const char *folder, const StasisStatus *status)
{
  if (status->log == NULL)
    return g_build_filename (folder, "supervisor.log", NULL);
  const gsize length = strlen (status->log);
  const gsize stem = g_str_has_suffix (status->log, ".log") ? length - 4 : length;
  return g_strdup_printf ("%.*s.supervisor.log", (int) stem, status->log);
}

struct _StasisSupervising
{
  char *folder;         /* (owned) */
  StasisStatus *status; /* (owned) (nullable) NULL: it was there */
  char *log;            /* (owned) (nullable) its log */
  guint64 log_start;    /* the size that it had before */
  int ready;            /* (owned) what it says, or -1 */
};

/* NULL is fine. */
void
stasis_supervising_free (StasisSupervising *self)
{
  if (self == NULL)
    return;
  stasis_status_free (self->status);
  stasis_fd_clear (&self->ready);
  g_free (self->folder);
  g_free (self->log);
  g_free (self);
}

static gboolean
throw_dead (const StasisSupervising *self, const char *what, GError **error)
{
  g_autofree char *tail = stasis_log_tail (self->log, self->log_start);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("the supervisor of domain '%1$s' %2$s; its log '%3$s' ends with: %4$s"),
               self->status->name, what, self->log, tail);
  return FALSE;
}

static gboolean
spawn_supervisor (const char *folder, const char *log, int ready_take, GError **error)
{
  g_autofree char *name = g_path_get_basename (folder);
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (log);
  const int number = stasis_spawn_take_fd (spawn, ready_take);
  g_autofree char *program = stasis_spawn_find_helper (PROGRAM);
  g_autofree char *absolute = g_canonicalize_filename (folder, NULL);
  g_autofree char *ready = g_strdup_printf ("%d", number);
  stasis_spawn_add_arg (spawn, program);
  stasis_spawn_add_arg (spawn, absolute);
  stasis_spawn_add_arg (spawn, ready);
  StasisProcess process;
  if (!stasis_spawn_begin (spawn, &process, error))
    return FALSE;
  stasis_scope_enter (name, process.pid);
  return stasis_spawn_go (spawn, error);
}

/* The lock alone does not tell: a supervisor that was killed holds it until its last thread has
 * ended, and one that has just come does before it listens.  *@out_is_there: it answers. */
static gboolean
look_for (const char *folder, gboolean *out_is_there, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + READY_MS * 1000;
  *out_is_there = FALSE;
  while (stasis_supervise_is_alive (folder))
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (StasisControl) control = stasis_control_open (folder, &local);
      g_autoptr (StasisJobStats) stats
          = control != NULL ? stasis_control_get_job (control, &local) : NULL;
      *out_is_there = stats != NULL;
      if (*out_is_there)
        return TRUE;
      if (g_get_monotonic_time () > deadline_us)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      poll (NULL, 0, NAP_MS);
    }
  return TRUE;
}

/* Start a supervisor unless one lives. */
StasisSupervising *
stasis_supervise_begin (const char *folder, GError **error)
{
  g_autoptr (StasisSupervising) self = g_new0 (StasisSupervising, 1);
  self->folder = g_strdup (folder);
  self->ready = -1;
  gboolean is_there = FALSE;
  if (!look_for (folder, &is_there, error))
    return NULL;
  if (is_there)
    return g_steal_pointer (&self);
  self->status = stasis_status_read (folder, error);
  if (self->status == NULL)
    return NULL;

  int ready[2];
  if (!g_unix_open_pipe (ready, FD_CLOEXEC, error))
    return NULL;
  self->ready = ready[0];
  self->log = stasis_supervise_log_path (folder, self->status);
  self->log_start = stasis_log_begin_run (self->log);
  return spawn_supervisor (folder, self->log, ready[1], error) ? g_steal_pointer (&self) : NULL;
}

/* An octet, the end of file, or the deadline. */
gboolean
stasis_supervise_await (const StasisSupervising *self, GError **error)
{
  if (self->status == NULL)
    return TRUE;
  struct pollfd one = { .fd = self->ready, .events = POLLIN };
  int n;
  do
    n = poll (&one, 1, READY_MS);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return throw_dead (self, _ ("is not ready in time"), error);

  char octet;
  if (read (self->ready, &octet, 1) == 1 || stasis_supervise_is_alive (self->folder))
    return TRUE;
  return throw_dead (self, _ ("ended at once"), error);
}

/* And wait for it. */
gboolean
stasis_supervise_ensure (const char *folder, GError **error)
{
  g_autoptr (StasisSupervising) supervising = stasis_supervise_begin (folder, error);
  return supervising != NULL && stasis_supervise_await (supervising, error);
}
