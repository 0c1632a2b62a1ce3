/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-fds-test.c: tests of src/driver/handover-fds.c
 */

#include "config.h"

#include "driver/handover-fds.h"

#include <stasis/error.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/tap.h"
#include "scratch.h"
#include "util/fd.h"

typedef struct
{
  char *folder;
  char *path;
  char *other;
  int listening;
  int strange; /* listens at the other path */
  StasisProcess self;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->path = g_build_filename (f->folder, "socket", NULL);
  f->other = g_build_filename (f->folder, "other", NULL);
  f->strange = stasis_unix_listen (f->other, 1, NULL);
  f->listening = stasis_unix_listen (f->path, 1, NULL);
  g_assert_cmpint (f->listening, >=, 0);
  g_assert_true (stasis_process_lookup (getpid (), &f->self));
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->listening);
  stasis_fd_clear (&f->strange);
  g_free (f->path);
  g_free (f->other);
  scratch_remove (f->folder);
}

static ino_t
inode_of (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return st.st_ino;
}

static void
test_socket (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisResource) resource
      = stasis_resource_new (STASIS_RESOURCE_LISTEN, "chardev:a", f->path);
  stasis_autofd int fd = stasis_handover_fetch (&f->self, resource, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fd, !=, f->listening);
  g_assert_cmpuint (inode_of (fd), ==, inode_of (f->listening));
}

/* Only one that listens: a connection of it is bound to the same path. */
static void
test_gone (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisResource) resource
      = stasis_resource_new (STASIS_RESOURCE_LISTEN, "chardev:a", f->path);
  stasis_autofd int client = stasis_unix_connect (f->path, NULL);
  stasis_autofd int connection = accept (f->listening, NULL, NULL);
  g_assert_cmpint (connection, >=, 0);
  stasis_fd_clear (&f->listening);
  g_assert_cmpint (stasis_handover_fetch (&f->self, resource, &error), ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

/* Another socket may have the same number on another file system: one of another name it is not. */
static void
test_other_name (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *moved = g_build_filename (f->folder, "moved", NULL);
  g_autoptr (StasisResource) resource
      = stasis_resource_new (STASIS_RESOURCE_LISTEN, "chardev:a", moved);
  g_assert_cmpint (rename (f->path, moved), ==, 0);
  g_assert_cmpint (stasis_handover_fetch (&f->self, resource, &error), ==, -1);
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

static void
test_no_path (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisResource) resource
      = stasis_resource_new (STASIS_RESOURCE_LISTEN, "chardev:a", "/no/such/socket");
  g_assert_cmpint (stasis_handover_fetch (&f->self, resource, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

static void
test_tap (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = NULL;
  stasis_autofd int made = stasis_tap_open ("stasishand%d", NULL, 0, &name, &error);
  if (made < 0)
    {
      g_test_skip (error->message);
      return;
    }
  g_autoptr (StasisResource) resource = stasis_resource_new (STASIS_RESOURCE_TAP, "tap:a", name);
  stasis_autofd int fd = stasis_handover_fetch (&f->self, resource, &error);
  g_assert_no_error (error);
  g_autoptr (StasisResource) other = stasis_resource_new (STASIS_RESOURCE_TAP, "tap:b", "other");
  g_assert_cmpint (stasis_handover_fetch (&f->self, other, NULL), ==, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (scratch_skip_without_pidfds ())
    return 0;
#define ADD(name, function) \
  g_test_add ("/driver/handover-fds/" name, Fixture, NULL, set_up, function, tear_down)
  ADD ("socket", test_socket);
  ADD ("gone", test_gone);
  ADD ("other-name", test_other_name);
  ADD ("no-path", test_no_path);
  ADD ("tap", test_tap);
  return g_test_run ();
}
