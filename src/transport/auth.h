/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth.h: who we are, said to the host
 */

#pragma once

#include "transport/ssh-session.h"

G_BEGIN_DECLS

/* Log in: keys of the agent and of files, then what somebody answers.  The host's key has been
 * checked. */
gboolean stasis_ssh_auth (StasisSshSession *session, GError **error);

G_END_DECLS
