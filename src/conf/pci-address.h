/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pci-address.h: which slots of a domain's PCI buses are taken
 */

#pragma once

#include "conf/domain-def.h"

G_BEGIN_DECLS

#define STASIS_PCI_BUSES_MAX 256u
#define STASIS_PCI_SLOTS     32u

/* What a device or bridge wants to be plugged into, and what a bus takes. */
typedef enum
{
  STASIS_PCI_PLUG_NONE = 0,
  STASIS_PCI_PLUG_PCI = 1 << 0,       /* an endpoint on a conventional bus */
  STASIS_PCI_PLUG_PCIE = 1 << 1,      /* an endpoint behind a port */
  STASIS_PCI_PLUG_BRIDGE = 1 << 2,    /* pci-bridge */
  STASIS_PCI_PLUG_ROOT_PORT = 1 << 3, /* shares its slot with seven others */
  STASIS_PCI_PLUG_DMI = 1 << 4,       /* dmi-to-pci-bridge */
  STASIS_PCI_PLUG_TO_PCI = 1 << 5,    /* pcie-to-pci-bridge */
} StasisPciPlug;

typedef struct
{
  StasisControllerModel model;
  guint8 functions[STASIS_PCI_SLOTS]; /* one bit for each function in use */
  guint8 shared[STASIS_PCI_SLOTS];    /* TRUE: all of them are root ports */
} StasisPciBus;

typedef struct
{
  StasisPciBus *buses[STASIS_PCI_BUSES_MAX]; /* (owned) */
  guint n_buses;
  gboolean is_pcie; /* the root is pcie-root */
} StasisPciSet;

/* The buses that the definition's controllers make, empty but for the host bridge. */
StasisPciSet *stasis_pci_set_new (const StasisDomainDef *def, GError **error);
void stasis_pci_set_free (StasisPciSet *set);

/* Take an address that is given; an error where it is taken or cannot be. */
gboolean stasis_pci_set_reserve (StasisPciSet *set, const StasisAddress *address,
                                 StasisPciPlug plug, GError **error);

/* TRUE where a whole slot is free. */
gboolean stasis_pci_set_is_free (const StasisPciSet *set, guint bus, guint slot);

/* Take the first free place for @plug; add buses where there is none. */
gboolean stasis_pci_set_take (StasisPciSet *set, StasisPciPlug plug, StasisAddress *out_address,
                              GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPciSet, stasis_pci_set_free)

G_END_DECLS
