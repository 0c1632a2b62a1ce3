/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-ssh.h: a stream to a server on another host
 */

#pragma once

#include "remote/client.h"
#include "remote/uri.h"

G_BEGIN_DECLS

/* Fills the descriptor of @stream, and who can tell why it has ended; reads the rest of it. */
gboolean stasis_client_reach_ssh (const StasisRemoteUri *uri, const StasisDriverAsk *ask,
                                  StasisClientStream *stream, GCancellable *cancellable,
                                  GError **error);

/* stasis-ssh.so: what needs an ssh library, which takes longer to load than most commands take. */
typedef struct
{
  gboolean (*reach) (const StasisRemoteUri *uri, const StasisDriverAsk *ask,
                     StasisClientStream *stream, GCancellable *cancellable, GError **error);
} StasisSshModule;

#define STASIS_SSH_MODULE        "stasis-ssh.so"
#define STASIS_SSH_MODULE_SYMBOL "stasis_ssh_module"

G_END_DECLS
