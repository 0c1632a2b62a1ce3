/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore-disks.c: what a guest goes on with whose image has kept its disks
 *
 * The files that such an image names are the disks of its moment, and stay so (disk-snapshot.c):
 * every restore has overlays of its own over them.  Those are the disks of the domain that has come
 * back, so its definition is to name them, too: else its next start would go on with the disks of
 * the guest that it was put in the place of.
 */

#include "config.h"

#include "driver/restore-disks.h"

#include <glib/gi18n-lib.h>

#include "driver/disk-writers.h"
#include "driver/kept-definitions.h"
#include "driver/overlay-lay.h"
#include "driver/overlays.h"
#include "driver/registry.h"
#include "image/disks.h"
#include "util/fault.h"

static StasisDiskDef *
find_disk (const StasisDomainDef *def, const char *target)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (g_strcmp0 (disk->target, target) == 0)
        return disk;
    }
  return NULL;
}

/* (nullable): whatever file @def has for it, by whatever name, it is not to be written to. */
static StasisDiskDef *
find_snapshot (const StasisImageDisk *saved, const StasisDomainDef *def)
{
  StasisDiskDef *disk = saved->is_snapshot ? find_disk (def, saved->target) : NULL;
  return disk != NULL && disk->source != NULL ? disk : NULL;
}

/* Those to lay overlays over. */
GPtrArray *
stasis_restore_disks_list (const StasisJson *disks, const StasisDomainDef *def)
{
  GPtrArray *list = g_ptr_array_new ();
  g_autoptr (GPtrArray) saved = disks != NULL ? stasis_image_disks_from_json (disks, NULL) : NULL;
  for (guint i = 0; saved != NULL && i < saved->len; i++)
    {
      StasisDiskDef *disk = find_snapshot (g_ptr_array_index (saved, i), def);
      if (disk != NULL)
        g_ptr_array_add (list, disk);
    }
  return list;
}

/* Those that it would write to itself. */
gboolean
stasis_restore_disks_any_other (const StasisJson *disks, const StasisDomainDef *def)
{
  g_autoptr (GPtrArray) saved = disks != NULL ? stasis_image_disks_from_json (disks, NULL) : NULL;
  for (guint i = 0; saved != NULL && i < saved->len; i++)
    {
      const StasisImageDisk *disk = g_ptr_array_index (saved, i);
      if (!disk->readonly && find_snapshot (disk, def) == NULL)
        return TRUE;
    }
  return FALSE;
}

/* An overlay each. */
gboolean
stasis_restore_disks_lay (StasisHold *hold, const GPtrArray *disks, GError **error)
{
  if (disks->len == 0)
    return TRUE;
  if (!stasis_overlay_lay (hold, disks, NULL, error))
    return FALSE;
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (hold->status->journal.overlays, i);
      stasis_overlay_use (g_ptr_array_index (disks, i), overlay->path);
    }
  return TRUE;
}

/* Before the guest runs. */
gboolean
stasis_restore_disks_define (StasisDriver *driver, const StasisHold *hold,
                             const StasisDomainDef *def, const GPtrArray *disks, GError **error)
{
  if (disks->len == 0 || !stasis_registry_has (driver, def->name))
    return TRUE;
  g_autoptr (StasisDomainDef) persistent = stasis_registry_load (driver, def->name, error);
  if (persistent == NULL || !stasis_kept_definitions_begin (hold->folder, hold->status, error))
    return FALSE;
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (disks, i);
      StasisDiskDef *same = find_disk (persistent, disk->target);
      if (same != NULL)
        stasis_overlay_use (same, disk->source);
    }
  return stasis_registry_store (driver, persistent, error)
         && stasis_fault ("restore-defined", error);
}

/* Its next start goes on with them. */
void
stasis_restore_disks_warn (StasisDriver *driver, const StasisDomainDef *def)
{
  g_autoptr (StasisDomainDef) persistent = stasis_registry_has (driver, def->name)
                                               ? stasis_registry_load (driver, def->name, NULL)
                                               : NULL;
  for (guint i = 0; persistent != NULL && i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      const StasisDiskDef *same = find_disk (persistent, disk->target);
      if (!stasis_overlays_wanted (disk) || same == NULL || same->source == NULL
          || stasis_disk_writers_is_same_file (disk, same))
        continue;
      g_warning (_ ("disk '%1$s' of the restored guest is '%2$s', but that of the definition of "
                    "domain '%3$s' is '%4$s', which its next start goes on with"),
                 disk->target, disk->source, def->name, same->source);
    }
}

/* For people. */
char *
stasis_restore_disks_describe (const GPtrArray *disks)
{
  if (disks->len == 0)
    return NULL;
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (disks, i);
      g_string_append_printf (text, "%s%s %s", i > 0 ? "\n" : "", disk->target, disk->source);
    }
  return g_string_free (text, FALSE);
}
