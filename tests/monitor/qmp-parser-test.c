/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp-parser-test.c: tests of src/monitor/qmp-parser.c
 */

#include "config.h"

#include "monitor/qmp-parser.h"

#include <string.h>

#include "monitor/error.h"

#define STREAM \
  "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n" \
  "{\"return\": {\"text\": \"a\\nb\"}, \"id\": \"stasis-12\"}\r\n" \
  "\r\n" \
  "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\n" \
  "{\"error\": {\"class\": \"GenericError\", \"desc\": \"\303\244\"}, \"id\": \"stasis-13\"}\n"

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

static void
check_stream (const GPtrArray *messages)
{
  static const StasisQmpKind kinds[]
      = { STASIS_QMP_GREETING, STASIS_QMP_RETURN, STASIS_QMP_EVENT, STASIS_QMP_ERROR };
  g_assert_cmpuint (messages->len, ==, G_N_ELEMENTS (kinds));
  for (guint i = 0; i < messages->len; i++)
    {
      const StasisQmpMessage *message = g_ptr_array_index (messages, i);
      g_assert_cmpint (message->kind, ==, kinds[i]);
      g_assert_true ((message->event != NULL) == (message->kind == STASIS_QMP_EVENT));
      g_assert_cmpuint (message->size, >, 0);
    }
  const StasisQmpMessage *reply = g_ptr_array_index (messages, 1);
  g_assert_cmpuint (reply->id, ==, 12);
  g_assert_cmpstr (stasis_json_string (stasis_json_get (reply->value, "text"), NULL), ==, "a\nb");
  const StasisQmpMessage *event = g_ptr_array_index (messages, 2);
  g_assert_cmpint (event->event->timestamp_us, ==, 1000002);
}

/* However the stream is cut. */
static void
test_pieces (void)
{
  const gsize length = strlen (STREAM);
  for (gsize step = 1; step <= length; step++)
    {
      g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (STASIS_QMP_LINE_MAX);
      g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
      g_autoptr (GError) error = NULL;
      for (gsize at = 0; at < length; at += step)
        g_assert_true (stasis_qmp_parser_feed (parser, STREAM + at, MIN (step, length - at),
                                               messages, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (stasis_qmp_parser_pending (parser), ==, 0);
      check_stream (messages);
    }
}

/* A stream that ends anywhere gives what was complete, and no error. */
static void
test_prefixes (void)
{
  for (gsize length = 0; length < strlen (STREAM); length++)
    {
      g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (STASIS_QMP_LINE_MAX);
      g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
      g_autoptr (GError) error = NULL;
      g_assert_true (stasis_qmp_parser_feed (parser, STREAM, length, messages, &error));
      g_assert_no_error (error);
      g_assert_cmpuint (messages->len, <, 4);
    }
}

static void
test_before_garbage (void)
{
  g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (STASIS_QMP_LINE_MAX);
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
  g_autoptr (GError) error = NULL;
  const char *text = STREAM "{]\n" STREAM;
  g_assert_false (stasis_qmp_parser_feed (parser, text, strlen (text), messages, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
  check_stream (messages);
}

static void
test_line_limit (void)
{
  static const struct
  {
    const char *text;
    gboolean is_fine;
  } cases[] = {
    { "{\"QMP\": {}}\n", TRUE },   /* 11 octets */
    { "{\"QMP\": { }}\n", FALSE }, /* 12 */
    { "{\"QMP\": {}}\n{\"QMP\": {}}\n", TRUE },
    { "           \n", TRUE },
    { "            \n", FALSE },
    { "xxxxxxxxxxxx", FALSE },
    { "{\"QMP\": { }", TRUE }, /* not yet */
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (11);
      g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
      g_autoptr (GError) error = NULL;
      const gboolean ok = stasis_qmp_parser_feed (parser, cases[i].text, strlen (cases[i].text),
                                                  messages, &error);
      g_assert_cmpint (ok, ==, cases[i].is_fine);
      if (!ok)
        g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
    }
}

/* At the real limit memory stays bounded. */
static void
test_huge_line (void)
{
  g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (G_MAXSIZE);
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
  g_autoptr (GError) error = NULL;
  const gsize size = 1024 * 1024;
  g_autofree char *piece = g_strnfill (size, ' ');
  for (gsize i = 0; i < STASIS_QMP_LINE_MAX / size; i++)
    g_assert_true (stasis_qmp_parser_feed (parser, piece, size, messages, &error));
  g_assert_cmpuint (stasis_qmp_parser_pending (parser), ==, STASIS_QMP_LINE_MAX);
  g_assert_false (stasis_qmp_parser_feed (parser, " ", 1, messages, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
}

static void
test_timestamps (void)
{
  static const struct
  {
    const char *text;
    gint64 expected;
  } cases[] = {
    { "{\"seconds\": 0, \"microseconds\": 0}", 0 },
    { "{\"seconds\": 1, \"microseconds\": 999999}", 1999999 },
    { "{\"seconds\": 1, \"microseconds\": 1000000}", -1 },
    { "{\"seconds\": 9223372036854775807, \"microseconds\": 0}", -1 },
    { "{\"seconds\": 9223372036854, \"microseconds\": 999999}", -1 },
    { "{\"seconds\": 18446744073709551615, \"microseconds\": 0}", -1 },
    { "{\"seconds\": 1.5, \"microseconds\": 0}", -1 },
    { "{\"seconds\": 1}", -1 },
    { "[]", -1 },
    { "null", -1 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (STASIS_QMP_LINE_MAX);
      g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
      g_autofree char *line
          = g_strdup_printf ("{\"event\": \"X\", \"timestamp\": %s}\n", cases[i].text);
      g_assert_true (stasis_qmp_parser_feed (parser, line, strlen (line), messages, NULL));
      const StasisQmpMessage *message = g_ptr_array_index (messages, 0);
      g_assert_cmpint (message->event->timestamp_us, ==, cases[i].expected);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/qmp-parser/pieces", test_pieces);
  g_test_add_func ("/monitor/qmp-parser/prefixes", test_prefixes);
  g_test_add_func ("/monitor/qmp-parser/before-garbage", test_before_garbage);
  g_test_add_func ("/monitor/qmp-parser/line-limit", test_line_limit);
  g_test_add_func ("/monitor/qmp-parser/huge-line", test_huge_line);
  g_test_add_func ("/monitor/qmp-parser/timestamps", test_timestamps);
  return g_test_run ();
}
