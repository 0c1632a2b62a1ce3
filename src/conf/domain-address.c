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

static gboolean
assign_virtio_serial (StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < def->channels->len; i++)
    {
      StasisAddress *address = &((StasisChardevDef *) def->channels->pdata[i])->info.address;
      if (address->type == STASIS_ADDRESS_NONE)
        continue;
      if (address->type != STASIS_ADDRESS_VIRTIO_SERIAL || address->controller > 255
          || address->port < 0 || address->port >= VIRTIO_SERIAL_PORTS_MAX)
        return stasis_conf_invalid (
            error, _ ("/domain/devices/channel[%1$u]/address: not a virtio-serial port"), i + 1);
      address->controller = MAX (address->controller, 0);
      address->bus = MAX (address->bus, 0);
      if (address->port == 0)
        address->type = STASIS_ADDRESS_NONE; /* "any", as libvirt reads it */
      else if (!g_hash_table_add (
                   seen, g_strdup_printf ("%d/%d", (int) address->controller, (int) address->port)))
        return stasis_conf_invalid (
            error, _ ("/domain/devices/channel[%1$u]/address: the port is used twice"), i + 1);
      for (gint64 index = 0; index <= address->controller; index++)
        if (stasis_domain_find_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index) == NULL)
          stasis_domain_add_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index,
                                        STASIS_CONTROLLER_MODEL_UNSET);
    }

  for (guint i = 0; i < def->channels->len; i++)
    {
      StasisAddress *address = &((StasisChardevDef *) def->channels->pdata[i])->info.address;
      if (address->type == STASIS_ADDRESS_NONE)
        assign_port (def, address);
    }
  return TRUE;
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

      if (wants_drive != (address->type == STASIS_ADDRESS_DRIVE))
        return stasis_conf_invalid (
            error, _ ("/domain/devices/disk[%1$u]/address/@type: '%2$s' does not fit bus '%3$s'"),
            i + 1, stasis_address_type_names[address->type], stasis_disk_bus_names[disk->bus]);
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

/* Parts of a drive's address that may be left out are zero. */
static void
normalize_drives (StasisDomainDef *def)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      StasisAddress *address = &((StasisDiskDef *) def->disks->pdata[i])->info.address;
      if (address->type != STASIS_ADDRESS_DRIVE)
        continue;
      address->controller = MAX (address->controller, 0);
      address->bus = MAX (address->bus, 0);
      address->target = MAX (address->target, 0);
      address->unit = MAX (address->unit, 0);
    }
}

gboolean
stasis_domain_assign_addresses (StasisDomainDef *def, GError **error)
{
  normalize_drives (def);
  if (!assign_virtio_serial (def, error) || !stasis_domain_assign_usb (def, error)
      || !stasis_domain_assign_pci (def, error) || !check_drives (def, error))
    return FALSE;

  stasis_domain_def_assign_aliases (def);
  return TRUE;
}
