/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * console.c: the terminal on one side, the guest's serial line on the other
 *
 * Theory of operation
 *
 * One poll() loop on three descriptors: standard input, the guest, and the cancellable.  Input
 * waits in a small buffer until the guest takes it (a guest that does not read must not hang its
 * output), output is written at once.  What is typed beyond the buffer is dropped, for one must
 * always be able to leave by the escape character; a pipe has to wait instead.  The end of standard
 * input, of a pipe say, does not end the console: what the guest still has to say may be what the
 * pipe was made for.
 */

#include "config.h"

#include "cli/console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n.h>

#include "util/fd.h"

#define BUFFER_SIZE 4096u /* octets */

/* The terminal as it was; put back on every way out. */
typedef struct
{
  gboolean is_raw;
  struct termios before;
} RawTerminal;

static void
raw_terminal_begin (RawTerminal *terminal)
{
  if (!isatty (STDIN_FILENO) || tcgetattr (STDIN_FILENO, &terminal->before) != 0)
    return;

  struct termios raw = terminal->before;
  cfmakeraw (&raw);
  terminal->is_raw = tcsetattr (STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static void
raw_terminal_end (RawTerminal *terminal)
{
  if (terminal->is_raw)
    tcsetattr (STDIN_FILENO, TCSAFLUSH, &terminal->before);
  terminal->is_raw = FALSE;
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RawTerminal, raw_terminal_end)

typedef struct
{
  int fd; /* (borrowed): the guest's side */
  guchar escape;
  guint8 typed[BUFFER_SIZE]; /* what the guest has not taken yet */
  gsize n_typed;
  gboolean is_terminal;
  gboolean input_ended;
  gboolean escaped;
} Console;

static gboolean
take_input (Console *console, GError **error)
{
  guint8 octets[BUFFER_SIZE];
  const gsize room = BUFFER_SIZE - console->n_typed;
  const gssize got
      = TEMP_FAILURE_RETRY (read (STDIN_FILENO, octets, console->is_terminal ? BUFFER_SIZE : room));
  if (got < 0 && errno == EAGAIN)
    return TRUE;
  if (got < 0)
    return stasis_throw_errno (error, _ ("failed to read standard input"));

  const guint8 *escape = memchr (octets, console->escape, got);
  const gsize n = MIN (escape != NULL ? (gsize) (escape - octets) : (gsize) got, room);
  memcpy (console->typed + console->n_typed, octets, n);
  console->n_typed += n;
  console->escaped = escape != NULL;
  console->input_ended = got == 0;
  return TRUE;
}

static gboolean
give_input (Console *console, GError **error)
{
  const gssize put = TEMP_FAILURE_RETRY (write (console->fd, console->typed, console->n_typed));
  if (put < 0 && (errno == EAGAIN || errno == EPIPE || errno == EIO))
    return TRUE; /* an end shows when reading */
  if (put < 0)
    return stasis_throw_errno (error, _ ("failed to write to the console"));

  console->n_typed -= put;
  memmove (console->typed, console->typed + put, console->n_typed);
  return TRUE;
}

/* *@out_ended: the guest's side has ended, or nobody listens to ours. */
static gboolean
take_output (Console *console, gboolean *out_ended, GError **error)
{
  guint8 octets[BUFFER_SIZE];
  const gssize got = TEMP_FAILURE_RETRY (read (console->fd, octets, sizeof octets));
  if (got < 0 && errno == EAGAIN)
    return TRUE;
  /* EIO: the other end of a pseudo terminal is closed. */
  if (got == 0 || (got < 0 && (errno == EIO || errno == ECONNRESET)))
    {
      *out_ended = TRUE;
      return TRUE;
    }
  if (got < 0)
    return stasis_throw_errno (error, _ ("failed to read from the console"));

  g_autoptr (GError) failure = NULL;
  if (stasis_fd_write_exact (STDOUT_FILENO, octets, got, &failure))
    return TRUE;
  *out_ended = TRUE;
  if (g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static gboolean
pump (Console *console, GCancellable *cancellable, GError **error)
{
  const int cancel_fd = g_cancellable_get_fd (cancellable);
  gboolean ended = FALSE;
  while (!ended)
    {
      const gboolean room
          = !console->input_ended && (console->is_terminal || console->n_typed < BUFFER_SIZE);
      struct pollfd fds[] = {
        { .fd = room ? STDIN_FILENO : -1, .events = POLLIN },
        { .fd = console->fd, .events = POLLIN | (console->n_typed > 0 ? POLLOUT : 0) },
        { .fd = cancel_fd, .events = POLLIN },
      };
      if (TEMP_FAILURE_RETRY (poll (fds, G_N_ELEMENTS (fds), -1)) < 0)
        return stasis_throw_errno (error, _ ("failed to wait for the console"));
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if ((fds[1].revents & (POLLIN | POLLHUP | POLLERR)) && !take_output (console, &ended, error))
        return FALSE;
      if (!ended && (fds[1].revents & POLLOUT) && !give_input (console, error))
        return FALSE;
      if (fds[0].revents != 0 && !take_input (console, error))
        return FALSE;
      /* A guest that does not read has no say in leaving. */
      if (console->escaped && !ended && !give_input (console, error))
        return FALSE;
      ended = ended || console->escaped;
    }
  return TRUE;
}

/* Connect the two. */
gboolean
stasis_cli_console_pump (int fd, guchar escape, GCancellable *cancellable, GError **error)
{
  Console console = { .fd = fd, .escape = escape };
  g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  g_auto (RawTerminal) terminal = { .is_raw = FALSE };
  raw_terminal_begin (&terminal);
  console.is_terminal = terminal.is_raw;
  const gboolean ok = pump (&console, cancellable, error);
  g_cancellable_release_fd (cancellable);
  return ok;
}
