/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-command.c: what is run on the other host to reach the daemon's socket there
 *
 * sshd gives the command to the login shell of the user, which may be any shell: so it is one line,
 * sh -c 'SCRIPT' sh PATH..., with all words in single quotes.  The script never changes: what the
 * caller chooses are its arguments, "$1" and so on, so that no path can become code.
 *
 * There are three programs that copy their standard input and output to a socket: stasis-connect,
 * which comes with stasisd and knows where that listens; nc, where it knows unix sockets; and
 * libvirt's virt-ssh-helper, which looks for libvirt's own sockets.  nc is to pass on the end of
 * our side and to read until the other side ends (-N), or at least to end when we do (-q0);
 * versions that know neither do the former anyhow.
 */

#include "config.h"

#include "transport/remote-command.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define PATH_MAX_ 4096u /* octets */
#define NAME_MAX_ 255u  /* octets, of a host or a user */

/* $1: a socket; $2: libvirt's URI for it; $3 (or nothing): -r. */
#define HAS(program) "command -v " program " >/dev/null 2>&1"
#define TO_NC(socket) \
  "if " HAS ("nc") "; then h=$(nc -h 2>&1); case $h in *-U*) case $h in " \
                   "*-N*) exec nc -N -U " socket ";; *-q*) exec nc -q0 -U " socket ";; " \
                   "*) exec nc -U " socket ";; esac;; esac; fi; "
#define TO_HELPER "if " HAS ("virt-ssh-helper") "; then exec virt-ssh-helper $3 \"$2\"; fi; "
#define NOTHING(what) \
  "echo \"there is none of the programs " what " that could connect to the socket\" >&2; exit 127"

/* To the socket that was named. */
#define SCRIPT_NAMED \
  "if " HAS ("stasis-connect") "; then exec stasis-connect -U \"$1\"; fi; " TO_NC ("\"$1\"") \
      TO_HELPER NOTHING ("stasis-connect, nc (with -U) and virt-ssh-helper")

/* To the system's daemon: ours, or libvirt's. */
#define SCRIPT_SYSTEM \
  "if " HAS ("stasis-connect") "; then exec stasis-connect $3 --system; fi; " \
                               "for s in " STASIS_SSH_SYSTEM_SOCKET \
                               " /run/libvirt/virtqemud-sock /run/libvirt/libvirt-sock; " \
                               "do s=$s${3:+-ro}; if [ -S \"$s\" ]; then " TO_NC ( \
                                   "\"$s\"") "fi; done; " TO_HELPER \
                                             "echo \"there is no daemon's socket at the usual " \
                                             "places\" >&2; exit 127"

/* To the user's own daemon: stasis-connect knows where that is. */
#define SCRIPT_SESSION \
  "if " HAS ("stasis-connect") "; then exec stasis-connect $3 --session; fi; " TO_HELPER NOTHING ( \
      "stasis-connect and virt-ssh-helper")

static gboolean
throw_invalid (GError **error, const char *message)
{
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* Not empty, and without spaces, control characters or what means something in known_hosts. */
static gboolean
is_name (const char *name)
{
  const gsize length = strlen (name);
  if (length == 0 || length > NAME_MAX_ || *name == '-')
    return FALSE;
  for (gsize i = 0; i < length; i++)
    if ((guchar) name[i] <= ' ' || name[i] == 0x7f || strchr ("*?!,|#[]\"'\\/", name[i]) != NULL)
      return FALSE;
  return TRUE;
}

static gboolean
has_control (const char *text)
{
  for (; *text != '\0'; text++)
    if ((guchar) *text < ' ' || *text == 0x7f)
      return TRUE;
  return FALSE;
}

/* A path there: absolute, and nothing that a shell of any kind takes for the end of a line. */
gboolean
stasis_ssh_target_check (const StasisSshTarget *target, GError **error)
{
  if (target->host == NULL || !is_name (target->host) || strchr (target->host, '@') != NULL)
    return throw_invalid (error, _ ("the name of the host is none"));
  if (target->user != NULL && !is_name (target->user))
    return throw_invalid (error, _ ("the name of the user is none"));
  if (target->port > G_MAXUINT16)
    return throw_invalid (error, _ ("ports end at 65535"));
  const char *path = target->socket_path;
  if (path != NULL && (*path != '/' || has_control (path) || strlen (path) > PATH_MAX_))
    return throw_invalid (error, _ ("the path of the socket is not absolute, too long, or has "
                                    "control characters"));
  return TRUE;
}

/* sh -c SCRIPT sh PATH URI [-r] */
char *
stasis_ssh_remote_command (const StasisSshTarget *target)
{
  const char *script = target->socket_path != NULL ? SCRIPT_NAMED
                       : target->is_session        ? SCRIPT_SESSION
                                                   : SCRIPT_SYSTEM;
  g_autofree char *escaped
      = g_uri_escape_string (target->socket_path != NULL ? target->socket_path : "", NULL, FALSE);
  g_autofree char *uri = g_strconcat ("qemu:///", target->is_session ? "session" : "system",
                                      target->socket_path != NULL ? "?socket=" : "", escaped, NULL);
  g_autofree char *quoted_script = g_shell_quote (script);
  g_autofree char *quoted_path
      = g_shell_quote (target->socket_path != NULL ? target->socket_path : "");
  g_autofree char *quoted_uri = g_shell_quote (uri);
  return g_strdup_printf ("sh -c %s sh %s %s%s", quoted_script, quoted_path, quoted_uri,
                          target->is_read_only && target->socket_path == NULL ? " -r" : "");
}
