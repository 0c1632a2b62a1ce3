/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * program.c: a program that octets are sent through
 *
 * Theory of operation
 *
 * The program's standard input is one end of a socket pair rather than a pipe: sending to a program
 * that has died then raises no signal, whatever the process does about SIGPIPE, and once the
 * program has ended the socket knows whether all that was sent was also read (unix(7) reports
 * ECONNRESET to the peer of an end that was closed with octets in it).  A program that stops early
 * and still calls that success has found the end of its data, and something behind it.
 *
 * Our ends do not block; poll() waits for all three and for the cancellable.  What the program
 * writes to its standard error is always drained, and the beginning of it kept.  GSubprocess reaps
 * it.
 */

#include "config.h"

#include "image/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "util/fd.h"

#define MESSAGES_MAX 1024u /* octets kept of standard error */

struct _StasisProgram
{
  char *name;           /* (owned) */
  GSubprocess *process; /* (owned) */
  int input;            /* (owned) a socket */
  int output;           /* (owned) a pipe, -1 once it is over */
  int messages_fd;      /* (owned) a pipe, -1 once it is over */
  GString *messages;    /* (owned) */
  gboolean is_input_ended;
  gboolean is_deaf;
};

/* Options from the environment could change what a program does to the octets. */
static const char *const unwanted[] = { "BZIP", "BZIP2", "GZIP", "LZOP", "XZ_DEFAULTS", "XZ_OPT" };

static gboolean
make_pipe (int *out_ours, int *out_theirs, GError **error)
{
  int fds[2];
  if (pipe2 (fds, O_CLOEXEC) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pipe"));
  *out_ours = fds[0];
  *out_theirs = fds[1];
  /* The two ends of a pipe have flags of their own. */
  if (fcntl (fds[0], F_SETFL, O_NONBLOCK) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pipe"));
  return TRUE;
}

static gboolean
spawn (StasisProgram *program, const char *const *argv, GError **error)
{
  stasis_autofd int their_output = -1, their_messages = -1, their_input = -1;
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return stasis_throw_errno (error, _ ("cannot make a socket"));
  program->input = pair[0];
  their_input = pair[1];
  if (!make_pipe (&program->output, &their_output, error)
      || !make_pipe (&program->messages_fd, &their_messages, error))
    return FALSE;

  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  for (gsize i = 0; i < G_N_ELEMENTS (unwanted); i++)
    g_subprocess_launcher_unsetenv (launcher, unwanted[i]);
  g_subprocess_launcher_take_stdin_fd (launcher, stasis_fd_steal (&their_input));
  g_subprocess_launcher_take_stdout_fd (launcher, stasis_fd_steal (&their_output));
  g_subprocess_launcher_take_stderr_fd (launcher, stasis_fd_steal (&their_messages));
  program->process = g_subprocess_launcher_spawnv (launcher, argv, error);
  return program->process != NULL;
}

/* Start argv[0], looked up in PATH. */
StasisProgram *
stasis_program_start (const char *const *argv, const char *package, GError **error)
{
  g_autofree char *path = g_find_program_in_path (argv[0]);
  if (path == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                   _ ("this needs the program '%1$s', which is not installed (Debian package "
                      "'%2$s')"),
                   argv[0], package);
      return NULL;
    }

  g_autoptr (StasisProgram) program = g_new0 (StasisProgram, 1);
  program->name = g_strdup (argv[0]);
  program->input = program->output = program->messages_fd = -1;
  program->messages = g_string_new (NULL);
  if (!spawn (program, argv, error))
    return NULL;
  return g_steal_pointer (&program);
}

/* read() that does not block: 0 and EOF clear the descriptor. */
static gboolean
receive (int *fd, void *buffer, gsize room, gsize *out_received, GError **error)
{
  gssize n;
  do
    n = read (*fd, buffer, room);
  while (n < 0 && errno == EINTR);
  *out_received = n > 0 ? (gsize) n : 0;
  if (n == 0)
    stasis_fd_clear (fd);
  if (n < 0 && errno != EAGAIN)
    return stasis_throw_errno (error, _ ("cannot read from a program"));
  return TRUE;
}

static gboolean
receive_messages (StasisProgram *program, GError **error)
{
  char piece[512];
  gsize n;
  if (!receive (&program->messages_fd, piece, sizeof piece, &n, error))
    return FALSE;
  const gsize room = MESSAGES_MAX - program->messages->len;
  g_string_append_len (program->messages, piece, (gssize) MIN (n, room));
  return TRUE;
}

static gboolean
send_some (StasisProgram *program, const void *octets, gsize size, gsize *out_sent, GError **error)
{
  gssize n;
  do
    n = send (program->input, octets, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  *out_sent = n > 0 ? (gsize) n : 0;
  if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
    program->is_deaf = TRUE;
  else if (n < 0 && errno != EAGAIN)
    return stasis_throw_errno (error, _ ("cannot write to a program"));
  return TRUE;
}

enum
{
  TO_SEND,
  TO_RECEIVE,
  TO_HEAR,
  TO_CANCEL,
  N_FDS,
};

static gboolean
wait_for (struct pollfd fds[N_FDS], gboolean wait, GCancellable *cancellable, GError **error)
{
  if (cancellable != NULL && wait)
    fds[TO_CANCEL].fd = g_cancellable_get_fd (cancellable);
  int n;
  do
    n = poll (fds, N_FDS, wait ? -1 : 0);
  while (n < 0 && errno == EINTR);
  const int saved_errno = errno;
  if (fds[TO_CANCEL].fd >= 0)
    g_cancellable_release_fd (cancellable);

  errno = saved_errno;
  if (n < 0)
    return stasis_throw_errno (error, _ ("cannot wait for a program"));
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* One round of what is possible; *@out_moved if anything was. */
static gboolean
step_once (StasisProgram *program, const void *octets, gsize size, gsize *out_sent, void *buffer,
           gsize room, gsize *out_received, gboolean wait, GCancellable *cancellable,
           GError **error)
{
  const gboolean sends = size > 0 && !program->is_deaf && !program->is_input_ended;
  struct pollfd fds[N_FDS] = {
    [TO_SEND] = { .fd = sends ? program->input : -1, .events = POLLOUT },
    [TO_RECEIVE] = { .fd = room > 0 ? program->output : -1, .events = POLLIN },
    [TO_HEAR] = { .fd = program->messages_fd, .events = POLLIN },
    [TO_CANCEL] = { .fd = -1, .events = POLLIN },
  };
  return wait_for (fds, wait, cancellable, error)
         && (fds[TO_HEAR].revents == 0 || receive_messages (program, error))
         && (fds[TO_RECEIVE].revents == 0
             || receive (&program->output, buffer, room, out_received, error))
         && (fds[TO_SEND].revents == 0 || send_some (program, octets, size, out_sent, error));
}

/* Send and receive what is possible. */
gboolean
stasis_program_step (StasisProgram *program, const void *octets, gsize size, gsize *out_sent,
                     void *buffer, gsize room, gsize *out_received, gboolean wait,
                     GCancellable *cancellable, GError **error)
{
  const gboolean was_deaf = program->is_deaf;
  *out_sent = *out_received = 0;
  do
    if (!step_once (program, octets, size, out_sent, buffer, room, out_received, wait, cancellable,
                    error))
      return FALSE;
  while (wait && *out_sent == 0 && *out_received == 0 && !stasis_program_is_silent (program)
         && program->is_deaf == was_deaf);
  return TRUE;
}

/* Nothing more will be sent. */
void
stasis_program_end_input (StasisProgram *program)
{
  /* Not closed: see above. */
  if (!program->is_input_ended)
    shutdown (program->input, SHUT_WR);
  program->is_input_ended = TRUE;
}

/* TRUE once it takes no more input. */
gboolean
stasis_program_is_deaf (const StasisProgram *program)
{
  return program->is_deaf;
}

/* TRUE once nothing more can come out. */
gboolean
stasis_program_is_silent (const StasisProgram *program)
{
  return program->output < 0 && program->messages_fd < 0;
}

/* (transfer full) What it said, fit for one line of a message. */
static char *
quote_messages (const StasisProgram *program)
{
  char *text = g_utf8_make_valid (program->messages->str, (gssize) program->messages->len);
  g_strstrip (text);
  return g_strdelimit (text, "\r\n\t", ' ');
}

/* TRUE where octets that were sent have not been read.  It must have ended. */
static gboolean
has_left_input (const StasisProgram *program)
{
  int code = 0;
  socklen_t size = sizeof code;
  return program->is_deaf || getsockopt (program->input, SOL_SOCKET, SO_ERROR, &code, &size) < 0
         || code != 0;
}

/* Wait for its end. */
gboolean
stasis_program_wait (StasisProgram *program, GCancellable *cancellable, GError **error)
{
  if (!g_subprocess_wait (program->process, cancellable, error))
    return FALSE;

  g_autofree char *said = quote_messages (program);
  if (g_subprocess_get_if_signaled (program->process))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 _ ("the program '%1$s' was killed by signal %2$d"), program->name,
                 g_subprocess_get_term_sig (program->process));
  else if (!g_subprocess_get_successful (program->process) || *said != '\0')
    g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                 _ ("the program '%1$s' failed: %2$s"), program->name,
                 *said != '\0' ? said : _ ("it said nothing about why"));
  else if (has_left_input (program))
    g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
                 _ ("the program '%1$s' has not read all of the data: something follows its end"),
                 program->name);
  else
    return TRUE;
  return FALSE;
}

/* Kills it if it still runs. */
void
stasis_program_free (StasisProgram *program)
{
  if (program == NULL)
    return;

  if (program->process != NULL)
    {
      g_subprocess_force_exit (program->process);
      g_subprocess_wait (program->process, NULL, NULL);
      g_object_unref (program->process);
    }
  stasis_fd_clear (&program->input);
  stasis_fd_clear (&program->output);
  stasis_fd_clear (&program->messages_fd);
  g_string_free (program->messages, TRUE);
  g_free (program->name);
  g_free (program);
}
