/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * marks.c: what this host remembers of save images
 *
 * Small files under LIB/marks.  The stamp's change time (ctime) is the kernel's: no user can set
 * it back, so a file that was written to since has another one.  Damage below the file system
 * does not change it: that is what verification in spite of the stamp is for.
 *
 * Nobody tells us when an image has gone.  So whoever writes a mark looks whether there are too
 * many of its kind, and drops the oldest: of stamps soon, for a lost one costs a verification; of
 * marks "resumed" only where they are far more than there can be images, for a lost one is a guest
 * that may be resumed twice.
 */

#include "config.h"

#include "driver/marks.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/atomic-file.h"

#define VERIFIED_MAX 4096u
#define RESUMED_MAX  65536u

/* Which file it is. */
char *
stasis_mark_key (const struct stat *st)
{
  return g_strdup_printf ("%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", (guint64) st->st_dev,
                          (guint64) st->st_ino);
}

static char *
stamp_path (const StasisPaths *paths, const struct stat *st)
{
  g_autofree char *key = stasis_mark_key (st);
  return stasis_paths_mark (paths, "verified", key);
}

/* What it is like. */
char *
stasis_mark_version (const struct stat *st)
{
  return g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GINT64_FORMAT ".%09ld\n",
                          (guint64) st->st_size, (gint64) st->st_ctim.tv_sec,
                          (long) st->st_ctim.tv_nsec);
}

static guint
count_marks (DIR *dir)
{
  guint count = 0;
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    if (entry->d_name[0] != '.')
      count++;
  return count;
}

typedef struct
{
  char *name; /* (owned) */
  struct timespec written;
} Mark;

static void
mark_clear (gpointer data)
{
  Mark *mark = data;
  g_free (mark->name);
}

static int
compare_marks (gconstpointer a, gconstpointer b)
{
  const struct timespec *x = &((const Mark *) a)->written;
  const struct timespec *y = &((const Mark *) b)->written;
  if (x->tv_sec != y->tv_sec)
    return x->tv_sec < y->tv_sec ? -1 : 1;
  return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

static GArray *
list_marks (DIR *dir)
{
  GArray *marks = g_array_new (FALSE, FALSE, sizeof (Mark));
  g_array_set_clear_func (marks, mark_clear);
  const struct dirent *entry;
  while ((entry = readdir (dir)) != NULL)
    {
      struct stat st;
      if (entry->d_name[0] == '.'
          || fstatat (dirfd (dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        continue;
      const Mark mark = { g_strdup (entry->d_name), st.st_mtim };
      g_array_append_val (marks, mark);
    }
  return marks;
}

/* Where there are more than @max, drop the oldest quarter of them. */
static void
prune (const char *folder, guint max)
{
  DIR *dir = opendir (folder);
  if (dir == NULL)
    return;
  if (count_marks (dir) > max)
    {
      rewinddir (dir);
      g_autoptr (GArray) marks = list_marks (dir);
      g_array_sort (marks, compare_marks);
      for (guint i = 0; i + max - max / 4 < marks->len; i++)
        unlinkat (dirfd (dir), g_array_index (marks, Mark, i).name, 0);
    }
  closedir (dir);
}

static gboolean
write_mark (const char *path, const char *text, guint max, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (!stasis_paths_make (folder, error)
      || !stasis_atomic_file_write (path, text, strlen (text), 0600, error))
    return FALSE;
  prune (folder, max);
  return TRUE;
}

static void
write_stamp (const StasisPaths *paths, const struct stat *st)
{
  g_autofree char *path = stamp_path (paths, st);
  g_autofree char *text = stasis_mark_version (st);
  g_autoptr (GError) error = NULL;
  if (!write_mark (path, text, VERIFIED_MAX, &error))
    g_debug ("no verification stamp: %s", error->message);
}

/* This file is good as it is now. */
void
stasis_mark_verified (const StasisPaths *paths, int fd)
{
  struct stat st;
  if (fstat (fd, &st) == 0)
    write_stamp (paths, &st);
}

/* What a file is before it is verified; all zero, which no file is, where that cannot be told. */
void
stasis_mark_begin (int fd, struct stat *out_before)
{
  if (fstat (fd, out_before) < 0)
    *out_before = (struct stat){ 0 };
}

/* The file was good as it was read, and nobody wrote to it meanwhile.  What is stamped is what
 * was there before: a write after this look makes the stamp void like any later one. */
void
stasis_mark_verified_since (const StasisPaths *paths, int fd, const struct stat *before)
{
  struct stat now;
  if (fstat (fd, &now) < 0 || now.st_dev != before->st_dev || now.st_ino != before->st_ino)
    return;
  g_autofree char *then_text = stasis_mark_version (before);
  g_autofree char *now_text = stasis_mark_version (&now);
  if (g_str_equal (then_text, now_text))
    write_stamp (paths, before);
}

/* Where that is noted, for who may find it untrue. */
char *
stasis_mark_verified_path (const StasisPaths *paths, int fd)
{
  struct stat st;
  return fstat (fd, &st) == 0 ? stamp_path (paths, &st) : NULL;
}

/* TRUE where it was good and has not been touched since. */
gboolean
stasis_mark_is_verified (const StasisPaths *paths, int fd)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return FALSE;
  g_autofree char *path = stamp_path (paths, &st);
  g_autofree char *text = stasis_mark_version (&st);
  g_autofree char *kept = NULL;
  return g_file_get_contents (path, &kept, NULL, NULL) && g_str_equal (kept, text);
}

/* Where that is noted, for a journal that may have to take it back. */
char *
stasis_mark_resumed_path (const StasisPaths *paths, const StasisImage *image)
{
  const guint8 *uuid = stasis_image_uuid (image);
  char key[2 * STASIS_IMAGE_UUID_SIZE + 1];
  for (guint i = 0; i < STASIS_IMAGE_UUID_SIZE; i++)
    g_snprintf (key + 2 * i, 3, "%02x", uuid[i]);
  return stasis_paths_mark (paths, "resumed", key);
}

/* A guest goes on from this image from now. */
gboolean
stasis_mark_resumed (const StasisPaths *paths, const StasisImage *image, GError **error)
{
  g_autofree char *path = stasis_mark_resumed_path (paths, image);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *when = g_date_time_format_iso8601 (now);
  g_autofree char *text = g_strdup_printf ("%s %s\n", when, stasis_image_name (image));
  return write_mark (path, text, RESUMED_MAX, error);
}

gboolean
stasis_mark_is_resumed (const StasisPaths *paths, const StasisImage *image)
{
  g_autofree char *path = stasis_mark_resumed_path (paths, image);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* The guest did not go on after all. */
void
stasis_mark_clear_resumed (const StasisPaths *paths, const StasisImage *image)
{
  g_autofree char *path = stasis_mark_resumed_path (paths, image);
  unlink (path);
}
