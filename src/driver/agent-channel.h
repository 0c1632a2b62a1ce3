/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-channel.h: the way to the guest agent of a running domain
 */

#pragma once

#include "conf/domain-def.h"
#include "monitor/guest-agent.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* (borrowed) (nullable): the agent's channel in a definition, of whatever type. */
const StasisChardevDef *stasis_agent_channel_find (const StasisDomainDef *def);

/* The path of its socket on the host, of the definition of a running instance.  Fails with
 * STASIS_ERROR_UNSUPPORTED, naming the channel, where there is none, or none that we could use. */
const char *stasis_agent_channel_socket (const StasisDomainDef *def, GError **error);

/* Begin a conversation.  QEMU is asked whether an agent has the channel open in the guest, and
 * whether someone else has it on the host, before the socket is touched.
 * @wait_ms: how long an agent that is not there yet is waited for
 * Fails as stasis_agent_channel_socket(); with STASIS_ERROR_INVALID_STATE where no agent is there,
 * STASIS_ERROR_BUSY where another program is connected and stays; as stasis_agent_open(). */
StasisAgent *stasis_agent_channel_open (const StasisDomainDef *def, StasisMonitor *monitor,
                                        gint64 wait_ms, GCancellable *cancellable,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
