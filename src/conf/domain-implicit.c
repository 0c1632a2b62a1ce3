/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-implicit.c: devices that a machine has although nobody wrote them down
 *
 * libvirt adds the same ones.  They must stand in the definition, since the guest sees them and
 * a saved guest needs them at the same place again.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/domain-schema.h"

#define SCSI_UNITS_PER_CONTROLLER 7 /* a narrow bus, whatever the controller could do */
#define SATA_UNITS_PER_CONTROLLER 6

static void
set_drive (StasisAddress *address, gint64 controller, gint64 bus, gint64 unit)
{
  address->type = STASIS_ADDRESS_DRIVE;
  address->controller = controller;
  address->bus = bus;
  address->target = 0;
  address->unit = unit;
}

/* A disk's place on its bus follows from its name. */
static void
assign_drive (StasisDiskDef *disk)
{
  const int index = stasis_disk_target_index (disk->target);
  StasisAddress *address = &disk->info.address;

  if (address->type == STASIS_ADDRESS_DRIVE)
    {
      /* Parts that are left out are zero. */
      address->controller = MAX (address->controller, 0);
      address->bus = MAX (address->bus, 0);
      address->target = MAX (address->target, 0);
      address->unit = MAX (address->unit, 0);
    }
  if (address->type != STASIS_ADDRESS_NONE)
    return;

  switch (disk->bus)
    {
    case STASIS_DISK_BUS_IDE:
      set_drive (address, index / 4, index % 4 / 2, index % 2);
      break;
    case STASIS_DISK_BUS_SATA:
      set_drive (address, index / SATA_UNITS_PER_CONTROLLER, 0, index % SATA_UNITS_PER_CONTROLLER);
      break;
    case STASIS_DISK_BUS_SCSI:
      set_drive (address, index / SCSI_UNITS_PER_CONTROLLER, 0, index % SCSI_UNITS_PER_CONTROLLER);
      break;
    case STASIS_DISK_BUS_FDC:
      set_drive (address, index / 2, 0, index % 2);
      break;
    case STASIS_DISK_BUS_VIRTIO:
    case STASIS_DISK_BUS_USB:
    case STASIS_DISK_BUS_UNSET:
      break;
    }
}

static StasisControllerType
controller_of_bus (StasisDiskBus bus)
{
  switch (bus)
    {
    case STASIS_DISK_BUS_IDE:
      return STASIS_CONTROLLER_IDE;
    case STASIS_DISK_BUS_SATA:
      return STASIS_CONTROLLER_SATA;
    case STASIS_DISK_BUS_SCSI:
      return STASIS_CONTROLLER_SCSI;
    case STASIS_DISK_BUS_FDC:
      return STASIS_CONTROLLER_FDC;
    default:
      return STASIS_CONTROLLER_UNSET;
    }
}

/* Controllers 0 to @index of a type, those that are not there yet. */
static void
need_controllers (StasisDomainDef *def, StasisControllerType type, gint64 index)
{
  const StasisControllerModel model = type == STASIS_CONTROLLER_SCSI
                                          ? STASIS_CONTROLLER_MODEL_LSILOGIC
                                          : STASIS_CONTROLLER_MODEL_UNSET;
  for (gint64 i = 0; i <= index; i++)
    if (stasis_domain_find_controller (def, type, i) == NULL)
      stasis_domain_add_controller (def, type, i, model);
}

static gboolean
add_disk_controllers (StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      StasisDiskDef *disk = def->disks->pdata[i];
      assign_drive (disk);
    }

  static const StasisControllerType order[] = { STASIS_CONTROLLER_SCSI, STASIS_CONTROLLER_FDC,
                                                STASIS_CONTROLLER_IDE, STASIS_CONTROLLER_SATA };
  for (gsize k = 0; k < G_N_ELEMENTS (order); k++)
    for (guint i = 0; i < def->disks->len; i++)
      {
        const StasisDiskDef *disk = def->disks->pdata[i];
        const StasisAddress *address = &disk->info.address;
        if (controller_of_bus (disk->bus) != order[k] || address->type != STASIS_ADDRESS_DRIVE)
          continue;
        if (address->controller < 0 || address->controller > 255)
          return stasis_conf_invalid (
              error, _ ("/domain/devices/disk[%1$u]/address/@controller: not between 0 and 255"),
              i + 1);
        need_controllers (def, order[k], address->controller);
      }
  return TRUE;
}

/* In the order of those who need them, each controller that is named or, without a name, the
 * first. */
static void
add_virtio_serials (StasisDomainDef *def, const GPtrArray *chardevs)
{
  for (guint i = 0; i < chardevs->len; i++)
    {
      const StasisChardevDef *chardev = chardevs->pdata[i];
      const StasisAddress *address = &chardev->info.address;
      if (chardev->target_type != STASIS_CHARDEV_TARGET_VIRTIO)
        continue;

      const gint64 index
          = address->type == STASIS_ADDRESS_VIRTIO_SERIAL ? CLAMP (address->controller, 0, 255) : 0;
      if (stasis_domain_find_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index) == NULL)
        stasis_domain_add_controller (def, STASIS_CONTROLLER_VIRTIO_SERIAL, index,
                                      STASIS_CONTROLLER_MODEL_UNSET);
    }
}

static void
add_usb (StasisDomainDef *def)
{
  for (guint i = 0; i < def->controllers->len; i++)
    if (((StasisControllerDef *) def->controllers->pdata[i])->type == STASIS_CONTROLLER_USB)
      return;

  stasis_domain_add_controller (def, STASIS_CONTROLLER_USB, 0,
                                stasis_domain_def_is_q35 (def)
                                    ? STASIS_CONTROLLER_MODEL_QEMU_XHCI
                                    : STASIS_CONTROLLER_MODEL_PIIX3_UHCI);
}

static void
add_chipset (StasisDomainDef *def)
{
  const gboolean is_q35 = stasis_domain_def_is_q35 (def);

  add_usb (def);
  if (is_q35)
    need_controllers (def, STASIS_CONTROLLER_SATA, 0);
  if (stasis_domain_find_controller (def, STASIS_CONTROLLER_PCI, 0) == NULL)
    stasis_domain_add_controller (def, STASIS_CONTROLLER_PCI, 0,
                                  is_q35 ? STASIS_CONTROLLER_MODEL_PCIE_ROOT
                                         : STASIS_CONTROLLER_MODEL_PCI_ROOT);
}

static void
add_balloon (StasisDomainDef *def)
{
  if (def->balloons->len > 0)
    {
      StasisBalloonDef *balloon = def->balloons->pdata[0];
      if (balloon->model == STASIS_BALLOON_UNSET)
        balloon->model = STASIS_BALLOON_VIRTIO;
      return;
    }

  StasisBalloonDef *balloon = stasis_schema_new (&stasis_balloon_schema);
  balloon->model = STASIS_BALLOON_VIRTIO;
  g_ptr_array_add (def->balloons, balloon);
}

static void
add_input (StasisDomainDef *def, StasisInputType type)
{
  for (guint i = 0; i < def->inputs->len; i++)
    {
      const StasisInputDef *input = def->inputs->pdata[i];
      if (input->type == type && input->bus == STASIS_INPUT_BUS_PS2)
        return;
    }

  StasisInputDef *input = stasis_schema_new (&stasis_input_schema);
  input->type = type;
  input->bus = STASIS_INPUT_BUS_PS2;
  g_ptr_array_add (def->inputs, input);
}

static void
add_audio (StasisDomainDef *def)
{
  if (def->audios->len > 0)
    return;

  StasisAudioDef *audio = stasis_schema_new (&stasis_audio_schema);
  audio->id = 1;
  audio->type = STASIS_AUDIO_NONE;
  for (guint i = 0; i < def->graphics->len; i++)
    if (((StasisGraphicsDef *) def->graphics->pdata[i])->type == STASIS_GRAPHICS_SPICE)
      audio->type = STASIS_AUDIO_SPICE;
  g_ptr_array_add (def->audios, audio);
}

static void
add_video (StasisDomainDef *def)
{
  if (def->graphics->len == 0 || def->videos->len > 0)
    return;

  StasisVideoDef *video = stasis_schema_new (&stasis_video_schema);
  video->model = STASIS_VIDEO_CIRRUS;
  video->vram = 16384;
  video->heads = 1;
  video->primary = STASIS_TRISTATE_ON;
  g_ptr_array_add (def->videos, video);
}

/* libvirt keeps controllers sorted by type and number; so do we, or the same definition would get
 * other addresses here. */
void
stasis_domain_sort_controllers (StasisDomainDef *def)
{
  g_autoptr (GPtrArray) written = g_ptr_array_copy (def->controllers, NULL, NULL);
  g_ptr_array_set_size (def->controllers, 0);
  for (guint i = 0; i < written->len; i++)
    stasis_domain_insert_controller (def, written->pdata[i]);
}

/* Likewise disks: those of a bus together, by name.  Virtio disks get their slots in this order. */
static void
sort_disks (StasisDomainDef *def)
{
  g_autoptr (GPtrArray) written = g_ptr_array_copy (def->disks, NULL, NULL);
  g_ptr_array_set_size (def->disks, 0);

  for (guint k = 0; k < written->len; k++)
    {
      const StasisDiskDef *disk = written->pdata[k];
      const int index = stasis_disk_target_index (disk->target);
      int place = -1;
      for (guint i = def->disks->len; i > 0; i--)
        {
          const StasisDiskDef *other = def->disks->pdata[i - 1];
          if (other->bus != disk->bus)
            continue;
          if (stasis_disk_target_index (other->target) > index)
            place = (int) i - 1;
          else if (place < 0)
            place = (int) i;
        }
      g_ptr_array_insert (def->disks, place, written->pdata[k]);
    }
}

gboolean
stasis_domain_add_implicit (StasisDomainDef *def, GError **error)
{
  stasis_domain_sort_controllers (def);
  sort_disks (def);
  add_chipset (def);
  add_balloon (def);
  add_audio (def);
  add_video (def);
  add_input (def, STASIS_INPUT_MOUSE);
  add_input (def, STASIS_INPUT_KEYBOARD);
  if (!add_disk_controllers (def, error))
    return FALSE;
  add_virtio_serials (def, def->channels);
  add_virtio_serials (def, def->consoles);
  return TRUE;
}
