/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-parser.h: from the octets of a guest agent to its answers
 */

#pragma once

#include "monitor/qmp-parser.h"

G_BEGIN_DECLS

#define STASIS_AGENT_LINE_MAX (256u * 1024)      /* octets of one answer */
#define STASIS_AGENT_SKIP_MAX (4u * 1024 * 1024) /* octets before the answer to our sync */
#define STASIS_AGENT_SENTINEL 0xffu              /* before a sync's answer; in no JSON, no UTF-8 */

typedef struct _StasisAgentParser StasisAgentParser;

/* Nothing counts before the answer to `guest-sync-delimited` with this number. */
StasisAgentParser *stasis_agent_parser_new (gint64 sync_id) G_GNUC_WARN_UNUSED_RESULT;
void stasis_agent_parser_free (StasisAgentParser *parser);

/* Append to @answers (of StasisQmpMessage, of the kinds RETURN and ERROR) those that these octets
 * complete.  FALSE with STASIS_MONITOR_ERROR_PROTOCOL at what is no answer, or where too much comes
 * before the sync's; the parser is good for nothing more. */
gboolean stasis_agent_parser_feed (StasisAgentParser *parser, const void *octets, gsize size,
                                   GPtrArray *answers, GError **error);

/* TRUE once the sync was answered. */
gboolean stasis_agent_parser_is_synced (const StasisAgentParser *parser);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisAgentParser, stasis_agent_parser_free)

G_END_DECLS
