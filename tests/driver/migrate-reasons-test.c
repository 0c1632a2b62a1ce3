/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-reasons-test.c: tests of src/driver/migrate-reasons.c
 */

#include "config.h"

#include <string.h>

#include <stasis/error.h>

#include "driver/migrate-reasons.h"

static void
test_both_ways (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) reasons = stasis_migrate_reasons_new ();
  stasis_migrate_reasons_add (reasons, "host", NULL);
  stasis_migrate_reasons_add (
      reasons, "machine",
      g_error_new_literal (STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, "there is no \"pc\""));
  g_autofree char *text = stasis_migrate_reasons_format (reasons);
  g_autoptr (GPtrArray) again = stasis_migrate_reasons_parse (text, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->len, ==, 2);
  const StasisMigrateReason *host = g_ptr_array_index (again, 0);
  const StasisMigrateReason *machine = g_ptr_array_index (again, 1);
  g_assert_cmpstr (host->what, ==, "host");
  g_assert_true (host->is_ok);
  g_assert_null (host->text);
  g_assert_false (machine->is_ok);
  g_assert_cmpstr (machine->text, ==, "there is no \"pc\"");
}

/* A list that is not understood is none: it might lack a reason. */
static void
test_refused (void)
{
  static const char *const cases[] = {
    "",
    "{}",
    "null",
    "[1]",
    "[{\"what\":\"x\"}]",
    "[{\"ok\":true}]",
    "[{\"what\":\"x\",\"ok\":\"true\"}]",
    "[{\"what\":null,\"ok\":true}]",
    "[{\"what\":\"x\",\"ok\":true}",
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_migrate_reasons_parse (cases[i], &error));
      g_assert_nonnull (error);
    }
}

static void
test_bounds (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) reasons = stasis_migrate_reasons_new ();
  for (guint i = 0; i < STASIS_MIGRATE_REASONS_MAX; i++)
    stasis_migrate_reasons_add (reasons, "x", NULL);
  g_autofree char *most = stasis_migrate_reasons_format (reasons);
  g_autoptr (GPtrArray) again = stasis_migrate_reasons_parse (most, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->len, ==, STASIS_MIGRATE_REASONS_MAX);
  stasis_migrate_reasons_add (reasons, "x", NULL);
  g_autofree char *more = stasis_migrate_reasons_format (reasons);
  g_assert_null (stasis_migrate_reasons_parse (more, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_FAILED);

  g_autoptr (GError) large_error = NULL;
  g_autofree char *large = g_strnfill (STASIS_MIGRATE_REASONS_SIZE_MAX + 1, ' ');
  memcpy (large, "[]", 2);
  g_assert_null (stasis_migrate_reasons_parse (large, &large_error));
  g_assert_error (large_error, STASIS_ERROR, STASIS_ERROR_FAILED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-reasons/both-ways", test_both_ways);
  g_test_add_func ("/driver/migrate-reasons/refused", test_refused);
  g_test_add_func ("/driver/migrate-reasons/bounds", test_bounds);
  return g_test_run ();
}
