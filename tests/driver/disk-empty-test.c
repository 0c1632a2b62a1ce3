/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-empty-test.c: tests of src/driver/disk-empty.c
 *
 * The qcow2 images are qemu-img's own.
 */

#include "config.h"

#include "driver/disk-empty.h"

#include <fcntl.h>
#include <stasis/error.h>
#include <unistd.h>

#include "scratch.h"
#include "util/fd.h"

static char *folder;

static void
assert_empty (const char *path, const char *format)
{
  g_autoptr (GError) error = NULL;
  stasis_disk_check_empty (path, format, &error);
  g_assert_no_error (error);
}

static void
assert_not_empty (const char *path, const char *format)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_disk_check_empty (path, format, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, path));
}

static void
write_at (const char *path, const char *text, guint64 offset)
{
  stasis_autofd int fd = open (path, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, text, strlen (text), (off_t) offset), ==, strlen (text));
}

static void
test_raw (void)
{
  g_autofree char *path = scratch_text (folder, "raw", "");
  assert_empty (path, "raw");
  g_assert_cmpint (truncate (path, 8 << 20), ==, 0);
  assert_empty (path, "raw");
  assert_not_empty (path, "vmdk");
  assert_not_empty (path, "qcow2");
  write_at (path, "x", 5 << 20);
  assert_not_empty (path, "raw");
}

static void
test_no_file (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *missing = g_build_filename (folder, "missing", NULL);
  g_assert_false (stasis_disk_check_empty (missing, "raw", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  assert_not_empty ("/dev/null", "raw");
}

/* In the first entry of the table, and in the last one, which is not in the first 64 KiB of it. */
static void
test_qcow2 (gconstpointer data)
{
  const char *offset = data;
  g_autofree char *path = g_build_filename (folder, "qcow2", NULL);
  g_autofree char *command = g_strdup_printf ("write %s 512", offset);
  if (!scratch_run ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=4096", path,
                    "20G", NULL))
    {
      g_test_skip ("no qemu-img");
      return;
    }
  assert_empty (path, "qcow2");
  g_assert_true (scratch_run ("qemu-io", "-f", "qcow2", "-c", command, path, NULL));
  assert_not_empty (path, "qcow2");
}

static void
test_prepared (void)
{
  g_autofree char *path = g_build_filename (folder, "qcow2", NULL);
  if (!scratch_run ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", path,
                    "1M", NULL))
    {
      g_test_skip ("no qemu-img");
      return;
    }
  assert_not_empty (path, "qcow2");
}

static void
test_snapshot (void)
{
  g_autofree char *path = g_build_filename (folder, "qcow2", NULL);
  if (!scratch_run ("qemu-img", "create", "-q", "-f", "qcow2", path, "1M", NULL))
    {
      g_test_skip ("no qemu-img");
      return;
    }
  assert_empty (path, "qcow2");
  g_assert_true (scratch_run ("qemu-img", "snapshot", "-c", "one", path, NULL));
  assert_not_empty (path, "qcow2");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = scratch_new ();
  g_test_add_func ("/driver/disk-empty/raw", test_raw);
  g_test_add_func ("/driver/disk-empty/no-file", test_no_file);
  g_test_add_data_func ("/driver/disk-empty/qcow2/first", "0", test_qcow2);
  g_test_add_data_func ("/driver/disk-empty/qcow2/last", "20479M", test_qcow2);
  g_test_add_func ("/driver/disk-empty/qcow2/prepared", test_prepared);
  g_test_add_func ("/driver/disk-empty/qcow2/snapshot", test_snapshot);
  const int status = g_test_run ();
  scratch_remove (folder);
  return status;
}
