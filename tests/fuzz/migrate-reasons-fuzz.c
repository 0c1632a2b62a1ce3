/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-reasons-fuzz.c: any octets as what a destination says of a migration: what is read is
 * written, and read the same
 */

#include "config.h"

#include "driver/migrate-reasons.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GPtrArray) reasons = stasis_migrate_reasons_parse (text, &error);
  g_assert_true ((reasons == NULL) == (error != NULL));
  if (reasons == NULL)
    return 0;

  g_assert_cmpuint (reasons->len, <=, STASIS_MIGRATE_REASONS_MAX);
  g_autofree char *first = stasis_migrate_reasons_format (reasons);
  g_autoptr (GPtrArray) again = stasis_migrate_reasons_parse (first, NULL);
  if (again == NULL)
    return 0; /* it was at its limit, and is a little longer now */
  g_autofree char *second = stasis_migrate_reasons_format (again);
  g_assert_cmpstr (first, ==, second);
  return 0;
}
