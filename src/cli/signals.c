/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * signals.c: Ctrl-C and its like, handled on a thread while something goes on
 *
 * Theory of operation
 *
 * The library's calls block the main thread.  The handler does the one thing that is safe there:
 * it writes the signal's number into a pipe.  A thread reads the pipe and calls back, free to
 * lock, print and cancel.  An octet of 0 ends the thread.
 *
 * Handlers, not a blocked mask with signalfd(): a mask, like SIG_IGN, would be inherited by QEMU,
 * the supervisor and the editor, while exec() sets a handler back to the default.
 */

#include "config.h"

#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <glib-unix.h>

#include "util/fd.h"

static const int handled[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP };

struct _StasisCliSignals
{
  int pipe[2]; /* (owned) */
  GThread *thread;
  StasisCliSignalFunc func;
  gpointer user_data;
  struct sigaction before[G_N_ELEMENTS (handled)];
  gboolean changed[G_N_ELEMENTS (handled)];
};

/* The pipe's end for the handler; -1 while there is no one to read. */
static volatile sig_atomic_t handler_fd = -1;

static void
on_signal (int number)
{
  const int saved_errno = errno;
  const guint8 octet = number;
  /* Full only if thousands are unread; then one more says nothing new. */
  if (handler_fd >= 0 && write (handler_fd, &octet, 1) < 0)
    errno = 0;
  errno = saved_errno;
}

static void
on_pipe (int number)
{
}

/* Let write() fail with EPIPE; not by SIG_IGN, which programs started from here would inherit. */
void
stasis_cli_signals_ignore_pipe (void)
{
  const struct sigaction action = { .sa_handler = on_pipe, .sa_flags = SA_RESTART };
  sigaction (SIGPIPE, &action, NULL);
}

static gpointer
read_signals (gpointer data)
{
  StasisCliSignals *self = data;
  guint counts[NSIG] = { 0 };
  for (;;)
    {
      guint8 number = 0;
      const gssize got = TEMP_FAILURE_RETRY (read (self->pipe[0], &number, 1));
      if (got != 1 || number == 0)
        return NULL;
      if (number < NSIG)
        self->func (number, ++counts[number], self->user_data);
    }
}

static void
install (StasisCliSignals *self, guint index)
{
  const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
  if (sigaction (handled[index], NULL, &self->before[index]) != 0
      || self->before[index].sa_handler == SIG_IGN)
    return;
  self->changed[index] = sigaction (handled[index], &action, NULL) == 0;
}

/* Begin to listen. */
StasisCliSignals *
stasis_cli_signals_begin (gboolean stop, StasisCliSignalFunc func, gpointer user_data)
{
  g_assert (handler_fd < 0);

  StasisCliSignals *self = g_new0 (StasisCliSignals, 1);
  self->func = func;
  self->user_data = user_data;
  /* Without a pipe (no descriptors left) signals do what they do by default. */
  if (!g_unix_open_pipe (self->pipe, FD_CLOEXEC, NULL))
    {
      self->pipe[0] = self->pipe[1] = -1;
      return self;
    }
  g_unix_set_fd_nonblocking (self->pipe[1], TRUE, NULL);
  self->thread = g_thread_new ("signals", read_signals, self);
  handler_fd = self->pipe[1];
  for (guint i = 0; i < G_N_ELEMENTS (handled); i++)
    if (stop || handled[i] != SIGTSTP)
      install (self, i);
  return self;
}

/* End it: handlers first, so that none finds a closed pipe. */
void
stasis_cli_signals_end (StasisCliSignals *self)
{
  if (self == NULL)
    return;

  for (guint i = 0; i < G_N_ELEMENTS (handled); i++)
    if (self->changed[i])
      sigaction (handled[i], &self->before[i], NULL);
  handler_fd = -1;
  if (self->thread != NULL)
    {
      const guint8 end = 0;
      /* The pipe may be full of signals; the thread makes room. */
      while (write (self->pipe[1], &end, 1) < 0 && (errno == EAGAIN || errno == EINTR))
        g_thread_yield ();
      g_thread_join (self->thread);
    }
  stasis_fd_clear (&self->pipe[0]);
  stasis_fd_clear (&self->pipe[1]);
  g_free (self);
}
