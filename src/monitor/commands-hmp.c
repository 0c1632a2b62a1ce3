/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-hmp.c: the human monitor, for what QMP does not tell
 *
 * `info ramblock` is text for people and its columns grew: QEMU 7.2 ends with Total, later ones
 * add HVA and RO.  So the headings are read first, the ones that we know must stand where they
 * always did, and each row must have as many fields; anything else is refused.
 */

#include "config.h"

#include "monitor/commands-query.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

#define TEXT_MAX   (1024u * 1024u) /* octets of `info ramblock` */
#define BLOCKS_MAX 4096u

/* Every row begins with these; "Block Name" is one field, "4 KiB" under PSize two. */
static const char *const headings[] = { "Block", "Name", "PSize", "Offset", "Used", "Total" };

enum
{
  FIELD_NAME,
  FIELD_PAGE_SIZE,
  FIELD_PAGE_UNIT,
  FIELD_OFFSET,
  FIELD_USED,
  FIELD_TOTAL,
  FIELDS_FIXED
};

/* Run a line of the human monitor.  It has no errors, only texts. */
char *
stasis_monitor_hmp (StasisMonitor *monitor, const char *command_line, GCancellable *cancellable,
                    GError **error)
{
  const StasisCommand hmp
      = { "human-monitor-command", _ ("cannot ask QEMU's human monitor"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "command-line", command_line);
  g_autoptr (StasisJson) reply = NULL;
  if (!stasis_command_run (monitor, &hmp, arguments, &reply, cancellable, error))
    return NULL;

  const char *text = stasis_json_string (reply, NULL);
  if (text == NULL)
    {
      g_autoptr (GError) fault
          = g_error_new_literal (STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE, _ ("not a string"));
      stasis_command_throw_reply (hmp.command, hmp.context, fault, error);
    }
  return g_strdup (text);
}

/* NULL is fine. */
void
stasis_ram_block_free (StasisRamBlock *block)
{
  if (block == NULL)
    return;

  g_free (block->name);
  g_free (block);
}

static void
free_block (gpointer block)
{
  stasis_ram_block_free (block);
}

/* The words of a line. */
static GPtrArray *
split_words (const char *line)
{
  GPtrArray *words = g_ptr_array_new_with_free_func (g_free);
  const char *at = line;
  while (*at != '\0')
    {
      const gsize blanks = strspn (at, " \t\r");
      const gsize length = strcspn (at + blanks, " \t\r");
      if (length > 0)
        g_ptr_array_add (words, g_strndup (at + blanks, length));
      at += blanks + length;
    }
  return words;
}

static gboolean
throw_form (GError **error, const char *line)
{
  g_autofree char *shown = g_strndup (line, 120);
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
               _ ("QEMU's list of memory blocks has another form, at '%s'"), shown);
  return FALSE;
}

/* How many fields the rows have, and which is HVA (0: none). */
static gboolean
parse_headings (const char *line, guint *out_fields, guint *out_hva, GError **error)
{
  g_autoptr (GPtrArray) words = split_words (line);
  if (words->len < G_N_ELEMENTS (headings))
    return throw_form (error, line);
  for (guint i = 0; i < G_N_ELEMENTS (headings); i++)
    if (!g_str_equal (g_ptr_array_index (words, i), headings[i]))
      return throw_form (error, line);

  guint hva = 0;
  const guint extra = words->len - G_N_ELEMENTS (headings);
  for (guint i = 0; i < extra; i++)
    if (g_str_equal (g_ptr_array_index (words, G_N_ELEMENTS (headings) + i), "HVA"))
      hva = FIELDS_FIXED + i;
  *out_fields = FIELDS_FIXED + extra;
  *out_hva = hva;
  return TRUE;
}

static gboolean
parse_hex (const char *word, guint64 *out_value)
{
  return g_str_has_prefix (word, "0x")
         && g_ascii_string_to_unsigned (word + 2, 16, 0, G_MAXUINT64, out_value, NULL);
}

static gboolean
parse_page_size (const char *number, const char *unit, guint64 *out_value)
{
  static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
  guint64 value = 0;
  if (!g_ascii_string_to_unsigned (number, 10, 1, 1023, &value, NULL))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (units); i++)
    if (g_str_equal (unit, units[i]))
      {
        *out_value = value << (10 * i);
        return TRUE;
      }
  return FALSE;
}

static StasisRamBlock *
parse_row (const char *line, guint fields, guint hva, GError **error)
{
  g_autoptr (GPtrArray) words = split_words (line);
  char *const *word = (char *const *) words->pdata;
  g_autoptr (StasisRamBlock) block = g_new0 (StasisRamBlock, 1);
  if (words->len != fields
      || !parse_page_size (word[FIELD_PAGE_SIZE], word[FIELD_PAGE_UNIT], &block->page_size)
      || !parse_hex (word[FIELD_OFFSET], &block->offset)
      || !parse_hex (word[FIELD_USED], &block->used_length)
      || !parse_hex (word[FIELD_TOTAL], &block->total_length)
      || (hva != 0 && !parse_hex (word[hva], &block->host_address))
      || block->used_length > block->total_length)
    {
      throw_form (error, line);
      return NULL;
    }
  block->name = g_strdup (word[FIELD_NAME]);
  return g_steal_pointer (&block);
}

/* Memory of a device that has gone, which QEMU is about to free, and does not migrate. */
static gboolean
is_nameless (const char *line, guint fields)
{
  g_autoptr (GPtrArray) words = split_words (line);
  guint64 size;
  return words->len == fields - 1
         && parse_page_size (g_ptr_array_index (words, FIELD_PAGE_SIZE - 1),
                             g_ptr_array_index (words, FIELD_PAGE_UNIT - 1), &size);
}

static gboolean
parse_rows (GPtrArray *blocks, char *const *lines, GError **error)
{
  guint fields = 0;
  guint hva = 0;
  if (lines[0] == NULL || !parse_headings (lines[0], &fields, &hva, error))
    return lines[0] == NULL ? throw_form (error, "") : FALSE;

  for (guint i = 1; lines[i] != NULL; i++)
    {
      if (lines[i][strspn (lines[i], " \t\r")] == '\0' || is_nameless (lines[i], fields))
        continue;
      if (blocks->len == BLOCKS_MAX)
        return throw_form (error, lines[i]);
      StasisRamBlock *block = parse_row (lines[i], fields, hva, error);
      if (block == NULL)
        return FALSE;
      g_ptr_array_add (blocks, block);
    }
  return TRUE;
}

/* Read the text of `info ramblock`. */
GPtrArray *
stasis_ram_blocks_parse (const char *text, GError **error)
{
  if (strlen (text) > TEXT_MAX)
    {
      throw_form (error, text);
      return NULL;
    }

  g_auto (GStrv) lines = g_strsplit (text, "\n", (int) BLOCKS_MAX + 8);
  g_autoptr (GPtrArray) blocks = g_ptr_array_new_with_free_func (free_block);
  if (!parse_rows (blocks, lines, error))
    return NULL;
  return g_steal_pointer (&blocks);
}

/* The blocks of guest memory and where QEMU has them. */
GPtrArray *
stasis_monitor_query_ram_blocks (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autofree char *text = stasis_monitor_hmp (monitor, "info ramblock", cancellable, error);
  GPtrArray *blocks = text != NULL ? stasis_ram_blocks_parse (text, error) : NULL;
  if (blocks == NULL)
    g_prefix_error (error, "%s: ", _ ("cannot list the guest's memory"));
  return blocks;
}
