/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * table.h: columns, as virsh prints them
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_CLI_COLUMNS_MAX 8u

typedef struct _StasisCliTable StasisCliTable;

/* The titles end with NULL. */
StasisCliTable *stasis_cli_table_new (const char *const *titles);
/* As many cells as there are titles. */
void stasis_cli_table_append (StasisCliTable *table, const char *const *cells);
/* (transfer full): all lines.  Without a head the titles have no say in the widths either. */
char *stasis_cli_table_to_string (const StasisCliTable *table, gboolean with_head);
void stasis_cli_table_free (StasisCliTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliTable, stasis_cli_table_free)

G_END_DECLS
