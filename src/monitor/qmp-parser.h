/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp-parser.h: from the octets of a QMP stream to messages
 */

#pragma once

#include <glib.h>

#include "monitor/event.h"
#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_QMP_LINE_MAX STASIS_JSON_SIZE_MAX /* octets of one message */

typedef enum
{
  STASIS_QMP_GREETING,
  STASIS_QMP_RETURN,
  STASIS_QMP_ERROR,
  STASIS_QMP_EVENT,
} StasisQmpKind;

typedef struct
{
  StasisQmpKind kind;
  guint64 id;                /* of a reply to "stasis-ID"; 0: it has none, or none of ours */
  gsize size;                /* octets it took in the stream */
  StasisJson *value;         /* (owned) (nullable) the greeting's, return's or error's value */
  StasisMonitorEvent *event; /* (owned) (nullable) of an event */
} StasisQmpMessage;

typedef struct _StasisQmpParser StasisQmpParser;

void stasis_qmp_message_free (StasisQmpMessage *message);

/* @line_max: octets of one message, at most STASIS_QMP_LINE_MAX */
StasisQmpParser *stasis_qmp_parser_new (gsize line_max) G_GNUC_WARN_UNUSED_RESULT;
void stasis_qmp_parser_free (StasisQmpParser *parser);

/* Append to @messages (of StasisQmpMessage) those that these octets complete.  FALSE with
 * STASIS_MONITOR_ERROR_PROTOCOL at the first octets that are not QMP; the messages before them
 * are appended; the parser is good for nothing more. */
gboolean stasis_qmp_parser_feed (StasisQmpParser *parser, const void *octets, gsize size,
                                 GPtrArray *messages, GError **error);

/* Octets of a message that has not ended. */
gsize stasis_qmp_parser_pending (const StasisQmpParser *parser);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisQmpMessage, stasis_qmp_message_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisQmpParser, stasis_qmp_parser_free)

G_END_DECLS
