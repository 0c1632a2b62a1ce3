/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * atomic-file.c: a file that is complete under its name, or not there
 *
 * Theory of operation
 *
 * The new file lives in the target's own folder, without a name where the file system knows
 * O_TMPFILE: then nothing is left over however this process ends.  Elsewhere it has a hidden
 * name from the start.  Commit syncs the octets, gives the unnamed file its hidden name
 * (linkat cannot replace a target, rename can), renames it over the target and syncs the
 * folder.  A crash between the last two leaves either the old target or the new one.
 */

#include "config.h"

#include "util/atomic-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define NAME_TRIES 100

struct _StasisAtomicFile
{
  char *path;        /* (owned) the target */
  char *folder;      /* (owned) the target's folder */
  char *temp_path;   /* (owned) the hidden name that it has, or is to have before the rename */
  gboolean is_named; /* it has it */
  int fd;            /* (owned) */
};

static char *
make_temp_path (const StasisAtomicFile *file)
{
  g_autofree char *base = g_path_get_basename (file->path);
  /* NAME_MAX is 255: leave room for the decoration. */
  return g_strdup_printf ("%s/.%.200s.%08x.tmp", file->folder, base, g_random_int ());
}

static gboolean
open_named (StasisAtomicFile *file, mode_t mode, GError **error)
{
  for (int i = 0; i < NAME_TRIES; i++)
    {
      g_autofree char *name = make_temp_path (file);
      file->fd = open (name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (file->fd >= 0)
        {
          file->temp_path = g_steal_pointer (&name);
          file->is_named = TRUE;
          return TRUE;
        }
      if (errno != EEXIST && errno != EINTR)
        break;
    }
  return stasis_throw_errno (error, _ ("cannot create a file in '%s'"), file->folder);
}

/* Begin a new file that is to replace @path. */
StasisAtomicFile *
stasis_atomic_file_begin (const char *path, mode_t mode, GError **error)
{
  g_autoptr (StasisAtomicFile) file = g_new0 (StasisAtomicFile, 1);
  file->path = g_strdup (path);
  file->folder = g_path_get_dirname (path);
  file->fd = open (file->folder, O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
  if (file->fd >= 0)
    {
      file->temp_path = make_temp_path (file);
      return g_steal_pointer (&file);
    }

  /* EISDIR: a kernel or file system without O_TMPFILE opens the folder itself. */
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
    {
      stasis_throw_errno (error, _ ("cannot create a file in '%s'"), file->folder);
      return NULL;
    }
  if (!open_named (file, mode, error))
    return NULL;
  return g_steal_pointer (&file);
}

/* The descriptor (borrowed); good until commit or free. */
int
stasis_atomic_file_fd (const StasisAtomicFile *file)
{
  return file->fd;
}

/* The temporary name that it has or will have. */
const char *
stasis_atomic_file_temp_path (const StasisAtomicFile *file)
{
  return file->temp_path;
}

/* Give the file its temporary name beside the target, if it has not got it yet. */
gboolean
stasis_atomic_file_link (StasisAtomicFile *file, GError **error)
{
  if (file->is_named)
    return TRUE;

  g_autofree char *self = g_strdup_printf ("/proc/self/fd/%d", file->fd);
  if (linkat (AT_FDCWD, self, AT_FDCWD, file->temp_path, AT_SYMLINK_FOLLOW) < 0)
    return stasis_throw_errno (error, _ ("cannot name the new file in '%s'"), file->folder);
  file->is_named = TRUE;
  return TRUE;
}

static gboolean
sync_folder (const StasisAtomicFile *file, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (file->folder, O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return FALSE;
  /* EINVAL: a file system that has no such thing, not a failure. */
  if (fsync (fd) < 0 && errno != EINVAL)
    return stasis_throw_errno (error, _ ("cannot sync the folder '%s'"), file->folder);
  return TRUE;
}

/* fsync, then the rest. */
gboolean
stasis_atomic_file_commit (StasisAtomicFile *file, gboolean *out_renamed, GError **error)
{
  if (out_renamed != NULL)
    *out_renamed = FALSE;
  if (fsync (file->fd) < 0)
    return stasis_throw_errno (error, _ ("cannot sync '%s'"), file->path);
  return stasis_atomic_file_rename (file, out_renamed, error);
}

/* Link, rename over the target, fsync the folder. */
gboolean
stasis_atomic_file_rename (StasisAtomicFile *file, gboolean *out_renamed, GError **error)
{
  if (out_renamed != NULL)
    *out_renamed = FALSE;
  if (!stasis_atomic_file_link (file, error))
    return FALSE;
  if (rename (file->temp_path, file->path) < 0)
    return stasis_throw_errno (error, _ ("cannot rename the new file to '%s'"), file->path);

  file->is_named = FALSE;
  if (out_renamed != NULL)
    *out_renamed = TRUE;
  return sync_folder (file, error);
}

/* Drop the file unless it was committed.  NULL is fine. */
void
stasis_atomic_file_free (StasisAtomicFile *file)
{
  if (file == NULL)
    return;

  if (file->is_named)
    unlink (file->temp_path);
  stasis_fd_clear (&file->fd);
  g_free (file->temp_path);
  g_free (file->folder);
  g_free (file->path);
  g_free (file);
}

/* Replace @path by a small file of these octets, all of it or nothing. */
gboolean
stasis_atomic_file_write (const char *path, const void *octets, gsize size, mode_t mode,
                          GError **error)
{
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (path, mode, error);
  if (file == NULL)
    return FALSE;
  if (!stasis_fd_write_exact (file->fd, octets, size, error))
    {
      g_prefix_error (error, "'%s': ", path);
      return FALSE;
    }
  return stasis_atomic_file_commit (file, NULL, error);
}
