/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process-test.c: tests of src/util/process.c
 */

#include "config.h"

#include "util/process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper.h"
#include "util/fd.h"

/* FALSE, and the running test skipped, where pidfds are missing: valgrind 3.19 lacks them. */
static gboolean
has_pidfds (void)
{
  stasis_autofd int fd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  if (fd < 0)
    g_test_skip ("no pidfds here");
  return fd >= 0;
}

static void
test_self (void)
{
  if (!has_pidfds ())
    return;

  StasisProcess self = { 0, 0 };
  g_assert_true (stasis_process_lookup (getpid (), &self));
  g_assert_cmpint (self.pid, ==, getpid ());
  g_assert_cmpuint (self.start_time, >, 0);
  g_assert_true (stasis_process_is_alive (&self));
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_process_open (&self, &error);
  g_assert_no_error (error);
  g_assert_false (stasis_process_wait (fd, 10));
}

/* The kernel's own numbers, read without our parser. */
static void
test_start_time (void)
{
  g_autoptr (GSubprocess) helper = helper_start (NULL, "name", "a ) b 1 2 (", NULL);
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) helper_pid (helper));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "(a ) b 1 2 ()"));
  unsigned long long start_time = 0;
  g_assert_cmpint (sscanf (strstr (text, "()") + 2,
                           " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                           "%*d %*d %*d %llu",
                           &start_time),
                   ==, 1);
  StasisProcess process;
  g_assert_true (stasis_process_lookup (helper_pid (helper), &process));
  g_assert_cmpuint (process.start_time, ==, start_time);
  g_subprocess_force_exit (helper);
}

static void
test_none (void)
{
  if (!has_pidfds ())
    return;

  static const pid_t none[] = { 0, -1, G_MININT, G_MAXINT };
  StasisProcess process = { 77, 0 };
  for (gsize i = 0; i < G_N_ELEMENTS (none); i++)
    g_assert_false (stasis_process_lookup (none[i], &process));
  g_assert_cmpint (process.pid, ==, 77);

  g_autoptr (GError) error = NULL;
  const StasisProcess gone = { G_MAXINT, 1 };
  g_assert_cmpint (stasis_process_open (&gone, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

/* The same pid, started at another time: another process. */
static void
test_reused_pid (void)
{
  if (!has_pidfds ())
    return;

  StasisProcess self = { 0, 0 };
  g_assert_true (stasis_process_lookup (getpid (), &self));
  self.start_time--;
  g_assert_false (stasis_process_is_alive (&self));
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_process_open (&self, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

/* One that has ended and was not waited for is no living process. */
static void
test_zombie (void)
{
  if (!has_pidfds ())
    return;

  const pid_t pid = fork ();
  if (pid == 0)
    {
      for (;;)
        pause ();
    }
  StasisProcess child;
  g_assert_true (stasis_process_lookup (pid, &child));
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_process_open (&child, &error);
  g_assert_no_error (error);
  kill (pid, SIGKILL);
  g_assert_true (stasis_process_wait (fd, -1));

  StasisProcess zombie;
  g_assert_false (stasis_process_lookup (pid, &zombie));
  g_assert_false (stasis_process_is_alive (&child));
  g_assert_cmpint (stasis_process_open (&child, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_true (stasis_process_end (fd, 0));
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_assert_true (stasis_process_end (fd, 0));
}

static int
end_helper (const char *mode, int grace_ms)
{
  g_autoptr (GSubprocess) helper = helper_start (NULL, mode, "x", NULL);
  StasisProcess process;
  g_assert_true (stasis_process_lookup (helper_pid (helper), &process));
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_process_open (&process, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_process_end (fd, grace_ms));
  g_assert_false (stasis_process_is_alive (&process));
  g_subprocess_wait (helper, NULL, NULL);
  return g_subprocess_get_term_sig (helper);
}

static void
test_end (void)
{
  if (!has_pidfds ())
    return;

  g_assert_cmpint (end_helper ("name", 10000), ==, SIGTERM);
}

static void
test_end_stubborn (void)
{
  if (!has_pidfds ())
    return;

  g_assert_cmpint (end_helper ("stubborn", 50), ==, SIGKILL);
}

/* What is no process never "has ended". */
static void
test_wait_no_pidfd (void)
{
  g_assert_false (stasis_process_wait (-1, 0));
  g_assert_false (stasis_process_wait (9999, 10));
}

static int
run_helper (const char *mode, const char *name)
{
  if (strcmp (mode, "stubborn") == 0)
    signal (SIGTERM, SIG_IGN);
  else
    prctl (PR_SET_NAME, name);
  helper_wait ();
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 4 && strcmp (argv[1], "--helper") == 0)
    return run_helper (argv[2], argv[3]);

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/util/process/self", test_self);
  g_test_add_func ("/util/process/start-time", test_start_time);
  g_test_add_func ("/util/process/none", test_none);
  g_test_add_func ("/util/process/reused-pid", test_reused_pid);
  g_test_add_func ("/util/process/zombie", test_zombie);
  g_test_add_func ("/util/process/end", test_end);
  g_test_add_func ("/util/process/end-stubborn", test_end_stubborn);
  g_test_add_func ("/util/process/wait-no-pidfd", test_wait_no_pidfd);
  return g_test_run ();
}
