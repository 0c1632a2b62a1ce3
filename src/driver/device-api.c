/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-api.c: attach, detach and update a device, for the public API
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-media.h"
#include "driver/device-plug.h"
#include "driver/device-settle.h"
#include "driver/device-unplug.h"
#include "monitor/commands-hotplug.h"
#include "util/fault.h"

static gboolean throw_unsupported (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
throw_unsupported (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, message);
  return FALSE;
}

/* Which devices come and go while a guest runs. */
static gboolean
check_pluggable (const StasisDeviceDef *device, const char *what, GError **error)
{
  g_autofree char *name = stasis_device_def_describe (device);
  const StasisDiskDef *disk = stasis_device_def_disk (device);
  if (disk == NULL && stasis_device_def_interface (device) == NULL)
    return throw_unsupported (error, _ ("live %1$s of device '%2$s' is not supported"), what,
                              stasis_device_def_kind (device));
  if (disk != NULL && stasis_disk_is_removable (disk))
    return throw_unsupported (error,
                              _ ("live %1$s of %2$s is not supported: of a CD-ROM or floppy drive "
                                 "only the medium can be changed"),
                              what, name);
  return TRUE;
}

static gboolean
check_bus (const StasisDevicePlace *place, GError **error)
{
  const StasisDiskDef *disk = g_str_equal (place->kind, "disk") ? place->item : NULL;
  if (disk == NULL || disk->bus == STASIS_DISK_BUS_VIRTIO || disk->bus == STASIS_DISK_BUS_SCSI
      || disk->bus == STASIS_DISK_BUS_USB)
    return TRUE;
  return throw_unsupported (error, _ ("disk '%1$s': disks on bus '%2$s' cannot be hotplugged"),
                            disk->target, stasis_disk_bus_names[disk->bus]);
}

/* What would have to come with it: a bridge, a port or a controller. */
static gboolean
check_room (const StasisDomainDef *live, const StasisDomainDef *next,
            const StasisDevicePlace *place, GError **error)
{
  g_autofree char *name = stasis_device_place_describe (place);
  const StasisAddress *address = &place->info->address;
  if (stasis_domain_def_is_q35 (next) && address->type == STASIS_ADDRESS_PCI && address->bus == 0)
    return throw_unsupported (error,
                              _ ("%s: nothing can be hotplugged into the root bus of machine "
                                 "'q35', only into a free pcie-root-port"),
                              name);
  if (next->controllers->len == live->controllers->len)
    return TRUE;
  if (address->type == STASIS_ADDRESS_PCI)
    return throw_unsupported (
        error,
        stasis_domain_def_is_q35 (next)
            ? _ ("%s: no free hotplug slot: the domain has no free pcie-root-port for it (define "
                 "more controllers of model 'pcie-root-port', and start it anew)")
            : _ ("%s: no free hotplug slot: all PCI slots are taken"),
        name);
  return throw_unsupported (error, _ ("%s: the domain has no controller for it"), name);
}

/* The same interface in both definitions. */
static void
fill_mac (const StasisDeviceDef *device)
{
  StasisInterfaceDef *interface = stasis_device_def_interface (device);
  if (interface != NULL && interface->mac == NULL)
    interface->mac = stasis_domain_def_new_mac ();
}

/* TRUE and *@out_place where the device is a medium for a drive that is there. */
static gboolean
finds_drive (const StasisDomainDef *def, const StasisDeviceDef *device,
             StasisDevicePlace *out_place)
{
  const StasisDiskDef *disk = stasis_device_def_disk (device);
  return disk != NULL && stasis_disk_is_removable (disk)
         && stasis_domain_def_match_device (def, device, out_place) == 1;
}

static gboolean
put_into_drive (StasisDomainDef *def, StasisDevicePlace *place, const StasisDeviceDef *device,
                GError **error)
{
  StasisDiskDef *drive = place->item;
  const StasisDiskDef *wanted = stasis_device_def_disk (device);
  if (wanted->device != drive->device
      || (wanted->bus != STASIS_DISK_BUS_UNSET && wanted->bus != drive->bus))
    return throw_unsupported (error, _ ("disk '%s' is another kind of drive"), drive->target);
  stasis_disk_take_medium (drive, wanted);
  return TRUE;
}

static gboolean
attach_to_config (StasisDeviceGrip *grip, const StasisDeviceDef *device, GError **error)
{
  StasisDevicePlace place;
  if (grip->config == NULL)
    return TRUE;
  if (finds_drive (grip->config, device, &place))
    return put_into_drive (grip->config, &place, device, error)
           && stasis_device_grip_complete_config (grip, error);
  if (g_str_equal (stasis_device_def_kind (device), "memballoon")
      || g_str_equal (stasis_device_def_kind (device), "console")
      || g_str_equal (stasis_device_def_kind (device), "video"))
    return throw_unsupported (error, _ ("persistent attach of device '%s' is not supported"),
                              stasis_device_def_kind (device));
  stasis_domain_def_append_device (grip->config, device, &place);
  return stasis_device_grip_complete_config (grip, error);
}

static gboolean
change_medium (StasisDeviceGrip *grip, const StasisDeviceDef *device, gboolean force,
               GError **error)
{
  g_autoptr (StasisDomainDef) next = stasis_device_grip_copy_live (grip);
  StasisDevicePlace place;
  if (stasis_domain_def_match_device (next, device, &place) != 1
      || !put_into_drive (next, &place, device, error)
      || !stasis_device_grip_complete_live (grip, next, error))
    return FALSE;
  return stasis_device_change_medium (grip, g_steal_pointer (&next), &place, force, error);
}

static gboolean
attach_live (StasisDeviceGrip *grip, const StasisDeviceDef *device, GError **error)
{
  StasisDevicePlace place;
  if (finds_drive (grip->live, device, &place))
    return change_medium (grip, device, /* force= */ FALSE, error);
  if (!check_pluggable (device, _ ("attach"), error))
    return FALSE;
  g_autoptr (StasisDomainDef) next = stasis_device_grip_copy_live (grip);
  stasis_domain_def_append_device (next, device, &place);
  if (!stasis_device_grip_complete_live (grip, next, error) || !check_bus (&place, error)
      || !check_room (grip->live, next, &place, error))
    return FALSE;
  return stasis_device_plug (grip, g_steal_pointer (&next), &place, error);
}

/**
 * stasis_domain_attach_device:
 * @self: a domain
 * @xml: one device as it stands in a definition's <devices>
 * @flags: to what
 * @cancellable: (nullable): stops it; nothing is left then
 * @error: return location
 *
 * Adds a device: a running guest gets it at once (disks on the buses virtio, scsi and usb, network
 * interfaces; for the drive of a CD-ROM or floppy that is there already, the medium).  It never
 * pauses the guest.  Fails with %STASIS_ERROR_UNSUPPORTED for what cannot come while a guest runs.
 *
 * Returns: %TRUE if it is there
 */
gboolean
stasis_domain_attach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->attach_device (self, xml, flags, cancellable, error);

  g_autoptr (StasisDeviceDef) device
      = stasis_driver_parse_device (xml, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (device == NULL)
    return FALSE;
  fill_mac (device);
  g_auto (StasisDeviceGrip) grip = { 0 };
  return stasis_device_grip_take (&grip, self, flags, 0, cancellable, error)
         && attach_to_config (&grip, device, error)
         && (grip.live == NULL || attach_live (&grip, device, error))
         && stasis_device_grip_store (&grip, error);
}

static gboolean
find (const StasisDomainDef *def, const StasisDeviceDef *device, StasisDevicePlace *out_place,
      GError **error)
{
  const guint n_found = stasis_domain_def_match_device (def, device, out_place);
  if (n_found == 1)
    return TRUE;
  g_autofree char *name = stasis_device_def_describe (device);
  g_set_error (error, STASIS_ERROR,
               n_found == 0 ? STASIS_ERROR_NO_DEVICE : STASIS_ERROR_INVALID_ARGUMENT,
               n_found == 0 ? _ ("%s not found") : _ ("%s: more than one device is that"), name);
  return FALSE;
}

static gboolean
find_alias (const StasisDomainDef *def, const char *alias, StasisDevicePlace *out_place,
            GError **error)
{
  if (stasis_domain_def_find_alias (def, alias, out_place))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DEVICE, _ ("no device found with alias '%s'"),
               alias);
  return FALSE;
}

/* QEMU counts the user networks that there are in its stream, and one that is loaded counts anew.
 */
static gboolean
check_last_user_network (const StasisDomainDef *def, const StasisDevicePlace *place, GError **error)
{
  const StasisInterfaceDef *interface = place->item;
  for (guint i = place->index + 1; i < def->interfaces->len; i++)
    {
      const StasisInterfaceDef *later = g_ptr_array_index (def->interfaces, i);
      if (interface->type == STASIS_INTERFACE_USER && later->type == STASIS_INTERFACE_USER)
        return throw_unsupported (
            error,
            _ ("live detach of interface '%1$s' is not supported as long as '%2$s' is there, which "
               "came later: of interfaces of type 'user' only the last one can go"),
            interface->mac, later->mac);
    }
  return TRUE;
}

static gboolean
check_unpluggable (const StasisDomainDef *def, const StasisDevicePlace *place, GError **error)
{
  g_autofree char *name = stasis_device_place_describe (place);
  const StasisDiskDef *disk = g_str_equal (place->kind, "disk") ? place->item : NULL;
  if (disk == NULL && !g_str_equal (place->kind, "interface"))
    return throw_unsupported (error, _ ("live detach of device '%s' is not supported"),
                              place->kind);
  if (disk != NULL && stasis_disk_is_removable (disk))
    return throw_unsupported (error,
                              _ ("live detach of %s is not supported: only its medium can be "
                                 "removed"),
                              name);
  return disk != NULL ? check_bus (place, error) : check_last_user_network (def, place, error);
}

/* @alias or @device says which. */
static gboolean
detach (StasisDomain *self, const StasisDeviceDef *device, const char *alias,
        StasisAffectFlags flags, gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  g_auto (StasisDeviceGrip) grip = { 0 };
  StasisDevicePlace place;
  gboolean is_gone = TRUE;
  if (!stasis_device_grip_take (&grip, self, flags, 0, cancellable, error))
    return FALSE;
  if (grip.config != NULL)
    {
      if (device != NULL ? !find (grip.config, device, &place, error)
                         : !find_alias (grip.config, alias, &place, error))
        return FALSE;
      stasis_domain_def_remove_device (grip.config, &place);
      if (!stasis_device_grip_complete_config (&grip, error))
        return FALSE;
    }
  if (grip.live != NULL
      && ((device != NULL ? !find (grip.live, device, &place, error)
                          : !find_alias (grip.live, alias, &place, error))
          || !check_unpluggable (grip.live, &place, error)
          || !stasis_device_unplug (&grip, &place, &is_gone, error)))
    return FALSE;
  if (out_is_gone != NULL)
    *out_is_gone = is_gone;
  return stasis_device_grip_store (&grip, error);
}

/**
 * stasis_domain_detach_device:
 * @self: a domain
 * @xml: the device: of a disk its target counts, of an interface its MAC address
 * @flags: from what
 * @out_is_gone: (out) (optional): %FALSE where the guest has yet to release it
 * @cancellable: (nullable): stops waiting for the guest
 * @error: return location
 *
 * Removes a device.  A running guest is asked to release it, which is waited for for some seconds;
 * until it does, the device and what is behind it stay.
 *
 * Returns: %TRUE if it is gone, or goes as soon as the guest releases it
 */
gboolean
stasis_domain_detach_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->detach_device (self, xml, flags, out_is_gone, cancellable, error);

  g_autoptr (StasisDeviceDef) device
      = stasis_driver_parse_device (xml, STASIS_DOMAIN_PARSE_ACTIVE, error);
  return device != NULL && detach (self, device, NULL, flags, out_is_gone, cancellable, error);
}

/**
 * stasis_domain_detach_device_alias:
 * @self: a domain
 * @alias: what the device is called ("virtio-disk1", "ua-data")
 * @flags: from what
 * @out_is_gone: (out) (optional): %FALSE where the guest has yet to release it
 * @cancellable: (nullable): stops waiting for the guest
 * @error: return location
 *
 * The same as stasis_domain_detach_device() for the device of that name.
 *
 * Returns: %TRUE if it is gone, or goes as soon as the guest releases it
 */
gboolean
stasis_domain_detach_device_alias (StasisDomain *self, const char *alias, StasisAffectFlags flags,
                                   gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->detach_device_alias (self, alias, flags, out_is_gone, cancellable, error);

  return detach (self, NULL, alias, flags, out_is_gone, cancellable, error);
}

static gboolean
update_config (StasisDeviceGrip *grip, const StasisDeviceDef *device, GError **error)
{
  StasisDevicePlace place;
  if (grip->config == NULL)
    return TRUE;
  if (!find (grip->config, device, &place, error))
    return FALSE;
  if (finds_drive (grip->config, device, &place))
    return put_into_drive (grip->config, &place, device, error)
           && stasis_device_grip_complete_config (grip, error);
  stasis_domain_def_replace_device (grip->config, &place, device);
  return stasis_device_grip_complete_config (grip, error);
}

/* Nothing but the link of an interface differs. */
static gboolean
check_only_link (const StasisDeviceGrip *grip, const StasisDomainDef *next,
                 const StasisDevicePlace *place, GError **error)
{
  g_autoptr (StasisDomainDef) other = stasis_domain_def_copy (next);
  StasisInterfaceDef *interface = g_ptr_array_index (other->interfaces, place->index);
  const StasisInterfaceDef *now = g_ptr_array_index (grip->live->interfaces, place->index);
  interface->link = now->link;
  g_autofree char *wanted = stasis_domain_def_format (other, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autofree char *is = stasis_domain_def_format (grip->live, STASIS_DOMAIN_FORMAT_INACTIVE);
  g_autofree char *name = stasis_device_place_describe (place);
  return g_str_equal (wanted, is)
         || throw_unsupported (
             error, _ ("%s: only the state of its link can be changed while the domain runs"),
             name);
}

static gboolean
update_link (StasisDeviceGrip *grip, const StasisDeviceDef *device, GError **error)
{
  g_autoptr (StasisDomainDef) next = stasis_device_grip_copy_live (grip);
  StasisDevicePlace place;
  if (!find (next, device, &place, error))
    return FALSE;
  g_autofree char *target = g_strdup (((const StasisInterfaceDef *) place.item)->target);
  stasis_domain_def_replace_device (next, &place, device);
  StasisInterfaceDef *interface = place.item;
  if (interface->target == NULL)
    interface->target = g_steal_pointer (&target);
  if (!stasis_device_grip_complete_live (grip, next, error)
      || !check_only_link (grip, next, &place, error))
    return FALSE;
  StasisDeviceChange *change = stasis_device_change_new (STASIS_CHANGE_LINK, place.info->alias);
  change->value = interface->link != STASIS_LINK_DOWN;
  if (!stasis_device_grip_begin (grip, next, "update-device", change, error))
    return FALSE;
  GError *failure = NULL;
  stasis_monitor_set_link (grip->monitor, change->id, change->value != 0, grip->cancellable,
                           &failure);
  return stasis_device_grip_end (grip, g_steal_pointer (&next), failure, error);
}

static gboolean
update_live (StasisDeviceGrip *grip, const StasisDeviceDef *device, gboolean force, GError **error)
{
  StasisDevicePlace place;
  if (stasis_device_def_interface (device) != NULL)
    return update_link (grip, device, error);
  if (stasis_device_def_disk (device) == NULL)
    return throw_unsupported (error, _ ("live update of device '%s' is not supported"),
                              stasis_device_def_kind (device));
  if (!find (grip->live, device, &place, error))
    return FALSE;
  if (finds_drive (grip->live, device, &place))
    return change_medium (grip, device, force, error);
  return throw_unsupported (
      error,
      _ ("disk '%s': of a disk that is no CD-ROM or floppy nothing can be changed while the "
         "domain runs"),
      ((const StasisDiskDef *) place.item)->target);
}

/**
 * stasis_domain_update_device:
 * @self: a domain
 * @xml: the device as it is to be
 * @flags: in what
 * @cancellable: (nullable): stops it; nothing is changed then
 * @error: return location
 *
 * Changes a device: in a running domain the medium of a CD-ROM or floppy drive (with
 * %STASIS_AFFECT_FORCE although the guest has locked it) and whether the link of an interface is
 * up.
 *
 * Returns: %TRUE if it is as wanted
 */
gboolean
stasis_domain_update_device (StasisDomain *self, const char *xml, StasisAffectFlags flags,
                             GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->update_device (self, xml, flags, cancellable, error);

  g_autoptr (StasisDeviceDef) device
      = stasis_driver_parse_device (xml, STASIS_DOMAIN_PARSE_ACTIVE, error);
  if (device == NULL)
    return FALSE;
  g_auto (StasisDeviceGrip) grip = { 0 };
  return stasis_device_grip_take (&grip, self, flags, STASIS_AFFECT_FORCE, cancellable, error)
         && update_config (&grip, device, error)
         && (grip.live == NULL
             || update_live (&grip, device, (flags & STASIS_AFFECT_FORCE) != 0, error))
         && stasis_device_grip_store (&grip, error);
}
