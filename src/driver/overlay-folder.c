/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * overlay-folder.c: the folder of what a clone writes instead of its disks
 *
 * LIB/clones/HOST/UUID, for overlays grow as disks do, and RUN may lie in memory.  The status file
 * names it, so whoever sees the end of the clone removes it.  Where the clone has been saved they
 * are the disks of the image, and stay: the file "saved" says so to whoever clears away what a
 * crash of the host has left (overlays.c).
 */

#include "config.h"

#include "driver/overlay-folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/atomic-file.h"
#include "util/fd.h"

#define KEPT_FILE "saved"

/* A status file that was tampered with does not make us remove anything else. */
static gboolean
is_ours (const char *name)
{
  return g_str_has_suffix (name, STASIS_OVERLAY_SUFFIX) || g_str_equal (name, STASIS_OVERLAY_NVRAM)
         || g_str_equal (name, KEPT_FILE);
}

static gboolean
empty (DIR *dir, const char *folder, GError **error)
{
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    if (is_ours (entry->d_name) && unlinkat (dirfd (dir), entry->d_name, 0) < 0 && errno != ENOENT)
      return stasis_throw_errno (error, _ ("cannot remove '%1$s/%2$s'"), folder, entry->d_name);
  return TRUE;
}

/* Remove it. */
gboolean
stasis_overlay_folder_remove (const char *folder, GError **error)
{
  const int fd = open (folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir (fd) : NULL;
  if (dir == NULL)
    return errno == ENOENT || stasis_throw_errno (error, _ ("cannot open the folder '%s'"), folder);
  const gboolean ok = empty (dir, folder, error);
  closedir (dir);
  if (!ok)
    return FALSE;
  return rmdir (folder) == 0 || errno == ENOENT
         || stasis_throw_errno (error, _ ("cannot remove the folder '%s'"), folder);
}

/* It stays. */
gboolean
stasis_overlay_folder_keep (const char *folder, const char *text, GError **error)
{
  g_autofree char *path = g_build_filename (folder, KEPT_FILE, NULL);
  return stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

/* What was kept with it: (transfer full). */
char *
stasis_overlay_folder_read_kept (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, KEPT_FILE, NULL);
  char *text = NULL;
  g_file_get_contents (path, &text, NULL, error);
  return text;
}

/* What it takes. */
guint64
stasis_overlay_folder_size (const char *folder)
{
  guint64 size = 0;
  struct stat st;
  DIR *dir = opendir (folder);
  const struct dirent *entry;
  while (dir != NULL && (entry = readdir (dir)) != NULL)
    if (is_ours (entry->d_name)
        && fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
      size += (guint64) st.st_blocks * 512;
  if (dir != NULL)
    closedir (dir);
  return size;
}

gboolean
stasis_overlay_folder_is_kept (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, KEPT_FILE, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}
