/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-volume.c: files for disks that are copied to this host
 *
 * Theory of operation
 *
 * A file that is there is taken, if it is of the disk's format and size (migrate-check-disks.c) and
 * there is nothing in it, or the user wants it overwritten; one that is missing is made, of the
 * format and size that the source tells.  What was made is the migration's until it has begun: the
 * journal notes which files these are before they have names, and who undoes the start of QEMU
 * removes them.  So one is removed only where the migration is revoked, and a file of somebody
 * else's never.  Block devices are taken as they are.
 */

#include "config.h"

#include "driver/migrate-volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/disk-empty.h"
#include "driver/overlay-file.h"
#include "util/atomic-file.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/safe-open.h"

#define MODE 0600 /* QEMU gets it by descriptor */

void
stasis_migrate_volume_free (StasisMigrateVolume *volume)
{
  if (volume == NULL)
    return;
  g_free (volume->target);
  g_free (volume->path);
  g_free (volume->format);
  g_free (volume->backing);
  g_free (volume->backing_format);
  g_free (volume);
}

static void
add (GPtrArray *volumes, const StasisMigrateDisk *source, const StasisDiskDef *disk,
     StasisMigrateFlags flags)
{
  StasisMigrateVolume *volume = g_new0 (StasisMigrateVolume, 1);
  volume->target = g_strdup (source->target);
  volume->path = g_strdup (disk->source);
  volume->format = g_strdup (source->format);
  volume->size = source->size;
  volume->may_overwrite = (flags & STASIS_MIGRATE_UNSAFE) != 0;
  volume->is_block = disk->type == STASIS_DISK_TYPE_BLOCK;
  if ((flags & STASIS_MIGRATE_COPY_STORAGE_INC) != 0 && source->backing != NULL)
    {
      volume->backing = g_strdup (source->backing);
      volume->backing_format = g_strdup (source->backing_format);
    }
  g_ptr_array_add (volumes, volume);
}

GPtrArray *
stasis_migrate_volumes_list (const StasisMigrateBegin *begin, const StasisDomainDef *def,
                             StasisMigrateFlags flags)
{
  GPtrArray *volumes = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_migrate_volume_free);
  for (guint i = 0; i < begin->disks->len; i++)
    {
      const StasisMigrateDisk *source = g_ptr_array_index (begin->disks, i);
      for (guint d = 0; source->is_copied && d < def->disks->len; d++)
        {
          const StasisDiskDef *disk = g_ptr_array_index (def->disks, d);
          if (disk->source != NULL && g_strcmp0 (disk->target, source->target) == 0)
            add (volumes, source, disk, flags);
        }
    }
  return volumes;
}

static gboolean
is_missing (const char *path, gboolean *out_is_missing, GError **error)
{
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_safe_open (path, O_RDONLY | O_NONBLOCK, &local);
  *out_is_missing = fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (fd >= 0 || *out_is_missing)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Nothing of it is written yet, and the space is not taken. */
static gboolean
fill (const StasisMigrateVolume *volume, int fd, GCancellable *cancellable, GError **error)
{
  if (volume->size == 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("'%1$s' is missing, and cannot be made: the source does not say how large it "
                      "is"),
                   volume->path);
      return FALSE;
    }
  if (g_str_equal (volume->format, "raw"))
    return ftruncate (fd, (off_t) volume->size) == 0
           || stasis_throw_errno (error, "'%s'", volume->path);
  if (!g_str_equal (volume->format, "qcow2"))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%1$s' is missing, and cannot be made: its format is '%2$s'"), volume->path,
                   volume->format);
      return FALSE;
    }
  g_autoptr (GBytes) octets = stasis_overlay_file_make (volume->backing, volume->backing_format,
                                                        volume->size, cancellable, error);
  if (octets == NULL)
    return FALSE;
  gsize size = 0;
  const void *data = g_bytes_get_data (octets, &size);
  return stasis_fd_write_exact (fd, data, size, error);
}

static gboolean
note (const StasisAtomicFile *file, const StasisMigrateVolume *volume, GPtrArray *overlays,
      GError **error)
{
  StasisJournalOverlay *overlay = g_new0 (StasisJournalOverlay, 1);
  overlay->path = g_strdup (volume->path);
  overlay->temp = g_strdup (stasis_atomic_file_temp_path (file));
  overlay->fdset = -1;
  g_ptr_array_add (overlays, overlay);
  return stasis_file_id_of_fd (stasis_atomic_file_fd (file), &overlay->file, error);
}

/* A file without a name, which is noted. */
static StasisAtomicFile *
make_one (const StasisMigrateVolume *volume, GPtrArray *overlays, GCancellable *cancellable,
          GError **error)
{
  const StasisFileId nobody = { 0 };
  g_autofree char *name = NULL;
  if (volume->is_block)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("block device '%s' is missing"),
                   volume->path);
      return NULL;
    }
  stasis_autofd int folder = stasis_safe_open_folder (volume->path, &name, error);
  g_autoptr (StasisAtomicFile) file
      = folder >= 0 ? stasis_atomic_file_begin_in (folder, volume->path, &nobody, MODE, error)
                    : NULL;
  if (file == NULL || !fill (volume, stasis_atomic_file_fd (file), cancellable, error)
      || !note (file, volume, overlays, error))
    return NULL;
  return g_steal_pointer (&file);
}

static void
free_file (gpointer file)
{
  stasis_atomic_file_free (file);
}

static gboolean
make_missing (const GPtrArray *volumes, GPtrArray *files, GPtrArray *overlays,
              GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < volumes->len; i++)
    {
      const StasisMigrateVolume *volume = g_ptr_array_index (volumes, i);
      gboolean missing = FALSE;
      StasisAtomicFile *file = NULL;
      /* It may have appeared since everything was checked. */
      if (!is_missing (volume->path, &missing, error)
          || (!missing && !volume->may_overwrite
              && !stasis_disk_check_empty (volume->path, volume->format, error))
          || (missing && (file = make_one (volume, overlays, cancellable, error)) == NULL))
        {
          g_prefix_error (error, _ ("disk '%s': "), volume->target);
          return FALSE;
        }
      if (file != NULL)
        g_ptr_array_add (files, file);
    }
  return TRUE;
}

/* All without names first, then the note, then the names. */
gboolean
stasis_migrate_volumes_make (StasisHold *hold, const GPtrArray *volumes, GCancellable *cancellable,
                             GError **error)
{
  StasisJournal *journal = &hold->status->journal;
  g_autoptr (GPtrArray) files = g_ptr_array_new_with_free_func (free_file);
  if (volumes->len == 0)
    return TRUE;
  journal->overlays = stasis_journal_overlays_new ();
  if (!make_missing (volumes, files, journal->overlays, cancellable, error)
      || !stasis_hold_write (hold, error) || !stasis_fault ("migrate-in-volumes-noted", error))
    return FALSE;
  for (guint i = 0; i < files->len; i++)
    if (!stasis_atomic_file_commit (g_ptr_array_index (files, i), NULL, error))
      return FALSE;
  return stasis_fault ("migrate-in-volumes", error);
}
