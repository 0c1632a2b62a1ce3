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
 *
 * The folder may belong to somebody who does things in it meanwhile.  So it is opened once
 * (util/safe-open.h), and everything happens in it, wherever it is; a file that would end up in
 * another place than its path says is refused.  What is renamed is our inode, looked at right
 * before, and so is what it replaces, for a caller who has looked at that; the new name is looked
 * at once more after the rename.  A file that is dropped is emptied where somebody has given it
 * another name: nobody shall take it for complete.
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
#include "util/safe-open.h"

#define NAME_TRIES 100

struct _StasisAtomicFile
{
  char *path;        /* (owned) the target */
  char *parent;      /* (owned) its folder's path */
  char *name;        /* (owned) its name in there */
  char *temp_name;   /* (owned) the hidden name that the file has, or is to have for the rename */
  char *temp_path;   /* (owned) the same as a path */
  gboolean is_named; /* it has it */
  gboolean is_kept;  /* it is not ours to be dropped (any more) */
  gboolean is_seen;  /* @seen holds */
  StasisFileId seen; /* what the target may replace */
  int folder;        /* (owned) */
  int fd;            /* (owned) */
};

static gboolean
is_same (const StasisFileId *a, const StasisFileId *b)
{
  return a->device == b->device && a->inode == b->inode;
}

/* Which file a descriptor is of. */
gboolean
stasis_file_id_of_fd (int fd, StasisFileId *out_id, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at a file"));
  *out_id = (StasisFileId){ st.st_dev, st.st_ino };
  return TRUE;
}

/* Which file has a name in the folder; inode 0: none. */
static gboolean
find_id (const StasisAtomicFile *file, const char *name, StasisFileId *out_id, GError **error)
{
  struct stat st;
  *out_id = (StasisFileId){ 0 };
  if (fstatat (file->folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    *out_id = (StasisFileId){ st.st_dev, st.st_ino };
  else if (errno != ENOENT)
    return stasis_throw_errno (error, "'%s'", file->path);
  return TRUE;
}

static gboolean
is_ours (const StasisAtomicFile *file, const char *name)
{
  StasisFileId own = { 0 };
  StasisFileId found = { 0 };
  return stasis_file_id_of_fd (file->fd, &own, NULL) && find_id (file, name, &found, NULL)
         && is_same (&own, &found);
}

static void
choose_temp (StasisAtomicFile *file)
{
  g_free (file->temp_name);
  g_free (file->temp_path);
  /* NAME_MAX is 255: leave room for the decoration. */
  file->temp_name = g_strdup_printf (".%.200s.%08x.tmp", file->name, g_random_int ());
  file->temp_path = g_build_filename (file->parent, file->temp_name, NULL);
}

static gboolean
open_named (StasisAtomicFile *file, mode_t mode, GError **error)
{
  for (int i = 0; i < NAME_TRIES; i++)
    {
      choose_temp (file);
      file->fd = openat (file->folder, file->temp_name,
                         O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (file->fd >= 0)
        {
          file->is_named = TRUE;
          return TRUE;
        }
      if (errno != EEXIST && errno != EINTR)
        break;
    }
  return stasis_throw_errno (error, _ ("cannot create a file in '%s'"), file->parent);
}

static gboolean
open_new (StasisAtomicFile *file, mode_t mode, GError **error)
{
  file->fd = openat (file->folder, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, mode);
  if (file->fd >= 0)
    {
      choose_temp (file);
      return TRUE;
    }
  /* EISDIR: a kernel or file system without O_TMPFILE opens the folder itself. */
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL && errno != ENOSYS)
    return stasis_throw_errno (error, _ ("cannot create a file in '%s'"), file->parent);
  return open_named (file, mode, error);
}

static StasisAtomicFile *
new_file (int folder_take, const char *path)
{
  StasisAtomicFile *file = g_new0 (StasisAtomicFile, 1);
  file->path = g_strdup (path);
  file->parent = g_path_get_dirname (path);
  file->name = g_path_get_basename (path);
  file->folder = folder_take;
  file->fd = -1;
  return file;
}

static StasisAtomicFile *
new_by_path (const char *path, GError **error)
{
  g_autofree char *parent = g_path_get_dirname (path);
  const int folder = stasis_safe_open (parent, O_PATH | O_DIRECTORY, error);
  return folder >= 0 ? new_file (folder, path) : NULL;
}

/* Begin a new file that is to replace @path. */
StasisAtomicFile *
stasis_atomic_file_begin (const char *path, mode_t mode, GError **error)
{
  g_autoptr (StasisAtomicFile) file = new_by_path (path, error);
  return file != NULL && open_new (file, mode, error) ? g_steal_pointer (&file) : NULL;
}

/* The same in a folder that is open, in place of what was seen there. */
StasisAtomicFile *
stasis_atomic_file_begin_in (int folder, const char *path, const StasisFileId *seen, mode_t mode,
                             GError **error)
{
  const int own = fcntl (folder, F_DUPFD_CLOEXEC, 3);
  if (own < 0)
    {
      stasis_throw_errno (error, "'%s'", path);
      return NULL;
    }
  g_autoptr (StasisAtomicFile) file = new_file (own, path);
  file->is_seen = TRUE;
  file->seen = *seen;
  return open_new (file, mode, error) ? g_steal_pointer (&file) : NULL;
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

/* Who looks for the file will do so by its path. */
static gboolean
check_folder (const StasisAtomicFile *file, GError **error)
{
  struct stat there;
  StasisFileId here = { 0 };
  if (!stasis_file_id_of_fd (file->folder, &here, error))
    return FALSE;
  if (stat (file->parent, &there) == 0
      && is_same (&here, &(StasisFileId){ there.st_dev, there.st_ino }))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
               _ ("the folder '%s' was moved or replaced meanwhile"), file->parent);
  return FALSE;
}

/* Give the file its temporary name beside the target, if it has not got it yet. */
gboolean
stasis_atomic_file_link (StasisAtomicFile *file, GError **error)
{
  if (!check_folder (file, error))
    return FALSE;
  if (file->is_named)
    return TRUE;

  g_autofree char *self = g_strdup_printf ("/proc/self/fd/%d", file->fd);
  if (linkat (AT_FDCWD, self, file->folder, file->temp_name, AT_SYMLINK_FOLLOW) < 0)
    return stasis_throw_errno (error, _ ("cannot name the new file in '%s'"), file->parent);
  file->is_named = TRUE;
  return TRUE;
}

static gboolean
sync_folder (const StasisAtomicFile *file, GError **error)
{
  stasis_autofd int fd = openat (file->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* EINVAL: a file system that has no such thing, not a failure. */
  if (fd < 0 || (fsync (fd) < 0 && errno != EINVAL))
    return stasis_throw_errno (error, _ ("cannot sync the folder '%s'"), file->parent);
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

static gboolean
throw_changed (const StasisAtomicFile *file, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS,
               file->seen.inode == 0
                   ? _ ("'%s' has appeared meanwhile, and stays")
                   : _ ("'%s' was replaced meanwhile by another file, which stays"),
               file->path);
  return FALSE;
}

/* Over what the caller has seen there, and nothing else. */
static gboolean
replace_target (const StasisAtomicFile *file, GError **error)
{
  StasisFileId now = { 0 };
  if (!find_id (file, file->name, &now, error))
    return FALSE;
  if (file->is_seen && now.inode != 0 && !is_same (&now, &file->seen))
    return throw_changed (file, error);

  /* Where there was nothing the kernel sees to it, unless the file system cannot. */
  int result = -1;
  errno = EINVAL;
  if (file->is_seen && now.inode == 0)
    result = renameat2 (file->folder, file->temp_name, file->folder, file->name, RENAME_NOREPLACE);
  if (result < 0 && errno == EEXIST)
    return throw_changed (file, error);
  if (result < 0 && (errno == EINVAL || errno == ENOSYS))
    result = renameat (file->folder, file->temp_name, file->folder, file->name);
  return result == 0
         || stasis_throw_errno (error, _ ("cannot rename the new file to '%s'"), file->path);
}

static gboolean
check_ours (const StasisAtomicFile *file, const char *name, GError **error)
{
  if (is_ours (file, name))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
               _ ("the new file in '%1$s' was moved away or replaced before it was '%2$s'"),
               file->parent, file->name);
  return FALSE;
}

/* Link, rename over the target, fsync the folder. */
gboolean
stasis_atomic_file_rename (StasisAtomicFile *file, gboolean *out_renamed, GError **error)
{
  if (out_renamed != NULL)
    *out_renamed = FALSE;
  if (!stasis_atomic_file_link (file, error) || !check_ours (file, file->temp_name, error)
      || !replace_target (file, error))
    return FALSE;

  file->is_named = FALSE;
  if (!check_ours (file, file->name, error))
    return FALSE;
  file->is_kept = TRUE;
  if (out_renamed != NULL)
    *out_renamed = TRUE;
  return sync_folder (file, error);
}

/* What another process has begun. */
gboolean
stasis_atomic_file_finish (const char *temp_path, const char *path, const StasisFileId *own,
                           const StasisFileId *seen, GError **error)
{
  g_autoptr (StasisAtomicFile) file = new_by_path (path, error);
  if (file == NULL)
    return FALSE;
  file->temp_name = g_path_get_basename (temp_path);
  file->is_named = file->is_kept = file->is_seen = TRUE;
  file->seen = *seen;
  file->fd = openat (file->folder, file->temp_name,
                     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file->fd < 0)
    return stasis_throw_errno (error, "'%s'", temp_path);

  StasisFileId found = { 0 };
  if (!stasis_file_id_of_fd (file->fd, &found, error))
    return FALSE;
  if (is_same (&found, own))
    return stasis_atomic_file_rename (file, NULL, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("'%s' is another file now"), temp_path);
  return FALSE;
}

/* Remove it under its temporary name, and empty it where it has another one. */
void
stasis_atomic_file_drop (StasisAtomicFile *file)
{
  struct stat st;
  if (file->is_kept || file->fd < 0)
    return;
  if (file->is_named && is_ours (file, file->temp_name))
    unlinkat (file->folder, file->temp_name, 0);
  file->is_named = FALSE;
  if (fstat (file->fd, &st) == 0 && st.st_nlink > 0 && ftruncate (file->fd, 0) < 0)
    g_warning ("an unfinished file of '%s' has got another name: %s", file->path,
               g_strerror (errno));
}

/* Drop the file unless it was committed.  NULL is fine. */
void
stasis_atomic_file_free (StasisAtomicFile *file)
{
  if (file == NULL)
    return;

  stasis_atomic_file_drop (file);
  stasis_fd_clear (&file->fd);
  stasis_fd_clear (&file->folder);
  g_free (file->temp_path);
  g_free (file->temp_name);
  g_free (file->name);
  g_free (file->parent);
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
