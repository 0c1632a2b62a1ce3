/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-agent.h: any command for the guest agent of a running domain
 */

#pragma once

#include <stasis/stasis.h>

#include "util/json.h"

G_BEGIN_DECLS

/* Under the domain's lock.  Fails as stasis_domain_fs_freeze(), and with the agent's words.
 * @arguments_take: (nullable): consumed, on failure too; @out_return: (transfer full) */
gboolean stasis_domain_agent_command (StasisDomain *self, const char *command,
                                      StasisJson *arguments_take, gint64 timeout_ms,
                                      StasisJson **out_return, GError **error);

G_END_DECLS
