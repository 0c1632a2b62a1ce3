/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * units.c: octets and times as people read them
 */

#include "config.h"

#include "cli/units.h"

#include <string.h>

#include <glib/gi18n.h>

static const char *const unit_names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

/* Choose a unit. */
double
stasis_cli_scale (guint64 octets, const char **out_unit)
{
  double value = octets;
  guint unit = 0;
  while (value >= 1024 && unit + 1 < G_N_ELEMENTS (unit_names))
    {
      value /= 1024;
      unit++;
    }
  *out_unit = unit_names[unit];
  return value;
}

/* With one digit behind the point; octets have none. */
char *
stasis_cli_format_octets (guint64 octets)
{
  const char *unit = NULL;
  /* What would be rounded to 1024.0 is already one of the next unit. */
  double value = stasis_cli_scale (octets, &unit);
  if (value >= 1023.95)
    value = stasis_cli_scale (octets + octets / 1024, &unit);
  if (octets < 1024)
    return g_strdup_printf ("%u %s", (guint) octets, unit);
  return g_strdup_printf ("%.1f %s", value, unit);
}

/* Minutes and seconds, with hours where there are some. */
char *
stasis_cli_format_time (gint64 us)
{
  const gint64 seconds = MAX (us, 0) / G_USEC_PER_SEC;
  const int s = seconds % 60;
  const int m = seconds / 60 % 60;
  const gint64 h = seconds / 3600;
  if (h > 0)
    return g_strdup_printf ("%" G_GINT64_FORMAT ":%02d:%02d", h, m, s);
  return g_strdup_printf ("%d:%02d", m, s);
}

/* Columns, not octets: names may be in any script. */
guint
stasis_cli_text_width (const char *text)
{
  if (!g_utf8_validate (text, -1, NULL))
    return strlen (text);

  guint width = 0;
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      const gunichar c = g_utf8_get_char (p);
      if (!g_unichar_iszerowidth (c))
        width += g_unichar_iswide (c) ? 2 : 1;
    }
  return width;
}

/* Marks are printable; formatting characters, which g_unichar_iszerowidth() counts in, are not:
 * those that turn the direction of writing round make a name look like another one. */
static char *
escape (const char *text, const char *kept)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) out = g_string_new (NULL);
  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      const gunichar c = g_utf8_get_char (p);
      if (g_unichar_isprint (c) || (c < 0x80 && strchr (kept, (char) c) != NULL))
        g_string_append_unichar (out, c);
      else
        g_string_append_printf (out, c < 0x80 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
    }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* Escape what is not printable, as virsh does in its tables. */
char *
stasis_cli_printable (const char *text)
{
  return escape (text, "");
}

/* The same with lines. */
char *
stasis_cli_printable_lines (const char *text)
{
  return escape (text, "\n\t");
}
