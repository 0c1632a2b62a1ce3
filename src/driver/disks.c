/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.c: the disks of a domain at the moment of a save or restore
 *
 * A guest that goes on from saved memory must find its disks as it left them, or its file
 * systems break.  So the image notes identity, size, time of change and head of every disk, and
 * restore compares (docs/save-image.md, "DISKS").
 */

#include "config.h"

#include "driver/disks.h"

#include <fcntl.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/disk-chain.h"
#include "util/fd.h"
#include "util/safe-open.h"

static StasisImageDisk *
describe (const StasisDiskDef *disk, GError **error)
{
  stasis_autofd int fd = stasis_safe_open (disk->source, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0)
    {
      g_prefix_error (error, _ ("disk '%s': "), disk->target);
      return NULL;
    }
  const char *format = stasis_disk_format_names[disk->format];
  return stasis_image_disk_new_from_fd (
      disk->target, disk->source, *format != '\0' ? format : "raw", disk->readonly, fd, error);
}

/* A cdrom with an open tray is empty to the guest. */
static gboolean
has_medium (const StasisDiskDef *disk)
{
  return disk->source != NULL && g_strcmp0 (disk->tray, "open") != 0;
}

static gboolean
is_readonly (const StasisDiskDef *disk)
{
  return disk->readonly || disk->device == STASIS_DISK_DEVICE_CDROM;
}

static void
free_disk (gpointer disk)
{
  stasis_image_disk_free (disk);
}

/* Note what each disk with a medium is now. */
GPtrArray *
stasis_disks_describe (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GPtrArray) disks = g_ptr_array_new_with_free_func (free_disk);
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (!has_medium (disk))
        continue;
      g_autoptr (GError) local = NULL;
      StasisImageDisk *described = describe (disk, &local);
      if (described != NULL)
        g_ptr_array_add (disks, described);
      /* QEMU still has a medium open whose name has gone.  The guest cannot have changed it, so
       * a restore needs nothing to compare, and a save does not fail for that. */
      else if (is_readonly (disk))
        g_debug ("not noted: %s", local->message);
      else
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
    }
  return g_steal_pointer (&disks);
}

static const StasisDiskDef *
find_disk (const StasisDomainDef *def, const char *target)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (g_strcmp0 (disk->target, target) == 0)
        return disk;
    }
  return NULL;
}

/* What one of them rests on. */
gboolean
stasis_disks_describe_chain (const StasisDiskDef *disk, GPtrArray *bases, GError **error)
{
  const char *format = stasis_disk_format_names[disk->format];
  g_autoptr (GPtrArray) chain = stasis_disk_chain_read (disk->source, format, error);
  for (guint i = 0; chain != NULL && i < chain->len; i++)
    {
      const StasisDiskLink *link = g_ptr_array_index (chain, i);
      stasis_autofd int fd = stasis_safe_open (link->path, O_RDONLY | O_NONBLOCK, error);
      StasisImageDisk *base = fd >= 0 ? stasis_image_disk_new_from_fd (
                                  disk->target, link->path, link->format, FALSE, fd, error)
                                      : NULL;
      if (base == NULL)
        return FALSE;
      g_ptr_array_add (bases, base);
    }
  return chain != NULL;
}

/* Note what those rest on that are snapshots. */
GPtrArray *
stasis_disks_describe_bases (const StasisDomainDef *def, const GPtrArray *disks, GError **error)
{
  g_autoptr (GPtrArray) bases = g_ptr_array_new_with_free_func (free_disk);
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisImageDisk *disk = g_ptr_array_index (disks, i);
      const StasisDiskDef *own = disk->is_snapshot ? find_disk (def, disk->target) : NULL;
      if (own != NULL && !stasis_disks_describe_chain (own, bases, error))
        return NULL;
    }
  return g_steal_pointer (&bases);
}

static gboolean
check (const StasisImageDisk *saved, const StasisDomainDef *def, GError **error)
{
  const StasisDiskDef *disk = find_disk (def, saved->target);
  if (disk == NULL || disk->source == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
                   _ ("disk '%1$s' ('%2$s') is missing from the definition"), saved->target,
                   saved->path);
      return FALSE;
    }
  if (saved->readonly && !has_medium (disk))
    return TRUE;
  g_autoptr (StasisImageDisk) now = describe (disk, error);
  if (now == NULL)
    return FALSE;
  g_autoptr (GError) local = NULL;
  if (saved->readonly || stasis_image_disk_compare (saved, now, &local))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("%s; --force restores anyway"),
               local->message);
  return FALSE;
}

static gboolean
throw_bases (const GError *why, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("what the disks rest on has changed: %s; --force restores anyway"),
               why != NULL ? why->message : _ ("they rest on other files"));
  return FALSE;
}

static gboolean
check_bases (const StasisJson *json, const GPtrArray *disks, const StasisDomainDef *def,
             GError **error)
{
  g_autoptr (GPtrArray) saved = stasis_image_disks_bases_from_json (json, error);
  if (saved == NULL || saved->len == 0)
    return saved != NULL;
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) now = stasis_disks_describe_bases (def, disks, &local);
  if (now == NULL || now->len != saved->len)
    return throw_bases (local, error);
  for (guint i = 0; i < saved->len; i++)
    if (!stasis_image_disk_compare (g_ptr_array_index (saved, i), g_ptr_array_index (now, i),
                                    &local))
      return throw_bases (local, error);
  return TRUE;
}

/* Refuse where a writable disk is not what it was. */
gboolean
stasis_disks_check (const StasisJson *json, const StasisDomainDef *def, GError **error)
{
  if (json == NULL)
    return TRUE;
  g_autoptr (GPtrArray) disks = stasis_image_disks_from_json (json, error);
  if (disks == NULL)
    return FALSE;
  for (guint i = 0; i < disks->len; i++)
    if (!check (g_ptr_array_index (disks, i), def, error))
      return FALSE;
  return check_bases (json, disks, def, error);
}
