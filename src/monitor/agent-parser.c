/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-parser.c: from the octets of a guest agent to its answers
 *
 * Theory of operation
 *
 * An agent answers in lines of JSON as QEMU's monitor does, so qmp-parser.c reads them.  But the
 * channel lives longer than those who use it: answers to a client that has gone, or the half of
 * one, may come first.  So a conversation begins with `guest-sync-delimited` and a number of its
 * own.  The agent puts an octet 0xff before the answer to that; all up to it is dropped, and all
 * up to the next one where the answer has another number.  From then on each line is an answer.
 *
 * The guest may say what it likes: what is dropped is counted, a line has a maximum length, JSON
 * its own limits.
 */

#include "config.h"

#include "monitor/agent-parser.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/error.h"

struct _StasisAgentParser
{
  gint64 sync_id;
  gboolean is_synced;
  gsize n_skipped;        /* octets before the sync's answer */
  StasisQmpParser *lines; /* (owned) (nullable) NULL: up to the next sentinel nothing counts */
};

/* A parser at the start of a conversation. */
StasisAgentParser *
stasis_agent_parser_new (gint64 sync_id)
{
  StasisAgentParser *parser = g_new0 (StasisAgentParser, 1);
  parser->sync_id = sync_id;
  return parser;
}

/* NULL is fine. */
void
stasis_agent_parser_free (StasisAgentParser *parser)
{
  if (parser == NULL)
    return;

  stasis_qmp_parser_free (parser->lines);
  g_free (parser);
}

/* TRUE once the sync was answered. */
gboolean
stasis_agent_parser_is_synced (const StasisAgentParser *parser)
{
  return parser->is_synced;
}

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

static void
begin_lines (StasisAgentParser *parser)
{
  g_clear_pointer (&parser->lines, stasis_qmp_parser_free);
  parser->lines = stasis_qmp_parser_new (STASIS_AGENT_LINE_MAX);
}

static gboolean
is_sync_answer (const StasisAgentParser *parser, const GPtrArray *messages)
{
  if (messages->len != 1)
    return FALSE;
  const StasisQmpMessage *message = g_ptr_array_index (messages, 0);
  return message->kind == STASIS_QMP_RETURN
         && stasis_json_kind (message->value) == STASIS_JSON_INTEGER
         && stasis_json_int (message->value, 0) == parser->sync_id;
}

/* One line behind a sentinel, or a part of it: what is not the answer is dropped. */
static void
try_line (StasisAgentParser *parser, const char *octets, gsize size, gboolean is_end)
{
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
  const gboolean ok = stasis_qmp_parser_feed (parser->lines, octets, size, messages, NULL);
  parser->is_synced = ok && is_end && is_sync_answer (parser, messages);
  if (parser->is_synced)
    begin_lines (parser);
  else if (!ok || is_end)
    g_clear_pointer (&parser->lines, stasis_qmp_parser_free);
}

/* Take octets up to the end of what they are a part of; how many. */
static gsize
skip (StasisAgentParser *parser, const char *at, gsize size)
{
  const char *sentinel = memchr (at, (int) STASIS_AGENT_SENTINEL, size);
  const char *line_end = parser->lines != NULL ? memchr (at, '\n', size) : NULL;
  if (line_end != NULL && (sentinel == NULL || line_end < sentinel))
    {
      const gsize length = (gsize) (line_end - at) + 1;
      try_line (parser, at, length, /* is_end= */ TRUE);
      return length;
    }
  if (sentinel != NULL)
    {
      begin_lines (parser);
      return (gsize) (sentinel - at) + 1;
    }
  if (parser->lines != NULL)
    try_line (parser, at, size, /* is_end= */ FALSE);
  return size;
}

static gboolean
take_answers (StasisAgentParser *parser, const char *at, gsize size, GPtrArray *answers,
              GError **error)
{
  const guint n_before = answers->len;
  g_autoptr (GError) local = NULL;
  gboolean ok = stasis_qmp_parser_feed (parser->lines, at, size, answers, &local);
  for (guint i = n_before; i < answers->len; i++)
    {
      const StasisQmpMessage *message = g_ptr_array_index (answers, i);
      if (message->kind == STASIS_QMP_RETURN || message->kind == STASIS_QMP_ERROR)
        continue;
      g_ptr_array_set_size (answers, (gint) i);
      ok = FALSE;
    }
  if (ok)
    return TRUE;
  g_debug ("guest agent: %s", local != NULL ? local->message : "an event or a greeting");
  g_set_error_literal (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
                       _ ("the guest agent sent what is no answer, or too long a one"));
  return FALSE;
}

/* Take octets as they come, however they are cut. */
gboolean
stasis_agent_parser_feed (StasisAgentParser *parser, const void *octets, gsize size,
                          GPtrArray *answers, GError **error)
{
  const char *at = octets;
  const char *const end = at + size;
  while (at < end && !parser->is_synced)
    {
      const gsize taken = skip (parser, at, (gsize) (end - at));
      at += taken;
      parser->n_skipped += taken;
      if (parser->is_synced || parser->n_skipped <= STASIS_AGENT_SKIP_MAX)
        continue;
      g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
                   _ ("the guest agent sent more than %1$u octets that nobody had asked for"),
                   STASIS_AGENT_SKIP_MAX);
      return FALSE;
    }
  return at == end || take_answers (parser, at, (gsize) (end - at), answers, error);
}
