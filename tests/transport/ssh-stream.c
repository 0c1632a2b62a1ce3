/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh-stream.c: standard input and output to a daemon's socket on another host (of the scripts
 * here)
 *
 * SIGUSR1 cancels the opening.  What was asked, errors and the reason of the end go to standard
 * error, one line each.
 */

#include <glib-unix.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/ssh.h"
#include "util/fd.h"

static GCancellable *cancellable;
static char **answers;      /* to secrets, in turn */
static char *verdict;       /* on the host's key: yes, no; NULL: nobody can be asked */
static gboolean is_stopped; /* by itself before each answer */
static gboolean is_shifted; /* so that the secret itself stands in no memory but the library's */
static guint n_asked;

static gpointer
wait_for_signal (gpointer data)
{
  int number;
  sigwait (data, &number);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static gboolean
ask_host_key (const char *host, const char *type, const char *fingerprint, gpointer data)
{
  fprintf (stderr, "asked: %s %s %s\n", host, type, fingerprint);
  return g_str_equal (verdict, "yes");
}

static char *
ask_secret (const char *prompt, gboolean is_echoed, gpointer data)
{
  fprintf (stderr, "asked%s: %s\n", is_echoed ? " aloud" : "", prompt);
  if (is_stopped)
    raise (SIGSTOP);
  const char *answer = answers[n_asked];
  n_asked += answer != NULL ? 1 : 0;
  char *told = g_strdup (answer);
  for (char *at = told; is_shifted && at != NULL && *at != '\0'; at++)
    (*at)--;
  return told;
}

static gboolean
copy_until_end (int from, int to)
{
  g_autofree guint8 *octets = g_malloc (65536);
  ssize_t n;
  while ((n = read (from, octets, 65536)) > 0)
    if (!stasis_fd_write_exact (to, octets, (gsize) n, NULL))
      return FALSE;
  return TRUE;
}

static gpointer
copy_input (gpointer data)
{
  const int fd = *(const int *) data;
  copy_until_end (STDIN_FILENO, fd);
  shutdown (fd, SHUT_WR);
  return NULL;
}

static gboolean
parse (int *argc, char ***argv, StasisSshTarget *target)
{
  g_autoptr (GError) error = NULL;
  int port = 0, keepalive = 0;
  const GOptionEntry entries[] = {
    { "port", 0, 0, G_OPTION_ARG_INT, &port, NULL, NULL },
    { "keepalive", 0, 0, G_OPTION_ARG_INT, &keepalive, NULL, NULL },
    { "user", 0, 0, G_OPTION_ARG_STRING, &target->user, NULL, NULL },
    { "keyfile", 0, 0, G_OPTION_ARG_FILENAME, &target->keyfile, NULL, NULL },
    { "known-hosts", 0, 0, G_OPTION_ARG_FILENAME, &target->known_hosts, NULL, NULL },
    { "no-verify", 0, 0, G_OPTION_ARG_NONE, &target->is_no_verify, NULL, NULL },
    { "socket", 0, 0, G_OPTION_ARG_FILENAME, &target->socket_path, NULL, NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &target->is_session, NULL, NULL },
    { "read-only", 0, 0, G_OPTION_ARG_NONE, &target->is_read_only, NULL, NULL },
    { "verdict", 0, 0, G_OPTION_ARG_STRING, &verdict, NULL, NULL },
    { "answer", 0, 0, G_OPTION_ARG_STRING_ARRAY, &answers, NULL, NULL },
    { "shifted", 0, 0, G_OPTION_ARG_NONE, &is_shifted, NULL, NULL },
    { "stop", 0, 0, G_OPTION_ARG_NONE, &is_stopped, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("HOST");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error) || *argc != 2)
    {
      fprintf (stderr, "usage: %s\n", error != NULL ? error->message : "HOST");
      return FALSE;
    }
  target->host = (*argv)[1];
  target->port = (guint) port;
  target->keepalive_s = (guint) keepalive;
  return TRUE;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_autoptr (GError) error = NULL;
  StasisSshTarget target = { 0 };
  if (!parse (&argc, &argv, &target))
    return 2;
  sigset_t signals;
  sigemptyset (&signals);
  sigaddset (&signals, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  signal (SIGPIPE, SIG_IGN);
  cancellable = g_cancellable_new ();
  g_thread_unref (g_thread_new ("signals", wait_for_signal, &signals));
  if (verdict != NULL)
    target.ask.host_key = ask_host_key;
  if (answers != NULL)
    target.ask.secret = ask_secret;
  g_autoptr (StasisSshReason) reason = stasis_ssh_reason_new ();
  target.reason = reason;
  stasis_autofd int fd = stasis_transport_ssh_open (&target, cancellable, &error);
  if (fd < 0)
    {
      fprintf (stderr, "error: %s %d: %s\n", g_quark_to_string (error->domain), error->code,
               error->message);
      return 1;
    }
  fprintf (stderr, "open\n");
  g_thread_unref (g_thread_new ("input", copy_input, &fd));
  const gboolean is_copied = copy_until_end (fd, STDOUT_FILENO);
  g_autofree char *why = stasis_ssh_reason_get (reason);
  fprintf (stderr, "reason: %s\n", why != NULL ? why : "none");
  return is_copied ? 0 : 1;
}
