/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * channel.h: from the host that we are logged in at to the daemon's socket there
 */

#pragma once

#include "transport/ssh-session.h"

G_BEGIN_DECLS

/* (transfer full: libssh2_channel_free()): a channel to the socket, or to a command that connects
 * to it; NULL with an error. */
LIBSSH2_CHANNEL *stasis_ssh_channel_open (StasisSshSession *session,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
