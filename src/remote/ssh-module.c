/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh-module.c: what stasis-ssh.so has for client-ssh.c
 */

#include "config.h"

#include "remote/client-ssh.h"
#include "transport/remote-command.h"
#include "transport/ssh.h"

static char *
explain (gpointer reason)
{
  return stasis_ssh_reason_get (reason);
}

static void
free_reason (gpointer reason)
{
  stasis_ssh_reason_unref (reason);
}

static StasisSshTarget
target_of (const StasisRemoteUri *uri)
{
  return (StasisSshTarget){
    .host = uri->host,
    .port = uri->port,
    .user = uri->user,
    .keyfile = uri->keyfile,
    .known_hosts = uri->known_hosts,
    .is_no_verify = uri->no_verify,
    .socket_path = uri->socket,
    .is_session = uri->is_session,
  };
}

static gboolean
reach (const StasisRemoteUri *uri, const StasisDriverAsk *ask, StasisClientStream *stream,
       GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisSshReason) reason = stasis_ssh_reason_new ();
  StasisSshTarget target = target_of (uri);
  target.is_read_only = stream->is_read_only;
  target.reason = reason;
  if (ask != NULL)
    target.ask = (StasisSshAsk){
      .host_key = ask->host_key,
      .secret = ask->secret,
      .data = ask->data,
    };
  stream->fd = stasis_transport_ssh_open (&target, cancellable, error);
  if (stream->fd < 0)
    return FALSE;
  stream->explain = explain;
  stream->free_reason = free_reason;
  stream->reason = g_steal_pointer (&reason);
  return TRUE;
}

static char *
make_command (const StasisRemoteUri *uri, GError **error)
{
  const StasisSshTarget target = target_of (uri);
  return stasis_ssh_target_check (&target, error) ? stasis_ssh_remote_command (&target) : NULL;
}

extern const StasisSshModule stasis_ssh_module;
const StasisSshModule __attribute__ ((visibility ("default"))) stasis_ssh_module
    = { reach, make_command };
