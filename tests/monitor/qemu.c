/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu.c: a real QEMU for tests of the monitor
 */

#include "config.h"

#include "qemu.h"

#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "util/fd.h"

#define WAIT_MS 60000

static char *
find_qemu (void)
{
  const char *asked = g_getenv ("STASIS_TEST_QEMU");
  if (asked != NULL && *asked != '\0')
    return g_strdup (asked);
  return g_find_program_in_path ("qemu-system-x86_64");
}

gboolean
qemu_is_there (void)
{
  g_autofree char *qemu = find_qemu ();
  if (qemu == NULL)
    g_test_skip ("no qemu-system-x86_64 (set STASIS_TEST_QEMU)");
  return qemu != NULL;
}

static GStrv
make_argv (const char *qemu, const char *arguments, int socket_fd)
{
  g_autofree char *chardev
      = g_strdup_printf ("socket,id=charmonitor,fd=%d,server=on,wait=off", socket_fd);
  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_strv_builder_add_many (argv, qemu, "-S", "-nodefaults", "-no-user-config", "-display", "none",
                           "-chardev", chardev, "-mon", "chardev=charmonitor,mode=control", NULL);
  if (arguments != NULL)
    {
      g_auto (GStrv) more = g_strsplit (arguments, " ", -1);
      g_strv_builder_addv (argv, (const char **) more);
    }
  return g_strv_builder_end (argv);
}

Qemu *
qemu_start (const char *arguments)
{
  g_autoptr (GError) error = NULL;
  Qemu *qemu = g_new0 (Qemu, 1);
  qemu->folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  qemu->socket_path = g_build_filename (qemu->folder, "monitor", NULL);
  qemu->log_path = g_build_filename (qemu->folder, "log", NULL);

  const int listener = stasis_unix_listen (qemu->socket_path, 1, &error);
  g_assert_no_error (error);
  g_autoptr (GSubprocessLauncher) launcher
      = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_subprocess_launcher_set_stdout_file_path (launcher, qemu->log_path);
  g_subprocess_launcher_take_fd (launcher, listener, 10);
  g_autofree char *program = find_qemu ();
  g_auto (GStrv) argv = make_argv (program, arguments, 10);
  qemu->process = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv, &error);
  g_assert_no_error (error);
  return qemu;
}

void
qemu_end (Qemu *qemu)
{
  g_subprocess_force_exit (qemu->process);
  g_subprocess_wait (qemu->process, NULL, NULL);
  g_object_unref (qemu->process);
  g_unlink (qemu->socket_path);
  g_unlink (qemu->log_path);
  g_rmdir (qemu->folder);
  g_free (qemu->socket_path);
  g_free (qemu->log_path);
  g_free (qemu->folder);
  g_free (qemu);
}

pid_t
qemu_pid (const Qemu *qemu)
{
  const char *id = g_subprocess_get_identifier (qemu->process);
  return id != NULL ? (pid_t) atoi (id) : 0;
}

/* TRUE once no thread of the process runs any more. */
static gboolean
is_stopped (const char *pid)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%s/task", pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_assert_nonnull (dir);
  const char *task;
  while ((task = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, task, "stat", NULL);
      g_autofree char *stat = NULL;
      if (!g_file_get_contents (path, &stat, NULL, NULL))
        continue;
      const char *state = strrchr (stat, ')');
      g_assert_nonnull (state);
      if (state[2] != 'T')
        return FALSE;
    }
  return TRUE;
}

void
qemu_signal (const Qemu *qemu, int number)
{
  g_subprocess_send_signal (qemu->process, number);
  while (number == SIGSTOP && !is_stopped (g_subprocess_get_identifier (qemu->process)))
    g_usleep (1000);
}

StasisMonitor *
qemu_open (const Qemu *qemu)
{
  g_autoptr (GError) error = NULL;
  const int socket = stasis_unix_connect (qemu->socket_path, &error);
  g_assert_no_error (error);
  StasisMonitor *monitor = stasis_monitor_open (socket, qemu->log_path, 0, WAIT_MS, NULL, &error);
  g_assert_no_error (error);
  return monitor;
}

StasisMonitorEvent *
qemu_wait_event (StasisMonitor *monitor, const char *name)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      g_autoptr (GError) error = NULL;
      g_assert_true (stasis_monitor_wait_event (monitor, WAIT_MS, &event, NULL, &error));
      g_assert_no_error (error);
      g_assert_nonnull (event);
      if (g_str_equal (event->name, name))
        return g_steal_pointer (&event);
    }
}
