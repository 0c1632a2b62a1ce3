/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-key.h: whether the host is the one that it is to be
 */

#pragma once

#include "transport/ssh-session.h"

G_BEGIN_DECLS

/* Before the handshake: ask for keys of the kinds that are known of this host first. */
gboolean stasis_ssh_host_key_prefer (StasisSshSession *session, GError **error);

/* After it: the key is the known one, or somebody says that it is right, which is remembered. */
gboolean stasis_ssh_host_key_check (StasisSshSession *session, GError **error);

G_END_DECLS
