/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c: what another host says, made fit for a message
 */

#include "config.h"

#include "transport/text.h"

#include <string.h>

#define TEXT_MAX 400 /* octets */

/* In one line, and without what a terminal would obey. */
char *
stasis_ssh_one_line (const char *text, gssize length)
{
  if (text == NULL)
    return g_strdup ("");
  const gsize size = MIN (length < 0 ? strlen (text) : (gsize) length, TEXT_MAX);
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) size);
  g_autoptr (GString) line = g_string_sized_new (size);
  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      const gunichar c = g_utf8_get_char (at);
      if (g_unichar_isprint (c) && !g_unichar_isspace (c))
        g_string_append_unichar (line, c);
      else if (line->len > 0 && line->str[line->len - 1] != ' ')
        g_string_append_c (line, ' ');
    }
  if (line->len > 0 && line->str[line->len - 1] == ' ')
    g_string_truncate (line, line->len - 1);
  return g_string_free (g_steal_pointer (&line), FALSE);
}
