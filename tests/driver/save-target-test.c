/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-target-test.c: tests of src/driver/save-target.c
 */

#include "config.h"

#include "driver/save-target.h"

#include <fcntl.h>
#include <stasis/error.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"
#include "scratch.h"
#include "util/fd.h"

#define STRANGER 54321

static char *folder; /* without symbolic links in its path */

static char *
path_of (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

static void
assert_resolves (const char *path, const char *expected)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisSaveTarget) target = stasis_save_target_new (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (target->path, ==, expected);
  struct stat st = { 0 };
  g_assert_cmpint (lstat (expected, &st) < 0, ==, target->seen.inode == 0);
  g_assert_cmpuint (target->seen.inode, ==, st.st_ino);
}

static void
assert_fails (const char *path, GQuark domain, int code, const char *fault)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_save_target_new (path, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, fault));
}

static void
assert_refused (const char *path, const char *fault)
{
  assert_fails (path, STASIS_ERROR, STASIS_ERROR_REFUSED, fault);
}

static void
test_new_file (void)
{
  g_autofree char *path = path_of ("new");
  assert_resolves (path, path);
  g_autofree char *sub = path_of ("sub");
  g_assert_cmpint (mkdir (sub, 0700), ==, 0);
  g_autofree char *crooked = g_strconcat (folder, "/./sub/..//new", NULL);
  assert_resolves (crooked, path);
  g_autofree char *slash = g_strconcat (path, "/", NULL);
  assert_resolves (slash, path);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));

  /* Where we stand. */
  g_autofree char *before = g_get_current_dir ();
  g_assert_cmpint (chdir (folder), ==, 0);
  assert_resolves ("new", path);
  g_assert_cmpint (chdir (before), ==, 0);

  /* Any name works, as long as the file system takes it. */
  g_autofree char *odd = path_of ("a:b,c=d \n%s.stasis");
  assert_resolves (odd, odd);
}

static void
test_folders (void)
{
  g_autofree char *file = scratch_text (folder, "file", "x");
  g_autofree char *below = g_strconcat (file, "/below", NULL);
  g_autofree char *nowhere = path_of ("no/such");
  assert_refused (folder, "is a folder");
  assert_refused ("/", "is a folder");
  assert_fails (nowhere, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "/no'");
  assert_fails (below, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY, file);
}

typedef struct
{
  const char *test;
  const char *octets;
  gboolean may_go;
} ContentCase;

static const ContentCase content_cases[] = {
  { "empty", "", TRUE },
  { "libvirt", "LibvirtQemudSave and so on", TRUE },
  { "libvirt-partial", "LibvirtQemudPart", TRUE },
  { "libvirt-cut", "LibvirtQemudSav", FALSE },
  { "libvirt-later", " LibvirtQemudSave", FALSE },
  { "one-octet", "x", FALSE },
  { "photographs", "\xff\xd8\xff\xe0 many of them, and no copy of any of them anywhere", FALSE },
  { "disk", "QFI\xfb", FALSE },
};

static void
test_content (gconstpointer data)
{
  const ContentCase *c = data;
  g_autofree char *path = scratch_text (folder, "there", c->octets);
  if (c->may_go)
    assert_resolves (path, path);
  else
    assert_refused (path, "no save image");

  g_autofree char *after = NULL;
  g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
  g_assert_cmpstr (after, ==, c->octets);
}

static void
write_sample (const char *path, off_t size)
{
  stasis_autofd int from = sample_image (STASIS_IMAGE_BODY_STREAM);
  stasis_autofd int to = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_assert_cmpint (to, >=, 0);
  sample_copy_to (from, to);
  if (size >= 0)
    g_assert_cmpint (ftruncate (to, size), ==, 0);
}

/* Images of ours may be replaced, damaged ones too. */
static void
test_own_image (void)
{
  g_autofree char *path = path_of ("image");
  write_sample (path, -1);
  assert_resolves (path, path);
  write_sample (path, 4096);
  assert_resolves (path, path);
  write_sample (path, 4);
  assert_refused (path, "no save image");
}

static void
test_links (void)
{
  g_autofree char *image = path_of ("linked-image");
  write_sample (image, -1);
  g_autofree char *link = path_of ("link");
  g_assert_cmpint (symlink ("linked-image", link), ==, 0);
  assert_resolves (link, image);

  g_autofree char *second = path_of ("link-to-link");
  g_assert_cmpint (symlink (link, second), ==, 0);
  assert_resolves (second, image);

  g_autofree char *text = scratch_text (folder, "text", "text");
  g_autofree char *to_text = path_of ("link-to-text");
  g_assert_cmpint (symlink (text, to_text), ==, 0);
  assert_refused (to_text, "no save image");

  g_autofree char *dangling = path_of ("dangling");
  g_assert_cmpint (symlink ("nowhere", dangling), ==, 0);
  assert_refused (dangling, "leads nowhere");
  g_autofree char *self = path_of ("self");
  g_assert_cmpint (symlink ("self", self), ==, 0);
  assert_refused (self, "leads nowhere");

  /* As the kernel goes: up from where the link leads. */
  g_autofree char *deep = path_of ("a/b");
  g_assert_cmpint (g_mkdir_with_parents (deep, 0700), ==, 0);
  g_autofree char *to_deep = path_of ("link-to-deep");
  g_assert_cmpint (symlink ("a/b", to_deep), ==, 0);
  g_autofree char *up = path_of ("link-to-deep/../new");
  g_autofree char *beside = path_of ("a/new");
  assert_resolves (up, beside);
  g_free (scratch_text (folder, "a/new", ""));
  assert_resolves (up, beside);

  g_autofree char *to_folder = path_of ("link-to-folder");
  g_assert_cmpint (symlink (folder, to_folder), ==, 0);
  assert_refused (to_folder, "is a folder");
}

/* An image of somebody who is led to by another's link is not replaced. */
static void
test_others_links (void)
{
  g_autofree char *image = path_of ("precious");
  write_sample (image, -1);
  g_autofree char *link = path_of ("others-link");
  g_assert_cmpint (symlink ("precious", link), ==, 0);
  g_autofree char *to_folder = path_of ("others-folder");
  g_assert_cmpint (symlink (".", to_folder), ==, 0);
  if (lchown (link, STRANGER, STRANGER) < 0 || lchown (to_folder, STRANGER, STRANGER) < 0)
    {
      g_test_skip ("cannot give links away (not root?)");
      return;
    }
  g_autofree char *below = path_of ("others-folder/precious");
  g_autofree char *new = path_of ("others-folder/new");
  assert_fails (link, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, link);
  assert_fails (below, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, to_folder);
  assert_fails (new, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, to_folder);
}

/* No other kind of file is opened to look at: that alone may wait, or set off something. */
static void
test_kinds (void)
{
  g_autofree char *fifo = path_of ("fifo");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  assert_refused (fifo, "is a pipe");
  assert_refused ("/dev/null", "neither a regular file nor a FIFO");

  g_autofree char *socket = path_of ("socket");
  g_autoptr (GError) error = NULL;
  stasis_autofd int listening = stasis_unix_listen (socket, 1, &error);
  g_assert_no_error (error);
  assert_refused (socket, "is a socket");

  int ends[2];
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  g_autofree char *by_number = g_strdup_printf ("/proc/self/fd/%d", ends[1]);
  assert_refused (by_number, "is a pipe");
  close (ends[0]);
  close (ends[1]);

  g_autofree char *block = path_of ("block");
  if (mknod (block, S_IFBLK | 0600, 0) == 0)
    assert_refused (block, "is a block device");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  char *scratch = scratch_new ();
  folder = realpath (scratch, NULL);
  g_test_add_func ("/driver/save-target/new-file", test_new_file);
  g_test_add_func ("/driver/save-target/folders", test_folders);
  for (gsize i = 0; i < G_N_ELEMENTS (content_cases); i++)
    {
      g_autofree char *test
          = g_strconcat ("/driver/save-target/content/", content_cases[i].test, NULL);
      g_test_add_data_func (test, &content_cases[i], test_content);
    }
  g_test_add_func ("/driver/save-target/own-image", test_own_image);
  g_test_add_func ("/driver/save-target/links", test_links);
  g_test_add_func ("/driver/save-target/others-links", test_others_links);
  g_test_add_func ("/driver/save-target/kinds", test_kinds);
  const int result = g_test_run ();
  scratch_remove (scratch);
  free (folder);
  return result;
}
