/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-run-test.c: tests of src/monitor/commands-run.c and of the transport with a real QEMU
 */

#include "config.h"

#include "monitor/commands-run.h"

#include <signal.h>
#include <string.h>

#include "qemu.h"
#include "util/fd.h"

static StasisRunState
state_of (StasisMonitor *monitor)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_query_status (monitor, &state, NULL, &error));
  g_assert_no_error (error);
  return state;
}

static void
test_open (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  for (int i = 0; i < 3; i++)
    {
      /* Each time anew: closing leaves QEMU ready for the next. */
      g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
      g_assert_cmpuint (stasis_monitor_version (monitor)->major, >=, 5);
      g_assert_false (stasis_monitor_is_closed (monitor));
      g_assert_cmpint (state_of (monitor), ==, STASIS_RUN_STATE_PRELAUNCH);
    }
}

/* QEMU serves one client at a time; the second gets no greeting. */
static void
test_open_second (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  const int fd = stasis_unix_connect (qemu->socket_path, &error);
  g_assert_no_error (error);
  g_assert_null (stasis_monitor_open (fd, NULL, 0, 200, NULL, &error));

  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
}

static void
test_stop_cont (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  const gint64 start_us = g_get_real_time () - G_USEC_PER_SEC;
  for (int i = 0; i < 3; i++)
    {
      g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
      g_assert_cmpint (state_of (monitor), ==, STASIS_RUN_STATE_RUNNING);
      g_assert_true (stasis_monitor_stop (monitor, NULL, &error));
      g_assert_cmpint (state_of (monitor), ==, STASIS_RUN_STATE_PAUSED);
    }

  for (int i = 0; i < 6; i++)
    {
      g_autoptr (StasisMonitorEvent) event = stasis_monitor_pop_event (monitor);
      g_assert_nonnull (event);
      g_assert_cmpstr (event->name, ==, i % 2 == 0 ? "RESUME" : "STOP");
      g_assert_cmpint (event->timestamp_us, >, start_us);
    }
  g_assert_null (stasis_monitor_pop_event (monitor));
}

static void
test_buttons (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
  g_assert_true (stasis_monitor_system_powerdown (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) powerdown = qemu_wait_event (monitor, "POWERDOWN");
  g_assert_true (stasis_monitor_system_reset (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) reset = qemu_wait_event (monitor, "RESET");
  g_assert_false (stasis_json_boolean (stasis_json_get (reset->data, "guest"), TRUE));
}

/* Where a reset is to be a shutdown, ours is one too. */
static void
test_reboot_action (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64 -no-shutdown");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
  g_assert_true (stasis_monitor_set_reboot_action (monitor, "shutdown", NULL, &error));
  g_assert_true (stasis_monitor_system_reset (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) shutdown = qemu_wait_event (monitor, "SHUTDOWN");
  g_autoptr (StasisMonitorEvent) stop = qemu_wait_event (monitor, "STOP");
  g_assert_true (stasis_run_state_is_end (state_of (monitor)));
  g_assert_true (stasis_monitor_set_reboot_action (monitor, "reset", NULL, &error));
  g_assert_true (stasis_monitor_system_reset (monitor, NULL, &error));
  g_autoptr (StasisMonitorEvent) reset = qemu_wait_event (monitor, "RESET");
  g_assert_false (stasis_run_state_is_end (state_of (monitor)));
  g_assert_no_error (error);
}

static void
test_quit (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_monitor_quit (monitor, NULL, &error));
  g_assert_no_error (error);
  g_subprocess_wait (qemu->process, NULL, NULL);

  /* The event comes first, then the end. */
  g_autoptr (StasisMonitorEvent) event = qemu_wait_event (monitor, "SHUTDOWN");
  g_autoptr (StasisMonitorEvent) none = NULL;
  g_assert_false (stasis_monitor_wait_event (monitor, -1, &none, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_null (none);
}

static void
test_error (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_false (
      stasis_monitor_command (monitor, "device_del", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (g_str_has_prefix (error->message, "QEMU: device_del: "));
  g_clear_error (&error);

  g_assert_false (
      stasis_monitor_command (monitor, "brew-tea", NULL, NULL, 0, -1, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED);
  g_clear_error (&error);
}

/* A QEMU that does not answer in time, and answers later. */
static void
test_timeout (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  qemu_signal (qemu, SIGSTOP);
  g_assert_false (
      stasis_monitor_command (monitor, "query-name", NULL, NULL, 0, 200, NULL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT);
  g_assert_nonnull (strstr (error->message, "query-name"));
  qemu_signal (qemu, SIGCONT);
  g_assert_cmpint (state_of (monitor), ==, STASIS_RUN_STATE_PRELAUNCH);
}

static gpointer
run_query (gpointer monitor)
{
  GError *error = NULL;
  /* A stopped process may still answer one that came just before. */
  while (stasis_monitor_command (monitor, "query-name", NULL, NULL, 0, -1, NULL, NULL, &error))
    continue;
  return error;
}

/* Killed in the middle of a command: the error ends with QEMU's log. */
static void
test_killed (void)
{
  if (!qemu_is_there ())
    return;

  /* A feature that software emulation lacks makes QEMU write a warning. */
  g_autoptr (Qemu) qemu = qemu_start ("-M pc -m 64 -cpu qemu64,+vmx");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  qemu_signal (qemu, SIGSTOP);
  GThread *thread = g_thread_new ("query", run_query, monitor);
  g_usleep (50000); /* let it wait; where it does not yet, the error is the same */
  qemu_signal (qemu, SIGKILL);

  g_autoptr (GError) error = g_thread_join (thread);
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED);
  g_assert_true (g_str_has_prefix (error->message, "query-name: QEMU has ended"));
  g_assert_nonnull (strstr (error->message, "vmx"));
  g_assert_true (stasis_monitor_is_closed (monitor));
}

static void
test_states (void)
{
  for (guint i = STASIS_RUN_STATE_DEBUG; i <= STASIS_RUN_STATE_COLO; i++)
    g_assert_cmpint (stasis_run_state_from_string (stasis_run_state_to_string (i)), ==, i);
  g_assert_cmpint (stasis_run_state_from_string ("asleep"), ==, STASIS_RUN_STATE_UNKNOWN);
  g_assert_cmpint (stasis_run_state_from_string (NULL), ==, STASIS_RUN_STATE_UNKNOWN);
  g_assert_cmpstr (stasis_run_state_to_string (1000), ==, "unknown");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-run/open", test_open);
  g_test_add_func ("/monitor/commands-run/open-second", test_open_second);
  g_test_add_func ("/monitor/commands-run/stop-cont", test_stop_cont);
  g_test_add_func ("/monitor/commands-run/buttons", test_buttons);
  g_test_add_func ("/monitor/commands-run/reboot-action", test_reboot_action);
  g_test_add_func ("/monitor/commands-run/quit", test_quit);
  g_test_add_func ("/monitor/commands-run/error", test_error);
  g_test_add_func ("/monitor/commands-run/timeout", test_timeout);
  g_test_add_func ("/monitor/commands-run/killed", test_killed);
  g_test_add_func ("/monitor/commands-run/states", test_states);
  return g_test_run ();
}
