/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attributes-test.c: tests of src/util/attributes.c
 */

#include "config.h"

#include "util/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/fd.h"

#define ACL  "system.posix_acl_access"
#define NAME "user.stasis.test"

/* Version 2; owner rw, user 65534 r, group none, mask r, others none. */
static const guint8 acl[] = {
  2,    0, 0, 0,                         /**/
  1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff, /**/
  2,    0, 4, 0, 0xfe, 0xff, 0,    0,    /**/
  4,    0, 0, 0, 0xff, 0xff, 0xff, 0xff, /**/
  0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /**/
  0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};

typedef struct
{
  char *folder;
  char *paths[2];
  int from;
  int to;
} Fixture;

static int
make (Fixture *f, guint number, const char *name)
{
  f->paths[number] = g_build_filename (f->folder, name, NULL);
  const int fd = open (f->paths[number], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  f->from = make (f, 0, "from");
  f->to = make (f, 1, "to");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->from);
  stasis_fd_clear (&f->to);
  for (guint i = 0; i < G_N_ELEMENTS (f->paths); i++)
    {
      g_unlink (f->paths[i]);
      g_free (f->paths[i]);
    }
  g_rmdir (f->folder);
  g_free (f->folder);
}

/* FALSE where the file system has no such thing; the test is skipped then. */
static gboolean
set (int fd, const char *name, const void *value, gsize size)
{
  if (fsetxattr (fd, name, value, size, 0) == 0)
    return TRUE;
  g_assert_cmpint (errno, ==, ENOTSUP);
  g_test_skip ("the file system has no extended attributes");
  return FALSE;
}

static void
assert_value (int fd, const char *name, const void *value, gsize size)
{
  guint8 found[256];
  g_assert_cmpint (fgetxattr (fd, name, found, sizeof found), ==, (gssize) size);
  g_assert_cmpint (memcmp (found, value, size), ==, 0);
}

static void
copy (Fixture *f)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_attributes_copy (f->from, f->to, &error));
  g_assert_no_error (error);
}

static void
test_none (Fixture *f, gconstpointer data)
{
  copy (f);
  g_assert_cmpint (fgetxattr (f->to, ACL, NULL, 0), <, 0);
}

static void
test_user (Fixture *f, gconstpointer data)
{
  if (!set (f->from, NAME, "a value\0of octets", 17) || !set (f->from, NAME ".empty", "", 0))
    return;
  copy (f);
  assert_value (f->to, NAME, "a value\0of octets", 17);
  assert_value (f->to, NAME ".empty", "", 0);
}

static void
test_acl (Fixture *f, gconstpointer data)
{
  struct stat st;
  if (!set (f->from, ACL, acl, sizeof acl))
    return;
  g_assert_cmpint (fstat (f->from, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0640);
  g_assert_cmpint (fchmod (f->to, 0640), ==, 0);
  copy (f);
  assert_value (f->to, ACL, acl, sizeof acl);
  g_assert_cmpint (fstat (f->to, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0640);
}

/* What the folder has given the copy lets nobody at it. */
static void
test_no_acl (Fixture *f, gconstpointer data)
{
  struct stat st;
  if (!set (f->to, ACL, acl, sizeof acl))
    return;
  copy (f);
  g_assert_cmpint (fgetxattr (f->to, ACL, NULL, 0), <, 0);
  g_assert_cmpint (fstat (f->to, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0640);
}

/* A pipe can have no attributes of the user's. */
static void
test_refused (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int ends[2];
  if (!set (f->from, NAME, "value", 5))
    return;
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_assert_false (stasis_attributes_copy (f->from, ends[1], &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, NAME));
  close (ends[0]);
  close (ends[1]);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *name;
    void (*run) (Fixture *f, gconstpointer data);
  } tests[] = {
    { "none", test_none },     { "user", test_user },       { "acl", test_acl },
    { "no-acl", test_no_acl }, { "refused", test_refused },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/util/attributes/", tests[i].name, NULL);
      g_test_add (path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
  return g_test_run ();
}
