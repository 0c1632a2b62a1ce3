/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-reach.c: from a URI to a stream to its server
 */

#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/host-config.h"
#include "remote/client-ops.h"
#include "remote/client-ssh.h"
#include "remote/default-socket.h"
#include "util/fd.h"

#define TCP_PORT 16509 /* libvirt's */
#define TCP_S    30u

/* Of a server on this host. */
static char *
find_socket (const StasisRemoteUri *uri, gboolean is_read_only)
{
  if (uri->socket != NULL)
    return g_strdup (uri->socket);
  g_autoptr (StasisPaths) paths = stasis_paths_new (!uri->is_session);
  g_autofree char *path = stasis_default_socket (paths);
  return g_strconcat (path, is_read_only ? STASIS_DAEMON_READ_ONLY : NULL, NULL);
}

static int
reach_unix (const StasisRemoteUri *uri, gboolean is_read_only, GError **error)
{
  g_autofree char *path = find_socket (uri, is_read_only);
  const int fd = stasis_unix_connect (path, error);
  if (fd < 0)
    g_prefix_error (error, _ ("nobody serves at '%s': "), path);
  return fd;
}

/* Nobody knows who listens in between, or answers. */
static gboolean
check_tcp (GError **error)
{
  g_autoptr (StasisPaths) paths = stasis_paths_new (geteuid () == 0);
  g_autoptr (StasisHostConfig) host = stasis_host_config_load (paths->config, error);
  if (host == NULL || host->allows_tcp)
    return host != NULL;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("'tcp' is not encrypted, and asks nobody who he is: option 'tcp' in [client] of "
                  "'%s' allows it; 'ssh' is the better way"),
               host->path);
  return FALSE;
}

static int
reach_tcp (const StasisRemoteUri *uri, GCancellable *cancellable, GError **error)
{
  if (!check_tcp (error))
    return -1;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_socket_client_set_timeout (client, TCP_S);
  g_socket_client_set_enable_proxy (client, FALSE);
  g_autoptr (GSocketConnectable) address
      = g_network_address_new (uri->host, (guint16) (uri->port != 0 ? uri->port : TCP_PORT));
  g_autoptr (GSocketConnection) connection
      = g_socket_client_connect (client, address, cancellable, error);
  if (connection == NULL)
    return -1;
  /* GLib closes its own when it is done. */
  const int fd
      = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)), F_DUPFD_CLOEXEC, 0);
  if (fd < 0)
    stasis_throw_errno (error, "fcntl");
  return fd;
}

static gboolean
reach (const StasisRemoteUri *uri, const StasisDriverAsk *ask, StasisClientStream *stream,
       GCancellable *cancellable, GError **error)
{
  switch (uri->transport)
    {
    case STASIS_REMOTE_UNIX:
      stream->fd = reach_unix (uri, stream->is_read_only, error);
      break;
    case STASIS_REMOTE_SSH:
      return stasis_client_reach_ssh (uri, ask, stream, cancellable, error);
    case STASIS_REMOTE_TCP:
      stream->fd = reach_tcp (uri, cancellable, error);
      break;
    }
  return stream->fd >= 0;
}

static gboolean
tunnel_unix (const char *path, StasisTunnel *out_tunnel, GError **error)
{
  *out_tunnel = (StasisTunnel){ .fd = stasis_unix_connect (path, error) };
  return out_tunnel->fd >= 0;
}

/* To another socket by the same way. */
gboolean
stasis_client_tunnel (const char *uri, const char *path, StasisTunnel *out_tunnel,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisRemoteUri) parsed = stasis_remote_uri_parse (uri, error);
  if (parsed == NULL)
    return FALSE;
  if (parsed->transport == STASIS_REMOTE_TCP)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%s': there is no tunnel through 'tcp', but through 'ssh' and 'unix'"), uri);
      return FALSE;
    }
  g_free (parsed->socket);
  parsed->socket = g_strdup (path);
  if (parsed->transport == STASIS_REMOTE_SSH
          ? stasis_client_tunnel_ssh (parsed, out_tunnel, cancellable, error)
          : tunnel_unix (path, out_tunnel, error))
    return TRUE;
  g_prefix_error (error, "'%s': ", uri);
  return FALSE;
}

/* A stream to the server. */
gboolean
stasis_client_reach (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
                     StasisClientStream *out_stream, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisRemoteUri) parsed = stasis_remote_uri_parse (uri, error);
  if (parsed == NULL)
    return FALSE;
  StasisClientStream stream = {
    .fd = -1,
    .is_session = parsed->is_session,
    .is_read_only = (flags & STASIS_OPEN_READ_ONLY) != 0,
    .keepalive_s = parsed->keepalive_s,
  };
  if (!reach (parsed, ask, &stream, cancellable, error))
    {
      g_prefix_error (error, "'%s': ", uri);
      return FALSE;
    }
  *out_stream = stream;
  return TRUE;
}
