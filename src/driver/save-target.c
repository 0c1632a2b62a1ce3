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
  if (st.st_size == 0 || stasis_image_is_image_fd (fd) || is_libvirt_image (fd))
    return TRUE;
  return refuse (error, path, _ ("exists and is no save image; remove it first"));
}

static gboolean
check_existing (const char *path, const struct stat *st, GError **error)
{
  if (S_ISDIR (st->st_mode))
    return refuse (error, path, _ ("is a folder"));
  if (S_ISFIFO (st->st_mode) || S_ISCHR (st->st_mode) || S_ISSOCK (st->st_mode))
    return refuse (error, path, _ ("is a pipe or device; a save image needs a regular file"));
  if (S_ISBLK (st->st_mode))
    return refuse (error, path, _ ("is a block device; a save image needs a regular file"));
  return may_replace (path, error);
}

/* The absolute path to write to. */
char *
stasis_save_target_resolve (const char *path, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  struct stat st;
  if (stat (absolute, &st) == 0)
    {
      char *real = realpath (absolute, NULL);
      if (real == NULL)
        {
          stasis_throw_errno (error, "'%s'", absolute);
          return NULL;
        }
      g_autofree char *resolved = g_strdup (real);
      free (real);
      return check_existing (resolved, &st, error) ? g_steal_pointer (&resolved) : NULL;
    }

  g_autofree char *folder = g_path_get_dirname (absolute);
  if (lstat (absolute, &st) == 0)
    {
      refuse (error, absolute, _ ("is a symbolic link that leads nowhere"));
      return NULL;
    }
  if (stat (folder, &st) < 0)
    {
      stasis_throw_errno (error, _ ("folder '%s'"), folder);
      return NULL;
    }
  if (!S_ISDIR (st.st_mode))
    {
      refuse (error, folder, _ ("is no folder"));
      return NULL;
    }
  return g_steal_pointer (&absolute);
}
