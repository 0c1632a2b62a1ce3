/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-token.c: what a migration is called by both hosts
 */

#include "config.h"

#include "driver/migrate-token.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

/* The kernel's: GLib's generator can be foretold. */
char *
stasis_migrate_random (gsize n_octets, GError **error)
{
  g_autofree guint8 *octets = g_malloc (n_octets);
  ssize_t n;
  do
    n = getrandom (octets, n_octets, 0);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t) n_octets)
    {
      stasis_throw_errno (error, _ ("no random number for a migration"));
      return NULL;
    }
  GString *text = g_string_sized_new (n_octets * 2);
  for (gsize i = 0; i < n_octets; i++)
    g_string_append_printf (text, "%02x", octets[i]);
  return g_string_free (text, FALSE);
}

char *
stasis_migrate_token_new (GError **error)
{
  return stasis_migrate_random (STASIS_MIGRATE_TOKEN_SIZE / 2, error);
}

gboolean
stasis_migrate_token_is_valid (const char *text)
{
  return text != NULL && strlen (text) == STASIS_MIGRATE_TOKEN_SIZE
         && strspn (text, "0123456789abcdef") == STASIS_MIGRATE_TOKEN_SIZE;
}

gboolean
stasis_migrate_token_check (const char *text, GError **error)
{
  if (stasis_migrate_token_is_valid (text))
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("a migration's token is 32 lower-case hexadecimal digits"));
  return FALSE;
}

gboolean
stasis_migrate_token_equal (const void *a, const void *b, gsize size)
{
  const volatile guint8 *x = a;
  const volatile guint8 *y = b;
  guint8 difference = 0;
  for (gsize i = 0; i < size; i++)
    difference = (guint8) (difference | (x[i] ^ y[i]));
  return difference == 0;
}
