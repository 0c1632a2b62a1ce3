/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vcpus.c: how many processors a guest has
 *
 * Theory of operation
 *
 * Processors come to the first free ones of QEMU's places for them, and go from the end; a guest
 * may also eject one by itself, which leaves a gap.  Those that QEMU was started with stay: devices
 * have been made for their number (conf/domain-vcpus.c), so a QEMU that loads an image is started
 * with as many and gets the others before it loads.  Each one is a change of its own.
 */

#include "config.h"

#include "driver/vcpus.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-settle.h"
#include "driver/device-unplug.h"
#include "driver/domain-private.h"
#include "driver/registry.h"
#include "monitor/commands-hotplug.h"
#include "util/fault.h"

static guint
current_of (const StasisDomainDef *def)
{
  return (guint) (def->current_vcpus != STASIS_UNSET ? def->current_vcpus : def->vcpus);
}

static gboolean
is_there (const GPtrArray *slots, guint index)
{
  return index < slots->len
         && ((const StasisMonitorCpuSlot *) g_ptr_array_index (slots, index))->qom_path != NULL;
}

/* As QEMU has them. */
gboolean
stasis_vcpus_count_live (StasisDomainDef *live, StasisMonitor *monitor, GCancellable *cancellable,
                         GError **error)
{
  g_autoptr (GPtrArray) slots = stasis_monitor_query_cpu_slots (monitor, cancellable, error);
  if (slots == NULL)
    return FALSE;
  g_autofree gboolean *those = g_new0 (gboolean, (gsize) live->vcpus);
  for (guint i = 0; i < live->vcpus; i++)
    those[i] = is_there (slots, i);
  stasis_domain_def_set_live_vcpus (live, those);
  return TRUE;
}

/* A QEMU that loads an image has all that it begins with. */
gboolean
stasis_vcpus_check_boot (const StasisDomainDef *live, StasisMonitor *monitor,
                         GCancellable *cancellable, GError **error)
{
  const guint boot = (guint) stasis_domain_def_boot_vcpus (live);
  if (boot == 1)
    return TRUE;
  g_autoptr (GPtrArray) slots = stasis_monitor_query_cpu_slots (monitor, cancellable, error);
  if (slots == NULL)
    return FALSE;
  for (guint i = 0; i < boot; i++)
    if (!is_there (slots, i))
      {
        g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                     _ ("domain '%1$s' cannot be saved: its guest has released processor %2$u, "
                        "which it was started with"),
                     live->name, i);
        return FALSE;
      }
  return TRUE;
}

static StasisJson *
describe (const StasisMonitorCpuSlot *slot, const char *id)
{
  StasisJson *device = stasis_json_new_object ();
  stasis_json_set_string (device, "driver", slot->type);
  stasis_json_set_string (device, "id", id);
  for (guint i = 0; i < stasis_json_object_size (slot->props); i++)
    stasis_json_set (device, stasis_json_object_key (slot->props, i),
                     stasis_json_ref ((StasisJson *) stasis_json_object_value (slot->props, i)));
  return device;
}

/* Those that are not there from the beginning. */
gboolean
stasis_vcpus_plug_at_start (const StasisDomainDef *def, StasisMonitor *monitor,
                            GCancellable *cancellable, GError **error)
{
  const guint boot = (guint) stasis_domain_def_boot_vcpus (def);
  if (current_of (def) == boot)
    return TRUE;
  g_autoptr (GPtrArray) slots = stasis_monitor_query_cpu_slots (monitor, cancellable, error);
  if (slots == NULL)
    return FALSE;
  for (guint i = boot; i < slots->len; i++)
    {
      const StasisMonitorCpuSlot *slot = g_ptr_array_index (slots, i);
      if (!stasis_domain_def_has_vcpu (def, i))
        continue;
      g_autofree char *id = g_strdup_printf ("vcpu%u", i);
      if (!stasis_monitor_add (monitor, "-device", describe (slot, id), cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
plug (StasisDeviceGrip *grip, const StasisMonitorCpuSlot *slot, guint index, GError **error)
{
  g_autoptr (StasisDomainDef) next = stasis_device_grip_copy_live (grip);
  g_autofree char *id = g_strdup_printf ("vcpu%u", index);
  g_autoptr (GError) failure = NULL;
  g_autofree gboolean *those = g_new0 (gboolean, (gsize) next->vcpus);
  for (guint i = 0; i < next->vcpus; i++)
    those[i] = i == index || stasis_domain_def_has_vcpu (grip->live, i);
  stasis_domain_def_set_live_vcpus (next, those);
  if (!stasis_device_grip_begin (grip, next, "setvcpus",
                                 stasis_device_change_new (STASIS_CHANGE_CPU, id), error))
    return FALSE;
  if (stasis_fault ("device-opened", &failure))
    stasis_monitor_add (grip->monitor, "-device", describe (slot, id), grip->cancellable, &failure);
  return stasis_device_grip_end (grip, g_steal_pointer (&next), g_steal_pointer (&failure), error);
}

static gboolean
plug_until (StasisDeviceGrip *grip, guint count, GError **error)
{
  g_autoptr (GPtrArray) slots
      = stasis_monitor_query_cpu_slots (grip->monitor, grip->cancellable, error);
  if (slots == NULL)
    return FALSE;
  for (guint i = 0; i < slots->len && current_of (grip->live) < count; i++)
    {
      const StasisMonitorCpuSlot *slot = g_ptr_array_index (slots, i);
      if (slot->qom_path == NULL && !plug (grip, slot, i, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
unplug (StasisDeviceGrip *grip, const char *path, GError **error)
{
  gboolean is_gone = FALSE;
  if (!stasis_device_unplug_cpu (grip, path, &is_gone, error))
    return FALSE;
  if (!is_gone)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                         _ ("the guest has not released a processor yet; the domain's definition "
                            "tells when it has"));
  return is_gone;
}

/* From an emulated processor that has gone QEMU waits for an answer when it migrates (10.0), and
 * frees something twice (7.2): the guest could not be saved any more, or would die. */
static gboolean
check_release (const StasisDeviceGrip *grip, guint count, GError **error)
{
  if (count >= current_of (grip->live) || grip->live->type == STASIS_DOMAIN_TYPE_KVM)
    return TRUE;
  g_set_error_literal (
      error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
      _ ("QEMU emulates the processors of this domain, and could not save the guest "
         "any more after one has gone"));
  return FALSE;
}

static gboolean
unplug_until (StasisDeviceGrip *grip, guint count, GError **error)
{
  if (!check_release (grip, count, error))
    return FALSE;
  g_autoptr (GPtrArray) slots
      = stasis_monitor_query_cpu_slots (grip->monitor, grip->cancellable, error);
  if (slots == NULL)
    return FALSE;
  for (guint i = slots->len; i > 1 && current_of (grip->live) > count; i--)
    {
      const StasisMonitorCpuSlot *slot = g_ptr_array_index (slots, i - 1);
      if (slot->qom_path != NULL && !unplug (grip, slot->qom_path, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
throw_too_many (guint count, gint64 maximum, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("%1$u processors are more than the domain may have at most: %2$d"), count,
               (int) maximum);
  return FALSE;
}

static gboolean
change_config (StasisDeviceGrip *grip, guint count, StasisAffectFlags flags, GError **error)
{
  StasisDomainDef *def = grip->config;
  const guint current = current_of (def);
  if ((flags & STASIS_AFFECT_MAXIMUM) == 0 && count > def->vcpus)
    return throw_too_many (count, def->vcpus, error);
  if ((flags & STASIS_AFFECT_MAXIMUM) != 0)
    {
      def->vcpus = count;
      stasis_domain_def_set_boot_vcpus (def, MIN (current, count));
    }
  else
    stasis_domain_def_set_boot_vcpus (def, count);
  return stasis_device_grip_complete_config (grip, error);
}

static gboolean
check_live (const StasisDeviceGrip *grip, guint count, StasisAffectFlags flags, GError **error)
{
  if ((flags & STASIS_AFFECT_MAXIMUM) != 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                           _ ("how many processors a domain may have at most cannot be changed "
                              "while it runs"));
      return FALSE;
    }
  const gint64 boot = stasis_domain_def_boot_vcpus (grip->live);
  if (count < boot)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("the %1$d processors that the domain was started with cannot go while it "
                      "runs"),
                   (int) boot);
      return FALSE;
    }
  return count <= grip->live->vcpus || throw_too_many (count, grip->live->vcpus, error);
}

/**
 * stasis_domain_set_vcpus:
 * @self: a domain
 * @count: how many processors it is to have
 * @flags: what is changed; with %STASIS_AFFECT_MAXIMUM how many it may have at most, in its
 *   definition
 * @cancellable: (nullable): stops waiting
 * @error: return location
 *
 * Gives a running guest processors, or takes some from it, which it has to release: where it does
 * not do so within seconds this fails with %G_IO_ERROR_TIMED_OUT, and they go when it does.
 *
 * Returns: %TRUE if it has so many
 */
gboolean
stasis_domain_set_vcpus (StasisDomain *self, guint count, StasisAffectFlags flags,
                         GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->set_vcpus (self, count, flags, cancellable, error);

  g_auto (StasisDeviceGrip) grip = { 0 };
  if (count == 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a domain has at least one processor"));
      return FALSE;
    }
  if (!stasis_device_grip_take (&grip, self, flags, STASIS_AFFECT_MAXIMUM, cancellable, error)
      || (grip.config != NULL && !change_config (&grip, count, flags, error))
      || (grip.live != NULL && !check_live (&grip, count, flags, error)))
    return FALSE;
  if (grip.live != NULL
      && (!plug_until (&grip, count, error) || !unplug_until (&grip, count, error)))
    return FALSE;
  return stasis_device_grip_store (&grip, error);
}

/**
 * stasis_domain_get_vcpus:
 * @self: a domain
 * @flags: of what, and whether how many there are, or with %STASIS_AFFECT_MAXIMUM may be
 * @out_count: (out): how many
 * @error: return location
 *
 * Returns: %TRUE if it could be told
 */
gboolean
stasis_domain_get_vcpus (StasisDomain *self, StasisAffectFlags flags, guint *out_count,
                         GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_vcpus (self, flags, out_count, error);

  StasisDriver *driver = stasis_domain_get_driver (self);
  const StasisAffectFlags both = STASIS_AFFECT_LIVE | STASIS_AFFECT_CONFIG;
  if ((flags & both) == both || (flags & ~(both | STASIS_AFFECT_MAXIMUM)) != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("unsupported flags (0x%x) in this call"), flags);
      return FALSE;
    }
  g_autoptr (StasisStatus) status = NULL;
  if ((flags & STASIS_AFFECT_LIVE) != 0)
    status = stasis_domain_need_status (self, error);
  else if ((flags & both) != 0 || !stasis_domain_look (self, &status, error))
    status = NULL;
  if (status == NULL && (flags & STASIS_AFFECT_LIVE) != 0)
    return FALSE;
  g_clear_error (error);
  if (status != NULL && status->unplugs->len > 0)
    stasis_device_unplug_look (self);
  g_autoptr (StasisDomainDef) def
      = status != NULL ? stasis_domain_load_live (self, error)
                       : stasis_registry_load (driver, stasis_domain_get_name (self), error);
  if (def == NULL)
    return FALSE;
  *out_count = (flags & STASIS_AFFECT_MAXIMUM) != 0 ? (guint) def->vcpus : current_of (def);
  return TRUE;
}
