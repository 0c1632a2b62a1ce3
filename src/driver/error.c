/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of drivers and domains
 */

#include "config.h"

#include "driver/error.h"

G_DEFINE_QUARK (stasis_error_quark, stasis_error)

/* It could be done, but it is not safe. */
gboolean
stasis_throw_refused (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_REFUSED, message);
  return FALSE;
}
