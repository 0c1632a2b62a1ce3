/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of domain definitions
 */

#include "config.h"

#include "conf/error.h"

#include "conf/domain-internal.h"

G_DEFINE_QUARK (stasis_conf_error_quark, stasis_conf_error)

gboolean
stasis_conf_invalid (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  GError *failure = g_error_new_valist (STASIS_CONF_ERROR, STASIS_CONF_ERROR_INVALID, format, args);
  va_end (args);
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
stasis_conf_unsupported (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  GError *failure
      = g_error_new_valist (STASIS_CONF_ERROR, STASIS_CONF_ERROR_UNSUPPORTED, format, args);
  va_end (args);
  g_propagate_error (error, failure);
  return FALSE;
}
