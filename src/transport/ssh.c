/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh.c: a stream to the socket of a daemon on another host, through ssh
 *
 * Theory of operation
 *
 * All up to the open channel is done in the caller's thread, in this order: connect and shake hands
 * (ssh-session.c), check the host's key (host-key.c, known-hosts.c), log in (auth.c, agent.c,
 * key-file.c), reach the socket (channel.c, remote-command.c).  Each step has its time and can be
 * cancelled.  Then a thread moves octets between the channel and a socket pair (pump.c), so that
 * who speaks to the daemon needs to know nothing of all this.
 *
 * Trusted is what the user's own files say of whom to trust; of what the host says, nothing is:
 * its words are shown in one line without control characters, its key is checked before it learns
 * who we are.
 */

#include "config.h"

#include "transport/ssh.h"

#include "transport/auth.h"
#include "transport/channel.h"
#include "transport/host-key.h"
#include "transport/pump.h"
#include "transport/remote-command.h"

GQuark
stasis_ssh_error_quark (void)
{
  return g_quark_from_static_string ("stasis-ssh-error-quark");
}

/* One step after the other. */
int
stasis_transport_ssh_open (const StasisSshTarget *target, GCancellable *cancellable, GError **error)
{
  if (!stasis_ssh_target_check (target, error))
    return -1;
  g_autoptr (StasisSshSession) session = stasis_ssh_session_open (target, cancellable, error);
  if (session == NULL || !stasis_ssh_host_key_check (session, error)
      || !stasis_ssh_auth (session, error))
    return -1;
  LIBSSH2_CHANNEL *channel = stasis_ssh_channel_open (session, error);
  if (channel == NULL)
    return -1;
  return stasis_ssh_pump_start (g_steal_pointer (&session), channel, error);
}
