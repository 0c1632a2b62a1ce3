/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * connect.c: the program stasis-connect: standard input and output to a daemon's socket
 *
 * Theory of operation
 *
 * sshd runs it on this host for somebody on another one; see stasis-connect(1).  Two threads copy,
 * one for each direction.  The end of our input is passed on to the daemon, which has then said
 * what it has to say before it closes; the end of what the daemon says is the end of the program.
 * Where our output is gone, nobody is there any more, and the daemon's patience is not waited for.
 *
 * sshd gives us pipes.  Into one of 64 KiB, what the kernel gives unasked, it writes in small
 * pieces, and it, we and the daemon wake each other for each of them.  So where much comes, a
 * guest's memory say, the pipe is made larger.  Only there: what all pipes of a user may hold
 * together has a limit, and calls are short.  splice() would save a copy, but a kernel that waits
 * in it for the daemon has the pipe locked, and sshd would hang with it.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <stasis/stasis.h>

#include "daemon/sockets.h"
#include "util/fd.h"

#define BUFFER_SIZE 262144u    /* octets */
#define PIPE_SIZE   (1 << 20)  /* octets, where much comes */
#define MUCH        (1u << 20) /* octets */

typedef struct
{
  char *path; /* (owned) (nullable) */
  gboolean is_session;
  gboolean is_system;
  gboolean is_read_only;
  gboolean wants_version;
} Options;

static void
options_clear (Options *self)
{
  g_free (self->path);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* Who has no room for a larger one, or a socket, goes on as it is. */
static void
widen_pipe (int fd)
{
  if (fcntl (fd, F_SETPIPE_SZ, PIPE_SIZE) < 0)
    g_debug ("F_SETPIPE_SZ: %s", g_strerror (errno));
}

/* Until the end of one, or until the other takes nothing more. */
static gboolean
copy (int from, int to, GError **error)
{
  g_autofree guint8 *octets = g_malloc (BUFFER_SIZE);
  guint64 done = 0;
  while (TRUE)
    {
      const ssize_t n = read (from, octets, BUFFER_SIZE);
      if (n == 0)
        return TRUE;
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0)
        return stasis_throw_errno (error, _ ("cannot read"));
      if (!stasis_fd_write_exact (to, octets, (gsize) n, error))
        return FALSE;
      if (done < MUCH && done + (gsize) n >= MUCH)
        widen_pipe (from);
      done += (gsize) n;
    }
}

/* Our input to the daemon; then it is only watched that somebody is there for our output. */
static gpointer
copy_input (gpointer data)
{
  const int fd = *(const int *) data;
  copy (STDIN_FILENO, fd, NULL);
  shutdown (fd, SHUT_WR);
  struct pollfd output = { .fd = STDOUT_FILENO };
  while (poll (&output, 1, -1) < 0 && errno == EINTR)
    continue;
  _exit (EXIT_FAILURE);
}

/* Where the daemon of this user, or of the host, listens. */
static char *
choose_socket (const Options *options)
{
  if (options->path != NULL)
    return g_strdup (options->path);
  g_autoptr (StasisPaths) paths = stasis_paths_new (!options->is_session);
  g_autofree char *file = g_build_filename (paths->config, STASIS_DAEMON_CONFIG_FILE, NULL);
  /* Who may not read it has no say in where that is. */
  g_autoptr (StasisDaemonConfig) config = stasis_daemon_config_load (file, FALSE, NULL);
  g_autofree char *path
      = stasis_daemon_sockets_path (paths, config != NULL ? config->folder : NULL);
  return g_strconcat (path, options->is_read_only ? STASIS_DAEMON_READ_ONLY : "", NULL);
}

static gboolean
run (const Options *options, GError **error)
{
  g_autofree char *path = choose_socket (options);
  int fd = stasis_unix_connect (path, error);
  if (fd < 0)
    {
      g_prefix_error (error, _ ("cannot connect to '%1$s': "), path);
      return FALSE;
    }
  g_thread_unref (g_thread_new ("input", copy_input, &fd));
  return copy (fd, STDOUT_FILENO, error);
}

static gboolean
parse_options (Options *options, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "unix", 'U', 0, G_OPTION_ARG_FILENAME, &options->path, N_ ("Connect to this socket"),
      N_ ("PATH") },
    { "readonly", 'r', 0, G_OPTION_ARG_NONE, &options->is_read_only,
      N_ ("Connect to the socket for those who may only read"), NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &options->is_session,
      N_ ("Connect to this user's daemon (the default, unless run by root)"), NULL },
    { "system", 0, 0, G_OPTION_ARG_NONE, &options->is_system,
      N_ ("Connect to the host's daemon (root's default)"), NULL },
    { "version", 'V', 0, G_OPTION_ARG_NONE, &options->wants_version,
      N_ ("Print the version and leave"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_summary (
      context, _ ("Copy standard input and output to the socket of a stasisd, for ssh."));
  g_option_context_add_main_entries (context, entries, GETTEXT_PACKAGE);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1 || (options->is_session && options->is_system)
      || (options->path != NULL
          && (options->is_session || options->is_system || options->is_read_only)))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("there are only options, and only one that says which socket"));
      return FALSE;
    }
  options->is_session = options->is_session || (!options->is_system && geteuid () != 0);
  return TRUE;
}

int
main (int argc, char *argv[])
{
  g_auto (Options) options = { .path = NULL };
  g_autoptr (GError) error = NULL;
  setlocale (LC_ALL, "");
  signal (SIGPIPE, SIG_IGN);
  if (!parse_options (&options, &argc, &argv, &error))
    {
      fprintf (stderr, "stasis-connect: %s\n", error->message);
      return 2;
    }
  if (options.wants_version)
    {
      printf ("stasis-connect %s\n", stasis_version ());
      return EXIT_SUCCESS;
    }
  if (run (&options, &error))
    return EXIT_SUCCESS;
  fprintf (stderr, "stasis-connect: %s\n", error->message);
  return EXIT_FAILURE;
}
