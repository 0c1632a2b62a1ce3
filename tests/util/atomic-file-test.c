/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic-file-test.c: tests of src/util/atomic-file.c
 */

#include "config.h"

#include "util/atomic-file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"
#include "util/fd.h"

typedef struct
{
  char *folder; /* (owned) */
  char *path;   /* (owned) a file in it */
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->folder, "file", NULL);
}

/* The number of names in the folder. */
static guint
count_names (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  guint n = 0;
  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_unlink (fixture->path);
  g_assert_cmpuint (count_names (fixture->folder), ==, 0);
  g_rmdir (fixture->folder);
  g_free (fixture->folder);
  g_free (fixture->path);
}

static void
assert_content (const char *path, const char *expected)
{
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

static void
test_write (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_atomic_file_write (fixture->path, "new", 3, 0640, &error));
  g_assert_no_error (error);
  assert_content (fixture->path, "new");
  struct stat st;
  g_assert_cmpint (stat (fixture->path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0640);
  g_assert_true (stasis_atomic_file_write (fixture->path, "", 0, 0600, &error));
  assert_content (fixture->path, "");
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
}

/* The target keeps its content until the commit, and who has it open keeps the old file. */
static void
test_replace (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_atomic_file_write (fixture->path, "old", 3, 0600, &error));
  stasis_autofd int old = stasis_fd_open (fixture->path, O_RDONLY, 0, &error);
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (fixture->path, 0600, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_fd_write_exact (stasis_atomic_file_fd (file), "new", 3, &error));
  assert_content (fixture->path, "old");
  g_assert_true (stasis_atomic_file_link (file, &error));
  g_assert_true (g_file_test (stasis_atomic_file_temp_path (file), G_FILE_TEST_IS_REGULAR));
  g_assert_true (stasis_atomic_file_link (file, &error)); /* twice is fine */
  assert_content (fixture->path, "old");

  gboolean is_renamed = FALSE;
  g_assert_true (stasis_atomic_file_commit (file, &is_renamed, &error));
  g_assert_true (is_renamed);
  g_assert_false (g_file_test (stasis_atomic_file_temp_path (file), G_FILE_TEST_EXISTS));
  assert_content (fixture->path, "new");
  char text[3];
  g_assert_true (stasis_fd_pread_exact (old, text, 3, 0, &error));
  g_assert_cmpmem (text, 3, "old", 3);
}

static void
test_drop (Fixture *fixture, gconstpointer data)
{
  const gboolean is_linked = GPOINTER_TO_INT (data);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_atomic_file_write (fixture->path, "old", 3, 0600, &error));
  StasisAtomicFile *file = stasis_atomic_file_begin (fixture->path, 0600, &error);
  g_assert_true (stasis_fd_write_exact (stasis_atomic_file_fd (file), "new", 3, &error));
  if (is_linked)
    g_assert_true (stasis_atomic_file_link (file, &error));
  stasis_atomic_file_free (file);
  stasis_atomic_file_free (NULL);
  assert_content (fixture->path, "old");
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
}

/* Killed before the commit: nothing is left where the file had no name. */
static void
test_crash (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GSubprocess) helper = helper_start (NULL, fixture->path, NULL);
  g_subprocess_force_exit (helper);
  g_subprocess_wait (helper, NULL, NULL);
  g_assert_cmpuint (count_names (fixture->folder), ==, 0);
}

static void
test_long_name (Fixture *fixture, gconstpointer data)
{
  g_autofree char *name = g_strnfill (255, 'n');
  g_autofree char *path = g_build_filename (fixture->folder, name, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_atomic_file_write (path, "text", 4, 0600, &error));
  g_assert_no_error (error);
  assert_content (path, "text");
  g_unlink (path);
}

/* A name without a folder is in the current one. */
static void
test_relative (Fixture *fixture, gconstpointer data)
{
  g_autofree char *before = g_get_current_dir ();
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_chdir (fixture->folder), ==, 0);
  g_assert_true (stasis_atomic_file_write ("file", "text", 4, 0600, &error));
  g_assert_cmpint (g_chdir (before), ==, 0);
  assert_content (fixture->path, "text");
}

/* A folder in the target's place: an error, and nothing is left. */
static void
test_target_is_folder (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (g_mkdir (fixture->path, 0700), ==, 0);
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (fixture->path, 0600, &error);
  gboolean is_renamed = TRUE;
  g_assert_false (stasis_atomic_file_commit (file, &is_renamed, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_IS_DIRECTORY);
  g_assert_false (is_renamed);
  g_clear_pointer (&file, stasis_atomic_file_free);
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
  g_rmdir (fixture->path);
}

/* A link in the target's place is replaced, what it leads to stays. */
static void
test_target_is_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *other = g_build_filename (fixture->folder, "other", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (other, "other", -1, NULL));
  g_assert_cmpint (symlink ("other", fixture->path), ==, 0);
  g_assert_true (stasis_atomic_file_write (fixture->path, "new", 3, 0600, &error));
  g_assert_false (g_file_test (fixture->path, G_FILE_TEST_IS_SYMLINK));
  assert_content (other, "other");
  g_unlink (other);
}

static void
test_no_folder (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_atomic_file_begin ("/no/such/folder/file", 0600, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "'/no/such/folder'"));
}

/* Mount something at the fixture's folder; FALSE skips the test. */
static gboolean
mount_at (const Fixture *fixture, const char *type, unsigned long flags, const char *options)
{
  if (mount ("none", fixture->folder, type, flags, options) == 0)
    return TRUE;
  g_test_skip ("cannot mount (not root?)");
  return FALSE;
}

static void
test_read_only (Fixture *fixture, gconstpointer data)
{
  if (!mount_at (fixture, "tmpfs", MS_RDONLY, NULL))
    return;

  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_atomic_file_begin (fixture->path, 0600, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_READ_ONLY);
  g_assert_cmpint (umount2 (fixture->folder, MNT_DETACH), ==, 0);
}

static void
test_no_space (Fixture *fixture, gconstpointer data)
{
  if (!mount_at (fixture, "tmpfs", 0, "size=64k"))
    return;

  g_autoptr (GError) error = NULL;
  g_autofree char *large = g_strnfill (1024 * 1024, 'x');
  g_assert_true (stasis_atomic_file_write (fixture->path, "old", 3, 0600, &error));
  g_assert_false (stasis_atomic_file_write (fixture->path, large, strlen (large), 0600, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_nonnull (strstr (error->message, fixture->path));
  assert_content (fixture->path, "old");
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
  g_assert_cmpint (umount2 (fixture->folder, MNT_DETACH), ==, 0);
}

/* A file system without O_TMPFILE: a hidden name from the start, gone with the file.  Message
 * queues are a poor file system, but the only such one in every kernel. */
static void
test_named (Fixture *fixture, gconstpointer data)
{
  if (!mount_at (fixture, "mqueue", 0, NULL))
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (fixture->path, 0600, &error);
  g_assert_no_error (error);
  g_autofree char *name = g_strdup (stasis_atomic_file_temp_path (file));
  g_autofree char *prefix = g_build_filename (fixture->folder, ".file.", NULL);
  g_assert_true (g_str_has_prefix (name, prefix));
  g_assert_true (g_file_test (name, G_FILE_TEST_EXISTS));
  g_assert_true (stasis_atomic_file_link (file, &error));
  g_assert_cmpstr (stasis_atomic_file_temp_path (file), ==, name);
  g_clear_pointer (&file, stasis_atomic_file_free);
  g_assert_false (g_file_test (name, G_FILE_TEST_EXISTS));
  g_assert_cmpint (umount2 (fixture->folder, MNT_DETACH), ==, 0);
}

#define STRANGER 54321

/* A new file that says "new", not committed. */
static StasisAtomicFile *
begin_new (const Fixture *fixture)
{
  g_autoptr (GError) error = NULL;
  StasisAtomicFile *file = stasis_atomic_file_begin (fixture->path, 0600, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_fd_write_exact (stasis_atomic_file_fd (file), "new", 3, &error));
  return file;
}

static void
assert_not_committed (StasisAtomicFile *file, int code, const char *fault)
{
  g_autoptr (GError) error = NULL;
  gboolean is_renamed = TRUE;
  g_assert_false (stasis_atomic_file_commit (file, &is_renamed, &error));
  g_assert_error (error, G_IO_ERROR, code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, fault));
  g_assert_false (is_renamed);
  stasis_atomic_file_free (file);
}

/* The folder goes elsewhere and something else comes in its place: neither gets a file. */
static void
test_folder_moved (Fixture *fixture, gconstpointer data)
{
  const gboolean is_linked = GPOINTER_TO_INT (data);
  StasisAtomicFile *file = begin_new (fixture);
  if (is_linked)
    g_assert_true (stasis_atomic_file_link (file, NULL));
  g_autofree char *moved = g_strconcat (fixture->folder, ".moved", NULL);
  g_autofree char *other = g_strconcat (fixture->folder, ".other", NULL);
  g_assert_cmpint (g_rename (fixture->folder, moved), ==, 0);
  g_assert_cmpint (g_mkdir (other, 0700), ==, 0);
  g_assert_cmpint (symlink (other, fixture->folder), ==, 0);

  assert_not_committed (file, G_IO_ERROR_NOT_FOUND, "was moved or replaced");
  g_assert_cmpuint (count_names (moved), ==, 0);
  g_assert_cmpuint (count_names (other), ==, 0);
  g_unlink (fixture->folder);
  g_rmdir (other);
  g_assert_cmpint (g_rename (moved, fixture->folder), ==, 0);
}

/* Another file under the hidden name: it does not become the target, and ours is good for nothing.
 */
static void
test_temp_swapped (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_atomic_file_write (fixture->path, "old", 3, 0600, &error));
  StasisAtomicFile *file = begin_new (fixture);
  g_assert_true (stasis_atomic_file_link (file, &error));
  g_autofree char *temp = g_strdup (stasis_atomic_file_temp_path (file));
  g_autofree char *away = g_build_filename (fixture->folder, "away", NULL);
  g_assert_cmpint (g_rename (temp, away), ==, 0);
  g_assert_true (g_file_set_contents (temp, "other", -1, NULL));

  assert_not_committed (file, G_IO_ERROR_NOT_FOUND, "was moved away or replaced");
  assert_content (fixture->path, "old");
  assert_content (temp, "other");
  assert_content (away, "");
  g_unlink (temp);
  g_unlink (away);
}

static void
test_others_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = g_strconcat (fixture->folder, ".link", NULL);
  g_autofree char *path = g_build_filename (link, "file", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (symlink (fixture->folder, link), ==, 0);
  g_assert_true (stasis_atomic_file_write (path, "old", 3, 0600, &error));
  if (lchown (link, STRANGER, STRANGER) == 0)
    {
      g_assert_false (stasis_atomic_file_write (path, "new", 3, 0600, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
      g_assert_nonnull (strstr (error->message, link));
      assert_content (fixture->path, "old");
    }
  else
    g_test_skip ("cannot give a link away (not root?)");
  g_unlink (link);
}

typedef struct
{
  const char *test;
  const char *before; /* (nullable) what was there when somebody looked */
  const char *after;  /* (nullable) what is there at the rename; "=": the same file */
  const char *fault;  /* (nullable) */
} SeenCase;

static const SeenCase seen_cases[] = {
  { "none", NULL, NULL, NULL },  { "appeared", NULL, "photographs", "has appeared meanwhile" },
  { "same", "old", "=", NULL },  { "replaced", "old", "another", "was replaced meanwhile" },
  { "gone", "old", NULL, NULL },
};

static void
test_seen (Fixture *fixture, gconstpointer data)
{
  const SeenCase *c = data;
  g_autoptr (GError) error = NULL;
  StasisFileId seen = { 0 };
  stasis_autofd int old = -1; /* its inode is not to be used again */
  if (c->before != NULL)
    {
      g_assert_true (g_file_set_contents (fixture->path, c->before, -1, NULL));
      old = stasis_fd_open (fixture->path, O_RDONLY, 0, &error);
      g_assert_true (stasis_file_id_of_fd (old, &seen, &error));
    }
  stasis_autofd int folder = stasis_fd_open (fixture->folder, O_PATH | O_DIRECTORY, 0, &error);
  StasisAtomicFile *file = stasis_atomic_file_begin_in (folder, fixture->path, &seen, 0600, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_fd_write_exact (stasis_atomic_file_fd (file), "new", 3, &error));
  if (g_strcmp0 (c->after, "=") != 0)
    g_unlink (fixture->path);
  if (c->after != NULL && *c->after != '=')
    g_assert_true (g_file_set_contents (fixture->path, c->after, -1, NULL));

  if (c->fault != NULL)
    {
      assert_not_committed (file, G_IO_ERROR_EXISTS, c->fault);
      assert_content (fixture->path, c->after);
    }
  else
    {
      g_assert_true (stasis_atomic_file_commit (file, NULL, &error));
      g_assert_no_error (error);
      stasis_atomic_file_free (file);
      assert_content (fixture->path, "new");
    }
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
}

/* What a process that has died has left. */
static void
test_finish (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *temp = g_build_filename (fixture->folder, ".file.tmp", NULL);
  g_assert_true (g_file_set_contents (temp, "new", -1, NULL));
  stasis_autofd int fd = stasis_fd_open (temp, O_RDONLY, 0, &error);
  StasisFileId own;
  g_assert_true (stasis_file_id_of_fd (fd, &own, &error));
  const StasisFileId other = { own.device, own.inode + 1 };
  const StasisFileId none = { 0 };

  g_assert_false (stasis_atomic_file_finish (temp, fixture->path, &other, &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (g_file_set_contents (fixture->path, "photographs", -1, NULL));
  g_assert_false (stasis_atomic_file_finish (temp, fixture->path, &own, &none, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_clear_error (&error);
  assert_content (fixture->path, "photographs");
  assert_content (temp, "new");

  g_unlink (fixture->path);
  g_assert_true (stasis_atomic_file_finish (temp, fixture->path, &own, &none, &error));
  g_assert_no_error (error);
  assert_content (fixture->path, "new");
  g_assert_cmpuint (count_names (fixture->folder), ==, 1);
}

static int
run_helper (const char *path)
{
  StasisAtomicFile *file = stasis_atomic_file_begin (path, 0600, NULL);
  if (file == NULL || !stasis_fd_write_exact (stasis_atomic_file_fd (file), "new", 3, NULL))
    return 1;
  helper_wait ();
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--helper") == 0)
    return run_helper (argv[2]);

  static const struct
  {
    const char *path;
    void (*run) (Fixture *fixture, gconstpointer data);
    gpointer data;
  } tests[] = {
    { "write", test_write, NULL },
    { "replace", test_replace, NULL },
    { "drop", test_drop, GINT_TO_POINTER (FALSE) },
    { "drop-linked", test_drop, GINT_TO_POINTER (TRUE) },
    { "crash", test_crash, NULL },
    { "long-name", test_long_name, NULL },
    { "relative", test_relative, NULL },
    { "target-is-folder", test_target_is_folder, NULL },
    { "target-is-link", test_target_is_link, NULL },
    { "no-folder", test_no_folder, NULL },
    { "read-only", test_read_only, NULL },
    { "no-space", test_no_space, NULL },
    { "named", test_named, NULL },
    { "folder-moved", test_folder_moved, GINT_TO_POINTER (FALSE) },
    { "folder-moved-linked", test_folder_moved, GINT_TO_POINTER (TRUE) },
    { "temp-swapped", test_temp_swapped, NULL },
    { "others-link", test_others_link, NULL },
    { "finish", test_finish, NULL },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    {
      g_autofree char *path = g_strconcat ("/util/atomic-file/", tests[i].path, NULL);
      g_test_add (path, Fixture, tests[i].data, set_up, tests[i].run, tear_down);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (seen_cases); i++)
    {
      g_autofree char *path = g_strconcat ("/util/atomic-file/seen/", seen_cases[i].test, NULL);
      g_test_add (path, Fixture, &seen_cases[i], set_up, test_seen, tear_down);
    }
  return g_test_run ();
}
