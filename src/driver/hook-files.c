/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hook-files.c: which hooks there are
 *
 * A hook runs with all that its caller may do, so it has to be root's or the caller's, and so has
 * the way to it: who may write to a folder puts there what he likes.  One that is not is no reason
 * to go on without it: somebody relies on it, and the operation fails.
 *
 * Where there is no folder, the usual case, that is known after one call.
 */

#include "config.h"

#include "driver/hook-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"
#include "util/safe-open.h"

#define MAIN_FILE  "qemu"
#define MORE_FILES "qemu.d"
#define NAME_MAX_  200u /* octets: it becomes a part of another name */
#define FILES_MAX  64u
#define LEVELS_MAX 64u /* folders above a hook */

static void
file_free (gpointer data)
{
  StasisHookFile *file = data;
  g_free (file->path);
  g_free (file->key);
  g_free (file);
}

static gboolean
is_owner_trusted (const struct stat *st)
{
  return st->st_uid == 0 || st->st_uid == geteuid ();
}

static gboolean
throw_unsafe (const char *path, const char *why, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               _ ("hooks of '%1$s' are not called: %2$s (a hook, and the folders that it is in, "
                  "belong to root or to the caller, and nobody else may write to them)"),
               path, why);
  return FALSE;
}

static gboolean
check_mode (const struct stat *st, const char *path, mode_t forbidden, GError **error)
{
  g_autofree char *why = NULL;
  if (!is_owner_trusted (st))
    why = g_strdup_printf (_ ("it belongs to user %u"), st->st_uid);
  else if ((st->st_mode & forbidden) != 0)
    why = g_strdup_printf (_ ("its mode is %04o"), st->st_mode & 07777);
  return why == NULL || throw_unsafe (path, why, error);
}

/* The folders above, of which some are everybody's, but keep what is in them from everybody. */
static gboolean
check_above (int folder, GError **error)
{
  g_autofree char *path = stasis_safe_folder_path (folder);
  for (guint i = 0; path != NULL && i < LEVELS_MAX && !g_str_equal (path, "/"); i++)
    {
      char *above = g_path_get_dirname (path);
      g_free (path);
      path = above;
      struct stat st;
      if (lstat (path, &st) < 0)
        return stasis_throw_errno (error, "'%s'", path);
      if (!check_mode (&st, path, (st.st_mode & S_ISVTX) != 0 ? 0 : S_IWGRP | S_IWOTH, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
check_folder (int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  return check_mode (&st, path, S_IWGRP | S_IWOTH, error) && check_above (fd, error);
}

/* By descriptor, as it was found through links that are trusted. */
static gboolean
check_program (int fd, const char *path, const struct stat *st, GError **error)
{
  if (!check_mode (st, path, S_IWGRP | S_IWOTH, error))
    return FALSE;
  g_autofree char *real = stasis_safe_folder_path (fd);
  g_autofree char *real_folder = real != NULL ? g_path_get_dirname (real) : NULL;
  stasis_autofd int folder
      = real != NULL ? stasis_fd_open (real_folder, O_PATH | O_DIRECTORY, 0, error) : -1;
  return real == NULL || (folder >= 0 && check_folder (folder, real_folder, error));
}

static gboolean
is_missing (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY);
}

/* Nothing that could be called is no failure. */
static gboolean
add_file (GPtrArray *files, const char *folder, const char *name, const char *key, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_safe_open (path, O_PATH, &local);
  if (fd < 0)
    {
      if (is_missing (local))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  if (!S_ISREG (st.st_mode) || (st.st_mode & 0111) == 0)
    {
      if (g_str_equal (name, MAIN_FILE))
        g_warning (_ ("'%s' is no executable file, and not called"), path);
      return TRUE;
    }
  if (strlen (key) > NAME_MAX_ || files->len == FILES_MAX)
    {
      g_set_error (
          error, G_IO_ERROR, G_IO_ERROR_FAILED,
          _ ("'%1$s' cannot be called: its name has more than %2$u octets, or it is one of "
             "more than %3$u hooks"),
          path, NAME_MAX_, FILES_MAX);
      return FALSE;
    }
  if (!check_program (fd, path, &st, error))
    return FALSE;
  StasisHookFile *file = g_new0 (StasisHookFile, 1);
  file->path = g_steal_pointer (&path);
  file->key = g_strdup (key);
  g_ptr_array_add (files, file);
  return TRUE;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* (transfer full) (element-type utf8): sorted by their octets, as libvirt does. */
static GPtrArray *
list_names (int folder, const char *path, GError **error)
{
  const int again = openat (folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = again >= 0 ? fdopendir (again) : NULL;
  if (dir == NULL)
    {
      stasis_throw_errno (error, _ ("cannot read '%s'"), path);
      return NULL;
    }
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    if (entry->d_name[0] != '.')
      g_ptr_array_add (names, g_strdup (entry->d_name));
  closedir (dir);
  g_ptr_array_sort (names, compare_names);
  return names;
}

static gboolean
add_more (GPtrArray *files, const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, MORE_FILES, NULL);
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_safe_open (path, O_PATH | O_DIRECTORY, &local);
  if (fd < 0)
    {
      if (is_missing (local))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_autoptr (GPtrArray) names = list_names (fd, path, error);
  if (names == NULL)
    return FALSE;
  const guint before = files->len;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autofree char *key = g_strconcat ("d.", name, NULL);
      if (!add_file (files, path, name, key, error))
        return FALSE;
    }
  return files->len == before || check_folder (fd, path, error);
}

/* Which hooks there are. */
GPtrArray *
stasis_hook_files (const char *folder, GError **error)
{
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (file_free);
  struct stat st;
  if (stat (folder, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
    return g_steal_pointer (&files);
  stasis_autofd int fd = stasis_safe_open (folder, O_PATH | O_DIRECTORY, error);
  if (fd < 0 || !add_file (files, folder, MAIN_FILE, MAIN_FILE, error)
      || !add_more (files, folder, error) || (files->len > 0 && !check_folder (fd, folder, error)))
    return NULL;
  return g_steal_pointer (&files);
}
