/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bound-sockets-test.c: tests of src/driver/bound-sockets.c
 */

#include "config.h"

#include "driver/bound-sockets.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

#define STRANGER 54321

typedef struct
{
  char *folder;
  char *path;
  GPtrArray *sockets;
  int listening; /* on path, noted */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->folder = scratch_new ();
  f->path = g_build_filename (f->folder, "s", NULL);
  f->sockets = stasis_bound_sockets_new ();
  f->listening = stasis_unix_listen (f->path, 1, NULL);
  g_assert_cmpint (f->listening, >=, 0);
  stasis_bound_sockets_note (f->sockets, f->path);
  g_assert_cmpuint (f->sockets->len, ==, 1);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->listening);
  g_ptr_array_unref (f->sockets);
  g_free (f->path);
  scratch_remove (f->folder);
}

static void
test_removed (Fixture *f, gconstpointer data)
{
  stasis_fd_clear (&f->listening);
  stasis_bound_sockets_remove (f->sockets);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  stasis_bound_sockets_remove (f->sockets);
}

static void
test_listening (Fixture *f, gconstpointer data)
{
  stasis_bound_sockets_remove (f->sockets);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));
}

/* Nobody listens on the other one either, but it is not ours. */
static void
test_another (Fixture *f, gconstpointer data)
{
  g_autofree char *aside = g_build_filename (f->folder, "aside", NULL);
  g_assert_no_errno (g_rename (f->path, aside));
  stasis_fd_clear (&f->listening);
  int other = stasis_unix_listen (f->path, 1, NULL);
  stasis_fd_clear (&other);
  stasis_bound_sockets_remove (f->sockets);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));
}

static void
test_file_or_link (Fixture *f, gconstpointer data)
{
  g_autofree char *aside = g_build_filename (f->folder, "aside", NULL);
  g_assert_no_errno (g_rename (f->path, aside));
  stasis_fd_clear (&f->listening);
  g_assert_no_errno (symlink (aside, f->path));
  stasis_bound_sockets_remove (f->sockets);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (aside, G_FILE_TEST_EXISTS));

  g_assert_no_errno (g_unlink (f->path));
  g_free (scratch_text (f->folder, "s", "text"));
  stasis_bound_sockets_remove (f->sockets);
  g_assert_true (g_file_test (f->path, G_FILE_TEST_IS_REGULAR));
  stasis_bound_sockets_note (f->sockets, f->path);
  g_assert_cmpuint (f->sockets->len, ==, 1);
}

/* A link of another user in the way leads neither to a socket that is noted nor to one that is
 * removed; one of our own does. */
static void
test_others_link (Fixture *f, gconstpointer data)
{
  g_autofree char *link = g_strconcat (f->folder, "-link", NULL);
  g_autofree char *through = g_build_filename (link, "s", NULL);
  struct stat st;
  g_assert_no_errno (symlink (f->folder, link));
  g_assert_no_errno (stat (f->path, &st));
  stasis_fd_clear (&f->listening);
  g_ptr_array_set_size (f->sockets, 0);
  stasis_bound_sockets_note (f->sockets, through);
  g_assert_cmpuint (f->sockets->len, ==, 1);

  if (lchown (link, STRANGER, STRANGER) < 0)
    g_test_skip ("cannot give a link away (not root?)");
  else
    {
      stasis_bound_sockets_remove (f->sockets);
      g_assert_true (g_file_test (f->path, G_FILE_TEST_EXISTS));
      stasis_bound_sockets_note (f->sockets, through);
      g_assert_cmpuint (f->sockets->len, ==, 1);
      g_assert_no_errno (lchown (link, geteuid (), getegid ()));
    }
  stasis_bound_sockets_remove (f->sockets);
  g_assert_false (g_file_test (f->path, G_FILE_TEST_EXISTS));
  g_assert_no_errno (g_unlink (link));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/driver/bound-sockets/removed", Fixture, NULL, set_up, test_removed, tear_down);
  g_test_add ("/driver/bound-sockets/listening", Fixture, NULL, set_up, test_listening, tear_down);
  g_test_add ("/driver/bound-sockets/another", Fixture, NULL, set_up, test_another, tear_down);
  g_test_add ("/driver/bound-sockets/file-or-link", Fixture, NULL, set_up, test_file_or_link,
              tear_down);
  g_test_add ("/driver/bound-sockets/others-link", Fixture, NULL, set_up, test_others_link,
              tear_down);
  return g_test_run ();
}
