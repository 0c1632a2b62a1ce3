/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-name.c: the name that an open save image has now
 *
 * Theory of operation
 *
 * The kernel knows where a file lies that is open, however often it was renamed: /proc/self/fd
 * tells. Not so of QEMU's descriptor where its user is another one (idmap.c): there the file is all
 * of a mount of its own, and called "/".  Then the file is opened once more by its handle, on the
 * mount that its folder is on, or a folder above that, should the folder have been renamed; only
 * root may do that, and only root has such descriptors.
 *
 * What is found is a name to look under, no more: whoever opens it compares the file.
 */

#include "config.h"

#include "driver/image-name.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"
#include "util/safe-open.h"

static gboolean
leads_to (const char *path, const struct stat *file)
{
  struct stat st;
  return g_path_is_absolute (path) && lstat (path, &st) == 0 && st.st_dev == file->st_dev
         && st.st_ino == file->st_ino;
}

/* What the kernel calls it, or NULL. */
static char *
read_name (int fd, const struct stat *file)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree char *name = g_file_read_link (link, NULL);
  return name != NULL && leads_to (name, file) ? g_steal_pointer (&name) : NULL;
}

/* The same by way of the mount that the folder is on. */
static char *
name_on_mount (struct file_handle *handle, const char *folder, const struct stat *file)
{
  struct stat st;
  stasis_autofd int mount = stasis_safe_open (folder, O_RDONLY | O_DIRECTORY, NULL);
  if (mount < 0 || fstat (mount, &st) < 0 || st.st_dev != file->st_dev)
    return NULL;
  stasis_autofd int own = open_by_handle_at (mount, handle, O_PATH | O_CLOEXEC);
  return own >= 0 ? read_name (own, file) : NULL;
}

static char *
find_by_handle (const char *path, int fd, const struct stat *file)
{
  union
  {
    struct file_handle handle;
    guint8 octets[sizeof (struct file_handle) + MAX_HANDLE_SZ];
  } room = { .handle.handle_bytes = MAX_HANDLE_SZ };
  int mount_id;
  if (name_to_handle_at (fd, "", &room.handle, &mount_id, AT_EMPTY_PATH) < 0)
    return NULL;
  char *name = NULL;
  g_autofree char *folder = g_path_get_dirname (path);
  while ((name = name_on_mount (&room.handle, folder, file)) == NULL && strcmp (folder, "/") != 0)
    {
      char *parent = g_path_get_dirname (folder);
      g_free (folder);
      folder = parent;
    }
  return name;
}

/* Where it lies now. */
char *
stasis_image_name_now (const char *path, int fd, GError **error)
{
  struct stat file;
  if (fstat (fd, &file) < 0)
    {
      stasis_throw_errno (error, _ ("cannot look at the image"));
      return NULL;
    }
  if (file.st_nlink > 1)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("the image '%s' has further names (hard links), under which it could be cut "
                      "off below the guest: remove these"),
                   path);
      return NULL;
    }
  if (leads_to (path, &file))
    return g_strdup (path);
  char *name = read_name (fd, &file);
  if (name == NULL && g_path_is_absolute (path))
    name = find_by_handle (path, fd, &file);
  if (name == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                 _ ("the image was moved away from '%s' to a place that cannot be found, and could "
                    "be cut off below the guest there: move it back"),
                 path);
  return name;
}
