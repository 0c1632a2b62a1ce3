/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-command.h: what is run on the other host to reach the daemon's socket there
 */

#pragma once

#include "transport/ssh.h"

G_BEGIN_DECLS

#define STASIS_SSH_SYSTEM_SOCKET "/run/stasisd/stasis-sock"

/* What can be wrong with a target before anybody is asked. */
gboolean stasis_ssh_target_check (const StasisSshTarget *target, GError **error);

/* (transfer full): one line for the login shell there. */
char *stasis_ssh_remote_command (const StasisSshTarget *target);

G_END_DECLS
