/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-target.c: whether a save image may go to a path
 */

#include "config.h"

#include "driver/save-target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "image/reader.h"
#include "image/trailer.h"
#include "util/fd.h"

static gboolean
refuse (GError **error, const char *path, const char *reason)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, "'%s': %s", path, reason);
  return FALSE;
}

/* libvirt's images begin with 'LibvirtQemudSave', unfinished ones with 'LibvirtQemudPart'. */
static gboolean
is_libvirt_image (int fd)
{
  char magic[16];
  return stasis_fd_pread_exact (fd, magic, sizeof magic, 0, NULL)
         && (memcmp (magic, "LibvirtQemudSave", sizeof magic) == 0
             || memcmp (magic, "LibvirtQemudPart", sizeof magic) == 0);
}

/* Somebody's photographs are not replaced by a slip of the fingers. */
static gboolean
may_replace (const char *path, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NONBLOCK, 0, error);
  if (fd < 0)
    return FALSE;
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  guint8 uuid[STASIS_UUID_SIZE];
  guint64 body_end;
  if (st.st_size == 0 || stasis_image_is_image_fd (fd) || is_libvirt_image (fd)
      || stasis_trailer_read_file (fd, path, uuid, &body_end, NULL))
    return TRUE;
  return refuse (error, path, _ ("exists and is no save image; remove it first"));
}

static gboolean
check_kind (const char *path, mode_t mode, GError **error)
{
  if (S_ISDIR (mode))
    return refuse (error, path, _ ("is a folder"));
  if (S_ISFIFO (mode) || S_ISCHR (mode) || S_ISSOCK (mode))
    return refuse (error, path, _ ("is a pipe or device; a save image needs a regular file"));
  if (S_ISBLK (mode))
    return refuse (error, path, _ ("is a block device; a save image needs a regular file"));
  return TRUE;
}

/* (transfer full): as realpath(3), whose links are the kernel's: "link/../x" is not "x". */
static char *
resolve (const char *path, GError **error)
{
  char *real = realpath (path, NULL);
  if (real == NULL)
    stasis_throw_errno (error, "'%s'", path);
  char *resolved = g_strdup (real);
  free (real);
  return resolved;
}

static char *
resolve_new (const char *path, GError **error)
{
  struct stat st;
  if (lstat (path, &st) == 0)
    {
      refuse (error, path, _ ("is a symbolic link that leads nowhere"));
      return NULL;
    }
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *resolved = resolve (folder, error);
  if (resolved == NULL)
    return NULL;
  if (!g_file_test (resolved, G_FILE_TEST_IS_DIR))
    {
      refuse (error, folder, _ ("is no folder"));
      return NULL;
    }
  return g_build_filename (resolved, name, NULL);
}

/* The absolute path to write to. */
char *
stasis_save_target_resolve (const char *path, GError **error)
{
  g_autofree char *here = g_get_current_dir ();
  g_autofree char *absolute
      = g_path_is_absolute (path) ? g_strdup (path) : g_build_filename (here, path, NULL);
  for (gsize end = strlen (absolute); end > 1 && absolute[end - 1] == '/'; end--)
    absolute[end - 1] = '\0';

  struct stat st;
  if (stat (absolute, &st) < 0)
    return resolve_new (absolute, error);
  /* Of a pipe behind /proc/self/fd there is no other path. */
  if (!check_kind (absolute, st.st_mode, error))
    return NULL;
  g_autofree char *resolved = resolve (absolute, error);
  if (resolved == NULL || !may_replace (resolved, error))
    return NULL;
  return g_steal_pointer (&resolved);
}
