/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent-parser-test.c: tests of src/monitor/agent-parser.c
 */

#include "config.h"

#include "monitor/agent-parser.h"

#include <string.h>

#include "monitor/error.h"

#define SYNC_ID 77
#define SYNC    "\xff{\"return\": 77}\n"

typedef struct
{
  const char *name;
  const char *octets;
  gboolean is_synced;
  gboolean is_wrong;
  guint n_answers;
} Case;

static const Case cases[] = {
  { "answers", SYNC "{\"return\": 1}\r\n\n{\"error\": {\"desc\": \"x\"}}\n", TRUE, FALSE, 2 },
  { "nothing", "", FALSE, FALSE, 0 },
  { "sync-without-sentinel", "{\"return\": 77}\n", FALSE, FALSE, 0 },
  { "half-a-sync", "\xff{\"return\": 77}", FALSE, FALSE, 0 },
  { "stale-answers", "turn\": {}}\n{\"return\": 3}\n" SYNC "{\"return\": 4}\n", TRUE, FALSE, 1 },
  { "stale-sync", "\xff{\"return\": 76}\n" SYNC "{\"return\": 4}\n", TRUE, FALSE, 1 },
  { "stale-half-sync", "\xff{\"retu" SYNC "{\"return\": 4}\n", TRUE, FALSE, 1 },
  { "sync-as-text", "\xff{\"return\": \"77\"}\n", FALSE, FALSE, 0 },
  { "sync-as-error", "\xff{\"error\": 77}\n", FALSE, FALSE, 0 },
  { "sync-behind-another-line", "\xff\n{\"return\": 77}\n", FALSE, FALSE, 0 },
  { "garbage-before", "\x01\x02 no JSON\n" SYNC, TRUE, FALSE, 0 },
  { "garbage-behind", SYNC "no JSON\n", TRUE, TRUE, 0 },
  { "sentinel-behind", SYNC "{\"return\": 1}\n" SYNC, TRUE, TRUE, 1 },
  { "event", SYNC "{\"return\": 1}\n{\"event\": \"X\"}\n{\"return\": 2}\n", TRUE, TRUE, 1 },
  { "greeting", SYNC "{\"QMP\": {}}\n", TRUE, TRUE, 0 },
};

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

static void
test_case (gconstpointer data)
{
  const Case *one = data;
  const gsize size = strlen (one->octets);
  for (gsize step = 1; step <= size + 1; step++)
    {
      g_autoptr (StasisAgentParser) parser = stasis_agent_parser_new (SYNC_ID);
      g_autoptr (GPtrArray) answers = g_ptr_array_new_with_free_func (free_message);
      g_autoptr (GError) error = NULL;
      gboolean ok = TRUE;
      for (gsize at = 0; ok && at < size; at += step)
        ok = stasis_agent_parser_feed (parser, one->octets + at, MIN (step, size - at), answers,
                                       &error);
      g_assert_cmpint (stasis_agent_parser_is_synced (parser), ==, one->is_synced);
      g_assert_cmpuint (answers->len, ==, one->n_answers);
      g_assert_cmpint (ok, ==, !one->is_wrong);
      if (one->is_wrong)
        g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
    }
}

/* Feed @count times the same; the error's message, or NULL. */
static char *
flood (const char *first, const char *octets, gsize count)
{
  g_autoptr (StasisAgentParser) parser = stasis_agent_parser_new (SYNC_ID);
  g_autoptr (GPtrArray) answers = g_ptr_array_new_with_free_func (free_message);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_agent_parser_feed (parser, first, strlen (first), answers, &error));
  for (gsize i = 0; i < count; i++)
    if (!stasis_agent_parser_feed (parser, octets, strlen (octets), answers, &error))
      {
        g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL);
        return g_strdup (error->message);
      }
  return NULL;
}

static void
test_limits (void)
{
  g_autofree char *kilo = g_strnfill (1024, ' ');
  g_autofree char *before = flood ("", kilo, STASIS_AGENT_SKIP_MAX / 1024);
  g_assert_null (before);
  g_autofree char *skipped = flood ("", kilo, STASIS_AGENT_SKIP_MAX / 1024 + 1);
  g_assert_nonnull (strstr (skipped, "nobody had asked"));
  g_autofree char *syncs = flood ("", "\xff{\"return\": 1}\n", STASIS_AGENT_SKIP_MAX / 8);
  g_assert_nonnull (strstr (syncs, "nobody had asked"));
  g_autofree char *fits = flood (SYNC, kilo, STASIS_AGENT_LINE_MAX / 1024);
  g_assert_null (fits);
  g_autofree char *line = flood (SYNC, kilo, STASIS_AGENT_LINE_MAX / 1024 + 1);
  g_assert_nonnull (strstr (line, "too long"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/monitor/agent-parser/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/monitor/agent-parser/limits", test_limits);
  return g_test_run ();
}
