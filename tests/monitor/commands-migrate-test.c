/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-test.c: tests of src/monitor/commands-migrate.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-migrate.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/commands-fd.h"
#include "monitor/commands-run.h"
#include "qemu.h"
#include "util/fd.h"

#define MACHINE "-M pc -m 64"

static void
switch_events_on (StasisMonitor *monitor)
{
  static const StasisMigrationCapability capabilities[] = { { "events", TRUE } };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_migrate_set_capabilities (monitor, capabilities, 1, NULL, &error));
  g_assert_no_error (error);
}

static void
set_bandwidth (StasisMonitor *monitor, guint64 octets_per_s)
{
  g_autoptr (GError) error = NULL;
  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_uint (parameters, "max-bandwidth", octets_per_s);
  g_assert_true (stasis_monitor_migrate_set_parameters (monitor, parameters, NULL, &error));
  g_assert_no_error (error);
}

/* Wait for the end; the status it ended with. */
static StasisMigrationStatus
wait_final (StasisMonitor *monitor)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = qemu_wait_event (monitor, "MIGRATION");
      const StasisMigrationStatus status = stasis_migration_status_from_string (
          stasis_json_string (stasis_json_get (event->data, "status"), NULL));
      g_assert_cmpint (status, !=, STASIS_MIGRATION_UNKNOWN);
      if (stasis_migration_status_is_final (status))
        return status;
    }
}

static void
save_to (StasisMonitor *monitor, int file)
{
  g_autoptr (GError) error = NULL;
  switch_events_on (monitor);
  set_bandwidth (monitor, 0);
  g_assert_true (stasis_monitor_getfd (monitor, "image", file, NULL, &error));
  g_assert_true (stasis_monitor_migrate (monitor, "fd:image", NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (wait_final (monitor), ==, STASIS_MIGRATION_COMPLETED);
}

static void
load_from (int file)
{
  g_autoptr (Qemu) qemu = qemu_start (MACHINE " -incoming defer");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  switch_events_on (monitor);
  g_assert_true (stasis_monitor_getfd (monitor, "image", file, NULL, &error));
  g_assert_true (stasis_monitor_migrate_incoming (monitor, "fd:image", NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (wait_final (monitor), ==, STASIS_MIGRATION_COMPLETED);

  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  g_assert_true (stasis_monitor_query_status (monitor, &state, NULL, &error));
  g_assert_cmpint (state, ==, STASIS_RUN_STATE_PAUSED);
}

static void
check_info (StasisMonitor *monitor)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (info->status, ==, STASIS_MIGRATION_COMPLETED);
  g_assert_cmpuint (info->ram_total, >=, 64 * 1024 * 1024);
  g_assert_cmpuint (info->ram_transferred, >, 0);
  g_assert_cmpuint (info->ram_remaining, ==, 0);
  g_assert_cmpuint (info->ram_duplicate + info->ram_normal, >=, 64 * 256);
  g_assert_cmpuint (info->ram_page_size, ==, 4096);
  g_assert_cmpuint (info->ram_normal_bytes, ==, info->ram_normal * 4096);
  /* QEMU 7.2 says "completed" before it has computed the last rate. */
  g_assert_cmpfloat (info->mbps, >=, 0);
  g_assert_null (info->error_desc);
}

/* The status is final a moment before the run state is, and no event tells of the latter. */
static void
wait_postmigrate (StasisMonitor *monitor)
{
  StasisRunState state = STASIS_RUN_STATE_FINISH_MIGRATE;
  for (int i = 0; state == STASIS_RUN_STATE_FINISH_MIGRATE && i < 1000; i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_true (stasis_monitor_query_status (monitor, &state, NULL, &error));
    }
  g_assert_cmpint (state, ==, STASIS_RUN_STATE_POSTMIGRATE);
}

/* A whole save of a running guest into a file, and back. */
static void
test_save_load (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start (MACHINE);
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  stasis_autofd int file = memfd_create ("image", MFD_CLOEXEC);
  g_autoptr (StasisMigrationInfo) before = stasis_monitor_query_migrate (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (before->status, ==, STASIS_MIGRATION_NONE);
  g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) resumed = qemu_wait_event (monitor, "RESUME");
  g_assert_true (stasis_monitor_stop (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) stopped = qemu_wait_event (monitor, "STOP");

  save_to (monitor, file);
  check_info (monitor);
  wait_postmigrate (monitor);
  struct stat st;
  g_assert_cmpint (fstat (file, &st), ==, 0);
  g_assert_cmpint (st.st_size, >, 100000);

  g_assert_cmpint (lseek (file, 0, SEEK_SET), ==, 0);
  load_from (file);
}

static void
test_cancel (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start (MACHINE);
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  stasis_autofd int file = memfd_create ("image", MFD_CLOEXEC);
  switch_events_on (monitor);
  set_bandwidth (monitor, 4096);
  g_assert_true (stasis_monitor_getfd (monitor, "image", file, NULL, &error));
  g_assert_true (stasis_monitor_migrate (monitor, "fd:image", NULL, &error));
  g_autoptr (StasisMonitorEvent) begun = qemu_wait_event (monitor, "MIGRATION");
  g_assert_true (stasis_monitor_migrate_cancel (monitor, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (wait_final (monitor), ==, STASIS_MIGRATION_CANCELLED);
}

/* An image that is none: the reason reaches us. */
static void
test_load_garbage (void)
{
  if (!qemu_is_there ())
    return;

  stasis_autofd int file = memfd_create ("image", MFD_CLOEXEC);
  g_assert_true (stasis_fd_write_exact (file, "garbage garbage", 15, NULL));
  g_assert_cmpint (lseek (file, 0, SEEK_SET), ==, 0);
  g_autoptr (Qemu) qemu = qemu_start (MACHINE " -incoming defer");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_getfd (monitor, "image", file, NULL, &error));
  g_assert_true (stasis_monitor_migrate_incoming (monitor, "fd:image", NULL, &error));

  /* QEMU ends: what it wrote last is in the error. */
  g_autoptr (StasisMonitorEvent) event = NULL;
  while (stasis_monitor_wait_event (monitor, 60000, &event, NULL, &error))
    {
      g_assert_nonnull (event);
      g_clear_pointer (&event, stasis_monitor_event_free);
    }
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_nonnull (strstr (error->message, "Not a migration stream"));
}

static void
test_refused (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start (MACHINE);
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_migrate (monitor, "pigeon:home", NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  g_assert_false (
      stasis_monitor_migrate_continue (monitor, STASIS_MIGRATION_PRE_SWITCHOVER, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-migrate/save-load", test_save_load);
  g_test_add_func ("/monitor/commands-migrate/cancel", test_cancel);
  g_test_add_func ("/monitor/commands-migrate/load-garbage", test_load_garbage);
  g_test_add_func ("/monitor/commands-migrate/refused", test_refused);
  return g_test_run ();
}
