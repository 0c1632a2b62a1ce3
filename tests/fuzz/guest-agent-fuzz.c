/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-agent-fuzz.c: any octets from a guest agent, in pieces and at once
 */

#include "config.h"

#include "monitor/agent-parser.h"
#include "monitor/guest-agent.h"

#define SYNC_ID 1234 /* that of the corpus */

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

/* Feed in pieces of @step; returns how many answers came, or -1 - that number on failure. */
static int
feed (const guint8 *data, gsize size, gsize step)
{
  g_autoptr (StasisAgentParser) parser = stasis_agent_parser_new (SYNC_ID);
  g_autoptr (GPtrArray) answers = g_ptr_array_new_with_free_func (free_message);
  g_autoptr (GError) error = NULL;
  gboolean ok = TRUE;
  for (gsize at = 0; ok && at < size; at += step)
    ok = stasis_agent_parser_feed (parser, data + at, MIN (step, size - at), answers, &error);
  g_assert_true (ok == (error == NULL));
  g_assert_true (answers->len == 0 || stasis_agent_parser_is_synced (parser));

  for (guint i = 0; i < answers->len; i++)
    {
      const StasisQmpMessage *answer = g_ptr_array_index (answers, i);
      g_assert_true (answer->kind == STASIS_QMP_RETURN || answer->kind == STASIS_QMP_ERROR);
      g_assert_nonnull (answer->value);
      stasis_agent_info_has (answer->value, "guest-fsfreeze-freeze");
    }
  return ok ? (int) answers->len : -1 - (int) answers->len;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const int whole = feed (data, size, MAX (size, 1));
  g_assert_cmpint (feed (data, size, 1), ==, whole);
  g_assert_cmpint (feed (data, size, 7), ==, whole);
  return 0;
}
