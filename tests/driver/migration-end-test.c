/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-end-test.c: tests of src/driver/migration-end.c with a real QEMU
 */

#include "config.h"

#include "driver/migration-end.h"

#include <string.h>
#include <unistd.h>

#include <stasis/error.h>

#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/qemu.h"

#define READER_US 300000

/* Reads all that comes, once QEMU has waited for a while. */
static gpointer
read_late (gpointer data)
{
  const int fd = GPOINTER_TO_INT (data);
  char octets[4096];
  g_usleep (READER_US);
  while (read (fd, octets, sizeof octets) > 0)
    ;
  close (fd);
  return NULL;
}

/* A migration into a pipe that nobody reads yet, and which cannot take it all: the end to read. */
static int
begin (StasisMonitor *monitor)
{
  static const StasisMigrationCapability events[] = { { "events", TRUE } };
  g_autoptr (GError) error = NULL;
  int ends[2];
  g_assert_cmpint (pipe (ends), ==, 0);
  g_assert_true (stasis_monitor_migrate_set_capabilities (monitor, events, 1, NULL, &error));
  g_assert_true (stasis_monitor_getfd (monitor, "pipe", ends[1], NULL, &error));
  g_assert_true (stasis_monitor_migrate (monitor, "fd:pipe", NULL, &error));
  g_assert_no_error (error);
  close (ends[1]);
  return ends[0];
}

static StasisMigrationStatus
get_status (StasisMonitor *monitor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, &error);
  g_assert_no_error (error);
  return info->status;
}

static gboolean
has_events (StasisMonitor *monitor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GHashTable) on = stasis_monitor_query_migrate_capabilities (monitor, NULL, &error);
  g_assert_no_error (error);
  return GPOINTER_TO_INT (g_hash_table_lookup (on, "events"));
}

/* What QEMU has to clear up depends on the capabilities: they stay until it has. */
static void
test_reset_waits (void)
{
  if (!qemu_is_there ())
    return;
  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;

  g_assert_true (stasis_migration_check_none (monitor, "web", NULL, &error));
  const int end = begin (monitor);
  GThread *reader = g_thread_new ("reader", read_late, GINT_TO_POINTER (end));
  g_assert_true (stasis_migration_reset (monitor, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (get_status (monitor), ==, STASIS_MIGRATION_COMPLETED);
  g_assert_false (has_events (monitor));
  g_assert_true (stasis_migration_check_none (monitor, "web", NULL, &error));
  g_thread_join (reader);
}

static void
test_end (void)
{
  if (!qemu_is_there ())
    return;
  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;

  const int end = begin (monitor);
  g_assert_false (stasis_migration_check_none (monitor, "web", NULL, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE);
  g_assert_nonnull (strstr (error->message, "domain 'web'"));
  g_clear_error (&error);

  GThread *reader = g_thread_new ("reader", read_late, GINT_TO_POINTER (end));
  g_assert_true (stasis_migration_end (monitor, qemu_pid (qemu), &error));
  g_assert_no_error (error);
  g_assert_cmpint (get_status (monitor), !=, STASIS_MIGRATION_ACTIVE);
  g_assert_true (stasis_migration_reset (monitor, NULL, &error));
  g_assert_no_error (error);
  g_assert_false (has_events (monitor));
  g_thread_join (reader);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/migration-end/reset-waits", test_reset_waits);
  g_test_add_func ("/migration-end/end", test_end);
  return g_test_run ();
}
