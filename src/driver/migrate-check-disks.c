/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check-disks.c: are a guest's disks here, or is there room for copies?
 */

#include "config.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/disk-chain.h"
#include "driver/disk-empty.h"
#include "driver/error.h"
#include "driver/migrate-check.h"
#include "driver/migrate-disk.h"
#include "driver/migrate-host.h"
#include "util/fd.h"

#define SIZE_FORMAT "%" G_GUINT64_FORMAT

typedef struct
{
  const StasisMigrateCheck *check; /* (borrowed) */
  gboolean is_same_host;
  GHashTable *wanted; /* (owned) device (guint64) -> octets (guint64) of all copies on it */
} Disks;

static const StasisDiskDef *
find_disk (const StasisDomainDef *def, const char *target)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (g_strcmp0 (disk->target, target) == 0 && disk->source != NULL)
        return disk;
    }
  return NULL;
}

static gboolean
check_form (const StasisMigrateDisk *source, const StasisMigrateDisk *here, GError **error)
{
  if (!g_str_equal (source->format, here->format))
    return stasis_throw_refused (
        error, _ ("'%1$s' is of the format '%2$s' here, and of '%3$s' at the source"), here->path,
        here->format, source->format);
  if (source->size == 0 || here->size == 0 || source->size == here->size)
    return TRUE;
  g_autofree char *here_size = g_strdup_printf (SIZE_FORMAT, here->size);
  g_autofree char *source_size = g_strdup_printf (SIZE_FORMAT, source->size);
  return stasis_throw_refused (error, _ ("'%1$s' has %2$s octets here, and %3$s at the source"),
                               here->path, here_size, source_size);
}

/* It stays where it is. */
static void
check_there (const Disks *disks, const char *what, const StasisMigrateDisk *source,
             const StasisDiskDef *disk, GPtrArray *findings)
{
  GError *error = NULL;
  const gboolean is_unsafe = (disks->check->flags & STASIS_MIGRATE_UNSAFE) != 0;
  g_autoptr (StasisMigrateDisk) here = stasis_migrate_disk_describe (disk, &error);
  if (here == NULL || !check_form (source, here, &error) || !source->is_writable)
    {
      stasis_migrate_findings_add (findings, what, error);
      return;
    }
  const StasisMigrateSameness sameness
      = stasis_migrate_disk_compare (source, here, disks->is_same_host);
  if (sameness == STASIS_MIGRATE_DISK_UNCERTAIN)
    stasis_migrate_findings_warn (
        findings, what,
        g_strdup_printf (_ ("it cannot be told whether '%s' is the source's"), here->path));
  else if (sameness == STASIS_MIGRATE_DISK_OTHER && !is_unsafe)
    {
      stasis_throw_refused (&error,
                            _ ("'%s' is another file than the source's; --copy-storage-all copies "
                               "it, --unsafe takes what is here"),
                            here->path);
      stasis_migrate_findings_add (findings, what, error);
    }
  else
    stasis_migrate_findings_add (findings, what, NULL);
}

/* So much more is to be written to this device. */
static guint64
add_wanted (const Disks *disks, guint64 device, guint64 octets)
{
  guint64 *sum = g_hash_table_lookup (disks->wanted, &device);
  if (sum == NULL)
    {
      sum = g_new0 (guint64, 1);
      g_hash_table_insert (disks->wanted, g_memdup2 (&device, sizeof device), sum);
    }
  *sum = octets > G_MAXUINT64 - *sum ? G_MAXUINT64 : *sum + octets;
  return *sum;
}

static gboolean
check_room (const Disks *disks, const StasisMigrateDisk *source, const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  struct stat st;
  struct statvfs fs;
  if (stat (folder, &st) < 0 || statvfs (folder, &fs) < 0)
    return stasis_throw_errno (error, _ ("the folder of '%s'"), path);
  if (!S_ISDIR (st.st_mode) || access (folder, W_OK) < 0)
    return stasis_throw_refused (error, _ ("nothing can be written in '%s'"), folder);
  /* Of an incremental copy nobody knows how much it will be. */
  const gboolean is_partial = (disks->check->flags & STASIS_MIGRATE_COPY_STORAGE_INC) != 0;
  const guint64 wanted = add_wanted (disks, st.st_dev, is_partial ? 0 : source->size);
  const guint64 room = (guint64) fs.f_bavail * fs.f_frsize;
  if (wanted <= room)
    return TRUE;
  g_autofree char *wanted_size = g_format_size_full (wanted, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *room_size = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  return stasis_throw_refused (error,
                               _ ("copies in '%1$s' may come to %2$s, and there is room for %3$s"),
                               folder, wanted_size, room_size);
}

/* What a copy of the top of a disk is to rest on is not copied. */
static gboolean
check_backing (const Disks *disks, const StasisMigrateDisk *source, GError **error)
{
  if (source->backing == NULL || (disks->check->flags & STASIS_MIGRATE_COPY_STORAGE_INC) == 0)
    return TRUE;
  g_autoptr (GPtrArray) below
      = stasis_disk_chain_read (source->backing, source->backing_format, error);
  if (below != NULL && access (source->backing, R_OK) == 0)
    return TRUE;
  if (below != NULL)
    stasis_throw_errno (error, "'%s'", source->backing);
  g_prefix_error (error, _ ("what a copy of the top alone (--copy-storage-inc) rests on: "));
  return FALSE;
}

/* What is in it would be lost, also where the migration fails. */
static gboolean
check_contents (const Disks *disks, const StasisMigrateDisk *here, GError **error)
{
  if ((disks->check->flags & STASIS_MIGRATE_UNSAFE) != 0
      || stasis_disk_check_empty (here->path, here->format, error))
    return TRUE;
  g_prefix_error (error, _ ("--unsafe overwrites it: "));
  return FALSE;
}

/* The source says that it copies it; the user's definition may have made another kind of disk of
 * it. */
static gboolean
check_kind (const StasisDiskDef *disk, GError **error)
{
  const char *reason = stasis_migrate_disk_why_not (disk);
  return reason == NULL || stasis_throw_refused (error, _ ("it cannot be copied: %s"), reason);
}

/* Not a device: a file by its name would be lost at the next boot. */
static gboolean
check_missing (const Disks *disks, const StasisMigrateDisk *source, const StasisDiskDef *disk,
               GError **error)
{
  if (disk->type == STASIS_DISK_TYPE_BLOCK)
    return stasis_throw_refused (
        error, _ ("block device '%s' is missing: only files are made for copies"), disk->source);
  return check_backing (disks, source, error) && check_room (disks, source, disk->source, error);
}

/* A file or device that is there already may be what a copy goes into, but not the source's own. */
static gboolean
check_copy (const Disks *disks, const StasisMigrateDisk *source, const StasisDiskDef *disk,
            GError **error)
{
  g_autoptr (GError) local = NULL;
  if (!check_kind (disk, error))
    return FALSE;
  g_autoptr (StasisMigrateDisk) here = stasis_migrate_disk_describe (disk, &local);
  if (here == NULL && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return check_missing (disks, source, disk, error);
  if (here == NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (stasis_migrate_disk_compare (source, here, disks->is_same_host) == STASIS_MIGRATE_DISK_SAME)
    return stasis_throw_refused (
        error, _ ("'%s' is the source's own file, and cannot be copied onto itself"), here->path);
  return check_form (source, here, error) && check_contents (disks, here, error)
         && (here->fs_type == NULL || check_room (disks, source, disk->source, error));
}

static void
check_one (const Disks *disks, const StasisMigrateDisk *source, GPtrArray *findings)
{
  GError *error = NULL;
  g_autofree char *what = g_strdup_printf (_ ("disk '%s'"), source->target);
  const StasisDiskDef *disk = find_disk (disks->check->wanted, source->target);
  if (disk != NULL && !source->is_copied)
    {
      check_there (disks, what, source, disk, findings);
      return;
    }
  if (disk == NULL)
    stasis_throw_refused (&error, _ ("it is missing from the definition, or has no file there"));
  else
    check_copy (disks, source, disk, &error);
  stasis_migrate_findings_add (findings, what, error);
}

/* All that the source has. */
void
stasis_migrate_check_disks (const StasisMigrateCheck *check, GPtrArray *findings)
{
  g_auto (StasisMigrateHost) host = { 0 };
  stasis_migrate_host_fill (&host, check->driver->paths);
  g_autoptr (GHashTable) wanted
      = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  const Disks disks = { check, stasis_migrate_host_is_same (&check->begin->source, &host), wanted };
  for (guint i = 0; i < check->begin->disks->len; i++)
    check_one (&disks, g_ptr_array_index (check->begin->disks, i), findings);
}
