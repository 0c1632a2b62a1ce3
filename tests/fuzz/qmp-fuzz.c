/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qmp-fuzz.c: any octets from QEMU: as a QMP stream, in pieces and at once; as text of the human
 * monitor; in the debug log
 */

#include "config.h"

#include "monitor/commands-query.h"
#include "monitor/qmp-parser.h"
#include "monitor/redact.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

/* Feed in pieces of @step; returns how many messages came, or -1 - that number on failure. */
static int
feed (const guint8 *data, gsize size, gsize step)
{
  g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (4096);
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
  g_autoptr (GError) error = NULL;
  gboolean ok = TRUE;
  for (gsize at = 0; ok && at < size; at += step)
    ok = stasis_qmp_parser_feed (parser, data + at, MIN (step, size - at), messages, &error);
  g_assert_true (ok == (error == NULL));
  g_assert_cmpuint (stasis_qmp_parser_pending (parser), <=, 4096);

  for (guint i = 0; i < messages->len; i++)
    {
      const StasisQmpMessage *message = g_ptr_array_index (messages, i);
      g_assert_true ((message->event != NULL) == (message->kind == STASIS_QMP_EVENT));
      g_assert_true ((message->value == NULL) == (message->kind == STASIS_QMP_EVENT));
      g_autofree char *text
          = message->value != NULL ? stasis_monitor_redact (message->value) : NULL;
      g_assert_true (text == NULL || g_utf8_validate (text, -1, NULL));
    }
  return ok ? (int) messages->len : -1 - (int) messages->len;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const int whole = feed (data, size, MAX (size, 1));
  g_assert_cmpint (feed (data, size, 1), ==, whole);
  g_assert_cmpint (feed (data, size, 7), ==, whole);

  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) blocks = stasis_ram_blocks_parse (text, &error);
  g_assert_true ((blocks == NULL) == (error != NULL));
  return 0;
}
