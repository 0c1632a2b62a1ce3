/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-address-pci.c: PCI addresses as libvirt gives them
 *
 * Theory of operation
 *
 * The guest's drivers know their devices by these addresses, so a definition without addresses
 * must get the same ones here as from libvirt.  Three steps, as there: what the chipset fixes
 * (IDE, SATA, the first display...), what the definition gives, and then all others in a fixed
 * order of kinds.  Since missing bridges and ports are controllers too and come first in that
 * order, it is done twice: on a copy to learn how many buses are needed, then for good.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/pci-address.h"

typedef struct
{
  StasisDomainDef *def;
  StasisPciSet *set;
  gboolean is_q35;
} Placer;

static gboolean
is_unplaced (const StasisDeviceInfo *info)
{
  return info->address.type == STASIS_ADDRESS_NONE;
}

static void
fix (StasisDeviceInfo *info, guint slot, guint function)
{
  StasisAddress *address = &info->address;
  address->type = STASIS_ADDRESS_PCI;
  address->domain = 0;
  address->bus = 0;
  address->slot = slot;
  address->function = function;
}

/* Endpoints that exist in one kind only; virtio devices are PCIe where there is PCIe. */
static StasisPciPlug
virtio_plug (const Placer *placer, gboolean is_transitional)
{
  return placer->is_q35 && !is_transitional ? STASIS_PCI_PLUG_PCIE : STASIS_PCI_PLUG_PCI;
}

static StasisPciPlug
controller_plug (const Placer *placer, const StasisControllerDef *controller)
{
  switch (controller->model)
    {
    case STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT:
      return STASIS_PCI_PLUG_ROOT_PORT;
    case STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE:
      return STASIS_PCI_PLUG_TO_PCI;
    case STASIS_CONTROLLER_MODEL_PCI_BRIDGE:
      return STASIS_PCI_PLUG_BRIDGE;
    case STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE:
      return STASIS_PCI_PLUG_DMI;
    case STASIS_CONTROLLER_MODEL_PCI_ROOT:
    case STASIS_CONTROLLER_MODEL_PCIE_ROOT:
    case STASIS_CONTROLLER_MODEL_NONE:
      return STASIS_PCI_PLUG_NONE;
    case STASIS_CONTROLLER_MODEL_NEC_XHCI:
    case STASIS_CONTROLLER_MODEL_QEMU_XHCI:
    case STASIS_CONTROLLER_MODEL_VIRTIO_SCSI:
    case STASIS_CONTROLLER_MODEL_VIRTIO:
    case STASIS_CONTROLLER_MODEL_VIRTIO_NON_TRANSITIONAL:
      return virtio_plug (placer, FALSE);
    default:
      break;
    }

  if (controller->type == STASIS_CONTROLLER_VIRTIO_SERIAL)
    return virtio_plug (placer, controller->model == STASIS_CONTROLLER_MODEL_VIRTIO_TRANSITIONAL);
  return controller->type == STASIS_CONTROLLER_FDC ? STASIS_PCI_PLUG_NONE : STASIS_PCI_PLUG_PCI;
}

static StasisPciPlug
interface_plug (const Placer *placer, const StasisInterfaceDef *interface)
{
  static const char *const pcie[] = { "virtio", "virtio-non-transitional", "e1000e", NULL };
  return placer->is_q35 && g_strv_contains (pcie, interface->model) ? STASIS_PCI_PLUG_PCIE
                                                                    : STASIS_PCI_PLUG_PCI;
}

static gboolean
take (Placer *placer, StasisDeviceInfo *info, StasisPciPlug plug, GError **error)
{
  if (plug == STASIS_PCI_PLUG_NONE || !is_unplaced (info))
    return TRUE;
  return stasis_pci_set_take (placer->set, plug, &info->address, error);
}

/* The four parts of an ICH9 USB 2 controller are the functions of one slot. */
static int
usb2_function (StasisControllerModel model)
{
  switch (model)
    {
    case STASIS_CONTROLLER_MODEL_ICH9_EHCI1:
      return 7;
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI1:
      return 0;
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI2:
      return 1;
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI3:
      return 2;
    default:
      return -1;
    }
}

/* Where a sibling of this part has its address already. */
static const StasisAddress *
usb2_sibling (const Placer *placer, const StasisControllerDef *controller)
{
  for (guint i = 0; i < placer->def->controllers->len; i++)
    {
      const StasisControllerDef *other = placer->def->controllers->pdata[i];
      if (other != controller && other->type == STASIS_CONTROLLER_USB
          && other->index == controller->index && usb2_function (other->model) >= 0
          && other->info.address.type == STASIS_ADDRESS_PCI)
        return &other->info.address;
    }
  return NULL;
}

static gboolean
place_usb2 (Placer *placer, StasisControllerDef *controller, GError **error)
{
  StasisAddress *address = &controller->info.address;
  const StasisAddress *sibling = usb2_sibling (placer, controller);
  StasisAddress place = { .type = STASIS_ADDRESS_PCI, .domain = 0 };

  if (sibling != NULL)
    {
      place.bus = sibling->bus;
      place.slot = sibling->slot;
    }
  else if (placer->is_q35 && stasis_pci_set_is_free (placer->set, 0, 0x1d))
    place.slot = 0x1d;
  else if (placer->is_q35 && stasis_pci_set_is_free (placer->set, 0, 0x1a))
    place.slot = 0x1a;
  else
    {
      if (!stasis_pci_set_take (placer->set, STASIS_PCI_PLUG_PCI, &place, error))
        return FALSE;
      placer->set->buses[place.bus]->functions[place.slot] = 0;
    }

  place.function = usb2_function (controller->model);
  place.multifunction = place.function == 0 ? STASIS_TRISTATE_ON : STASIS_TRISTATE_UNSET;
  if (!stasis_pci_set_reserve (placer->set, &place, STASIS_PCI_PLUG_PCI, error))
    return FALSE;
  address->type = STASIS_ADDRESS_PCI;
  address->domain = 0;
  address->bus = place.bus;
  address->slot = place.slot;
  address->function = place.function;
  address->multifunction = place.multifunction;
  return TRUE;
}

/* What the chipset itself has at a fixed place. */
static void
fix_chipset (Placer *placer)
{
  StasisDomainDef *def = placer->def;

  for (guint i = 0; i < def->controllers->len; i++)
    {
      StasisControllerDef *controller = def->controllers->pdata[i];
      if (!is_unplaced (&controller->info))
        continue;

      if (!placer->is_q35 && controller->type == STASIS_CONTROLLER_IDE && controller->index == 0)
        fix (&controller->info, 1, 1);
      if (!placer->is_q35 && controller->index == 0
          && controller->model == STASIS_CONTROLLER_MODEL_PIIX3_UHCI)
        fix (&controller->info, 1, 2);
      if (placer->is_q35 && controller->type == STASIS_CONTROLLER_SATA && controller->index == 0)
        fix (&controller->info, 0x1f, 2);
    }
}

/* What stands at its place by habit, where that is free. */
static gboolean
fix_habits (Placer *placer, GError **error)
{
  StasisDomainDef *def = placer->def;
  StasisPciSet *set = placer->set;
  StasisVideoDef *video = def->videos->len > 0 ? def->videos->pdata[0] : NULL;
  const guint video_slot = placer->is_q35 ? 1 : 2;

  for (guint i = 0; placer->is_q35 && i < def->controllers->len; i++)
    {
      StasisControllerDef *controller = def->controllers->pdata[i];
      if (!is_unplaced (&controller->info))
        continue;
      if (usb2_function (controller->model) >= 0 && !place_usb2 (placer, controller, error))
        return FALSE;
      if (controller->model == STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE
          && stasis_pci_set_is_free (set, 0, 0x1e))
        {
          fix (&controller->info, 0x1e, 0);
          set->buses[0]->functions[0x1e] = 1;
        }
    }
  if (video != NULL && video->model != STASIS_VIDEO_NONE && is_unplaced (&video->info)
      && stasis_pci_set_is_free (set, 0, video_slot))
    {
      fix (&video->info, video_slot, 0);
      set->buses[0]->functions[video_slot] = 1;
    }
  for (guint i = 0; placer->is_q35 && i < def->sounds->len; i++)
    {
      StasisSoundDef *sound = def->sounds->pdata[i];
      if (sound->model == STASIS_SOUND_ICH9 && is_unplaced (&sound->info)
          && stasis_pci_set_is_free (set, 0, 0x1b))
        {
          fix (&sound->info, 0x1b, 0);
          set->buses[0]->functions[0x1b] = 1;
        }
    }
  return TRUE;
}

/* Addresses that are in the definition.  Those of root ports tell which slots may be shared. */
static gboolean
reserve_given (Placer *placer, GError **error)
{
  g_autoptr (GPtrArray) infos = stasis_domain_list_infos (placer->def);
  g_autoptr (GHashTable) ports = g_hash_table_new (g_direct_hash, g_direct_equal);
  for (guint i = 0; i < placer->def->controllers->len; i++)
    {
      StasisControllerDef *controller = placer->def->controllers->pdata[i];
      if (controller->model == STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT)
        g_hash_table_add (ports, &controller->info);
    }

  for (guint i = 0; i < infos->len; i++)
    {
      const StasisDeviceInfo *info = infos->pdata[i];
      if (info->address.type != STASIS_ADDRESS_PCI)
        continue;
      if (!stasis_pci_set_reserve (placer->set, &info->address,
                                   g_hash_table_contains (ports, info) ? STASIS_PCI_PLUG_ROOT_PORT
                                                                       : STASIS_PCI_PLUG_PCI,
                                   error))
        {
          g_autofree char *place = stasis_domain_info_path (placer->def, info);
          g_prefix_error (error, "%s/address: ", place);
          return FALSE;
        }
    }

  /* The parts of the chipset that are no devices of the definition (the ISA bridge, ...). */
  placer->set->buses[0]->functions[placer->is_q35 ? 0x1f : 1] = 0xff;
  return TRUE;
}

static gboolean
take_controllers (Placer *placer, gboolean pci, GError **error)
{
  for (guint i = 0; i < placer->def->controllers->len; i++)
    {
      StasisControllerDef *controller = placer->def->controllers->pdata[i];
      if ((controller->type == STASIS_CONTROLLER_PCI) != pci || !is_unplaced (&controller->info))
        continue;
      if (usb2_function (controller->model) >= 0)
        {
          if (!place_usb2 (placer, controller, error))
            return FALSE;
        }
      else if (!take (placer, &controller->info, controller_plug (placer, controller), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_interfaces_and_sounds (Placer *placer, GError **error)
{
  for (guint i = 0; i < placer->def->interfaces->len; i++)
    {
      StasisInterfaceDef *interface = placer->def->interfaces->pdata[i];
      if (!take (placer, &interface->info, interface_plug (placer, interface), error))
        return FALSE;
    }
  for (guint i = 0; i < placer->def->sounds->len; i++)
    {
      StasisSoundDef *sound = placer->def->sounds->pdata[i];
      if (!take (placer, &sound->info, STASIS_PCI_PLUG_PCI, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_disks (Placer *placer, GError **error)
{
  for (guint i = 0; i < placer->def->disks->len; i++)
    {
      StasisDiskDef *disk = placer->def->disks->pdata[i];
      if (disk->bus == STASIS_DISK_BUS_VIRTIO
          && !take (placer, &disk->info,
                    virtio_plug (placer, disk->model == STASIS_VIRTIO_TRANSITIONAL), error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_balloon_rngs_watchdogs (Placer *placer, GError **error)
{
  for (guint i = 0; i < placer->def->balloons->len; i++)
    {
      StasisBalloonDef *balloon = placer->def->balloons->pdata[i];
      if (balloon->model != STASIS_BALLOON_NONE
          && !take (placer, &balloon->info,
                    virtio_plug (placer, balloon->model == STASIS_BALLOON_VIRTIO_TRANSITIONAL),
                    error))
        return FALSE;
    }
  for (guint i = 0; i < placer->def->rngs->len; i++)
    {
      StasisRngDef *rng = placer->def->rngs->pdata[i];
      if (!take (placer, &rng->info, virtio_plug (placer, rng->model == STASIS_VIRTIO_TRANSITIONAL),
                 error))
        return FALSE;
    }
  for (guint i = 0; i < placer->def->watchdogs->len; i++)
    {
      StasisWatchdogDef *watchdog = placer->def->watchdogs->pdata[i];
      if (watchdog->model == STASIS_WATCHDOG_I6300ESB
          && !take (placer, &watchdog->info, STASIS_PCI_PLUG_PCI, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_videos_inputs_serials (Placer *placer, GError **error)
{
  for (guint i = 0; i < placer->def->videos->len; i++)
    {
      StasisVideoDef *video = placer->def->videos->pdata[i];
      const gboolean is_virtio = video->model == STASIS_VIDEO_VIRTIO;
      if (video->model != STASIS_VIDEO_NONE
          && !take (placer, &video->info, virtio_plug (placer, !is_virtio), error))
        return FALSE;
    }
  for (guint i = 0; i < placer->def->inputs->len; i++)
    {
      StasisInputDef *input = placer->def->inputs->pdata[i];
      if (input->bus == STASIS_INPUT_BUS_VIRTIO
          && !take (placer, &input->info,
                    virtio_plug (placer, input->model == STASIS_VIRTIO_TRANSITIONAL), error))
        return FALSE;
    }
  for (guint i = 0; i < placer->def->serials->len; i++)
    {
      StasisChardevDef *serial = placer->def->serials->pdata[i];
      if (serial->target_type == STASIS_CHARDEV_TARGET_PCI_SERIAL
          && !take (placer, &serial->info, STASIS_PCI_PLUG_PCI, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
take_all (Placer *placer, GError **error)
{
  return fix_habits (placer, error) && take_controllers (placer, /* pci: */ TRUE, error)
         && take_interfaces_and_sounds (placer, error)
         && take_controllers (placer, /* pci: */ FALSE, error) && take_disks (placer, error)
         && take_balloon_rngs_watchdogs (placer, error)
         && take_videos_inputs_serials (placer, error);
}

static gboolean
has_room (const StasisPciSet *set)
{
  for (guint b = 0; b < set->n_buses; b++)
    for (guint slot = 1; slot < STASIS_PCI_SLOTS; slot++)
      if (stasis_pci_set_is_free (set, b, slot))
        return TRUE;
  return FALSE;
}

/* Learn on a copy which buses will be needed, and add their controllers.  There is to be room
 * for one more: on a PC a slot for the bridge to come, on a q35 for which nobody has written
 * ports a port to plug something into later. */
static gboolean
add_buses (StasisDomainDef *def, GError **error)
{
  g_autoptr (StasisDomainDef) trial = stasis_domain_def_copy (def);
  g_autoptr (StasisPciSet) set = stasis_pci_set_new (trial, error);
  if (set == NULL)
    return FALSE;

  const guint n_given = set->n_buses;
  Placer placer = { .def = trial, .set = set, .is_q35 = set->is_pcie };
  StasisAddress spare = { 0 };
  fix_chipset (&placer);
  if (!reserve_given (&placer, error))
    return FALSE;
  const gboolean wants_slot = !set->is_pcie && has_room (set);
  if (!take_all (&placer, error))
    return FALSE;
  if (wants_slot && !stasis_pci_set_take (set, STASIS_PCI_PLUG_PCI, &spare, error))
    return FALSE;
  const gboolean wants_port = set->is_pcie && n_given == 1 && set->n_buses > 1;
  if (wants_port && !stasis_pci_set_take (set, STASIS_PCI_PLUG_PCIE, &spare, error))
    return FALSE;

  for (guint i = 1; i < set->n_buses; i++)
    if (stasis_domain_find_controller (def, STASIS_CONTROLLER_PCI, i) == NULL)
      stasis_domain_add_controller (def, STASIS_CONTROLLER_PCI, i, set->buses[i]->model);
  return TRUE;
}

static void
fill_options (StasisControllerDef *controller)
{
  static const char *const names[] = {
    [STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT] = "pcie-root-port",
    [STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE] = "pcie-pci-bridge",
    [STASIS_CONTROLLER_MODEL_PCI_BRIDGE] = "pci-bridge",
    [STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE] = "i82801b11-bridge",
  };

  if (controller->model >= G_N_ELEMENTS (names) || names[controller->model] == NULL)
    return;
  if (controller->pci_model_name == NULL)
    controller->pci_model_name = g_strdup (names[controller->model]);
  if (controller->model == STASIS_CONTROLLER_MODEL_PCI_BRIDGE
      && controller->chassis_nr == STASIS_UNSET)
    controller->chassis_nr = controller->index;
  if (controller->model != STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT)
    return;

  const StasisAddress *address = &controller->info.address;
  if (controller->chassis == STASIS_UNSET)
    controller->chassis = controller->index;
  if (controller->port == STASIS_UNSET && address->type == STASIS_ADDRESS_PCI)
    controller->port = address->slot << 3 | address->function;
}

/* Function 0 must say so where its slot has other functions. */
static void
mark_multifunction (StasisDomainDef *def, const StasisPciSet *set)
{
  g_autoptr (GPtrArray) infos = stasis_domain_list_infos (def);

  for (guint i = 0; i < infos->len; i++)
    {
      StasisAddress *address = &((StasisDeviceInfo *) infos->pdata[i])->address;
      if (address->type != STASIS_ADDRESS_PCI || address->function != 0
          || address->multifunction != STASIS_TRISTATE_UNSET)
        continue;
      if (set->buses[address->bus]->functions[address->slot] > 1)
        address->multifunction = STASIS_TRISTATE_ON;
    }
}

/* <address type='pci'/> with nothing in it asks for an address; zeros may be left out. */
static void
normalize_given (StasisDomainDef *def)
{
  g_autoptr (GPtrArray) infos = stasis_domain_list_infos (def);

  for (guint i = 0; i < infos->len; i++)
    {
      StasisAddress *address = &((StasisDeviceInfo *) infos->pdata[i])->address;
      if (address->type != STASIS_ADDRESS_PCI)
        continue;
      if (address->domain == STASIS_UNSET && address->bus == STASIS_UNSET
          && address->slot == STASIS_UNSET && address->function == STASIS_UNSET)
        address->type = STASIS_ADDRESS_NONE;
      else
        {
          address->domain = MAX (address->domain, 0);
          address->bus = MAX (address->bus, 0);
          address->slot = MAX (address->slot, 0);
          address->function = MAX (address->function, 0);
        }
    }
}

static gboolean
assign (StasisDomainDef *def, GError **error)
{
  normalize_given (def);
  if (!add_buses (def, error))
    return FALSE;

  g_autoptr (StasisPciSet) set = stasis_pci_set_new (def, error);
  if (set == NULL)
    return FALSE;
  Placer placer = { .def = def, .set = set, .is_q35 = set->is_pcie };
  fix_chipset (&placer);
  if (!reserve_given (&placer, error) || !take_all (&placer, error))
    return FALSE;

  mark_multifunction (def, set);
  for (guint i = 0; i < def->controllers->len; i++)
    fill_options (def->controllers->pdata[i]);
  return TRUE;
}

gboolean
stasis_domain_assign_pci (StasisDomainDef *def, GError **error)
{
  if (assign (def, error))
    return TRUE;
  if (error != NULL && *(*error)->message != '/')
    g_prefix_error (error, "/domain/devices: ");
  return FALSE;
}
