/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * idmap-test.c: tests of src/driver/idmap.c; root only
 */

#include "config.h"

#include "driver/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/spawn.h"
#include "scratch.h"
#include "util/fd.h"

#define UID     2013265999u
#define WAIT_MS 20000

typedef struct
{
  char *folder;
  char *file;
  int fd;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  f->folder = scratch_new ();
  f->file = g_build_filename (f->folder, "image", NULL);
  g_assert_true (
      g_file_set_contents_full (f->file, "secret\n", -1, G_FILE_SET_CONTENTS_NONE, 0600, &error));
  g_assert_no_error (error);
  f->fd = open (f->file, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (f->fd, >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->fd);
  g_free (f->file);
  scratch_remove (f->folder);
}

static gboolean
is_root (void)
{
  if (geteuid () != 0)
    g_test_skip ("only root can become another user");
  return geteuid () == 0;
}

/* What another user reads who opens the inherited @fd_take anew; (transfer full). */
static char *
read_as_other (Fixture *f, int fd_take)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *log = g_build_filename (f->folder, "log", NULL);
  unlink (log);
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (log);
  g_autofree char *path
      = g_strdup_printf ("/proc/self/fd/%d", stasis_spawn_take_fd (spawn, fd_take));
  stasis_spawn_add_arg (spawn, "/bin/cat");
  stasis_spawn_add_arg (spawn, path);
  stasis_spawn_clear_env (spawn);
  stasis_spawn_set_user (spawn, UID, UID, -1);
  StasisProcess process;
  g_assert_true (stasis_spawn_begin (spawn, &process, &error) && stasis_spawn_go (spawn, &error));
  g_assert_no_error (error);
  for (int waited = 0; stasis_process_is_alive (&process) && waited < WAIT_MS; waited += 5)
    g_usleep (5000);
  g_assert_false (stasis_process_is_alive (&process));
  char *text = NULL;
  g_assert_true (g_file_get_contents (log, &text, NULL, NULL));
  return text;
}

static int
map (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  const int fd = stasis_idmap_open (f->fd, UID, &error);
  if (fd < 0)
    g_test_skip (error->message);
  return fd;
}

static void
test_other_user (Fixture *f, gconstpointer data)
{
  if (!is_root ())
    return;
  g_autofree char *without = read_as_other (f, fcntl (f->fd, F_DUPFD_CLOEXEC, 3));
  g_assert_nonnull (strstr (without, "Permission denied"));
  const int fd = map (f);
  if (fd < 0)
    return;
  g_autofree char *with = read_as_other (f, fd);
  g_assert_cmpstr (with, ==, "secret\n");
}

/* A file that has no name any more. */
static void
test_unlinked (Fixture *f, gconstpointer data)
{
  if (!is_root ())
    return;
  g_assert_cmpint (unlink (f->file), ==, 0);
  const int fd = map (f);
  if (fd < 0)
    return;
  g_autofree char *text = read_as_other (f, fd);
  g_assert_cmpstr (text, ==, "secret\n");
}

/* It is the same file, as it was, and nobody writes to it this way. */
static void
test_untouched (Fixture *f, gconstpointer data)
{
  if (!is_root ())
    return;
  struct stat before, after, mapped;
  g_assert_cmpint (fstat (f->fd, &before), ==, 0);
  stasis_autofd int fd = map (f);
  if (fd < 0)
    return;
  g_assert_cmpint (fstat (f->fd, &after), ==, 0);
  g_assert_cmpint (fstat (fd, &mapped), ==, 0);
  g_assert_cmpuint (before.st_uid, ==, after.st_uid);
  g_assert_cmpuint (before.st_mode, ==, after.st_mode);
  g_assert_cmpint (before.st_ctim.tv_sec, ==, after.st_ctim.tv_sec);
  g_assert_cmpint (before.st_ctim.tv_nsec, ==, after.st_ctim.tv_nsec);
  g_assert_cmpuint (mapped.st_ino, ==, before.st_ino);
  g_assert_cmpuint (mapped.st_uid, ==, UID);

  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_assert_cmpint (open (path, O_WRONLY | O_CLOEXEC), ==, -1);
  g_assert_cmpint (errno, ==, EROFS);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/idmap/other-user", Fixture, NULL, set_up, test_other_user, tear_down);
  g_test_add ("/driver/idmap/unlinked", Fixture, NULL, set_up, test_unlinked, tear_down);
  g_test_add ("/driver/idmap/untouched", Fixture, NULL, set_up, test_untouched, tear_down);
  return g_test_run ();
}
