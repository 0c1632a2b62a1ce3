/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-fd-test.c: tests of src/monitor/commands-fd.c with a real QEMU
 */

#include "config.h"

#include "monitor/commands-fd.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/commands-run.h"
#include "qemu.h"
#include "util/fd.h"

#define THREADS 8

static int
make_file (const char *name)
{
  const int fd = memfd_create (name, MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

/* TRUE where QEMU's descriptor is our file. */
static gboolean
is_same_file (const Qemu *qemu, gint64 their_fd, int our_fd)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", (int) qemu_pid (qemu), (int) their_fd);
  struct stat theirs;
  struct stat ours;
  return stat (path, &theirs) == 0 && fstat (our_fd, &ours) == 0 && theirs.st_dev == ours.st_dev
         && theirs.st_ino == ours.st_ino;
}

static void
test_fdset (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  stasis_autofd int one = make_file ("one");
  stasis_autofd int two = make_file ("two");
  gint64 set = -1;
  gint64 fd = -1;
  gint64 set_two = -1;
  gint64 fd_two = -1;

  g_assert_true (stasis_monitor_add_fd (monitor, STASIS_FDSET_NEW, one, "disk of vda", &set, &fd,
                                        NULL, &error));
  g_assert_no_error (error);
  g_assert_true (is_same_file (qemu, fd, one));
  g_assert_true (stasis_monitor_add_fd (monitor, set, two, NULL, &set_two, &fd_two, NULL, &error));
  g_assert_cmpint (set_two, ==, set);
  g_assert_true (is_same_file (qemu, fd_two, two));
  g_assert_true (stasis_monitor_add_fd (monitor, 77, two, NULL, NULL, NULL, NULL, &error));

  g_autoptr (GPtrArray) members = stasis_monitor_query_fdsets (monitor, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (members->len, ==, 3);
  guint found = 0;
  for (guint i = 0; i < members->len; i++)
    {
      const StasisFdsetMember *member = g_ptr_array_index (members, i);
      if (member->set == set && member->fd == fd && g_strcmp0 (member->opaque, "disk of vda") == 0)
        found |= 1;
      if (member->set == set && member->fd == fd_two && member->opaque == NULL)
        found |= 2;
      if (member->set == 77)
        found |= 4;
    }
  g_assert_cmpuint (found, ==, 7);

  /* Before 9.1 QEMU closes nothing while the guest is stopped. */
  g_assert_true (stasis_monitor_cont (monitor, NULL, &error));
  g_assert_true (stasis_monitor_remove_fd (monitor, set, fd, NULL, &error));
  g_assert_true (stasis_monitor_remove_fd (monitor, set, STASIS_FDSET_ALL, NULL, &error));
  g_assert_true (stasis_monitor_remove_fd (monitor, 77, STASIS_FDSET_ALL, NULL, &error));
  g_assert_no_error (error);
  g_autoptr (GPtrArray) none = stasis_monitor_query_fdsets (monitor, NULL, &error);
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_false (is_same_file (qemu, fd, one));

  g_assert_false (stasis_monitor_remove_fd (monitor, 4711, STASIS_FDSET_ALL, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_assert_true (
      g_str_has_prefix (error->message, "cannot take a descriptor from QEMU: QEMU: remove-fd: "));
}

static void
test_getfd (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  g_autoptr (GError) error = NULL;
  stasis_autofd int one = make_file ("one");
  g_assert_true (stasis_monitor_getfd (monitor, "image", one, NULL, &error));
  g_assert_true (stasis_monitor_closefd (monitor, "image", NULL, &error));
  g_assert_no_error (error);
  g_assert_false (stasis_monitor_closefd (monitor, "image", NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
  g_clear_error (&error);
  /* QEMU wants no digit in front. */
  g_assert_false (stasis_monitor_getfd (monitor, "1", one, NULL, &error));
  g_assert_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
}

typedef struct
{
  const Qemu *qemu;
  StasisMonitor *monitor;
} Adder;

static gpointer
add_some (gpointer data)
{
  const Adder *adder = data;
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GError) error = NULL;
      stasis_autofd int fd = make_file ("mine");
      gint64 their_fd = -1;
      g_assert_true (stasis_monitor_add_fd (adder->monitor, STASIS_FDSET_NEW, fd, NULL, NULL,
                                            &their_fd, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (is_same_file (adder->qemu, their_fd, fd));
    }
  return NULL;
}

/* Each command gets its own descriptor, however many are under way. */
static void
test_threads (void)
{
  if (!qemu_is_there ())
    return;

  g_autoptr (Qemu) qemu = qemu_start ("-M none");
  g_autoptr (StasisMonitor) monitor = qemu_open (qemu);
  Adder adder = { qemu, monitor };
  GThread *threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("adder", add_some, &adder);
  for (int i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/monitor/commands-fd/fdset", test_fdset);
  g_test_add_func ("/monitor/commands-fd/getfd", test_getfd);
  g_test_add_func ("/monitor/commands-fd/threads", test_threads);
  return g_test_run ();
}
