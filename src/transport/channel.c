/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.c: from the host that we are logged in at to the daemon's socket there
 *
 * Where libssh2 can (1.11), sshd itself is asked to connect to the socket: that needs no program
 * there.  It may not be allowed to, or the socket not be where it is looked for; then a command is
 * run, whose words about what is wrong are better, too.
 */

#include "config.h"

#include "transport/channel.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "transport/remote-command.h"

#define STEP_S 30u

#ifdef HAVE_LIBSSH2_CHANNEL_DIRECT_STREAMLOCAL_EX
/* NULL without an error: not that way. */
static LIBSSH2_CHANNEL *
open_direct (StasisSshSession *session, GError **error)
{
  const StasisSshTarget *target = session->target;
  if (target->socket_path == NULL && target->is_session)
    return NULL;
  g_autofree char *path
      = target->socket_path != NULL
            ? g_strdup (target->socket_path)
            : g_strconcat (STASIS_SSH_SYSTEM_SOCKET, target->is_read_only ? "-ro" : "", NULL);
  LIBSSH2_CHANNEL *channel;
  stasis_ssh_session_step (session, STEP_S);
  while ((channel = libssh2_channel_direct_streamlocal_ex (session->session, path, "127.0.0.1", 22))
         == NULL)
    if (libssh2_session_last_errno (session->session) != LIBSSH2_ERROR_EAGAIN
        || !stasis_ssh_session_wait (session, _ ("connecting to the socket"), error))
      return NULL;
  return channel;
}
#else
static LIBSSH2_CHANNEL *
open_direct (StasisSshSession *session, GError **error)
{
  return NULL;
}
#endif

/* A channel in which a command can be run. */
static LIBSSH2_CHANNEL *
open_session (StasisSshSession *session, GError **error)
{
  LIBSSH2_CHANNEL *channel;
  stasis_ssh_session_step (session, STEP_S);
  while ((channel = libssh2_channel_open_session (session->session)) == NULL)
    {
      if (libssh2_session_last_errno (session->session) != LIBSSH2_ERROR_EAGAIN)
        {
          stasis_ssh_session_throw (session, STASIS_SSH_ERROR_REMOTE, _ ("no channel"), error);
          return NULL;
        }
      if (!stasis_ssh_session_wait (session, _ ("opening a channel"), error))
        return NULL;
    }
  return channel;
}

/* The socket itself, or a command. */
LIBSSH2_CHANNEL *
stasis_ssh_channel_open (StasisSshSession *session, GError **error)
{
  g_autoptr (GError) local = NULL;
  LIBSSH2_CHANNEL *direct = open_direct (session, &local);
  if (direct != NULL)
    return direct;
  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  LIBSSH2_CHANNEL *channel = open_session (session, error);
  if (channel == NULL)
    return NULL;
  int rc;
  g_autofree char *command = stasis_ssh_remote_command (session->target);
  while ((rc = libssh2_channel_process_startup (channel, "exec", strlen ("exec"), command,
                                                (unsigned int) strlen (command)))
         == LIBSSH2_ERROR_EAGAIN)
    if (!stasis_ssh_session_wait (session, _ ("starting a command"), error))
      return NULL; /* it is freed with the session */
  if (rc == 0)
    return channel;
  stasis_ssh_session_throw (session, STASIS_SSH_ERROR_REMOTE, _ ("no command can be run"), error);
  return NULL;
}
