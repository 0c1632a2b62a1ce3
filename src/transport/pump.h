/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pump.h: the thread that moves octets between a channel and a descriptor of ours
 */

#pragma once

#include "transport/ssh-session.h"

G_BEGIN_DECLS

/* Start it: the other end of a socket pair, or -1.  From now on the session is the pump's, in
 * either case; its target and cancellable are not looked at any more. */
int stasis_ssh_pump_start (StasisSshSession *session_take, LIBSSH2_CHANNEL *channel_take,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
