/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-controller.c: controllers, in the order in which libvirt gives them to QEMU
 *
 * The roots, the i440fx's IDE and floppy controllers and the q35's first AHCI are part of the
 * machine: they have no -device.
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

/* QEMU's name for each model that is a device of its own. */
static const char *const drivers[] = {
  [STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT] = "pcie-root-port",
  [STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-pci-bridge",
  [STASIS_CONTROLLER_MODEL_PCI_BRIDGE] = "pci-bridge",
  [STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE] = "i82801b11-bridge",
  [STASIS_CONTROLLER_MODEL_PIIX3_UHCI] = "piix3-usb-uhci",
  [STASIS_CONTROLLER_MODEL_PIIX4_UHCI] = "piix4-usb-uhci",
  [STASIS_CONTROLLER_MODEL_EHCI] = "usb-ehci",
  [STASIS_CONTROLLER_MODEL_ICH9_EHCI1] = "ich9-usb-ehci1",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI1] = "ich9-usb-uhci1",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI2] = "ich9-usb-uhci2",
  [STASIS_CONTROLLER_MODEL_ICH9_UHCI3] = "ich9-usb-uhci3",
  [STASIS_CONTROLLER_MODEL_VT82C686B_UHCI] = "vt82c686b-usb-uhci",
  [STASIS_CONTROLLER_MODEL_PCI_OHCI] = "pci-ohci",
  [STASIS_CONTROLLER_MODEL_NEC_XHCI] = "nec-usb-xhci",
  [STASIS_CONTROLLER_MODEL_QEMU_XHCI] = "qemu-xhci",
  [STASIS_CONTROLLER_MODEL_VIRTIO_SCSI] = "virtio-scsi-pci",
  [STASIS_CONTROLLER_MODEL_LSILOGIC] = "lsi53c895a",
  [STASIS_CONTROLLER_MODEL_PIIX3] = NULL,
};

static gboolean
is_builtin (const StasisArgs *args, const StasisControllerDef *controller)
{
  switch (controller->type)
    {
    case STASIS_CONTROLLER_PCI:
      return controller->model == STASIS_CONTROLLER_MODEL_PCI_ROOT
             || controller->model == STASIS_CONTROLLER_MODEL_PCIE_ROOT;
    case STASIS_CONTROLLER_USB:
      return controller->model == STASIS_CONTROLLER_MODEL_NONE;
    case STASIS_CONTROLLER_IDE:
      return !args->is_q35 && controller->index == 0;
    case STASIS_CONTROLLER_SATA:
      return args->is_q35 && controller->index == 0;
    case STASIS_CONTROLLER_FDC:
      return !args->is_q35 && controller->index == 0;
    case STASIS_CONTROLLER_SCSI:
    case STASIS_CONTROLLER_VIRTIO_SERIAL:
    case STASIS_CONTROLLER_UNSET:
      break;
    }
  return FALSE;
}

static StasisVirtioModel
virtio_model (StasisControllerModel model)
{
  return model == STASIS_CONTROLLER_MODEL_VIRTIO_TRANSITIONAL       ? STASIS_VIRTIO_TRANSITIONAL
         : model == STASIS_CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL ? STASIS_VIRTIO_NON_TRANSITIONAL
                                                                    : STASIS_VIRTIO_PLAIN;
}

static StasisJson *
make_device (const StasisArgs *args, const StasisControllerDef *controller, const char *place,
             GError **error)
{
  const StasisDeviceInfo *info = &controller->info;

  switch (controller->type)
    {
    case STASIS_CONTROLLER_VIRTIO_SERIAL:
      return stasis_args_virtio_device (args, "virtio-serial-pci", virtio_model (controller->model),
                                        info, place, error);
    case STASIS_CONTROLLER_SATA:
      return stasis_args_device (args, "ich9-ahci", info, place, error);
    case STASIS_CONTROLLER_FDC:
      return stasis_args_device (args, "isa-fdc", info, place, error);
    case STASIS_CONTROLLER_SCSI:
      if (controller->model == STASIS_CONTROLLER_MODEL_LSILOGIC)
        break;
      return stasis_args_virtio_device (args, "virtio-scsi-pci", virtio_model (controller->model),
                                        info, place, error);
    default:
      break;
    }

  const char *driver
      = controller->model < G_N_ELEMENTS (drivers) ? drivers[controller->model] : NULL;
  if (driver != NULL)
    return stasis_args_device (args, driver, info, place, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s: a controller of type '%2$s' with index %3$" PRId64
                  " is not supported on this machine"),
               place, stasis_controller_type_names[controller->type], controller->index);
  return NULL;
}

/* What is behind a bridge has a number of its own; libvirt uses the index where none is given. */
static gboolean
set_pci_options (StasisJson *device, const StasisControllerDef *controller, const char *place,
                 GError **error)
{
  const char *driver = stasis_json_string (stasis_json_get (device, "driver"), "");
  if (controller->pci_model_name != NULL && !g_str_equal (controller->pci_model_name, driver))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/model/@name: '%2$s' is not supported here, only '%3$s'"), place,
                   controller->pci_model_name, driver);
      return FALSE;
    }

  if (controller->model == STASIS_CONTROLLER_MODEL_PCI_BRIDGE)
    stasis_json_set_int (device, "chassis_nr",
                         controller->chassis_nr != STASIS_UNSET ? controller->chassis_nr
                                                                : controller->index);
  if (controller->model == STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT)
    {
      stasis_args_set_number (device, "port", controller->port);
      stasis_json_set_int (device, "chassis",
                           controller->chassis != STASIS_UNSET ? controller->chassis
                                                               : controller->index);
      stasis_args_set_tristate (device, "hotplug", controller->hotplug);
    }
  return TRUE;
}

/* The companions of an EHCI controller share its alias, so only the controller has an id. */
static void
set_usb_options (StasisJson **device, const StasisControllerDef *controller)
{
  if (controller->usb_master_startport != STASIS_UNSET)
    {
      StasisJson *companion = stasis_json_new_object ();
      g_autofree char *bus = g_strdup_printf ("%s.0", controller->info.alias);
      stasis_json_set_string (companion, "driver",
                              stasis_json_string (stasis_json_get (*device, "driver"), ""));
      stasis_json_set_string (companion, "masterbus", bus);
      stasis_json_set_int (companion, "firstport", controller->usb_master_startport);
      stasis_json_unref (*device);
      *device = companion;
    }
  if (controller->ports != STASIS_UNSET)
    {
      stasis_json_set_int (*device, "p2", controller->ports);
      stasis_json_set_int (*device, "p3", controller->ports);
    }
}

static void
set_scsi_options (StasisJson *device, const StasisControllerDef *controller)
{
  if (controller->iothread != STASIS_UNSET)
    {
      g_autofree char *iothread = g_strdup_printf ("iothread%" PRId64, controller->iothread);
      stasis_json_set_string (device, "iothread", iothread);
    }
  stasis_args_set_number (device, "num_queues", controller->queues);
  stasis_args_set_number (device, "cmd_per_lun", controller->cmd_per_lun);
  stasis_args_set_number (device, "max_sectors", controller->max_sectors);
}

static gboolean
add_controller (StasisArgs *args, const StasisControllerDef *controller, const char *place,
                GError **error)
{
  g_autoptr (StasisJson) device = make_device (args, controller, place, error);
  if (device == NULL)
    return FALSE;

  if (controller->type == STASIS_CONTROLLER_PCI
      && !set_pci_options (device, controller, place, error))
    return FALSE;
  if (controller->type == STASIS_CONTROLLER_USB)
    set_usb_options (&device, controller);
  if (controller->type == STASIS_CONTROLLER_SCSI)
    set_scsi_options (device, controller);
  if (controller->type == STASIS_CONTROLLER_VIRTIO_SERIAL)
    {
      stasis_args_set_number (device, "max_ports", controller->ports);
      stasis_args_set_number (device, "vectors", controller->vectors);
    }
  if (!stasis_args_set_address (args, device, &controller->info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

static void
add_pci_hole (StasisArgs *args)
{
  const StasisControllerDef *root = stasis_args_controller (args, STASIS_CONTROLLER_PCI, 0);
  if (root != NULL && root->pcihole64 != STASIS_UNSET)
    stasis_args_add_printf (args, "-global", "%s.pci-hole64-size=%" PRId64 "K",
                            args->is_q35 ? "q35-pcihost" : "i440FX-pcihost", root->pcihole64);
}

gboolean
stasis_args_add_controllers (StasisArgs *args, GError **error)
{
  static const StasisControllerType order[]
      = { STASIS_CONTROLLER_PCI, STASIS_CONTROLLER_USB,  STASIS_CONTROLLER_SCSI,
          STASIS_CONTROLLER_IDE, STASIS_CONTROLLER_SATA, STASIS_CONTROLLER_VIRTIO_SERIAL,
          STASIS_CONTROLLER_FDC };
  const GPtrArray *controllers = args->def->controllers;

  add_pci_hole (args);
  for (gsize k = 0; k < G_N_ELEMENTS (order); k++)
    for (guint i = 0; i < controllers->len; i++)
      {
        const StasisControllerDef *controller = controllers->pdata[i];
        g_autofree char *place = g_strdup_printf ("/domain/devices/controller[%u]", i + 1);
        if (controller->type == order[k] && !is_builtin (args, controller)
            && !add_controller (args, controller, place, error))
          return FALSE;
      }
  return TRUE;
}
