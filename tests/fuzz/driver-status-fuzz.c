/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver-status-fuzz.c: any octets as a status file: what is read is written, and read the same
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/status.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
write_file (const char *path, const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_fd_open (path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &error);
  g_assert_no_error (error);
  stasis_fd_write_exact (fd, data, size, &error);
  g_assert_no_error (error);
}

/* Its text: the folder's own file, (transfer full). */
static char *
write_and_read (const StasisStatus *status, const char *folder, const char *path)
{
  g_autoptr (GError) error = NULL;
  char *text = NULL;
  stasis_status_write (status, folder, &error);
  g_assert_no_error (error);
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
check (const char *folder, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_status_read (folder, &error);
  g_assert_true ((status == NULL) == (error != NULL));
  if (status == NULL)
    return;

  g_assert_cmpint (status->qemu.pid, >=, 0);
  g_assert_cmpint (status->journal.owner.pid, >=, 0);
  g_autofree char *first = write_and_read (status, folder, path);
  g_autoptr (StasisStatus) again = stasis_status_read (folder, &error);
  g_assert_no_error (error);
  g_autofree char *second = write_and_read (again, folder, path);
  g_assert_cmpstr (first, ==, second);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-fuzz-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "status.json", NULL);
  write_file (path, data, size);
  check (folder, path);
  unlink (path);
  rmdir (folder);
  return 0;
}
