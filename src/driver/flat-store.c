/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-store.c: the flat files of images, for emulators that cannot map memory from within one
 *
 * Theory of operation
 *
 * LIB/flat/HOST/DEVICE-INODE.flat is the memory of the image with that device and inode
 * (image/flat.h).  Its note says which path, size and change time the image had: one that is
 * different by now has no flat file.  It is made once, for whoever comes, and can be made again at
 * any time; so it may be removed at any time.
 *
 * It is written without a name and gets it when it is complete and synced.  Who makes one has the
 * lock RUN/flat.lock: of two that want the same the second finds it.  Who uses one has a shared
 * lock on the file itself, by an open file description, which QEMU inherits.  Nobody writes to one
 * again: it is read-only even to its owner, and QEMU has no way to write to it either
 * (memory-image.c, preload/read-only.c).
 *
 * The image is read and verified once more for it, by a descriptor of our own: the one that the
 * restore has may still have to be read.
 */

#include "config.h"

#include "driver/flat-store.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/marks.h"
#include "driver/memory-image.h"
#include "image/verify.h"
#include "image/view.h"
#include "util/atomic-file.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/json-path.h"
#include "util/lock.h"

#define NOTE_IMAGE   "image"
#define NOTE_KEY     "key"
#define NOTE_VERSION "version"
#define NOTE_BLOCK   "block"

#define MIB     (G_GUINT64_CONSTANT (1) << 20)
#define RESERVE (16 * MIB) /* of the file system's room, for its own needs and others' */

/* NULL is fine. */
void
stasis_flat_file_free (StasisFlatFile *file)
{
  if (file == NULL)
    return;
  stasis_flat_free (file->flat);
  stasis_fd_clear (&file->fd);
  g_free (file->path);
  g_free (file->image);
  g_free (file);
}

static gboolean
look_at_image (const StasisFlatRequest *request, struct stat *st)
{
  return fstat (stasis_image_input_fd (request->input), st) == 0;
}

static char *
path_of (const StasisFlatRequest *request, const struct stat *st)
{
  g_autofree char *key = stasis_mark_key (st);
  return stasis_paths_flat (request->paths, key);
}

static char *
make_note (const StasisFlatRequest *request, const struct stat *st)
{
  const StasisImageInput *input = request->input;
  const StasisFileId id = { st->st_dev, st->st_ino };
  g_autoptr (StasisJson) note = stasis_json_new_object ();
  g_autofree char *path = stasis_memory_image_path (stasis_image_input_fd (input),
                                                    stasis_image_input_name (input), &id);
  g_autofree char *key = stasis_mark_key (st);
  g_autofree char *version = stasis_mark_version (st);
  stasis_json_set_path (note, NOTE_IMAGE, path);
  stasis_json_set_string (note, NOTE_KEY, key);
  stasis_json_set_string (note, NOTE_VERSION, version);
  stasis_json_set_string (note, NOTE_BLOCK, request->block);
  return stasis_json_to_string (note);
}

/* TRUE where the note is of that very file, untouched. */
static gboolean
is_of (const StasisJson *note, const struct stat *st)
{
  g_autofree char *key = stasis_mark_key (st);
  g_autofree char *version = stasis_mark_version (st);
  return g_str_equal (stasis_json_string (stasis_json_get (note, NOTE_KEY), ""), key)
         && g_str_equal (stasis_json_string (stasis_json_get (note, NOTE_VERSION), ""), version);
}

/* Ours, and still there under that name. */
static gboolean
lock_file (int fd, const char *path)
{
  struct stat st, there;
  return stasis_lock_share (fd, NULL) && fstat (fd, &st) == 0 && S_ISREG (st.st_mode)
         && st.st_uid == geteuid () && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0
         && stat (path, &there) == 0 && there.st_dev == st.st_dev && there.st_ino == st.st_ino;
}

static StasisFlatFile *
open_file (char *path_take)
{
  g_autoptr (StasisFlatFile) file = g_new0 (StasisFlatFile, 1);
  g_autoptr (GError) error = NULL;
  file->path = path_take;
  file->fd = stasis_fd_open (file->path, O_RDONLY | O_NOFOLLOW, 0, NULL);
  if (file->fd < 0 || !lock_file (file->fd, file->path))
    return NULL;
  file->flat = stasis_flat_open (file->fd, &error);
  if (file->flat != NULL)
    return g_steal_pointer (&file);
  g_debug ("'%s': %s", file->path, error->message);
  return NULL;
}

/* The one of the image as it is now. */
StasisFlatFile *
stasis_flat_store_find (const StasisFlatRequest *request)
{
  struct stat st;
  if (!look_at_image (request, &st))
    return NULL;
  g_autoptr (StasisFlatFile) file = open_file (path_of (request, &st));
  if (file == NULL)
    return NULL;
  g_autoptr (StasisJson) note = stasis_json_parse (stasis_flat_note (file->flat), -1, NULL);
  if (note == NULL || !is_of (note, &st) || stasis_flat_length (file->flat) != request->length
      || !g_str_equal (stasis_json_string (stasis_json_get (note, NOTE_BLOCK), ""), request->block))
    return NULL;
  file->image = stasis_json_dup_path (note, NOTE_IMAGE);
  return file->image != NULL ? g_steal_pointer (&file) : NULL;
}

/* All of it at the most; what is zero will be holes. */
static gboolean
check_room (const StasisFlatRequest *request, const char *folder, GError **error)
{
  struct statvfs fs;
  if (statvfs (folder, &fs) < 0)
    return stasis_throw_errno (error, "'%s'", folder);
  const guint64 room = (guint64) fs.f_bavail * fs.f_frsize;
  const guint64 stream = stasis_image_stream_length (stasis_image_input_ours (request->input));
  const guint64 needed = MIN (stream, request->length + STASIS_IMAGE_VIEW_MAX) + RESERVE;
  if (needed <= room)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("a flat file of the memory may need %1$" G_GUINT64_FORMAT " MiB in '%2$s', where "
                  "%3$" G_GUINT64_FORMAT " MiB are free"),
               (needed + MIB - 1) / MIB, folder, room / MIB);
  return FALSE;
}

static gboolean
check_folder (const char *folder, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (folder, O_PATH | O_DIRECTORY, 0, error);
  if (fd < 0)
    return FALSE;
  if (!stasis_memory_image_is_in_memory (fd))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("no flat file in '%s': that file system is in memory, where holes that are read "
                  "fill up"),
               folder);
  return FALSE;
}

/* The image as another reader sees it. */
static StasisImageInput *
reopen (const StasisFlatRequest *request, GCancellable *cancellable, GError **error)
{
  g_autofree char *path
      = g_strdup_printf ("/proc/self/fd/%d", stasis_image_input_fd (request->input));
  const int fd = stasis_fd_open (path, O_RDONLY, 0, error);
  return fd < 0 ? NULL
                : stasis_image_input_open (fd, stasis_image_input_name (request->input),
                                           cancellable, error);
}

/* Verify all of the image, and have its memory in the file. */
static gboolean
write_file (const StasisFlatRequest *request, const char *note, int fd, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (StasisImageInput) input = reopen (request, cancellable, error);
  if (input == NULL
      || !stasis_image_verify (stasis_image_input_ours (input), STASIS_IMAGE_VERIFY_AROUND, 0, NULL,
                               NULL, cancellable, error))
    return FALSE;
  StasisFlatSource source = {
    .in = stasis_image_input_stream (input, cancellable, error),
    .block = request->block,
    .length = request->length,
    .note = note,
    .progress = request->progress,
    .progress_data = request->progress_data,
  };
  return source.in != NULL && stasis_flat_write (&source, fd, cancellable, error);
}

static gboolean
check_unchanged (const StasisFlatRequest *request, const struct stat *before, GError **error)
{
  struct stat now = { 0 };
  g_autofree char *old = stasis_mark_version (before);
  look_at_image (request, &now);
  g_autofree char *new = stasis_mark_version (&now);
  if (g_str_equal (old, new))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("'%s' was changed while it was read"),
               stasis_image_input_name (request->input));
  return FALSE;
}

/* With the lock. */
static gboolean
make_file (const StasisFlatRequest *request, const struct stat *st, GCancellable *cancellable,
           GError **error)
{
  gboolean is_renamed;
  g_autofree char *path = path_of (request, st);
  g_autofree char *note = make_note (request, st);
  g_autofree char *folder = g_path_get_dirname (path);
  if (!check_folder (folder, error) || !check_room (request, folder, error))
    return FALSE;
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (path, 0400, error);
  if (file == NULL || !stasis_fault ("flat-begun", error)
      || !write_file (request, note, stasis_atomic_file_fd (file), cancellable, error)
      || !stasis_fault ("flat-written", error) || !check_unchanged (request, st, error)
      || !stasis_atomic_file_commit (file, &is_renamed, error))
    return FALSE;
  stasis_mark_verified_since (request->paths, stasis_image_input_fd (request->input), st);
  return TRUE;
}

static char *
lock_path (const StasisPaths *paths)
{
  return g_build_filename (paths->run, "flat.lock", NULL);
}

static StasisLock *
take_lock (const StasisPaths *paths, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = lock_path (paths);
  g_autofree char *folder = stasis_paths_flats (paths);
  if (!stasis_paths_make (paths->run, error) || !stasis_paths_make (folder, error))
    return NULL;
  return stasis_lock_take_within (path, INT_MAX, NULL, NULL, cancellable, error);
}

/* Make it, unless it is there. */
StasisFlatFile *
stasis_flat_store_make (const StasisFlatRequest *request, GCancellable *cancellable, GError **error)
{
  struct stat st;
  g_autoptr (StasisLock) lock = take_lock (request->paths, cancellable, error);
  if (lock == NULL)
    return NULL;
  StasisFlatFile *file = stasis_flat_store_find (request);
  if (file != NULL)
    return file;
  if (!look_at_image (request, &st))
    {
      stasis_throw_errno (error, "'%s'", stasis_image_input_name (request->input));
      return NULL;
    }
  if (!make_file (request, &st, cancellable, error))
    return NULL;
  file = stasis_flat_store_find (request);
  if (file != NULL)
    stasis_mark_verified (request->paths, file->fd);
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                         _ ("the flat file is not there any more, or the image is another"));
  return file;
}

/* Its name, if it is still its own. */
void
stasis_flat_file_remove (const StasisFlatFile *file)
{
  struct stat own, there;
  if (fstat (file->fd, &own) == 0 && lstat (file->path, &there) == 0 && own.st_dev == there.st_dev
      && own.st_ino == there.st_ino)
    unlink (file->path);
}

/* TRUE where the image that it was made of lies where it lay, as it was. */
static gboolean
is_wanted (int fd)
{
  struct stat st;
  g_autofree char *text = stasis_flat_read_note (fd);
  g_autoptr (StasisJson) note = text != NULL ? stasis_json_parse (text, -1, NULL) : NULL;
  g_autofree char *image = note != NULL ? stasis_json_dup_path (note, NOTE_IMAGE) : NULL;
  return image != NULL && stat (image, &st) == 0 && is_of (note, &st);
}

static void
sweep_one (const char *path)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
  if (fd < 0 || is_wanted (fd) || stasis_lock_is_shared (fd))
    return;
  g_debug ("'%s' is of no image any more", path);
  unlink (path);
}

/* A file system without unnamed files: what a dead process was writing has a hidden name.  The lock
 * says that nobody is at it. */
static void
sweep_unfinished (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (*name == '.' && strstr (name, STASIS_FLAT_SUFFIX) != NULL)
      {
        g_autofree char *path = g_build_filename (folder, name, NULL);
        unlink (path);
      }
}

/* What nobody wants any more. */
void
stasis_flat_store_sweep (const StasisPaths *paths)
{
  g_autofree char *folder = stasis_paths_flats (paths);
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR) || !stasis_paths_make (paths->run, NULL))
    return;
  g_autofree char *lock_file = lock_path (paths);
  g_autoptr (StasisLock) lock = stasis_lock_take (lock_file, /* wait= */ FALSE, NULL);
  if (lock == NULL)
    return;
  g_autoptr (GPtrArray) names = stasis_paths_names (folder, STASIS_FLAT_SUFFIX, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autofree char *path = stasis_paths_flat (paths, g_ptr_array_index (names, i));
      sweep_one (path);
    }
  sweep_unfinished (folder);
}
