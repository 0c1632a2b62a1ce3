/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * safe-open-test.c: tests of src/util/safe-open.c
 *
 * Somebody else is a user by number, whose links only root can make.
 */

#include "config.h"

#include "util/safe-open.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"

#define STRANGER 54321

typedef struct
{
  char *folder; /* (owned) without links in its path: real/file, real/deep/ */
} Fixture;

static char *
path_of (const Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->folder, name, NULL);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *made = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *here = g_get_current_dir ();
  g_assert_cmpint (g_chdir (made), ==, 0);
  fixture->folder = g_get_current_dir ();
  g_assert_cmpint (g_chdir (here), ==, 0);
  g_autofree char *deep = path_of (fixture, "real/deep");
  g_autofree char *file = path_of (fixture, "real/file");
  g_assert_cmpint (g_mkdir_with_parents (deep, 0755), ==, 0);
  g_assert_true (g_file_set_contents (file, "text", -1, NULL));
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_spawn_sync (NULL,
                (char *[]){ (char *) "rm", (char *) "-r", (char *) "--", fixture->folder, NULL },
                NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_free (fixture->folder);
}

static void
make_link (const Fixture *fixture, const char *text, const char *name)
{
  g_autofree char *path = path_of (fixture, name);
  g_assert_cmpint (symlink (text, path), ==, 0);
}

/* FALSE skips the test. */
static gboolean
give_away (const Fixture *fixture, const char *name)
{
  g_autofree char *path = path_of (fixture, name);
  if (lchown (path, STRANGER, STRANGER) == 0)
    return TRUE;
  g_test_skip ("cannot give files away (not root?)");
  return FALSE;
}

/* The text behind @path, or NULL; the same way is gone without opening anything. */
static char *
read_path (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (path, O_RDONLY, error);
  stasis_autofd int place = stasis_safe_open (path, O_PATH, NULL);
  struct stat st;
  g_assert_cmpint (fd < 0, ==, place < 0);
  g_assert_true (place < 0 || (fstat (place, &st) == 0 && S_ISREG (st.st_mode)));
  char text[16] = "";
  if (fd < 0)
    return NULL;
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (read (fd, text, sizeof text - 1), >=, 0);
  return g_strdup (text);
}

static void
assert_leads (const Fixture *fixture, const char *name)
{
  g_autofree char *path = path_of (fixture, name);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = read_path (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "text");
}

static void
assert_refused (const Fixture *fixture, const char *name, const char *link)
{
  g_autofree char *path = path_of (fixture, name);
  g_autofree char *component = path_of (fixture, link);
  g_autofree char *quoted = g_strdup_printf ("'%s' is a symbolic link", component);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = read_path (path, &error);
  g_assert_null (text);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, quoted));
  g_assert_nonnull (strstr (error->message, G_STRINGIFY (STRANGER)));
}

static void
test_plain (Fixture *fixture, gconstpointer data)
{
  assert_leads (fixture, "real/file");
  assert_leads (fixture, "/.//real/deep/../file");
  g_autofree char *here = g_get_current_dir ();
  g_assert_cmpint (g_chdir (fixture->folder), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *relative = read_path ("real/file", &error);
  g_assert_cmpstr (relative, ==, "text");
  g_assert_cmpint (g_chdir ("real"), ==, 0);
  g_autofree char *beside = read_path ("file", &error);
  g_assert_cmpstr (beside, ==, "text");
  g_assert_cmpint (g_chdir (here), ==, 0);
  for (const char *root = "///"; *root != '\0'; root++)
    {
      stasis_autofd int fd = stasis_safe_open (root, O_RDONLY | O_DIRECTORY, &error);
      g_assert_no_error (error);
    }
}

static void
test_own_links (Fixture *fixture, gconstpointer data)
{
  g_autofree char *real = path_of (fixture, "real");
  make_link (fixture, "real", "relative");
  make_link (fixture, real, "absolute");
  make_link (fixture, "../absolute/file", "real/link");
  make_link (fixture, "relative/deep/..", "up");
  assert_leads (fixture, "relative/file");
  assert_leads (fixture, "absolute/file");
  assert_leads (fixture, "relative/link");
  assert_leads (fixture, "up/link");
}

static void
test_others_links (Fixture *fixture, gconstpointer data)
{
  make_link (fixture, "real", "folder");
  make_link (fixture, "file", "real/link");
  make_link (fixture, "folder/file", "own");
  if (!give_away (fixture, "folder") || !give_away (fixture, "real/link"))
    return;
  assert_refused (fixture, "folder/file", "folder");
  assert_refused (fixture, "folder/deep/../file", "folder");
  assert_refused (fixture, "real/link", "real/link");
  assert_refused (fixture, "own", "folder"); /* ours leads over another's */
}

/* A folder may be another's, and what is really in it. */
static void
test_others_folder (Fixture *fixture, gconstpointer data)
{
  if (!give_away (fixture, "real") || !give_away (fixture, "real/file"))
    return;
  assert_leads (fixture, "real/file");
}

static void
assert_fails (const Fixture *fixture, const char *name, int code, const char *component)
{
  g_autofree char *path = path_of (fixture, name);
  g_autofree char *fault = path_of (fixture, component);
  g_autofree char *quoted = g_strdup_printf ("'%s'", fault);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = read_path (path, &error);
  g_assert_null (text);
  g_assert_error (error, G_IO_ERROR, code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, quoted));
}

static void
test_failures (Fixture *fixture, gconstpointer data)
{
  make_link (fixture, "round", "round");
  make_link (fixture, "nowhere", "dangling");
  assert_fails (fixture, "real/none", G_IO_ERROR_NOT_FOUND, "real/none");
  assert_fails (fixture, "none/file", G_IO_ERROR_NOT_FOUND, "none");
  assert_fails (fixture, "real/file/x", G_IO_ERROR_NOT_DIRECTORY, "real/file");
  assert_fails (fixture, "dangling", G_IO_ERROR_NOT_FOUND, "dangling");
  assert_fails (fixture, "round", G_IO_ERROR_TOO_MANY_LINKS, "round");
  assert_fails (fixture, "round/x", G_IO_ERROR_TOO_MANY_LINKS, "round/x");
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_safe_open ("", O_RDONLY, &error), <, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
}

/* Where no text leads: into a pipe, and to a file that has lost its name. */
static void
test_descriptors (Fixture *fixture, gconstpointer data)
{
  int ends[2];
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_autofree char *by_number = g_strdup_printf ("/proc/self/fd/%d", ends[1]);
  g_autofree char *by_dev = g_strdup_printf ("/dev/fd/%d", ends[1]);
  stasis_autofd int first = stasis_safe_open (by_number, O_WRONLY, &error);
  g_assert_no_error (error);
  stasis_autofd int second = stasis_safe_open (by_dev, O_WRONLY, &error);
  g_assert_no_error (error);
  close (ends[0]);
  close (ends[1]);

  g_autofree char *real = path_of (fixture, "real");
  stasis_autofd int folder = open (real, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_autofree char *inside = g_strdup_printf ("/proc/self/fd/%d/file", folder);
  g_autofree char *text = read_path (inside, &error);
  g_assert_cmpstr (text, ==, "text");
}

typedef int (*OpenFolder) (const char *path, char **out_name, GError **error);

static void
assert_folder (const Fixture *fixture, OpenFolder open_folder, const char *name,
               const char *expected)
{
  g_autofree char *path = path_of (fixture, name);
  g_autofree char *wanted = path_of (fixture, expected);
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = open_folder (path, &found, &error);
  g_assert_no_error (error);
  g_autofree char *folder = stasis_safe_folder_path (fd);
  g_autofree char *whole = g_build_filename (folder, found, NULL);
  g_assert_cmpstr (whole, ==, wanted);
}

static void
test_folders (Fixture *fixture, gconstpointer data)
{
  make_link (fixture, "real", "folder");
  make_link (fixture, "folder/new", "own");
  make_link (fixture, "own", "real/deep/link");
  assert_folder (fixture, stasis_safe_open_folder, "folder/new", "real/new");
  assert_folder (fixture, stasis_safe_open_folder, "folder//file/", "real/file");
  assert_folder (fixture, stasis_safe_open_folder, "own", "own");
  assert_folder (fixture, stasis_safe_open_place, "own", "real/new");
  assert_folder (fixture, stasis_safe_open_place, "folder/../folder/file", "real/file");

  g_autofree char *dots = path_of (fixture, "real/..");
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (stasis_safe_open_folder (dots, &found, &error), <, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_clear_error (&error);
  g_assert_cmpint (stasis_safe_open_place ("/", &found, &error), <, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_clear_error (&error);

  if (!give_away (fixture, "own"))
    return;
  assert_folder (fixture, stasis_safe_open_folder, "own", "own");
  g_autofree char *link = path_of (fixture, "own");
  g_assert_cmpint (stasis_safe_open_place (link, &found, &error), <, 0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_assert_null (found);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*run) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "plain", test_plain },
    { "own-links", test_own_links },
    { "others-links", test_others_links },
    { "others-folder", test_others_folder },
    { "failures", test_failures },
    { "descriptors", test_descriptors },
    { "folders", test_folders },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/util/safe-open/", tests[i].path, NULL);
      g_test_add (path, Fixture, NULL, set_up, tests[i].run, tear_down);
    }
  return g_test_run ();
}
