/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * affect.c: the options that say what a change is made to, and how much
 */

#include "config.h"

#include "cli/affect.h"

#include <string.h>

#include <glib/gi18n.h>

#define OCTETS_PER_KIB 1024

/* FALSE where they exclude each other. */
gboolean
stasis_cli_affect (const StasisCliArgs *args, StasisAffectFlags *out_flags, GError **error)
{
  guint flags = STASIS_AFFECT_CURRENT;
  if (!stasis_cli_args_exclusive (args, "current", "live", error)
      || !stasis_cli_args_exclusive (args, "current", "config", error))
    return FALSE;
  stasis_cli_args_flag (args, "live", STASIS_AFFECT_LIVE, &flags);
  stasis_cli_args_flag (args, "config", STASIS_AFFECT_CONFIG, &flags);
  *out_flags = flags;
  return TRUE;
}

/* Powers of 1024, and of 1000 where a B stands alone behind the letter, as virsh has them. */
static guint64
factor_of (const char *unit)
{
  static const char letters[] = "kmgt";
  if (*unit == '\0')
    return OCTETS_PER_KIB;
  if (g_ascii_strcasecmp (unit, "b") == 0 || g_ascii_strcasecmp (unit, "bytes") == 0)
    return 1;
  const char *letter = strchr (letters, g_ascii_tolower (*unit));
  const gboolean is_binary = unit[1] == '\0' || g_ascii_strcasecmp (unit + 1, "iB") == 0;
  if (letter == NULL || (!is_binary && g_ascii_strcasecmp (unit + 1, "B") != 0))
    return 0;
  guint64 factor = 1;
  for (const char *p = letters; p <= letter; p++)
    factor *= is_binary ? 1024 : 1000;
  return factor;
}

/* In KiB. */
gboolean
stasis_cli_parse_kib (const char *text, guint64 *out_kib, GError **error)
{
  const gsize digits = strspn (text, "0123456789");
  g_autofree char *number = g_strndup (text, digits);
  const guint64 factor = factor_of (text + digits);
  guint64 value = 0;
  guint64 octets = 0;
  if (factor == 0 || !g_ascii_string_to_unsigned (number, 10, 0, G_MAXINT64, &value, NULL)
      || !g_uint64_checked_mul (&octets, value, factor)
      || !g_uint64_checked_add (&octets, octets, OCTETS_PER_KIB - 1))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, _ ("'%1$s' is not a size"),
                   text);
      return FALSE;
    }
  *out_kib = octets / OCTETS_PER_KIB;
  return TRUE;
}
