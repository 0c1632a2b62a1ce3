/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci-address.c: which slots of a domain's PCI buses are taken
 *
 * Theory of operation
 *
 * The rules are libvirt's: an endpoint gets the first slot that is wholly free on the first bus
 * of its kind; root ports share slots of the root complex, eight to a slot; where no bus of the
 * kind has room, buses are added behind the last one.
 */

#include "config.h"

#include "conf/pci-address.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/domain-internal.h"

typedef struct
{
  guint takes; /* StasisPciPlug bits, without an address given by the user */
  guint first_slot;
  guint last_slot;
} BusRules;

static BusRules
bus_rules (StasisControllerModel model)
{
  const guint conventional = STASIS_PCI_PLUG_PCI | STASIS_PCI_PLUG_BRIDGE;

  switch (model)
    {
    case STASIS_CONTROLLER_MODEL_PCIE_ROOT:
      return (BusRules){ STASIS_PCI_PLUG_ROOT_PORT | STASIS_PCI_PLUG_DMI, 1, 31 };
    case STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT:
      return (BusRules){ STASIS_PCI_PLUG_PCIE | STASIS_PCI_PLUG_TO_PCI, 0, 0 };
    case STASIS_CONTROLLER_MODEL_DMI_TO_PCI_BRIDGE:
      /* It takes endpoints too, but they could not be unplugged from it. */
      return (BusRules){ STASIS_PCI_PLUG_BRIDGE, 0, 31 };
    default:
      return (BusRules){ conventional, 1, 31 };
    }
}

static void
add_bus (StasisPciSet *set, StasisControllerModel model)
{
  StasisPciBus *bus = g_new0 (StasisPciBus, 1);
  bus->model = model;
  set->buses[set->n_buses++] = bus;
}

StasisPciSet *
stasis_pci_set_new (const StasisDomainDef *def, GError **error)
{
  g_autoptr (StasisPciSet) set = g_new0 (StasisPciSet, 1);
  set->is_pcie = stasis_domain_def_is_q35 (def);

  gint64 last = 0;
  for (guint i = 0; i < def->controllers->len; i++)
    {
      const StasisControllerDef *controller = def->controllers->pdata[i];
      if (controller->type == STASIS_CONTROLLER_PCI)
        last = MAX (last, controller->index);
    }

  /* Numbers that are left out stand for the kind that would be added anyway. */
  for (gint64 index = 0; index <= last; index++)
    {
      const StasisControllerDef *controller
          = stasis_domain_find_controller (def, STASIS_CONTROLLER_PCI, index);
      add_bus (set, controller != NULL ? controller->model
                    : set->is_pcie     ? STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT
                                       : STASIS_CONTROLLER_MODEL_PCI_BRIDGE);
    }
  return g_steal_pointer (&set);
}

void
stasis_pci_set_free (StasisPciSet *set)
{
  if (set == NULL)
    return;

  for (guint i = 0; i < set->n_buses; i++)
    g_free (set->buses[i]);
  g_free (set);
}

gboolean
stasis_pci_set_is_free (const StasisPciSet *set, guint bus, guint slot)
{
  return set->buses[bus]->functions[slot] == 0;
}

static gboolean
check_range (const StasisAddress *address, GError **error)
{
  if (address->domain == 0 && address->bus >= 0 && address->bus < STASIS_PCI_BUSES_MAX
      && address->slot >= 0 && address->slot < STASIS_PCI_SLOTS && address->function >= 0
      && address->function < 8)
    return TRUE;
  return stasis_conf_invalid (error, _ ("PCI address %1$04x:%2$02x:%3$02x.%4$x does not exist"),
                              (guint) address->domain, (guint) address->bus, (guint) address->slot,
                              (guint) address->function);
}

gboolean
stasis_pci_set_reserve (StasisPciSet *set, const StasisAddress *address, StasisPciPlug plug,
                        GError **error)
{
  if (!check_range (address, error))
    return FALSE;
  while (set->n_buses <= address->bus)
    add_bus (set, set->is_pcie ? STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT
                               : STASIS_CONTROLLER_MODEL_PCI_BRIDGE);

  StasisPciBus *bus = set->buses[address->bus];
  const BusRules rules = bus_rules (bus->model);
  if (address->slot < rules.first_slot || address->slot > rules.last_slot)
    return stasis_conf_invalid (error, _ ("PCI bus %1$u (%2$s) has no slot %3$u"),
                                (guint) address->bus, stasis_controller_model_names[bus->model],
                                (guint) address->slot);

  const guint8 bit = (guint8) (1u << address->function);
  if ((bus->functions[address->slot] & bit) != 0)
    return stasis_conf_invalid (error, _ ("PCI address %1$04x:%2$02x:%3$02x.%4$x is used twice"),
                                (guint) address->domain, (guint) address->bus,
                                (guint) address->slot, (guint) address->function);
  if (bus->functions[address->slot] == 0)
    bus->shared[address->slot] = plug == STASIS_PCI_PLUG_ROOT_PORT;
  else if (plug != STASIS_PCI_PLUG_ROOT_PORT)
    bus->shared[address->slot] = FALSE;
  bus->functions[address->slot] |= bit;
  return TRUE;
}

static gboolean
find (const StasisPciSet *set, StasisPciPlug plug, StasisAddress *address)
{
  const gboolean may_share = plug == STASIS_PCI_PLUG_ROOT_PORT;

  for (guint b = 0; b < set->n_buses; b++)
    {
      const StasisPciBus *bus = set->buses[b];
      const BusRules rules = bus_rules (bus->model);
      if ((rules.takes & plug) == 0)
        continue;

      for (guint slot = rules.first_slot; slot <= rules.last_slot; slot++)
        {
          const guint8 functions = bus->functions[slot];
          const gboolean has_room
              = functions == 0 || (may_share && bus->shared[slot] && functions != 0xff);
          if (!has_room)
            continue;
          guint function = 0;
          while ((functions & (1u << function)) != 0)
            function++;
          address->bus = b;
          address->slot = slot;
          address->function = function;
          return TRUE;
        }
    }
  return FALSE;
}

/* Make room for @plug.  An endpoint of the old kind on a PCIe machine needs a bridge, which in
 * turn occupies a root port of its own. */
static gboolean
grow (StasisPciSet *set, StasisPciPlug plug, GError **error)
{
  if (set->n_buses + 2 > STASIS_PCI_BUSES_MAX)
    return stasis_conf_invalid (error, _ ("there are no PCI addresses left"));

  const gboolean is_conventional = plug == STASIS_PCI_PLUG_PCI || plug == STASIS_PCI_PLUG_BRIDGE;
  if (is_conventional && !set->is_pcie)
    add_bus (set, STASIS_CONTROLLER_MODEL_PCI_BRIDGE);
  else if (is_conventional)
    {
      add_bus (set, STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT);
      set->buses[set->n_buses - 1]->functions[0] = 1;
      add_bus (set, STASIS_CONTROLLER_MODEL_PCIE_TO_PCI_BRIDGE);
    }
  else if (plug == STASIS_PCI_PLUG_PCIE || plug == STASIS_PCI_PLUG_TO_PCI)
    add_bus (set, STASIS_CONTROLLER_MODEL_PCIE_ROOT_PORT);
  else
    return stasis_conf_invalid (error, _ ("there is no PCI bus for such a controller"));
  return TRUE;
}

gboolean
stasis_pci_set_take (StasisPciSet *set, StasisPciPlug plug, StasisAddress *out_address,
                     GError **error)
{
  StasisAddress address = { .type = STASIS_ADDRESS_PCI };
  if (!find (set, plug, &address))
    {
      if (!grow (set, plug, error))
        return FALSE;
      if (!find (set, plug, &address))
        return stasis_conf_invalid (error, _ ("there are no PCI addresses left"));
    }

  StasisPciBus *bus = set->buses[address.bus];
  if (bus->functions[address.slot] == 0)
    bus->shared[address.slot] = plug == STASIS_PCI_PLUG_ROOT_PORT;
  bus->functions[address.slot] |= (guint8) (1u << address.function);

  out_address->type = STASIS_ADDRESS_PCI;
  out_address->domain = 0;
  out_address->bus = address.bus;
  out_address->slot = address.slot;
  out_address->function = address.function;
  return TRUE;
}
