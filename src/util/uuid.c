/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uuid.c: UUIDs as text and as octets
 */

#include "config.h"

#include "util/uuid.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>

/* The octets of a UUID in its usual spelling. */
gboolean
stasis_uuid_parse (const char *text, guint8 out_octets[STASIS_UUID_SIZE], GError **error)
{
  if (!g_uuid_string_is_valid (text))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _ ("'%.64s' is not a UUID"),
                   text);
      return FALSE;
    }
  for (guint i = 0; i < STASIS_UUID_SIZE; i++)
    {
      while (*text == '-')
        text++;
      out_octets[i]
          = (guint8) (g_ascii_xdigit_value (text[0]) << 4 | g_ascii_xdigit_value (text[1]));
      text += 2;
    }
  return TRUE;
}

/* Lower case, with hyphens. */
char *
stasis_uuid_format (const guint8 octets[STASIS_UUID_SIZE])
{
  GString *text = g_string_sized_new (36);
  for (guint i = 0; i < STASIS_UUID_SIZE; i++)
    {
      if (i == 4 || i == 6 || i == 8 || i == 10)
        g_string_append_c (text, '-');
      g_string_append_printf (text, "%02x", octets[i]);
    }
  return g_string_free (text, FALSE);
}
