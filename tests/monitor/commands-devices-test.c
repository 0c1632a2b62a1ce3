/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-devices-test.c: tests of src/monitor/commands-devices.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-devices.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "monitor/commands-fd.h"
#include "monitor/commands-run.h"
#include "qemu.h"
#include "util/fd.h"

/* Another description of the file, for writing only, in an fd set. */
static gint64
pass (StasisMonitor *monitor, int fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autoptr (GError) error = NULL;
  stasis_autofd int own = stasis_fd_open (path, O_WRONLY, 0, &error);
  gint64 set = -1;
  g_assert_true (
      stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, own, NULL, &set, NULL, NULL, &error));
  g_assert_no_error (error);
  return set;
}

/* QEMU 7.2 cannot take its disks back without running. */
static gboolean
is_too_old (const char *why_not)
{
  return why_not != NULL && strstr (why_not, "has no command 'blockdev-set-active'") != NULL;
}

static void
test_save (void)
{
  if (!qemu_is_there ())
    return;
  g_autoptr (Qemu) qemu = qemu_start ("-M q35");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_autofree char *why_not = NULL;
  const gboolean can_save = stasis_monitor_can_save_devices (monitor, TRUE, &why_not, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (can_save || is_too_old (why_not));
  g_assert_true (!can_save || why_not == NULL);
  g_assert_cmpint (stasis_monitor_can_activate_disks (monitor), ==, can_save);

  stasis_autofd int file = memfd_create ("devices", MFD_CLOEXEC);
  g_autofree char *path = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, pass (monitor, file));
  g_assert_true (stasis_monitor_save_devices (monitor, path, TRUE, NULL, &error));
  g_assert_no_error (error);
  char octets[8];
  const off_t size = lseek (file, 0, SEEK_END);
  g_assert_cmpint (size, >, 1000);
  g_assert_true (stasis_fd_pread_exact (file, octets, 8, 0, &error));
  g_assert_cmpmem (octets, 8, "QEVM\0\0\0\3", 8);
  g_assert_true (stasis_fd_pread_exact (file, octets, 1, (guint64) size - 1, &error));
  g_assert_cmpint (octets[0], ==, 0);

  /* The guest has not been let run by that, and can be; its disks can be had back before. */
  StasisRunState state;
  g_assert_true (stasis_monitor_query_status (monitor, &state, NULL, &error));
  g_assert_cmpint (state, !=, STASIS_RUN_STATE_RUNNING);
  g_assert_true (!can_save || stasis_monitor_activate_disks (monitor, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
  g_assert_no_error (error);
}

static void
test_no_file (void)
{
  if (!qemu_is_there ())
    return;
  g_autoptr (Qemu) qemu = qemu_start ("-M q35");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_monitor_save_devices (monitor, "/dev/fdset/99", TRUE, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (g_str_has_prefix (error->message, "cannot save the devices' state: "));
}

/* A disk that forbids migrations. */
static void
test_blocked (void)
{
  if (!qemu_is_there ())
    return;
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *arguments
      = g_strdup_printf ("-M q35 -blockdev driver=vvfat,node-name=fat,rw=on,dir=%s", folder);
  g_autoptr (Qemu) qemu = qemu_start (arguments);
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  g_autofree char *why_not = NULL;
  g_assert_false (stasis_monitor_can_save_devices (monitor, TRUE, &why_not, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (is_too_old (why_not)
                 || strstr (why_not, "does not support live migration") != NULL);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-devices/save", test_save);
  g_test_add_func ("/monitor/commands-devices/no-file", test_no_file);
  g_test_add_func ("/monitor/commands-devices/blocked", test_blocked);
  return g_test_run ();
}
