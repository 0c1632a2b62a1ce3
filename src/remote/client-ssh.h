/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-ssh.h: a stream to a server on another host
 */

#pragma once

#include "driver/migrate-tunnel.h"
#include "remote/client.h"
#include "remote/uri.h"

G_BEGIN_DECLS

/* Fills the descriptor of @stream, and who can tell why it has ended; reads the rest of it. */
gboolean stasis_client_reach_ssh (const StasisRemoteUri *uri, const StasisDriverAsk *ask,
                                  StasisClientStream *stream, GCancellable *cancellable,
                                  GError **error);

/* A tunnel to the socket of @uri: by the program ssh where there is one, which is faster. */
gboolean stasis_client_tunnel_ssh (const StasisRemoteUri *uri, StasisTunnel *out_tunnel,
                                   GCancellable *cancellable, GError **error);

/* stasis-ssh.so: what needs an ssh library, which takes longer to load than most commands take. */
typedef struct
{
  gboolean (*reach) (const StasisRemoteUri *uri, const StasisDriverAsk *ask,
                     StasisClientStream *stream, GCancellable *cancellable, GError **error);
  /* (transfer full) (nullable): what is run there to come to the socket of @uri. */
  char *(*command) (const StasisRemoteUri *uri, GError **error);
} StasisSshModule;

#define STASIS_SSH_MODULE        "stasis-ssh.so"
#define STASIS_SSH_MODULE_SYMBOL "stasis_ssh_module"

G_END_DECLS
