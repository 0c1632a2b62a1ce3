/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource-open-test.c: tests of src/driver/resource-open.c
 *
 * Every case ends at once: one that waits for the other end of a pipe runs into the alarm.
 */

#include "config.h"

#include "driver/resource-open.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

#define ALARM_S  60
#define STRANGER 54321

static char *folder;

/* Open one resource and give it to `cat` of its descriptor's flags; NULL: refused with @error. */
static char *
open_one (StasisResourceKind kind, const char *path, gboolean append, GError **error)
{
  g_autofree char *log = g_build_filename (folder, "log", "log", NULL);
  unlink (log);
  g_autoptr (StasisSpawn) spawn = stasis_spawn_new (log);
  g_autoptr (GPtrArray) list
      = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_resource_free);
  StasisResource *resource = stasis_resource_new (kind, "key", path);
  resource->append = append;
  g_ptr_array_add (list, resource);
  const StasisResourceUser user = { .uid = geteuid () };
  if (!stasis_resources_open (list, &user, spawn, error))
    return NULL;

  g_autofree char *info = g_strdup_printf ("/proc/self/fdinfo/%d", resource->fd);
  stasis_spawn_add_arg (spawn, "/bin/cat");
  stasis_spawn_add_arg (spawn, info);
  StasisProcess process;
  g_assert_true (stasis_spawn_begin (spawn, &process, error));
  g_assert_true (stasis_spawn_go (spawn, error));
  while (stasis_process_is_alive (&process)) /* no pidfd: valgrind does not know them */
    g_usleep (5000);
  char *text = NULL;
  g_assert_true (g_file_get_contents (log, &text, NULL, error));
  return text;
}

static char *
make_fifo (void)
{
  char *path = g_build_filename (folder, "fifo", NULL);
  unlink (path);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  return path;
}

static void
assert_flags (const char *info, int set, int unset)
{
  const char *at = info != NULL ? strstr (info, "flags:") : NULL;
  g_assert_nonnull (at);
  const guint64 flags = g_ascii_strtoull (at + 6, NULL, 8);
  g_assert_cmpuint (flags & (guint64) set, ==, (guint64) set);
  g_assert_cmpuint (flags & (guint64) unset, ==, 0);
}

typedef struct
{
  const char *test;
  StasisResourceKind kind;
  const char *fault;
} FifoCase;

static const FifoCase fifo_cases[] = {
  { "disk", STASIS_RESOURCE_DISK, "neither a regular file nor a device" },
  { "loader", STASIS_RESOURCE_LOADER, "neither a regular file nor a device" },
  { "nvram", STASIS_RESOURCE_NVRAM, "neither a regular file nor a device" },
  { "blob", STASIS_RESOURCE_BLOB, "not a regular file" },
  { "output", STASIS_RESOURCE_OUTPUT, "nobody reads" },
};

static void
test_fifo (gconstpointer data)
{
  const FifoCase *c = data;
  g_autofree char *path = make_fifo ();
  g_autoptr (GError) error = NULL;
  g_autofree char *info = open_one (c->kind, path, FALSE, &error);
  g_assert_null (info);
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, c->fault));
}

static void
test_fifo_with_reader (void)
{
  g_autofree char *path = make_fifo ();
  stasis_autofd int reader = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_assert_cmpint (reader, >=, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *info = open_one (STASIS_RESOURCE_OUTPUT, path, FALSE, &error);
  g_assert_no_error (error);
  assert_flags (info, O_WRONLY, O_NONBLOCK);
}

static void
test_output_file (void)
{
  g_autoptr (GError) error = NULL;
  for (int append = 0; append < 2; append++)
    {
      g_autofree char *path = scratch_text (folder, "output", "old");
      g_autofree char *info = open_one (STASIS_RESOURCE_OUTPUT, path, append, &error);
      g_assert_no_error (error);
      assert_flags (info, O_WRONLY | (append ? O_APPEND : 0), O_NONBLOCK);
      g_autofree char *text = NULL;
      g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
      g_assert_cmpstr (text, ==, append ? "old" : "");
    }
  g_autofree char *new = g_build_filename (folder, "new", NULL);
  g_autofree char *info = open_one (STASIS_RESOURCE_OUTPUT, new, FALSE, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (new, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
  g_autofree char *device = open_one (STASIS_RESOURCE_OUTPUT, "/dev/null", FALSE, &error);
  g_assert_no_error (error);
  assert_flags (device, O_WRONLY, O_NONBLOCK);
}

/* Nothing happens to what a link leads to. */
static void
test_output_link (void)
{
  g_autofree char *path = scratch_text (folder, "precious", "old");
  g_autofree char *link = g_build_filename (folder, "link", NULL);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *info = open_one (STASIS_RESOURCE_OUTPUT, link, FALSE, &error);
  g_assert_null (info);
  g_assert_nonnull (strstr (error->message, "symbolic link"));
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "old");
}

static void
assert_text (const char *path, const char *expected)
{
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, expected);
}

/* Another name of the file may be anywhere. */
static void
test_output_hard_link (void)
{
  g_autofree char *path = scratch_text (folder, "precious", "old");
  g_autofree char *second = g_build_filename (folder, "second", NULL);
  g_assert_cmpint (link (path, second), ==, 0);
  for (int append = 0; append < 2; append++)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *info = open_one (STASIS_RESOURCE_OUTPUT, second, append, &error);
      g_assert_null (info);
      g_assert_nonnull (strstr (error->message, second));
      g_assert_nonnull (strstr (error->message, "2 names"));
      assert_text (path, "old");
    }
  unlink (second);
}

typedef struct
{
  const char *test;
  StasisResourceKind kind;
  const char *name;
} LinkCase;

static const LinkCase link_cases[] = {
  { "output", STASIS_RESOURCE_OUTPUT, "precious" }, { "new-output", STASIS_RESOURCE_OUTPUT, "new" },
  { "disk", STASIS_RESOURCE_DISK, "precious" },     { "nvram", STASIS_RESOURCE_NVRAM, "precious" },
  { "blob", STASIS_RESOURCE_BLOB, "precious" },     { "listen", STASIS_RESOURCE_LISTEN, "new" },
};

/* The folder of the file behind a link: ours leads there, another's does not. */
static void
test_folder_link (gconstpointer data)
{
  const LinkCase *c = data;
  g_autofree char *real = g_build_filename (folder, "real", NULL);
  g_autofree char *linked = g_build_filename (folder, "linked", NULL);
  g_autofree char *there = g_build_filename (real, c->name, NULL);
  g_autofree char *path = g_build_filename (linked, c->name, NULL);
  g_assert_cmpint (g_mkdir_with_parents (real, 0700), ==, 0);
  g_free (scratch_text (real, "precious", "old"));
  unlink (linked);
  g_assert_cmpint (symlink ("real", linked), ==, 0);

  g_autoptr (GError) error = NULL;
  g_autofree char *ours = open_one (c->kind, path, TRUE, &error);
  g_assert_no_error (error);
  g_assert_true (g_file_test (there, G_FILE_TEST_EXISTS));
  if (!g_str_equal (c->name, "precious"))
    unlink (there);
  if (lchown (linked, STRANGER, STRANGER) < 0)
    {
      g_test_skip ("cannot give a link away (not root?)");
      return;
    }
  g_autofree char *others = open_one (c->kind, path, FALSE, &error);
  g_assert_null (others);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, linked));
  g_assert_nonnull (strstr (error->message, G_STRINGIFY (STRANGER)));
  if (g_str_equal (c->name, "precious"))
    assert_text (there, "old");
  else
    g_assert_false (g_file_test (there, G_FILE_TEST_EXISTS));
}

/* A disk may be a link; it is a descriptor like any other. */
static void
test_disk (void)
{
  g_autofree char *path = scratch_text (folder, "disk", "octets");
  g_autofree char *link = g_build_filename (folder, "disk-link", NULL);
  g_assert_cmpint (symlink (path, link), ==, 0);
  g_autoptr (GError) error = NULL;
  g_autofree char *info = open_one (STASIS_RESOURCE_DISK, link, FALSE, &error);
  g_assert_no_error (error);
  assert_flags (info, O_RDWR, O_NONBLOCK);

  g_autofree char *none = g_build_filename (folder, "no-disk", NULL);
  g_autofree char *no_info = open_one (STASIS_RESOURCE_DISK, none, FALSE, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_false (g_file_test (none, G_FILE_TEST_EXISTS));
  g_clear_error (&error);
  g_autofree char *no_folder = open_one (STASIS_RESOURCE_LOADER, folder, FALSE, &error);
  g_assert_null (no_folder);
  g_assert_nonnull (strstr (error->message, folder));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = scratch_new ();
  alarm (ALARM_S);
  for (gsize i = 0; i < G_N_ELEMENTS (fifo_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/resource-open/fifo/", fifo_cases[i].test, NULL);
      g_test_add_data_func (test, &fifo_cases[i], test_fifo);
    }
  g_test_add_func ("/driver/resource-open/fifo-with-reader", test_fifo_with_reader);
  g_test_add_func ("/driver/resource-open/output-file", test_output_file);
  g_test_add_func ("/driver/resource-open/output-link", test_output_link);
  g_test_add_func ("/driver/resource-open/output-hard-link", test_output_hard_link);
  for (gsize i = 0; i < G_N_ELEMENTS (link_cases); i++)
    {
      g_autofree char *test
          = g_strconcat ("/driver/resource-open/folder-link/", link_cases[i].test, NULL);
      g_test_add_data_func (test, &link_cases[i], test_folder_link);
    }
  g_test_add_func ("/driver/resource-open/disk", test_disk);
  const int result = g_test_run ();
  scratch_remove (folder);
  return result;
}
