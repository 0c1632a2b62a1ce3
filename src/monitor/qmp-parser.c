/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp-parser.c: from the octets of a QMP stream to messages
 *
 * Theory of operation
 *
 * QEMU ends each message with a line end, and JSON text can hold no other one unless it is
 * written for people (which -mon's pretty=on does, and we never ask for).  So octets are
 * gathered up to the line end and each line is one JSON text; empty lines mean nothing.
 *
 * This file knows nothing of sockets, threads or waiters: the reader, the tests and the fuzzer
 * feed it.  QEMU may have been taken over by its guest, so nothing it sends is trusted: a line
 * has a maximum length, JSON its own limits, and whatever is not a QMP message is an error.
 */

#include "config.h"

#include "monitor/qmp-parser.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/error.h"

#define ID_PREFIX "stasis-"

struct _StasisQmpParser
{
  GByteArray *line; /* (owned) the message that has not ended */
  gsize line_max;
};

/* NULL is fine. */
void
stasis_qmp_message_free (StasisQmpMessage *message)
{
  if (message == NULL)
    return;

  stasis_json_unref (message->value);
  stasis_monitor_event_free (message->event);
  g_free (message);
}

/* A parser at the start of a stream. */
StasisQmpParser *
stasis_qmp_parser_new (gsize line_max)
{
  StasisQmpParser *parser = g_new0 (StasisQmpParser, 1);
  parser->line = g_byte_array_new ();
  parser->line_max = MIN (line_max, STASIS_QMP_LINE_MAX);
  return parser;
}

/* NULL is fine. */
void
stasis_qmp_parser_free (StasisQmpParser *parser)
{
  if (parser == NULL)
    return;

  g_byte_array_unref (parser->line);
  g_free (parser);
}

/* Octets of a message that has not ended. */
gsize
stasis_qmp_parser_pending (const StasisQmpParser *parser)
{
  return parser->line->len;
}

static gboolean
throw_protocol (GError **error, const char *what)
{
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
               _ ("QEMU's monitor sent what is not QMP: %s"), what);
  return FALSE;
}

static guint64
parse_id (const StasisJson *json)
{
  const char *id = stasis_json_string (json, "");
  guint64 number = 0;
  if (!g_str_has_prefix (id, ID_PREFIX)
      || !g_ascii_string_to_unsigned (id + strlen (ID_PREFIX), 10, 1, G_MAXUINT64, &number, NULL))
    return 0;
  return number;
}

/* Microseconds since the epoch, or -1 where QEMU has no time or talks nonsense. */
static gint64
parse_timestamp (const StasisJson *json)
{
  const gint64 seconds = stasis_json_int (stasis_json_get (json, "seconds"), -1);
  const gint64 micros = stasis_json_int (stasis_json_get (json, "microseconds"), -1);
  if (seconds < 0 || seconds >= G_MAXINT64 / G_USEC_PER_SEC || micros < 0
      || micros >= G_USEC_PER_SEC)
    return -1;
  return seconds * G_USEC_PER_SEC + micros;
}

static StasisJson *
ref_member (const StasisJson *json, const char *key)
{
  const StasisJson *member = stasis_json_get (json, key);
  /* Nobody changes a parsed value, so sharing a part of it is safe. */
  return member != NULL ? stasis_json_ref ((StasisJson *) member) : NULL;
}

static gboolean
fill_event (StasisQmpMessage *message, const StasisJson *json, GError **error)
{
  const StasisJson *data = stasis_json_get (json, "data");
  const char *name = stasis_json_string (stasis_json_get (json, "event"), NULL);
  if (name == NULL || (data != NULL && stasis_json_kind (data) != STASIS_JSON_OBJECT))
    return throw_protocol (error, _ ("an event of another form"));

  message->kind = STASIS_QMP_EVENT;
  message->event = stasis_monitor_event_new (name);
  message->event->data = ref_member (json, "data");
  message->event->timestamp_us = parse_timestamp (stasis_json_get (json, "timestamp"));
  return TRUE;
}

static gboolean
fill_message (StasisQmpMessage *message, const StasisJson *json, GError **error)
{
  if (stasis_json_get (json, "event") != NULL)
    return fill_event (message, json, error);

  message->id = parse_id (stasis_json_get (json, "id"));
  if ((message->value = ref_member (json, "return")) != NULL)
    message->kind = STASIS_QMP_RETURN;
  else if ((message->value = ref_member (json, "error")) != NULL)
    message->kind = STASIS_QMP_ERROR;
  else if ((message->value = ref_member (json, "QMP")) != NULL)
    message->kind = STASIS_QMP_GREETING;
  else
    return throw_protocol (error, _ ("neither greeting, reply nor event"));
  return TRUE;
}

static gboolean
parse_line (const char *text, gsize length, GPtrArray *messages, GError **error)
{
  g_autoptr (GError) fault = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) length, &fault);
  if (json == NULL)
    return throw_protocol (error, fault->message);

  g_autoptr (StasisQmpMessage) message = g_new0 (StasisQmpMessage, 1);
  message->size = length;
  if (!fill_message (message, json, error))
    return FALSE;
  g_ptr_array_add (messages, g_steal_pointer (&message));
  return TRUE;
}

static gboolean
is_blank (const char *text, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isspace (text[i]))
      return FALSE;
  return TRUE;
}

/* Gather up to the line end, if it is there, and parse what is complete. */
static gboolean
feed_line (StasisQmpParser *parser, const char *octets, gsize size, gboolean is_end,
           GPtrArray *messages, GError **error)
{
  if (size > parser->line_max - parser->line->len)
    {
      g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
                   _ ("QEMU's monitor sent a message of more than %1$zu octets"), parser->line_max);
      return FALSE;
    }
  g_byte_array_append (parser->line, (const guint8 *) octets, (guint) size);
  if (!is_end)
    return TRUE;

  const char *text = (const char *) parser->line->data;
  const gsize length = parser->line->len;
  const gboolean ok = is_blank (text, length) || parse_line (text, length, messages, error);
  g_byte_array_set_size (parser->line, 0);
  return ok;
}

/* Take octets as they come, however they are cut. */
gboolean
stasis_qmp_parser_feed (StasisQmpParser *parser, const void *octets, gsize size,
                        GPtrArray *messages, GError **error)
{
  const char *at = octets;
  const char *const end = at + size;
  while (at < end)
    {
      const char *line_end = memchr (at, '\n', (gsize) (end - at));
      const char *stop = line_end != NULL ? line_end : end;
      if (!feed_line (parser, at, (gsize) (stop - at), line_end != NULL, messages, error))
        return FALSE;
      at = line_end != NULL ? line_end + 1 : end;
    }
  return TRUE;
}
