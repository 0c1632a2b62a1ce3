/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-ssh.h: a tunnel by the program ssh
 */

#pragma once

#include "driver/migrate-tunnel.h"
#include "remote/uri.h"

G_BEGIN_DECLS

/* TRUE where it can be had: the program is there, and takes what the URI says as it is meant. */
gboolean stasis_tunnel_ssh_can (const StasisRemoteUri *uri);

/* To run @command on the host of @uri.  Does not wait for it: who cannot get there finds the end of
 * the stream, and the reason. */
gboolean stasis_tunnel_ssh_open (const StasisRemoteUri *uri, const char *command,
                                 StasisTunnel *out_tunnel, GError **error);

G_END_DECLS
