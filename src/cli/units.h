/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * units.h: octets and times as people read them
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The value in the largest unit that leaves it at 1 or more; *@out_unit is "B", "KiB" ... */
double stasis_cli_scale (guint64 octets, const char **out_unit);

/* "1.5 GiB" */
char *stasis_cli_format_octets (guint64 octets);

/* "0:07", "12:30", "1:02:03" */
char *stasis_cli_format_time (gint64 us);

/* How many columns of a terminal the text takes. */
guint stasis_cli_text_width (const char *text);

/* The text without what a terminal obeys instead of showing it: "\x1b", "\u202e" instead. */
char *stasis_cli_printable (const char *text);

/* The same of a text of several lines, which may have tabs. */
char *stasis_cli_printable_lines (const char *text);

G_END_DECLS
