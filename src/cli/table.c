/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.c: columns, as virsh prints them
 */

#include "config.h"

#include "cli/table.h"

#include "cli/units.h"

struct _StasisCliTable
{
  guint n_columns;
  GPtrArray *rows; /* (owned) (element-type GStrv): the titles first */
};

static char **
copy_cells (const char *const *cells, guint n)
{
  char **copy = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++)
    copy[i] = stasis_cli_printable (cells[i]);
  return copy;
}

/* Begin a table. */
StasisCliTable *
stasis_cli_table_new (const char *const *titles)
{
  StasisCliTable *table = g_new0 (StasisCliTable, 1);
  table->n_columns = g_strv_length ((char **) titles);
  g_assert (table->n_columns <= STASIS_CLI_COLUMNS_MAX);
  table->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  stasis_cli_table_append (table, titles);
  return table;
}

/* Append a row. */
void
stasis_cli_table_append (StasisCliTable *table, const char *const *cells)
{
  g_ptr_array_add (table->rows, copy_cells (cells, table->n_columns));
}

static void
append_row (const StasisCliTable *table, const char *const *cells, const guint *widths,
            GString *out)
{
  for (guint i = 0; i < table->n_columns; i++)
    {
      g_string_append_printf (out, " %s", cells[i]);
      if (i + 1 < table->n_columns)
        for (guint pad = stasis_cli_text_width (cells[i]); pad < widths[i] + 2; pad++)
          g_string_append_c (out, ' ');
    }
  g_string_append_c (out, '\n');
}

/* Lay it out. */
char *
stasis_cli_table_to_string (const StasisCliTable *table, gboolean with_head)
{
  guint widths[STASIS_CLI_COLUMNS_MAX] = { 0 };
  guint total = 0;
  for (guint c = 0; c < table->n_columns; c++)
    {
      for (guint r = with_head ? 0 : 1; r < table->rows->len; r++)
        {
          char **cells = g_ptr_array_index (table->rows, r);
          widths[c] = MAX (widths[c], stasis_cli_text_width (cells[c]));
        }
      total += widths[c] + 3;
    }

  GString *out = g_string_new (NULL);
  for (guint r = with_head ? 0 : 1; r < table->rows->len; r++)
    {
      append_row (table, g_ptr_array_index (table->rows, r), widths, out);
      for (guint i = 0; r == 0 && i <= total; i++)
        g_string_append_c (out, i < total ? '-' : '\n');
    }
  return g_string_free (out, FALSE);
}

/* Free it.  NULL is fine. */
void
stasis_cli_table_free (StasisCliTable *table)
{
  if (table == NULL)
    return;

  g_ptr_array_unref (table->rows);
  g_free (table);
}
