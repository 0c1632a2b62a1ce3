/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-unplug.c: devices that leave a guest that runs
 *
 * Theory of operation
 *
 * A guest is asked to release a device, and may take its time, refuse without a word, or be in no
 * state to hear.  So that a device is to go stands in the status before the guest is asked, and
 * stays there until QEMU has it no more, whoever sees that: who asked, or a later command.  Only
 * then does the definition lose it, and QEMU what was behind it.  As long as it is there, images
 * of the guest have it, too.
 */

#include "config.h"

#include "driver/device-unplug.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/command-private.h"
#include "driver/device-settle.h"
#include "driver/domain-private.h"
#include "driver/vcpus.h"
#include "monitor/commands-hotplug.h"
#include "util/fault.h"

#define RELEASE_MS 5000 /* as libvirt waits */
#define LOOK_MS    2000 /* for who has the lock */

static gboolean
has_entry (const StasisStatus *status, const char *id)
{
  for (guint i = 0; i < status->unplugs->len; i++)
    if (g_strcmp0 (((const StasisDeviceChange *) status->unplugs->pdata[i])->id, id) == 0)
      return TRUE;
  return FALSE;
}

static void
remove_entry (StasisStatus *status, const char *id)
{
  for (guint i = status->unplugs->len; i > 0; i--)
    if (g_strcmp0 (((const StasisDeviceChange *) status->unplugs->pdata[i - 1])->id, id) == 0)
      g_ptr_array_remove_index (status->unplugs, i - 1);
}

static void
drop_backends (const StasisDeviceGrip *grip, const char *id)
{
  const GPtrArray *unplugs = grip->hold->status->unplugs;
  for (guint i = 0; i < unplugs->len; i++)
    {
      const StasisDeviceChange *entry = g_ptr_array_index (unplugs, i);
      if (g_strcmp0 (entry->id, id) == 0)
        stasis_device_drop_backend (grip->monitor, entry->nodes, entry->netdev);
    }
}

static gboolean
count_vcpus (StasisDeviceGrip *grip, GError **error)
{
  return stasis_vcpus_count_live (grip->live, grip->monitor, grip->cancellable, error);
}

/* QEMU has it no more. */
static gboolean
forget (StasisDeviceGrip *grip, const char *id, GError **error)
{
  StasisStatus *status = grip->hold->status;
  StasisDevicePlace place;
  if (!stasis_fault ("device-released", error))
    return FALSE;
  if (*id == '/' && !count_vcpus (grip, error)) /* a processor's path */
    return FALSE;
  if (stasis_domain_def_find_alias (grip->live, id, &place))
    stasis_domain_def_remove_device (grip->live, &place);
  if (!stasis_device_grip_rewrite_live (grip, error) || !stasis_fault ("device-forgotten", error))
    return FALSE;
  drop_backends (grip, id);
  remove_entry (status, id);
  return stasis_hold_write (grip->hold, error);
}

static StasisDeviceChange *
make_entry (const StasisDevicePlace *place)
{
  StasisDeviceChange *entry = stasis_device_change_new (STASIS_CHANGE_UNPLUG, place->info->alias);
  if (g_str_equal (place->kind, "disk"))
    entry->nodes = stasis_disk_node_base (((const StasisDiskDef *) place->item)->target, 0);
  if (g_str_equal (place->kind, "interface"))
    entry->netdev = g_strconcat ("host", place->info->alias, NULL);
  return entry;
}

/* Those of one list that QEMU has not. */
static GArray *
find_missing (const StasisDomainDef *def, const GPtrArray *list, GHashTable *ids)
{
  GArray *places = g_array_new (FALSE, FALSE, sizeof (StasisDevicePlace));
  for (guint i = 0; i < list->len; i++)
    {
      const gboolean is_disk = list == def->disks;
      gpointer item = g_ptr_array_index (list, i);
      const StasisDevicePlace place = { .kind = is_disk ? "disk" : "interface",
                                        .item = item,
                                        .info = is_disk ? &((StasisDiskDef *) item)->info
                                                        : &((StasisInterfaceDef *) item)->info };
      if (place.info->alias != NULL && !g_hash_table_contains (ids, place.info->alias))
        g_array_append_val (places, place);
    }
  return places;
}

/* A guest may let go of a device that nobody asked it for. */
static void
note_missing (StasisDeviceGrip *grip, const GPtrArray *list, GHashTable *ids)
{
  g_autoptr (GArray) places = find_missing (grip->live, list, ids);
  for (guint i = 0; i < places->len; i++)
    {
      const StasisDevicePlace *place = &g_array_index (places, StasisDevicePlace, i);
      if (!has_entry (grip->hold->status, place->info->alias))
        g_ptr_array_add (grip->hold->status->unplugs, make_entry (place));
    }
}

/* TRUE where there were any. */
static gboolean
remove_missing (StasisDomainDef *def, const GPtrArray *list, GHashTable *ids)
{
  g_autoptr (GArray) places = find_missing (def, list, ids);
  for (guint i = 0; i < places->len; i++)
    {
      StasisDevicePlace place;
      const char *alias = g_array_index (places, StasisDevicePlace, i).info->alias;
      if (stasis_domain_def_find_alias (def, alias, &place))
        stasis_domain_def_remove_device (def, &place);
    }
  return places->len > 0;
}

static gboolean
have_other_vcpus (const StasisDomainDef *one, const StasisDomainDef *other)
{
  for (guint i = 0; i < one->vcpus; i++)
    if (stasis_domain_def_has_vcpu (one, i) != stasis_domain_def_has_vcpu (other, i))
      return TRUE;
  return FALSE;
}

/* One may have come past us, into a place that no definition has spoken of yet. */
static gboolean
may_have_other_vcpus (const StasisDomainDef *def)
{
  return stasis_domain_def_boot_vcpus (def) < def->vcpus;
}

/* For who wants to know only. */
gboolean
stasis_device_unplug_compare (StasisMonitor *monitor, const StasisDomainDef *live,
                              StasisDomainDef **out_now, GError **error)
{
  *out_now = NULL;
  g_autoptr (GHashTable) ids = stasis_monitor_list_devices (monitor, NULL, error);
  if (ids == NULL)
    return FALSE;
  g_autoptr (StasisDomainDef) now = stasis_domain_def_copy (live);
  gboolean is_changed = remove_missing (now, now->disks, ids);
  is_changed |= remove_missing (now, now->interfaces, ids);
  if (may_have_other_vcpus (now) && !stasis_vcpus_count_live (now, monitor, NULL, error))
    return FALSE;
  is_changed |= have_other_vcpus (now, live);
  if (is_changed)
    *out_now = g_steal_pointer (&now);
  return TRUE;
}

static gboolean
settle_vcpus (StasisDeviceGrip *grip, GError **error)
{
  if (!may_have_other_vcpus (grip->live))
    return TRUE;
  g_autoptr (StasisDomainDef) before = stasis_domain_def_copy (grip->live);
  return count_vcpus (grip, error)
         && (!have_other_vcpus (grip->live, before)
             || stasis_device_grip_rewrite_live (grip, error));
}

/* What has been released since. */
gboolean
stasis_device_unplug_settle (StasisDeviceGrip *grip, GError **error)
{
  const GPtrArray *unplugs = grip->hold->status->unplugs;
  g_autoptr (GHashTable) ids
      = stasis_monitor_list_devices (grip->monitor, grip->cancellable, error);
  if (ids == NULL)
    return FALSE;
  const guint before = unplugs->len;
  note_missing (grip, grip->live->disks, ids);
  note_missing (grip, grip->live->interfaces, ids);
  /* Before the definition loses them: nobody else knows then what was behind them. */
  if (unplugs->len > before && !stasis_hold_write (grip->hold, error))
    return FALSE;
  for (guint i = unplugs->len; i > 0; i--)
    {
      const StasisDeviceChange *entry = g_ptr_array_index (unplugs, i - 1);
      g_autofree char *id = g_strdup (entry->id);
      gboolean is_there = FALSE;
      if (!stasis_monitor_has_device (grip->monitor, id, &is_there, grip->cancellable, error)
          || (!is_there && !forget (grip, id, error)))
        return FALSE;
    }
  return settle_vcpus (grip, error);
}

/* For who has the hold and has looked already. */
gboolean
stasis_device_unplug_settle_held (StasisDriver *driver, StasisHold *hold, StasisMonitor *monitor,
                                  StasisDomainDef *live, GError **error)
{
  StasisDeviceGrip grip = { .driver = driver, .hold = hold, .monitor = monitor, .live = live };
  return stasis_device_unplug_settle (&grip, error);
}

static gboolean
look (StasisDomain *domain, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (domain);
  g_autoptr (StasisHold) hold
      = stasis_hold_take_within (driver, stasis_domain_get_name (domain), LOOK_MS, NULL, error);
  if (hold == NULL || hold->status == NULL || hold->status->unplugs->len == 0)
    return hold != NULL;
  g_autoptr (StasisDomainDef) live = stasis_domain_load_live (domain, error);
  g_autoptr (StasisMonitor) monitor
      = live != NULL ? stasis_hold_open_monitor (hold, NULL, error) : NULL;
  return monitor != NULL && stasis_device_unplug_settle_held (driver, hold, monitor, live, error);
}

/* What cannot be told now is told later. */
void
stasis_device_unplug_look (StasisDomain *domain)
{
  g_autoptr (GError) error = NULL;
  if (!look (domain, &error))
    g_debug ("%s", error->message);
}

/* Asking is no use where QEMU is at it, which it says with an error. */
static gboolean
ask (StasisDeviceGrip *grip, const char *id, gboolean was_asked, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (stasis_monitor_device_del (grip->monitor, id, grip->cancellable, &local)
      || (was_asked && g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)))
    return stasis_fault ("device-asked", error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
run (StasisDeviceGrip *grip, StasisDeviceChange *entry_take, gboolean *out_is_gone, GError **error)
{
  StasisStatus *status = grip->hold->status;
  g_autofree char *id = g_strdup (entry_take->id);
  const gboolean was_asked = has_entry (status, id);
  *out_is_gone = FALSE;
  if (was_asked)
    stasis_device_change_free (entry_take);
  else
    g_ptr_array_add (status->unplugs, entry_take);
  g_autoptr (GError) local = NULL;
  if (stasis_hold_write (grip->hold, &local) && stasis_fault ("device-noted", &local)
      && ask (grip, id, was_asked, &local)
      && stasis_monitor_wait_gone (grip->monitor, id, RELEASE_MS, out_is_gone, grip->cancellable,
                                   &local))
    return !*out_is_gone || forget (grip, id, error);
  if (g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    {
      remove_entry (status, id);
      stasis_hold_write (grip->hold, NULL);
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* A device. */
gboolean
stasis_device_unplug (StasisDeviceGrip *grip, const StasisDevicePlace *place, gboolean *out_is_gone,
                      GError **error)
{
  return run (grip, make_entry (place), out_is_gone, error);
}

/* A processor. */
gboolean
stasis_device_unplug_cpu (StasisDeviceGrip *grip, const char *path, gboolean *out_is_gone,
                          GError **error)
{
  return run (grip, stasis_device_change_new (STASIS_CHANGE_UNPLUG, path), out_is_gone, error);
}
