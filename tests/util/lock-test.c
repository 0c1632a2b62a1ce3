/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock-test.c: tests of src/util/lock.c
 */

#include "config.h"

#include "util/lock.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"

static char *path; /* of the lock file */

static void
assert_busy (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_lock_take (path, FALSE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, path));
}

static void
assert_free (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLock) lock = stasis_lock_take (path, FALSE, &error);
  g_assert_no_error (error);
}

/* Two takers in one process exclude each other, and closing another descriptor drops nothing. */
static void
test_one_process (void)
{
  g_autoptr (GError) error = NULL;
  StasisLock *lock = stasis_lock_take (path, FALSE, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  assert_busy ();
  close (open (path, O_RDWR | O_CLOEXEC));
  assert_busy ();
  stasis_lock_release (lock);
  assert_free ();
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  stasis_lock_release (NULL);
}

/* A lock that is shared goes with the open file, not with this process's descriptor. */
static void
test_share (void)
{
  g_autoptr (GError) error = NULL;
  assert_free ();
  const int first = open (path, O_RDONLY | O_CLOEXEC);
  const int second = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_false (stasis_lock_is_shared (second));
  g_assert_true (stasis_lock_share (first, &error));
  g_assert_false (stasis_lock_is_shared (first));
  g_assert_true (stasis_lock_is_shared (second));
  g_assert_true (stasis_lock_share (second, &error));
  g_assert_no_error (error);
  assert_busy ();
  const int inherited = dup (first);
  close (first);
  close (second);
  assert_busy ();
  close (inherited);
  assert_free ();

  /* By whatever descriptor of that open file; another of the same file does nothing to it. */
  const int third = open (path, O_RDONLY | O_CLOEXEC);
  const int other = open (path, O_RDONLY | O_CLOEXEC);
  const int copy = dup (third);
  g_assert_true (stasis_lock_share (third, &error));
  g_assert_true (stasis_lock_unshare (other, &error));
  assert_busy ();
  g_assert_true (stasis_lock_unshare (copy, &error));
  assert_free ();
  g_assert_true (stasis_lock_unshare (copy, &error));
  g_assert_no_error (error);
  close (third);
  close (other);
  close (copy);

  StasisLock *lock = stasis_lock_take (path, FALSE, &error);
  const int late = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_false (stasis_lock_share (late, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  close (late);
  stasis_lock_release (lock);
}

static void
test_two_processes (void)
{
  g_autoptr (GSubprocess) helper = helper_start (NULL, path, NULL);
  assert_busy ();
  g_subprocess_force_exit (helper);
  g_subprocess_wait (helper, NULL, NULL);
  assert_free ();
}

/* Waiting ends when the holder does. */
static void
test_wait (void)
{
  g_autoptr (GSubprocess) helper = helper_start (NULL, path, "short", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisLock) lock = stasis_lock_take (path, TRUE, &error);
  g_assert_no_error (error);
  g_assert_nonnull (lock);
  g_subprocess_wait (helper, NULL, NULL);
  g_assert_cmpint (g_subprocess_get_exit_status (helper), ==, 0);
}

/* Whoever has it is named, and nobody else: not who had it, or what else the file says. */
static void
test_holder (void)
{
  g_autoptr (GError) error = NULL;
  StasisLock *lock = stasis_lock_take (path, FALSE, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stasis_lock_holder (path), ==, getpid ());
  stasis_lock_release (lock);
  g_assert_cmpint (stasis_lock_holder (path), ==, 0);
  g_assert_true (g_file_set_contents (path, "nonsense, and longer than a number", -1, NULL));

  g_autoptr (GSubprocess) helper = helper_start (NULL, path, NULL);
  const char *pid = g_subprocess_get_identifier (helper);
  g_assert_cmpint (stasis_lock_holder (path), ==, g_ascii_strtoll (pid, NULL, 10));
  g_assert_null (stasis_lock_take (path, FALSE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_true (g_str_has_suffix (error->message, pid));
  /* Written over in place: the lock is this file's. */
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileIOStream) stream = g_file_open_readwrite (file, NULL, NULL);
  g_assert_true (g_seekable_truncate (G_SEEKABLE (stream), 0, NULL, NULL));
  g_assert_cmpint (stasis_lock_holder (path), ==, 0);
  g_subprocess_force_exit (helper);
  g_subprocess_wait (helper, NULL, NULL);
}

static void
test_errors (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_lock_take ("/no/such/folder/lock", TRUE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);

  /* A link may lead anywhere. */
  g_autofree char *link = g_strconcat (path, "-link", NULL);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_assert_null (stasis_lock_take (link, TRUE, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_LINKS);
  g_unlink (link);
}

static int
run_helper (const char *lock_path, gboolean is_short)
{
  static StasisLock
      *volatile lock; /* static and kept, so that the leak checker still sees it at the end */
  lock = stasis_lock_take (lock_path, FALSE, NULL);
  if (lock == NULL)
    return 1;
  if (!is_short)
    helper_wait ();
  puts ("ready");
  fflush (stdout);
  g_usleep (50000);
  return 0; /* and the kernel releases it */
}

int
main (int argc, char **argv)
{
  if (argc >= 3 && strcmp (argv[1], "--helper") == 0)
    return run_helper (argv[2], argc > 3);

  g_test_init (&argc, &argv, NULL);
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  path = g_build_filename (folder, "lock", NULL);
  g_test_add_func ("/util/lock/one-process", test_one_process);
  g_test_add_func ("/util/lock/share", test_share);
  g_test_add_func ("/util/lock/two-processes", test_two_processes);
  g_test_add_func ("/util/lock/wait", test_wait);
  g_test_add_func ("/util/lock/holder", test_holder);
  g_test_add_func ("/util/lock/errors", test_errors);
  const int result = g_test_run ();
  g_unlink (path);
  g_rmdir (folder);
  g_free (path);
  return result;
}
