/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-media.c: what is in a CD-ROM or floppy drive
 *
 * The new medium is opened beside the one that is in the drive, under names of its own, so that the
 * old one can be put back where anything fails.
 */

#include "config.h"

#include "driver/device-media.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-plug.h"
#include "driver/device-settle.h"
#include "monitor/commands-hotplug.h"
#include "util/fault.h"

#define TRAY_TRIES 10u
#define TRAY_US    500000

/* TRUE for a drive whose medium comes and goes. */
gboolean
stasis_disk_is_removable (const StasisDiskDef *disk)
{
  return disk->device == STASIS_DISK_DEVICE_CDROM || disk->device == STASIS_DISK_DEVICE_FLOPPY;
}

static void
set_string (char **field, const char *value)
{
  g_free (*field);
  *field = g_strdup (value);
}

/* It has the other's medium. */
void
stasis_disk_take_medium (StasisDiskDef *disk, const StasisDiskDef *wanted)
{
  const gboolean is_empty = wanted->source == NULL || *wanted->source == '\0';
  set_string (&disk->source, is_empty ? NULL : wanted->source);
  set_string (&disk->startup_policy, wanted->startup_policy);
  set_string (&disk->backing_store, is_empty ? NULL : wanted->backing_store);
  g_clear_pointer (&disk->tray, g_free);
  disk->source_index = STASIS_UNSET;
  if (wanted->type != STASIS_DISK_TYPE_UNSET)
    disk->type = wanted->type;
  if (wanted->format != STASIS_DISK_FORMAT_UNSET)
    disk->format = wanted->format;
}

/* (transfer full): what the nodes of the new medium are to be called. */
static char *
choose_base (const StasisDeviceGrip *grip, const StasisDiskDef *disk, GError **error)
{
  for (guint i = 0; i <= STASIS_MEDIA_MAX; i++)
    {
      g_autofree char *base = stasis_disk_node_base (disk->target, i);
      g_autofree char *prefix = g_strconcat (base, "-", NULL);
      g_autoptr (GPtrArray) nodes
          = stasis_monitor_list_nodes (grip->monitor, prefix, grip->cancellable, error);
      if (nodes == NULL)
        return NULL;
      if (nodes->len == 0)
        return g_steal_pointer (&base);
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("QEMU still has all earlier media of disk '%s' open"), disk->target);
  return NULL;
}

static StasisDeviceChange *
make_change (const StasisDeviceGrip *grip, const StasisDevicePlace *place, GError **error)
{
  const StasisDiskDef *disk = place->item;
  g_autoptr (StasisDeviceChange) change
      = stasis_device_change_new (STASIS_CHANGE_MEDIUM, place->info->alias);
  if (!stasis_monitor_query_medium (grip->monitor, change->id, &change->medium_before,
                                    grip->cancellable, error))
    return NULL;
  change->nodes = choose_base (grip, disk, error);
  if (change->nodes == NULL)
    return NULL;
  if (disk->source != NULL)
    change->medium = g_strconcat (
        change->nodes, disk->copy_on_read == STASIS_TRISTATE_ON ? "-cor" : "-format", NULL);
  return g_steal_pointer (&change);
}

/* A guest that has locked it is asked, and given some time. */
static gboolean
open_tray (const StasisDeviceGrip *grip, const char *id, gboolean force, GError **error)
{
  for (guint i = 0; i < TRAY_TRIES; i++)
    {
      g_autoptr (GError) local = NULL;
      if (stasis_monitor_open_tray (grip->monitor, id, force, grip->cancellable, &local))
        return TRUE;
      const gboolean is_locked = strstr (local->message, "locked") != NULL;
      if (!is_locked || i + 1 == TRAY_TRIES)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_usleep (TRAY_US);
    }
  g_assert_not_reached ();
}

static gboolean
turn_over (const StasisDeviceGrip *grip, gboolean force, GError **error)
{
  const StasisDeviceChange *change = grip->hold->status->journal.change;
  GCancellable *cancellable = grip->cancellable;
  return open_tray (grip, change->id, force, error)
         && (change->medium_before == NULL
             || stasis_monitor_remove_medium (grip->monitor, change->id, cancellable, error))
         && stasis_fault ("medium-removed", error)
         && (change->medium == NULL
             || stasis_monitor_insert_medium (grip->monitor, change->id, change->medium,
                                              cancellable, error))
         && stasis_fault ("medium-inserted", error);
}

static gboolean
change_it (StasisDeviceGrip *grip, StasisPlugResources *resources, const StasisDomainDef *next,
           const StasisDevicePlace *place, gboolean force, GError **error)
{
  const char *base = grip->hold->status->journal.change->nodes;
  if (!stasis_plug_resources_pass (resources, grip, base, error))
    return FALSE;
  g_autoptr (GPtrArray) options = stasis_plug_options (grip, resources, next, place, base, error);
  return options != NULL && stasis_plug_run (grip, options, "-blockdev", error)
         && turn_over (grip, force, error);
}

/* Change it. */
gboolean
stasis_device_change_medium (StasisDeviceGrip *grip, StasisDomainDef *next_take,
                             const StasisDevicePlace *place, gboolean force, GError **error)
{
  g_autoptr (StasisDomainDef) next = next_take;
  g_auto (StasisPlugResources) resources = { 0 };
  g_autoptr (StasisDeviceChange) change = NULL;
  if (!stasis_plug_resources_open (&resources, grip, next, place, error)
      || (change = make_change (grip, place, error)) == NULL
      || !stasis_device_grip_begin (grip, next, "change-media", g_steal_pointer (&change), error))
    return FALSE;
  GError *failure = NULL;
  if (change_it (grip, &resources, next, place, force, &failure)
      && !stasis_device_settle (grip->hold->folder, grip->hold->status, grip->monitor, &failure))
    g_assert (failure != NULL);
  return stasis_device_grip_end (grip, g_steal_pointer (&next), failure, error);
}
