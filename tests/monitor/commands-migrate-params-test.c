/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-params-test.c: tests of src/monitor/commands-migrate-params.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-migrate-params.h"

#include <string.h>

#include "qemu.h"

static void
switch_events_on (StasisMonitor *monitor)
{
  static const StasisMigrationCapability capabilities[] = { { "events", TRUE } };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_migrate_set_capabilities (monitor, capabilities, 1, NULL, &error));
  g_assert_no_error (error);
}

static void
test_capabilities (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  switch_events_on (monitor);
  g_autoptr (GHashTable) capabilities
      = stasis_monitor_query_migrate_capabilities (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (GPOINTER_TO_INT (g_hash_table_lookup (capabilities, "events")));
  g_assert_true (g_hash_table_contains (capabilities, "postcopy-ram"));
  g_assert_false (GPOINTER_TO_INT (g_hash_table_lookup (capabilities, "postcopy-ram")));
  g_assert_false (g_hash_table_contains (capabilities, "teleport"));

  static const StasisMigrationCapability unknown[] = { { "xbzrle", TRUE }, { "teleport", TRUE } };
  g_assert_false (stasis_monitor_migrate_set_capabilities (monitor, unknown, 2, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==,
                   "cannot set migration capabilities: this QEMU has no migration capability "
                   "'teleport'");
  g_clear_error (&error);

  /* What QEMU knows and still refuses, in its own words. */
  static const StasisMigrationCapability alone[] = { { "postcopy-preempt", TRUE } };
  g_assert_false (stasis_monitor_migrate_set_capabilities (monitor, alone, 1, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (g_str_has_prefix (error->message, "cannot set migration capabilities: QEMU: "));
}

/* What every QEMU from 7.2 on knows: set, and read back. */
static void
test_parameters (void)
{
  if (!qemu_is_there ())
    return;

  static const StasisMigrationSetting settings[] = {
    { STASIS_MIGRATION_ANNOUNCE_INITIAL, 60, NULL },
    { STASIS_MIGRATION_ANNOUNCE_MAX, 600, NULL },
    { STASIS_MIGRATION_ANNOUNCE_STEP, 110, NULL },
    { STASIS_MIGRATION_ANNOUNCE_ROUNDS, 7, NULL },
    { STASIS_MIGRATION_CPU_THROTTLE_INCREMENT, 11, NULL },
    { STASIS_MIGRATION_CPU_THROTTLE_INITIAL, 21, NULL },
    { STASIS_MIGRATION_CPU_THROTTLE_TAILSLOW, TRUE, NULL },
    { STASIS_MIGRATION_DOWNTIME_LIMIT, 123, NULL },
    { STASIS_MIGRATION_MAX_BANDWIDTH, 12345678, NULL },
    { STASIS_MIGRATION_MAX_CPU_THROTTLE, 98, NULL },
    { STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH, 7654321, NULL },
    { STASIS_MIGRATION_MULTIFD_CHANNELS, 3, NULL },
    { STASIS_MIGRATION_MULTIFD_COMPRESSION, 0, "zlib" },
    { STASIS_MIGRATION_THROTTLE_TRIGGER_THRESHOLD, 51, NULL },
    { STASIS_MIGRATION_TLS_AUTHZ, 0, "doorman" },
    { STASIS_MIGRATION_TLS_CREDS, 0, "keys" },
    { STASIS_MIGRATION_TLS_HOSTNAME, 0, "there" },
    { STASIS_MIGRATION_XBZRLE_CACHE_SIZE, 1 << 20, NULL },
  };
  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  stasis_monitor_migrate_set (monitor, settings, G_N_ELEMENTS (settings), NULL, &error);
  g_assert_no_error (error);

  g_autoptr (StasisJson) values = stasis_monitor_query_migrate_parameters (monitor, NULL, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < G_N_ELEMENTS (settings); i++)
    {
      StasisMigrationSetting found = { 0, 0, NULL };
      g_test_message ("%s", stasis_migration_parameter_to_string (settings[i].parameter));
      g_assert_true (stasis_migration_setting_from_json (values, settings[i].parameter, &found));
      g_assert_cmpint (found.parameter, ==, settings[i].parameter);
      g_assert_cmpuint (found.number, ==, settings[i].number);
      g_assert_cmpstr (found.text, ==, settings[i].text);
    }
}

/* One that only newer ones know: it works, or is named, and nothing was set then. */
static void
test_newer (gconstpointer data)
{
  if (!qemu_is_there ())
    return;

  const StasisMigrationSetting *newer = data;
  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  const StasisMigrationSetting settings[]
      = { { STASIS_MIGRATION_MAX_BANDWIDTH, 12345678, NULL }, *newer };
  StasisMigrationSetting found = { 0, 0, NULL };
  g_autoptr (StasisJson) before = stasis_monitor_query_migrate_parameters (monitor, NULL, &error);
  const gboolean is_known = stasis_migration_setting_from_json (before, newer->parameter, &found);
  stasis_monitor_migrate_set (monitor, settings, 2, NULL, &error);
  if (!is_known)
    {
      g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
      g_assert_nonnull (
          strstr (error->message, stasis_migration_parameter_to_string (newer->parameter)));
      g_clear_error (&error);
    }
  g_assert_no_error (error);
  g_autoptr (StasisJson) after = stasis_monitor_query_migrate_parameters (monitor, NULL, &error);
  g_assert_true (
      stasis_migration_setting_from_json (after, STASIS_MIGRATION_MAX_BANDWIDTH, &found));
  g_assert_cmpuint (found.number, ==, is_known ? 12345678 : 128 * 1024 * 1024);
}

/* What is known but out of bounds is refused in QEMU's words. */
static void
test_bounds (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  const StasisMigrationSetting throttle = { STASIS_MIGRATION_CPU_THROTTLE_INITIAL, 100, NULL };
  g_assert_false (stasis_monitor_migrate_set (monitor, &throttle, 1, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, "1 to 99"));
  g_clear_error (&error);
  const StasisMigrationSetting method = { STASIS_MIGRATION_MULTIFD_COMPRESSION, 0, "shrink" };
  g_assert_false (stasis_monitor_migrate_set (monitor, &method, 1, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_nonnull (strstr (error->message, "'shrink'"));
}

int
main (int argc, char **argv)
{
  static const StasisMigrationSetting newer[] = {
    { STASIS_MIGRATION_MULTIFD_ZLIB_LEVEL, 4, NULL },
    { STASIS_MIGRATION_MULTIFD_ZSTD_LEVEL, 5, NULL },
    { STASIS_MIGRATION_AVAIL_SWITCHOVER_BANDWIDTH, 1 << 30, NULL },
    { STASIS_MIGRATION_DIRECT_IO, FALSE, NULL },
    { STASIS_MIGRATION_MODE, 0, "cpr-transfer" },
  };
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-migrate-params/capabilities", test_capabilities);
  g_test_add_func ("/monitor/commands-migrate-params/parameters", test_parameters);
  g_test_add_func ("/monitor/commands-migrate-params/bounds", test_bounds);
  for (gsize i = 0; i < G_N_ELEMENTS (newer); i++)
    {
      g_autofree char *path
          = g_strconcat ("/monitor/commands-migrate-params/newer/",
                         stasis_migration_parameter_to_string (newer[i].parameter), NULL);
      g_test_add_data_func (path, &newer[i], test_newer);
    }
  return g_test_run ();
}
