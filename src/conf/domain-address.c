/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-address.c: all addresses of a definition; those that are not PCI's
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define VIRTIO_SERIAL_PORTS_MAX 31

/* TRUE where a port of a virtio-serial controller is spoken for. */
static gboolean
is_port_used (const StasisDomainDef *def, gint64 controller, gint64 port)
{
  const GPtrArray *lists[] = { def->channels, def->consoles };

  for (gsize k = 0; k < G_N_ELEMENTS (lists); k++)
    for (guint i = 0; i < lists[k]->len; i++)
      {
        const StasisAddress *address = &((StasisChardevDef *) lists[k]->pdata[i])->info.address;
        if (address->type == STASIS_ADDRESS_VIRTIO_SERIAL && address->controller == controller
            && address->port == port)
          return TRUE;
      }
  return FALSE;
}

static void
assign_port (StasisDomainDef *def, StasisAddress *address)
{
  for (gint64 controller = 0;; controller++)
    {
      const StasisControllerDef *found
          = stasis_domain_find_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, controller);
      if (found == NULL)
        found = stasis_domain_add_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, controller,
                                              STASIS_CONTROLLER_MODEL_UNSET);
      const gint64 n_ports = found->ports != STASIS_UNSET
                                 ? MIN (found->ports, VIRTIO_SERIAL_PORTS_MAX)
                                 : VIRTIO_SERIAL_PORTS_MAX;

      /* Port 0 is for a console. */
      for (gint64 port = 1; port < n_ports; port++)
        if (!is_port_used (def, controller, port))
          {
            address->type = STASIS_ADDRESS_VIRTIO_SERIAL;
            address->controller = controller;
            address->bus = 0;
            address->port = port;
            return;
          }
    }
}

static void
need_virtio_serial (StasisDomainDef *def, gint64 index)
{
  if (stasis_domain_find_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index) == NULL)
    stasis_domain_add_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index,
                                  STASIS_CONTROLLER_MODEL_UNSET);
}

/* Check what is given in one list; a port of 0 is "any" for a channel, as libvirt reads it. */
static gboolean
take_given_ports (StasisDomainDef *def, const GPtrArray *chardevs, const char *kind,
                  gboolean zero_is_any, GHashTable *seen, GError **error)
{
  for (guint i = 0; i < chardevs->len; i++)
    {
      StasisAddress *address = &((StasisChardevDef *) chardevs->pdata[i])->info.address;
      if (address->type == STASIS_ADDRESS_NONE)
        continue;
      address->controller = MAX (address->controller, 0);
      address->bus = MAX (address->bus, 0);
      address->port = MAX (address->port, 0);
      if (address->type != STASIS_ADDRESS_VIRTIO_SERIAL || address->controller > 255
          || address->bus > 0 || address->port >= VIRTIO_SERIAL_PORTS_MAX)
        return stasis_conf_invalid (
            error, _ ("/domain/devices/%1$s[%2$u]/address: not a virtio-serial port"), kind, i + 1);

      need_virtio_serial (def, address->controller);
      if (address->port == 0 && zero_is_any)
        address->type = STASIS_ADDRESS_NONE;
      else if (!g_hash_table_add (
                   seen, g_strdup_printf ("%d/%d", (int) address->controller, (int) address->port)))
        return stasis_conf_invalid (
            error, _ ("/domain/devices/%1$s[%2$u]/address: the port is used twice"), kind, i + 1);
    }
  return TRUE;
}

static gboolean
assign_virtio_serial (StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  if (!take_given_ports (def, def->consoles, "console", FALSE, seen, error)
      || !take_given_ports (def, def->channels, "channel", TRUE, seen, error))
    return FALSE;
  for (guint i = 0; i < def->channels->len; i++)
    {
      StasisAddress *address = &((StasisChardevDef *) def->channels->pdata[i])->info.address;
      if (address->type == STASIS_ADDRESS_NONE)
        assign_port (def, address);
    }
  return TRUE;
}

/* How many places a controller has. */
static gboolean
drive_exists (StasisDiskBus bus, const StasisAddress *address)
{
  switch (bus)
    {
    case STASIS_DISK_BUS_IDE:
      return address->bus < 2 && address->target == 0 && address->unit < 2;
    case STASIS_DISK_BUS_FDC:
      return address->bus == 0 && address->target == 0 && address->unit < 2;
    case STASIS_DISK_BUS_SATA:
      return address->bus == 0 && address->target == 0 && address->unit < 6;
    default:
      return address->bus == 0 && address->target < 256 && address->unit < 16384;
    }
}

/* Two disks cannot sit in the same place. */
static gboolean
check_drives (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = def->disks->pdata[i];
      const StasisAddress *address = &disk->info.address;
      const gboolean wants_drive
          = disk->bus != STASIS_DISK_BUS_VIRTIO && disk->bus != STASIS_DISK_BUS_USB;

      const StasisAddressType wanted = disk->bus == STASIS_DISK_BUS_VIRTIO ? STASIS_ADDRESS_PCI
                                       : wants_drive                       ? STASIS_ADDRESS_DRIVE
                                                                           : STASIS_ADDRESS_USB;
      if (address->type != wanted)
        return stasis_conf_invalid (
            error, _ ("/domain/devices/disk[%1$u]/address/@type: '%2$s' does not fit bus '%3$s'"),
            i + 1, stasis_address_type_names[address->type], stasis_disk_bus_names[disk->bus]);
      if (wants_drive && !drive_exists (disk->bus, address))
        return stasis_conf_invalid (
            error, _ ("/domain/devices/disk[%1$u]/address: bus '%2$s' has no such place"), i + 1,
            stasis_disk_bus_names[disk->bus]);
      if (wants_drive
          && !g_hash_table_add (seen,
                                g_strdup_printf ("%d/%d/%d/%d/%d", disk->bus,
                                                 (int) address->controller, (int) address->bus,
                                                 (int) address->target, (int) address->unit)))
        return stasis_conf_invalid (
            error, _ ("/domain/devices/disk[%1$u]/address: another disk has this place"), i + 1);
    }
  return TRUE;
}

/* Devices that can only be PCI devices, and those that have no address at all or an ISA one. */
static gboolean
check_types (const StasisDomainDef *def, GError **error)
{
  const struct
  {
    const GPtrArray *list;
    gsize info;
    const char *name;
    StasisAddressType type;
  } kinds[] = {
    { def->controllers, G_STRUCT_OFFSET (StasisControllerDef, info), "controller",
      STASIS_ADDRESS_PCI },
    { def->interfaces, G_STRUCT_OFFSET (StasisInterfaceDef, info), "interface",
      STASIS_ADDRESS_PCI },
    { def->sounds, G_STRUCT_OFFSET (StasisSoundDef, info), "sound", STASIS_ADDRESS_PCI },
    { def->videos, G_STRUCT_OFFSET (StasisVideoDef, info), "video", STASIS_ADDRESS_PCI },
    { def->balloons, G_STRUCT_OFFSET (StasisBalloonDef, info), "memballoon", STASIS_ADDRESS_PCI },
    { def->rngs, G_STRUCT_OFFSET (StasisRngDef, info), "rng", STASIS_ADDRESS_PCI },
    { def->watchdogs, G_STRUCT_OFFSET (StasisWatchdogDef, info), "watchdog", STASIS_ADDRESS_PCI },
    { def->panics, G_STRUCT_OFFSET (StasisPanicDef, info), "panic", STASIS_ADDRESS_ISA },
    { def->parallels, G_STRUCT_OFFSET (StasisChardevDef, info), "parallel", STASIS_ADDRESS_ISA },
    { def->hubs, G_STRUCT_OFFSET (StasisHubDef, info), "hub", STASIS_ADDRESS_USB },
    { def->redirdevs, G_STRUCT_OFFSET (StasisChardevDef, info), "redirdev", STASIS_ADDRESS_USB },
  };

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (guint i = 0; i < kinds[k].list->len; i++)
      {
        const StasisDeviceInfo *info
            = (StasisDeviceInfo *) ((guint8 *) kinds[k].list->pdata[i] + kinds[k].info);
        const StasisAddressType type = info->address.type;
        if (type != STASIS_ADDRESS_NONE && type != kinds[k].type)
          return stasis_conf_invalid (
              error, _ ("/domain/devices/%1$s[%2$u]/address/@type: '%3$s' does not fit"),
              kinds[k].name, i + 1, stasis_address_type_names[type]);
      }
  return TRUE;
}

/* The same for kinds whose address depends on their bus. */
static gboolean
check_types_by_bus (const StasisDomainDef *def, GError **error)
{
  static const StasisAddressType of_input[] = {
    [STASIS_INPUT_BUS_USB] = STASIS_ADDRESS_USB, [STASIS_INPUT_BUS_VIRTIO] = STASIS_ADDRESS_PCI
  };
  static const StasisAddressType of_serial[]
      = { [STASIS_CHARDEV_TARGET_ISA_SERIAL] = STASIS_ADDRESS_ISA,
          [STASIS_CHARDEV_TARGET_PCI_SERIAL] = STASIS_ADDRESS_PCI,
          [STASIS_CHARDEV_TARGET_USB_SERIAL] = STASIS_ADDRESS_USB };

  for (guint i = 0; i < def->inputs->len; i++)
    {
      const StasisInputDef *input = def->inputs->pdata[i];
      const StasisAddressType type = input->info.address.type;
      if (type != STASIS_ADDRESS_NONE && type != of_input[input->bus])
        return stasis_conf_invalid (
            error, _ ("/domain/devices/input[%1$u]/address/@type: '%2$s' does not fit"), i + 1,
            stasis_address_type_names[type]);
    }
  for (guint i = 0; i < def->serials->len; i++)
    {
      const StasisChardevDef *serial = def->serials->pdata[i];
      const StasisAddressType type = serial->info.address.type;
      if (type != STASIS_ADDRESS_NONE && type != of_serial[serial->target_type])
        return stasis_conf_invalid (
            error, _ ("/domain/devices/serial[%1$u]/address/@type: '%2$s' does not fit"), i + 1,
            stasis_address_type_names[type]);
    }
  return TRUE;
}

gboolean
stasis_domain_assign_addresses (StasisDomainDef *def, GError **error)
{
  if (!check_types (def, error) || !check_types_by_bus (def, error)
      || !assign_virtio_serial (def, error) || !stasis_domain_assign_usb (def, error)
      || !stasis_domain_assign_pci (def, error) || !check_drives (def, error))
    return FALSE;

  /* Controllers were added in the order in which they get their addresses; what is printed must
   * parse to the same order. */
  stasis_domain_sort_controllers (def);
  stasis_domain_def_assign_aliases (def);
  return TRUE;
}
