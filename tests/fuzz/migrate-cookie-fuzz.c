/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-cookie-fuzz.c: any octets as a migration cookie: what is read is written, and read the
 * same
 */

#include "config.h"

#include "driver/migrate-cookie.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrateCookie) cookie = stasis_migrate_cookie_parse (data, size, &error);
  g_assert_true ((cookie == NULL) == (error != NULL));
  g_autoptr (GBytes) first
      = cookie != NULL ? stasis_migrate_cookie_format (cookie, NULL, NULL) : NULL;
  if (first == NULL)
    return 0; /* or it was at its limit, and is a little longer now */

  gsize length = 0;
  gconstpointer octets = g_bytes_get_data (first, &length);
  g_autoptr (StasisMigrateCookie) again = stasis_migrate_cookie_parse (octets, length, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) second = stasis_migrate_cookie_format (again, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (first, second));
  return 0;
}
