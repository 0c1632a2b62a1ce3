/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-ssh.c: a tunnel by the program ssh
 *
 * Theory of operation
 *
 * All of a guest's memory goes through a tunnel, and libssh2 takes more of a processor for an octet
 * than anything else on the way: up to 1.10 it has no cipher that authenticates, and enciphers 16
 * octets at a time.  So where there is OpenSSH's own client it is run for the octets of a tunnel,
 * with AES-GCM if the other side has that; calls go by libssh2 as ever.
 *
 * It reads no configuration, as libssh2 does not, asks nobody, and uses the URI's key and known
 * hosts, or else the user's usual ones.  What it would understand in another way is left to
 * libssh2: blanks, '%', '$' ... in a path or a name, and another home folder than the account's,
 * for it takes no notice of $HOME.  QEMU has one end of a socket pair, the program the other: it
 * ends with QEMU's.  It has a session of its own, so that a key at our terminal (Ctrl-C) is for us
 * alone.
 */

#include "config.h"

#include "remote/tunnel-ssh.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gunixinputstream.h>
#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define WORDS_MAX 4096u  /* octets of its standard error that are shown */
#define WORDS_MS  2000   /* how long its last words may take */
#define ENTRY_MAX 16384u /* octets of an account's entry */

/* In this order; each since OpenSSH 6.5. */
#define CIPHERS \
  "aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr," \
  "aes192-ctr,aes256-ctr"

static gboolean
is_plain (const char *text)
{
  for (; text != NULL && *text != '\0'; text++)
    if (!g_ascii_isalnum (*text) && strchr ("/._-+,:@=", *text) == NULL)
      return FALSE;
  return TRUE;
}

/* Ours is where the program looks for the usual files. */
static gboolean
is_home_usual (void)
{
  struct passwd entry, *found = NULL;
  g_autofree char *room = g_malloc (ENTRY_MAX);
  return getpwuid_r (getuid (), &entry, room, ENTRY_MAX, &found) == 0 && found != NULL
         && g_strcmp0 (found->pw_dir, g_get_home_dir ()) == 0;
}

gboolean
stasis_tunnel_ssh_can (const StasisRemoteUri *uri)
{
  g_autofree char *program = g_find_program_in_path ("ssh");
  return program != NULL && is_plain (uri->user) && is_plain (uri->keyfile)
         && is_plain (uri->known_hosts)
         && ((uri->keyfile != NULL && (uri->known_hosts != NULL || uri->no_verify))
             || is_home_usual ());
}

static void
add_option (GPtrArray *words, const char *name, const char *value)
{
  g_ptr_array_add (words, g_strdup ("-o"));
  g_ptr_array_add (words, g_strconcat (name, "=", value, NULL));
}

static void
add_trust (GPtrArray *words, const StasisRemoteUri *uri)
{
  add_option (words, "StrictHostKeyChecking", uri->no_verify ? "no" : "yes");
  if (!uri->no_verify && uri->known_hosts == NULL)
    return;
  add_option (words, "UserKnownHostsFile", uri->no_verify ? "/dev/null" : uri->known_hosts);
  add_option (words, "GlobalKnownHostsFile", "/dev/null");
}

static GPtrArray *
make_command (const StasisRemoteUri *uri, const char *command)
{
  static const char *const always[] = { "ssh",  "-F",
                                        "none", "-T",
                                        "-a",   "-x",
                                        "-e",   "none",
                                        "-o",   "BatchMode=yes",
                                        "-o",   "LogLevel=ERROR",
                                        "-o",   "ConnectTimeout=30",
                                        "-o",   "ServerAliveInterval=15",
                                        "-o",   "ServerAliveCountMax=4",
                                        "-o",   "Ciphers=" CIPHERS,
                                        "-o",   "UpdateHostKeys=no" };
  GPtrArray *words = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < G_N_ELEMENTS (always); i++)
    g_ptr_array_add (words, g_strdup (always[i]));
  add_trust (words, uri);
  if (uri->keyfile != NULL)
    {
      add_option (words, "IdentitiesOnly", "yes");
      add_option (words, "IdentityFile", uri->keyfile);
    }
  if (uri->user != NULL)
    add_option (words, "User", uri->user);
  if (uri->port != 0)
    {
      g_autofree char *port = g_strdup_printf ("%u", uri->port);
      add_option (words, "Port", port);
    }
  g_ptr_array_add (words, g_strdup ("--"));
  g_ptr_array_add (words, g_strdup (uri->host));
  g_ptr_array_add (words, g_strdup (command));
  g_ptr_array_add (words, NULL);
  return words;
}

/* What it has written to its standard error, in one line. */
static char *
explain (gpointer reason)
{
  GInputStream *errors = g_subprocess_get_stderr_pipe (reason);
  const int fd = g_unix_input_stream_get_fd (G_UNIX_INPUT_STREAM (errors));
  const gint64 until = g_get_monotonic_time () + WORDS_MS * 1000;
  char octets[WORDS_MAX];
  gsize have = 0;
  while (have < sizeof octets)
    {
      struct pollfd wait = { .fd = fd, .events = POLLIN };
      const gint64 left_ms = (until - g_get_monotonic_time ()) / 1000;
      if (left_ms <= 0 || poll (&wait, 1, (int) left_ms) <= 0)
        break;
      const ssize_t n = read (fd, octets + have, sizeof octets - have);
      if (n <= 0)
        break;
      have += (gsize) n;
    }
  g_autofree char *text = g_utf8_make_valid (octets, (gssize) have);
  for (char *at = text; *at != '\0'; at++)
    if ((guchar) *at < ' ' || *at == 0x7f)
      *at = ' ';
  g_strstrip (text);
  return *text != '\0' ? g_strconcat ("ssh: ", text, NULL) : NULL;
}

/* Between fork and exec. */
static void
leave_terminal (gpointer nothing G_GNUC_UNUSED)
{
  setsid ();
}

static void
give_up (gpointer reason)
{
  g_subprocess_force_exit (reason);
}

gboolean
stasis_tunnel_ssh_open (const StasisRemoteUri *uri, const char *command, StasisTunnel *out_tunnel,
                        GError **error)
{
  int fds[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return stasis_throw_errno (error, "socketpair");
  stasis_autofd int ours = fds[0];
  const int theirs = fds[1];
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_PIPE);
  const int also = fcntl (theirs, F_DUPFD_CLOEXEC, 0);
  g_subprocess_launcher_take_stdin_fd (launcher, theirs);
  g_subprocess_launcher_take_stdout_fd (launcher, also);
  if (also < 0)
    return stasis_throw_errno (error, "F_DUPFD_CLOEXEC");
  g_subprocess_launcher_set_child_setup (launcher, leave_terminal, NULL, NULL);
  g_autoptr (GPtrArray) words = make_command (uri, command);
  GSubprocess *process
      = g_subprocess_launcher_spawnv (launcher, (const char *const *) words->pdata, error);
  if (process == NULL)
    return FALSE;
  *out_tunnel = (StasisTunnel){ .fd = stasis_fd_steal (&ours),
                                .explain = explain,
                                .free_reason = g_object_unref,
                                .give_up = give_up,
                                .reason = process };
  return TRUE;
}
