/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-lay-test.c: tests of src/driver/overlay-lay.c and journal-overlay.c
 */

#include "config.h"

#include "driver/overlay-lay.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"

typedef struct
{
  const char *disk;
  const char *wanted;
} Name;

static const Name names[] = {
  { "web.qcow2", "web.overlay-1.qcow2" },
  { "web.img", "web.overlay-1.qcow2" },
  { "web", "web.overlay-1.qcow2" },
  { "web.overlay-1.qcow2", "web.overlay-2.qcow2" },
  { "web.overlay-", "web.overlay-.overlay-1.qcow2" },
  { "web.overlay-x.qcow2", "web.overlay-x.overlay-1.qcow2" },
  { ".qcow2", ".qcow2.overlay-1.qcow2" },
  { ".overlay-7", ".overlay-7.overlay-1.qcow2" },
};

static void
test_names (void)
{
  g_autoptr (GPtrArray) none = stasis_journal_overlays_new ();
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *disk = g_build_filename (folder, names[i].disk, NULL);
      g_autofree char *wanted = g_build_filename (folder, names[i].wanted, NULL);
      g_autofree char *name = stasis_overlay_name (disk, none);
      g_assert_cmpstr (name, ==, wanted);
    }

  /* What is there, a link that leads nowhere too, is left alone, and no number is used again. */
  g_autofree char *disk = g_build_filename (folder, "web.raw", NULL);
  g_autofree char *first = g_build_filename (folder, "web.overlay-1.qcow2", NULL);
  g_autofree char *second = g_build_filename (folder, "web.overlay-2.qcow2", NULL);
  g_autofree char *third = g_build_filename (folder, "web.overlay-3.qcow2", NULL);
  g_autofree char *tenth = g_build_filename (folder, "web.overlay-10.qcow2", NULL);
  g_assert_true (g_file_set_contents (first, "", 0, NULL));
  g_assert_cmpint (symlink ("/nowhere", second), ==, 0);
  g_autofree char *name = stasis_overlay_name (disk, none);
  g_assert_cmpstr (name, ==, third);
  g_unlink (first);
  g_autofree char *same = stasis_overlay_name (disk, none);
  g_assert_cmpstr (same, ==, third);

  /* The disk beside it has the same stem. */
  g_autoptr (GPtrArray) others = stasis_journal_overlays_new ();
  StasisJournalOverlay *other = g_new0 (StasisJournalOverlay, 1);
  other->path = g_build_filename (folder, "web.overlay-9.qcow2", NULL);
  g_ptr_array_add (others, other);
  g_autofree char *next = stasis_overlay_name (disk, others);
  g_assert_cmpstr (next, ==, tenth);
  g_unlink (second);
  g_rmdir (folder);
}

static StasisJournalOverlay *
add (GPtrArray *overlays, const char *path)
{
  StasisJournalOverlay *overlay = g_new0 (StasisJournalOverlay, 1);
  overlay->path = g_strdup (path);
  overlay->fdset = -1;
  g_ptr_array_add (overlays, overlay);
  return overlay;
}

static void
take_note (StasisJournalOverlay *overlay)
{
  struct stat st;
  g_assert_cmpint (stat (overlay->path, &st), ==, 0);
  overlay->file.device = st.st_dev;
  overlay->file.inode = st.st_ino;
  overlay->mtime_ns
      = (gint64) st.st_mtim.tv_sec * G_GINT64_CONSTANT (1000000000) + st.st_mtim.tv_nsec;
}

static void
test_json (void)
{
  g_autoptr (GPtrArray) overlays = stasis_journal_overlays_new ();
  StasisJournalOverlay *one = add (overlays, "/d/\xff a");
  one->temp = g_strdup ("/d/.\xfe");
  one->file = (StasisFileId){ 7, G_MAXUINT64 };
  one->mtime_ns = G_MAXINT64;
  one->node = g_strdup ("disk-vda-format");
  one->overlay = g_strdup ("disk-vda-o1");
  one->fdset = 4;
  add (overlays, "/d/b");
  g_autoptr (StasisJson) json = stasis_journal_overlays_to_json (overlays);
  g_autoptr (GPtrArray) again = stasis_journal_overlays_from_json (json);
  g_assert_cmpuint (again->len, ==, 2);
  const StasisJournalOverlay *read = g_ptr_array_index (again, 0);
  g_assert_cmpstr (read->path, ==, one->path);
  g_assert_cmpstr (read->temp, ==, one->temp);
  g_assert_cmpuint (read->file.device, ==, 7);
  g_assert_cmpuint (read->file.inode, ==, G_MAXUINT64);
  g_assert_cmpint (read->mtime_ns, ==, G_MAXINT64);
  g_assert_cmpstr (read->node, ==, one->node);
  g_assert_cmpstr (read->overlay, ==, one->overlay);
  g_assert_cmpint (read->fdset, ==, 4);
  read = g_ptr_array_index (again, 1);
  g_assert_null (read->temp);
  g_assert_null (read->node);
  g_assert_cmpint (read->fdset, ==, -1);
}

/* A file that was put in an overlay's place is somebody else's. */
static void
test_files (void)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "a", NULL);
  g_autoptr (GPtrArray) overlays = stasis_journal_overlays_new ();
  g_assert_true (g_file_set_contents (path, "1", 1, NULL));
  StasisJournalOverlay *overlay = add (overlays, path);
  take_note (overlay);
  g_assert_false (stasis_journal_overlays_are_written (overlays));
  overlay->mtime_ns--;
  g_assert_true (stasis_journal_overlays_are_written (overlays));

  g_autoptr (GError) error = NULL;
  overlay->file.inode++;
  g_assert_true (stasis_journal_overlays_unlink (overlays, &error));
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  overlay->file.inode--;
  g_assert_true (stasis_journal_overlays_unlink (overlays, &error));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (stasis_journal_overlays_unlink (overlays, &error));
  g_assert_no_error (error);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/overlay-lay/names", test_names);
  g_test_add_func ("/driver/journal-overlay/json", test_json);
  g_test_add_func ("/driver/journal-overlay/files", test_files);
  return g_test_run ();
}
