/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* migrate-stall-test.c: when a migration does not move */

#include "config.h"

#include "driver/migrate-stall.h"

#define S(n) ((gint64) (n) *G_USEC_PER_SEC)

static gboolean
look (StasisMigrateStall *stall, StasisMigrationStatus status, guint64 octets, gint64 now_us)
{
  const StasisMigrationInfo info = { .status = status, .ram_transferred = octets };
  g_autoptr (GError) error = NULL;
  const gboolean ok = stasis_migrate_stall_look (stall, &info, now_us, &error);
  g_assert_true (ok || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT));
  return ok;
}

static void
test_octets (void)
{
  StasisMigrateStall stall;
  stasis_migrate_stall_begin (&stall, 10, S (1000));
  for (guint i = 0; i < 100; i++)
    g_assert_true (look (&stall, STASIS_MIGRATION_DEVICE, i, S (1000 + i * 9)));
  g_assert_true (look (&stall, STASIS_MIGRATION_DEVICE, 99, S (1000 + 99 * 9 + 10)));
  g_assert_false (look (&stall, STASIS_MIGRATION_DEVICE, 99, S (1000 + 99 * 9 + 11)));
}

static void
test_status (void)
{
  StasisMigrateStall stall;
  stasis_migrate_stall_begin (&stall, 10, 0);
  g_assert_true (look (&stall, STASIS_MIGRATION_PRE_SWITCHOVER, 5, S (1)));
  g_assert_true (look (&stall, STASIS_MIGRATION_DEVICE, 5, S (11)));
  g_assert_true (look (&stall, STASIS_MIGRATION_DEVICE, 5, S (21)));
  g_assert_false (look (&stall, STASIS_MIGRATION_DEVICE, 5, S (22)));
}

/* The guest may run over there. */
static void
test_postcopy (void)
{
  StasisMigrateStall stall;
  stasis_migrate_stall_begin (&stall, 10, 0);
  g_assert_true (look (&stall, STASIS_MIGRATION_POSTCOPY_ACTIVE, 5, S (1)));
  g_assert_true (look (&stall, STASIS_MIGRATION_POSTCOPY_ACTIVE, 5, S (5000)));
  g_assert_true (look (&stall, STASIS_MIGRATION_POSTCOPY_PAUSED, 5, S (10000)));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-stall/octets", test_octets);
  g_test_add_func ("/driver/migrate-stall/status", test_status);
  g_test_add_func ("/driver/migrate-stall/postcopy", test_postcopy);
  return g_test_run ();
}
