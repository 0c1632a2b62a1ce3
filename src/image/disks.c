/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.c: what the disks of a saved guest were, to notice when they have moved on
 *
 * A guest that goes on with a disk that is no longer the one it was saved with destroys it.  So a
 * restore compares size, time of change and the hash of the beginning (which tells one qcow2
 * overlay from another).  Device and inode are noted for people: they change with a reboot or a
 * copy that keeps everything that matters.
 */

#include "config.h"

#include "image/disks.h"

#include <inttypes.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <linux/fs.h>

#include "image/error.h"
#include "util/fd.h"
#include "util/hash.h"

#define OVERLAY_OCTETS (64u * 1024)
#define DISKS_MAX      4096u

static gboolean
read_size (StasisImageDisk *disk, int fd, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at disk '%s' ('%s')"), disk->target,
                               disk->path);

  disk->inode = st.st_ino;
  if (S_ISREG (st.st_mode))
    {
      disk->device = st.st_dev;
      disk->size = (guint64) st.st_size;
      disk->has_mtime = TRUE;
      disk->mtime_ns = (gint64) st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
      return TRUE;
    }
  disk->device = st.st_rdev;
  if (S_ISBLK (st.st_mode) && ioctl (fd, BLKGETSIZE64, &disk->size) == 0)
    return TRUE;

  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("disk '%1$s' ('%2$s') is neither a file nor a block device"), disk->target,
               disk->path);
  return FALSE;
}

static gboolean
read_overlay (StasisImageDisk *disk, int fd, GError **error)
{
  const gsize n = MIN (disk->size, OVERLAY_OCTETS);
  g_autofree guint8 *buffer = g_malloc (OVERLAY_OCTETS);
  if (!stasis_fd_pread_exact (fd, buffer, n, 0, error))
    {
      g_prefix_error (error, _ ("disk '%1$s' ('%2$s'): "), disk->target, disk->path);
      return FALSE;
    }

  const StasisHash hash = stasis_hash (buffer, n);
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < sizeof hash.octets; i++)
    g_string_append_printf (text, "%02x", hash.octets[i]);
  disk->overlay = g_string_free (text, FALSE);
  return TRUE;
}

/* Take note of a disk that is open as @fd. */
StasisImageDisk *
stasis_image_disk_new_from_fd (const char *target, const char *path, const char *format,
                               gboolean readonly, int fd, GError **error)
{
  g_autoptr (StasisImageDisk) disk = g_new0 (StasisImageDisk, 1);
  disk->target = g_strdup (target);
  disk->path = g_strdup (path);
  disk->format = g_strdup (format);
  disk->readonly = readonly;
  if (!read_size (disk, fd, error) || !read_overlay (disk, fd, error))
    return NULL;
  return g_steal_pointer (&disk);
}

static gboolean
throw_changed (const StasisImageDisk *disk, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("disk '%1$s' ('%2$s') has changed since the save: %3$s"), disk->target,
               disk->path, what);
  return FALSE;
}

static char *
format_time (gint64 time_ns)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (time_ns / 1000000000);
  g_autofree char *seconds = time == NULL ? NULL : g_date_time_format (time, "%F %T");
  return g_strdup_printf ("%s.%09d", seconds == NULL ? "?" : seconds, (int) (time_ns % 1000000000));
}

/* TRUE where the disk is as it was. */
gboolean
stasis_image_disk_compare (const StasisImageDisk *saved, const StasisImageDisk *now, GError **error)
{
  if (saved->size != now->size)
    {
      g_autofree char *what = g_strdup_printf (_ ("it had %1$" PRIu64 " octets and has %2$" PRIu64),
                                               saved->size, now->size);
      return throw_changed (saved, what, error);
    }
  if (saved->has_mtime && now->has_mtime && saved->mtime_ns != now->mtime_ns)
    {
      g_autofree char *then = format_time (saved->mtime_ns);
      g_autofree char *later = format_time (now->mtime_ns);
      g_autofree char *what
          = g_strdup_printf (_ ("it was last written at %1$s, then at %2$s"), then, later);
      return throw_changed (saved, what, error);
    }
  if (saved->overlay != NULL && g_strcmp0 (saved->overlay, now->overlay) != 0)
    return throw_changed (saved, _ ("it begins differently, so it is another disk"), error);
  return TRUE;
}

static StasisJson *
disk_to_json (const StasisImageDisk *disk)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "target", disk->target);
  stasis_json_set_string (object, "path", disk->path);
  stasis_json_set_boolean (object, "readonly", disk->readonly);
  stasis_json_set_string (object, "format", disk->format);
  stasis_json_set_uint (object, "device", disk->device);
  stasis_json_set_uint (object, "inode", disk->inode);
  stasis_json_set_uint (object, "size", disk->size);
  if (disk->has_mtime)
    stasis_json_set_int (object, "mtime-ns", disk->mtime_ns);
  if (disk->overlay != NULL)
    stasis_json_set_string (object, "overlay", disk->overlay);
  if (disk->is_snapshot)
    stasis_json_set_boolean (object, "snapshot", TRUE);
  return object;
}

static StasisJson *
list_to_json (const GPtrArray *disks)
{
  StasisJson *list = stasis_json_new_array ();
  for (guint i = 0; i < disks->len; i++)
    stasis_json_array_append (list, disk_to_json (g_ptr_array_index (disks, i)));
  return list;
}

/* The DISKS record. */
StasisJson *
stasis_image_disks_to_json (const GPtrArray *disks)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set (object, "disks", list_to_json (disks));
  return object;
}

/* And what they rest on. */
void
stasis_image_disks_set_bases (StasisJson *json, const GPtrArray *bases)
{
  if (bases->len > 0)
    stasis_json_set (json, "bases", list_to_json (bases));
}

static StasisImageDisk *
disk_from_json (const StasisJson *object, GError **error)
{
  const char *target, *path, *format;
  guint64 size;
  gboolean readonly;
  if (!stasis_json_need_string (object, "target", &target, error)
      || !stasis_json_need_string (object, "path", &path, error)
      || !stasis_json_need_string (object, "format", &format, error)
      || !stasis_json_need_boolean (object, "readonly", &readonly, error)
      || !stasis_json_need_uint (object, "size", &size, error))
    return NULL;

  const StasisJson *mtime = stasis_json_get (object, "mtime-ns");
  StasisImageDisk *disk = g_new0 (StasisImageDisk, 1);
  disk->target = g_strdup (target);
  disk->path = g_strdup (path);
  disk->format = g_strdup (format);
  disk->readonly = readonly;
  disk->size = size;
  disk->device = stasis_json_uint (stasis_json_get (object, "device"), 0);
  disk->inode = stasis_json_uint (stasis_json_get (object, "inode"), 0);
  disk->has_mtime = mtime != NULL && stasis_json_kind (mtime) == STASIS_JSON_INTEGER;
  disk->mtime_ns = stasis_json_int (mtime, 0);
  disk->overlay = g_strdup (stasis_json_string (stasis_json_get (object, "overlay"), NULL));
  disk->is_snapshot = stasis_json_boolean (stasis_json_get (object, "snapshot"), FALSE);
  return disk;
}

static void
free_disk (gpointer disk)
{
  stasis_image_disk_free (disk);
}

static GPtrArray *
list_from_json (const StasisJson *json, const char *key, GError **error)
{
  const StasisJson *list = stasis_json_get (json, key);
  if (list == NULL || stasis_json_kind (list) != STASIS_JSON_ARRAY
      || stasis_json_array_length (list) > DISKS_MAX)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("member '%1$s' is missing, no array, or too long"), key);
      return NULL;
    }

  g_autoptr (GPtrArray) disks = g_ptr_array_new_with_free_func (free_disk);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      StasisImageDisk *disk = disk_from_json (stasis_json_array_get (list, i), error);
      if (disk == NULL)
        {
          g_prefix_error (error, _ ("disk %1$u: "), i);
          return NULL;
        }
      g_ptr_array_add (disks, disk);
    }
  return g_steal_pointer (&disks);
}

/* The disks of a DISKS record: a GPtrArray that owns them. */
GPtrArray *
stasis_image_disks_from_json (const StasisJson *json, GError **error)
{
  return list_from_json (json, "disks", error);
}

/* What they rest on. */
GPtrArray *
stasis_image_disks_bases_from_json (const StasisJson *json, GError **error)
{
  return stasis_json_get (json, "bases") != NULL ? list_from_json (json, "bases", error)
                                                 : g_ptr_array_new_with_free_func (free_disk);
}

/* Whether there is one that is kept as it was. */
gboolean
stasis_image_disks_any_snapshot (const StasisJson *json)
{
  g_autoptr (GPtrArray) disks = json != NULL ? stasis_image_disks_from_json (json, NULL) : NULL;
  for (guint i = 0; disks != NULL && i < disks->len; i++)
    if (((const StasisImageDisk *) g_ptr_array_index (disks, i))->is_snapshot)
      return TRUE;
  return FALSE;
}

/* NULL is fine. */
void
stasis_image_disk_free (StasisImageDisk *disk)
{
  if (disk == NULL)
    return;

  g_free (disk->target);
  g_free (disk->path);
  g_free (disk->format);
  g_free (disk->overlay);
  g_free (disk);
}
