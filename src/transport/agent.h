/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.h: the keys of an ssh agent
 */

#pragma once

#include "transport/ssh-session.h"

G_BEGIN_DECLS

typedef struct _StasisSshAgent StasisSshAgent;

/* The agent of SSH_AUTH_SOCK, which has been asked for its keys; NULL without an error where there
 * is none. */
StasisSshAgent *stasis_ssh_agent_open (StasisSshSession *session,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_ssh_agent_free (StasisSshAgent *self);

/* (transfer none) (element-type GBytes): public keys that libssh2 can use, in the agent's order. */
GPtrArray *stasis_ssh_agent_keys (const StasisSshAgent *self);

/* Log in as @user by one of them.  FALSE with an error where that cannot go on, else *@out_is_in
 * says whether the host takes it. */
gboolean stasis_ssh_agent_log_in (StasisSshAgent *self, const char *user, GBytes *key,
                                  gboolean *out_is_in, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSshAgent, stasis_ssh_agent_free)

G_END_DECLS
