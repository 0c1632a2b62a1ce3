/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-disk.c: disks as the guest sees them
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static StasisBootDevice
boot_device_of (const StasisDiskDef *disk)
{
  return disk->device == STASIS_DISK_DEVICE_CDROM    ? STASIS_BOOT_CDROM
         : disk->device == STASIS_DISK_DEVICE_FLOPPY ? STASIS_BOOT_FD
                                                     : STASIS_BOOT_HD;
}

static gint64
boot_index_of (const StasisDomainDef *def, StasisBootDevice device)
{
  for (guint i = 0; i < def->os.boots->len; i++)
    if (((StasisBootDef *) def->os.boots->pdata[i])->device == device)
      return (gint64) i + 1;
  return STASIS_UNSET;
}

/* <boot dev=…> means the first disk of that kind. */
gint64
stasis_args_boot_index_of_disk (const StasisArgs *args, const StasisDiskDef *disk)
{
  if (disk->info.boot_order != STASIS_UNSET)
    return disk->info.boot_order;

  const StasisBootDevice device = boot_device_of (disk);
  for (guint i = 0; i < args->def->disks->len; i++)
    {
      const StasisDiskDef *other = args->def->disks->pdata[i];
      if (boot_device_of (other) == device)
        return other == disk ? boot_index_of (args->def, device) : STASIS_UNSET;
    }
  return STASIS_UNSET;
}

/* And the first interface. */
gint64
stasis_args_boot_index_of_interface (const StasisArgs *args, const StasisInterfaceDef *interface)
{
  if (interface->info.boot_order != STASIS_UNSET)
    return interface->info.boot_order;
  return args->def->interfaces->pdata[0] == interface ? boot_index_of (args->def,
                                                                       STASIS_BOOT_NETWORK)
                                                      : STASIS_UNSET;
}

static gboolean
need_drive_address (const StasisDiskDef *disk, const char *place, GError **error)
{
  if (disk->info.address.type == STASIS_ADDRESS_DRIVE)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s/address: a disk on bus '%2$s' needs one of type 'drive'"), place,
               stasis_disk_bus_names[disk->bus]);
  return FALSE;
}

static StasisJson *
make_virtio (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  g_autoptr (StasisJson) device
      = stasis_args_virtio_device (args, "virtio-blk-pci", disk->model, &disk->info, place, error);
  if (device == NULL)
    return NULL;

  if (disk->iothread != STASIS_UNSET)
    {
      g_autofree char *iothread = g_strdup_printf ("iothread%" PRId64, disk->iothread);
      stasis_json_set_string (device, "iothread", iothread);
    }
  stasis_args_set_number (device, "num-queues", disk->queues);
  stasis_args_set_number (device, "queue-size", disk->queue_size);
  if (!stasis_args_set_address (args, device, &disk->info, place, error))
    return NULL;
  return g_steal_pointer (&device);
}

/* The i440fx has two channels of two; behind AHCI every port is a channel of one. */
static StasisJson *
make_ide (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  const gboolean is_cdrom = disk->device == STASIS_DISK_DEVICE_CDROM;
  const StasisAddress *address = &disk->info.address;
  if (!is_cdrom && disk->readonly)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/readonly: QEMU has no read-only disks on bus '%2$s'"), place,
                   stasis_disk_bus_names[disk->bus]);
      return NULL;
    }
  if (!need_drive_address (disk, place, error))
    return NULL;
  g_autoptr (StasisJson) device
      = stasis_args_device (args, is_cdrom ? "ide-cd" : "ide-hd", &disk->info, place, error);
  if (device == NULL)
    return NULL;

  g_autofree char *bus = NULL;
  if (disk->bus == STASIS_DISK_BUS_IDE)
    bus = g_strdup_printf ("ide.%" PRId64, address->bus);
  else if (args->is_q35 && address->controller == 0)
    bus = g_strdup_printf ("ide.%" PRId64, address->unit);
  else
    {
      const StasisControllerDef *ahci
          = stasis_args_controller (args, STASIS_CONTROLLER_SATA, address->controller);
      bus = g_strdup_printf ("%s.%" PRId64, ahci != NULL ? ahci->info.alias : "sata0",
                             address->unit);
    }
  stasis_json_set_string (device, "bus", bus);
  if (disk->bus == STASIS_DISK_BUS_IDE)
    stasis_json_set_int (device, "unit", address->unit);
  return g_steal_pointer (&device);
}

/* What a disk calls itself towards the guest when nobody gave it a serial number. */
static void
set_scsi_identity (StasisJson *device, const StasisDiskDef *disk)
{
  g_autofree char *identity = disk->serial != NULL ? g_strdup (disk->serial)
                                                   : g_strconcat ("drive-", disk->info.alias, NULL);
  stasis_json_set_string (device, "device_id", identity);
}

static StasisJson *
make_scsi (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  const gboolean is_cdrom = disk->device == STASIS_DISK_DEVICE_CDROM;
  const StasisAddress *address = &disk->info.address;
  if (!need_drive_address (disk, place, error))
    return NULL;
  const StasisControllerDef *controller
      = stasis_args_controller (args, STASIS_CONTROLLER_SCSI, address->controller);
  g_autoptr (StasisJson) device
      = stasis_args_device (args, is_cdrom ? "scsi-cd" : "scsi-hd", &disk->info, place, error);
  if (device == NULL)
    return NULL;

  g_autofree char *bus
      = g_strdup_printf ("%s.0", controller != NULL ? controller->info.alias : "scsi0");
  stasis_json_set_string (device, "bus", bus);
  if (controller != NULL && controller->model == STASIS_CONTROLLER_MODEL_LSILOGIC)
    stasis_json_set_int (device, "scsi-id", address->unit);
  else
    {
      stasis_json_set_int (device, "channel", address->bus);
      stasis_json_set_int (device, "scsi-id", address->target);
      stasis_json_set_int (device, "lun", address->unit);
    }
  set_scsi_identity (device, disk);
  return g_steal_pointer (&device);
}

static StasisJson *
make_floppy (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  if (!need_drive_address (disk, place, error))
    return NULL;
  StasisJson *device = stasis_args_device (args, "floppy", &disk->info, place, error);
  if (device == NULL)
    return NULL;

  if (args->is_q35)
    {
      const StasisControllerDef *controller
          = stasis_args_controller (args, STASIS_CONTROLLER_FDC, disk->info.address.controller);
      g_autofree char *bus
          = g_strdup_printf ("%s.0", controller != NULL ? controller->info.alias : "fdc0");
      stasis_json_set_string (device, "bus", bus);
    }
  stasis_json_set_int (device, "unit", disk->info.address.unit);
  return device;
}

static StasisJson *
make_usb (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  g_autoptr (StasisJson) device
      = stasis_args_device (args, "usb-storage", &disk->info, place, error);
  if (device == NULL || !stasis_args_set_address (args, device, &disk->info, place, error))
    return NULL;
  stasis_json_set_boolean (device, "removable", disk->removable == STASIS_TRISTATE_ON);
  return g_steal_pointer (&device);
}

static StasisJson *
make_device (const StasisArgs *args, const StasisDiskDef *disk, const char *place, GError **error)
{
  switch (disk->bus)
    {
    case STASIS_DISK_BUS_VIRTIO:
      return make_virtio (args, disk, place, error);
    case STASIS_DISK_BUS_IDE:
    case STASIS_DISK_BUS_SATA:
      return make_ide (args, disk, place, error);
    case STASIS_DISK_BUS_SCSI:
      return make_scsi (args, disk, place, error);
    case STASIS_DISK_BUS_FDC:
      return make_floppy (args, disk, place, error);
    case STASIS_DISK_BUS_USB:
      return make_usb (args, disk, place, error);
    case STASIS_DISK_BUS_UNSET:
      break;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("%1$s/target/@bus: missing"),
               place);
  return NULL;
}

static void
set_write_cache (StasisJson *device, StasisDiskCache mode)
{
  if (mode == STASIS_DISK_CACHE_UNSET || mode == STASIS_DISK_CACHE_DEFAULT)
    return;
  const gboolean is_through
      = mode == STASIS_DISK_CACHE_WRITETHROUGH || mode == STASIS_DISK_CACHE_DIRECTSYNC;
  stasis_json_set_string (device, "write-cache", is_through ? "off" : "on");
}

static void
set_error_policies (StasisJson *device, const StasisDiskDef *disk)
{
  const gboolean is_enospace = g_strcmp0 (disk->error_policy, "enospace") == 0;
  const char *on_write = is_enospace ? "enospc" : disk->error_policy;
  const char *on_read = disk->rerror_policy != NULL ? disk->rerror_policy
                        : is_enospace               ? "report"
                                                    : disk->error_policy;
  if (on_write != NULL)
    stasis_json_set_string (device, "werror", on_write);
  if (on_read != NULL)
    stasis_json_set_string (device, "rerror", on_read);
}

static void
set_identity (StasisJson *device, const StasisDiskDef *disk)
{
  stasis_args_set_number (device, "logical_block_size", disk->logical_block_size);
  stasis_args_set_number (device, "physical_block_size", disk->physical_block_size);
  stasis_args_set_number (device, "rotation_rate", disk->rotation_rate);
  if (disk->wwn != NULL)
    stasis_json_set_uint (device, "wwn", g_ascii_strtoull (disk->wwn, NULL, 16));
  if (disk->vendor != NULL)
    stasis_json_set_string (device, "vendor", disk->vendor);
  if (disk->product != NULL)
    stasis_json_set_string (device, "product", disk->product);
  if (disk->serial != NULL)
    stasis_json_set_string (device, "serial", disk->serial);
}

static void
set_options (const StasisArgs *args, StasisJson *device, const StasisDiskDef *disk)
{
  if (disk->shareable)
    stasis_json_set_boolean (device, "share-rw", TRUE);
  if (disk->bus == STASIS_DISK_BUS_FDC)
    return;
  stasis_args_set_boot_index (device, stasis_args_boot_index_of_disk (args, disk));
  set_identity (device, disk);
  set_write_cache (device, stasis_command_cache_mode (disk));
  set_error_policies (device, disk);
}

gboolean
stasis_args_add_disk (StasisArgs *args, const StasisDiskDef *disk, const char *place,
                      GError **error)
{
  g_autofree char *node = NULL;
  if (stasis_command_has_medium (disk) && !stasis_args_add_disk_nodes (args, disk, &node, error))
    return FALSE;
  g_autoptr (StasisJson) device = make_device (args, disk, place, error);
  if (device == NULL)
    return FALSE;

  if (node != NULL)
    stasis_json_set_string (device, "drive", node);
  set_options (args, device, disk);
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

gboolean
stasis_args_add_disks (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->disks->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/disk[%u]", i + 1);
      if (!stasis_args_add_disk (args, args->def->disks->pdata[i], place, error))
        return FALSE;
    }
  return TRUE;
}
