/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-address-usb.c: USB ports, and hubs where they do not suffice
 *
 * A port is named by its bus and its path: "0:1" is a port of the controller, "0:1.2" one of the
 * hub that is plugged in there.  A table from names to the number of ports of what is plugged in
 * (0 for anything but a hub) is all the state there is.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/domain-schema.h"

#define HUB_PORTS 8
#define DEPTH_MAX 4 /* numbers in a port's path */

typedef struct
{
  StasisDomainDef *def;
  GHashTable *plugged; /* (owned) of char * -> number of ports */
} Usb;

static int
controller_ports (const StasisControllerDef *controller)
{
  switch (controller->model)
    {
    case STASIS_CONTROLLER_MODEL_EHCI:
    case STASIS_CONTROLLER_MODEL_ICH9_EHCI1:
      return 6;
    case STASIS_CONTROLLER_MODEL_NEC_XHCI:
    case STASIS_CONTROLLER_MODEL_QEMU_XHCI:
      return controller->ports != STASIS_UNSET ? (int) MIN (controller->ports, 15) : 4;
    case STASIS_CONTROLLER_MODEL_PCI_OHCI:
      return 3;
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI1:
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI2:
    case STASIS_CONTROLLER_MODEL_ICH9_UHCI3:
    case STASIS_CONTROLLER_MODEL_NONE:
      return 0; /* companions serve the ports of the EHCI controller */
    default:
      return 2;
    }
}

/* The devices that sit on USB, in the order in which libvirt serves them; hubs first. */
static GPtrArray *
list_devices (const StasisDomainDef *def, gboolean hubs)
{
  GPtrArray *infos = g_ptr_array_new ();

  for (guint i = 0; hubs && i < def->hubs->len; i++)
    g_ptr_array_add (infos, &((StasisHubDef *) def->hubs->pdata[i])->info);
  if (hubs)
    return infos;

  for (guint i = 0; i < def->disks->len; i++)
    {
      StasisDiskDef *disk = def->disks->pdata[i];
      if (disk->bus == STASIS_DISK_BUS_USB)
        g_ptr_array_add (infos, &disk->info);
    }
  for (guint i = 0; i < def->inputs->len; i++)
    {
      StasisInputDef *input = def->inputs->pdata[i];
      if (input->bus == STASIS_INPUT_BUS_USB)
        g_ptr_array_add (infos, &input->info);
    }
  for (guint i = 0; i < def->serials->len; i++)
    {
      StasisChardevDef *serial = def->serials->pdata[i];
      if (serial->target_type == STASIS_CHARDEV_TARGET_USB_SERIAL)
        g_ptr_array_add (infos, &serial->info);
    }
  for (guint i = 0; i < def->redirdevs->len; i++)
    g_ptr_array_add (infos, &((StasisChardevDef *) def->redirdevs->pdata[i])->info);
  return infos;
}

/* The first free port below @prefix ("0:" or "0:1."), near ones first.  NULL: none. */
static char *
find_port (const Usb *usb, const char *prefix, int n_ports, int depth)
{
  for (int port = 1; port <= n_ports; port++)
    {
      g_autofree char *name = g_strdup_printf ("%s%d", prefix, port);
      if (!g_hash_table_contains (usb->plugged, name))
        return g_steal_pointer (&name);
    }
  for (int port = 1; depth < DEPTH_MAX && port <= n_ports; port++)
    {
      g_autofree char *name = g_strdup_printf ("%s%d", prefix, port);
      const int below = GPOINTER_TO_INT (g_hash_table_lookup (usb->plugged, name));
      if (below == 0)
        continue;
      g_autofree char *inner = g_strdup_printf ("%s.", name);
      char *found = find_port (usb, inner, below, depth + 1);
      if (found != NULL)
        return found;
    }
  return NULL;
}

static gboolean
plug (Usb *usb, StasisDeviceInfo *info, gboolean is_hub)
{
  const gint64 wanted = info->address.type == STASIS_ADDRESS_USB ? info->address.bus : STASIS_UNSET;

  for (guint i = 0; i < usb->def->controllers->len; i++)
    {
      const StasisControllerDef *controller = usb->def->controllers->pdata[i];
      if (controller->type != STASIS_CONTROLLER_USB
          || (wanted != STASIS_UNSET && wanted != controller->index))
        continue;
      g_autofree char *prefix = g_strdup_printf ("%d:", (int) controller->index);
      char *name = find_port (usb, prefix, controller_ports (controller), 1);
      if (name == NULL)
        continue;

      info->address.type = STASIS_ADDRESS_USB;
      info->address.bus = controller->index;
      g_free (info->address.usb_port);
      info->address.usb_port = g_strdup (strchr (name, ':') + 1);
      g_hash_table_insert (usb->plugged, name, GINT_TO_POINTER (is_hub ? HUB_PORTS : 0));
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_given (const StasisDeviceInfo *info)
{
  return info->address.type == STASIS_ADDRESS_USB && info->address.usb_port != NULL;
}

/* Plug in those whose port is given. */
static gboolean
reserve (Usb *usb, const GPtrArray *infos, gboolean is_hub, GError **error)
{
  for (guint i = 0; i < infos->len; i++)
    {
      StasisDeviceInfo *info = infos->pdata[i];
      g_autofree char *place = stasis_domain_info_path (usb->def, info);
      if (info->address.type != STASIS_ADDRESS_NONE && info->address.type != STASIS_ADDRESS_USB)
        return stasis_conf_invalid (error,
                                    _ ("%1$s/address: USB device with an address of type '%2$s'"),
                                    place, stasis_address_type_names[info->address.type]);
      if (!is_given (info))
        continue;

      info->address.bus = MAX (info->address.bus, 0);
      const char *port = info->address.usb_port;
      const StasisControllerDef *controller
          = stasis_domain_find_controller (usb->def, STASIS_CONTROLLER_USB, info->address.bus);
      if (controller == NULL
          || !g_regex_match_simple ("^[1-9][0-9]{0,2}(\\.[1-9][0-9]{0,2}){0,3}$", port, 0, 0))
        return stasis_conf_invalid (error, _ ("%1$s/address: USB address %2$d:%3$s does not exist"),
                                    place, (int) info->address.bus, port);
      char *name = g_strdup_printf ("%d:%s", (int) info->address.bus, port);
      if (!g_hash_table_insert (usb->plugged, name, GINT_TO_POINTER (is_hub ? HUB_PORTS : 0)))
        return stasis_conf_invalid (error, _ ("%1$s/address: USB address %2$d:%3$s is used twice"),
                                    place, (int) info->address.bus, port);
    }
  return TRUE;
}

static guint
count_unplugged (const GPtrArray *infos)
{
  guint n = 0;
  for (guint i = 0; i < infos->len; i++)
    n += is_given (infos->pdata[i]) ? 0 : 1;
  return n;
}

/* Free ports of the controllers and of the hubs that are there. */
static int
count_free (const Usb *usb, guint n_hubs)
{
  int n_ports = (int) n_hubs * HUB_PORTS;
  for (guint i = 0; i < usb->def->controllers->len; i++)
    {
      const StasisControllerDef *controller = usb->def->controllers->pdata[i];
      if (controller->type == STASIS_CONTROLLER_USB)
        n_ports += controller_ports (controller);
    }
  return n_ports - (int) g_hash_table_size (usb->plugged);
}

/* A hub takes a port and gives eight; libvirt keeps one of all ports free when it adds hubs. */
static void
add_hubs (Usb *usb, guint n_wanted)
{
  int missing = (int) n_wanted - count_free (usb, usb->def->hubs->len);
  if (missing > 0)
    missing++;
  for (; missing > 0; missing -= HUB_PORTS - 1)
    {
      StasisHubDef *hub = stasis_schema_new (&stasis_hub_schema);
      hub->type = g_strdup ("usb");
      if (!plug (usb, &hub->info, /* is_hub: */ TRUE))
        {
          stasis_schema_free (&stasis_hub_schema, hub);
          return; /* no bus at all: the caller says so */
        }
      g_ptr_array_add (usb->def->hubs, hub);
    }
}

static gboolean
plug_all (Usb *usb, const GPtrArray *infos, gboolean is_hub, GError **error)
{
  for (guint i = 0; i < infos->len; i++)
    {
      StasisDeviceInfo *info = infos->pdata[i];
      if (is_given (info) || plug (usb, info, is_hub))
        continue;
      g_autofree char *place = stasis_domain_info_path (usb->def, info);
      return stasis_conf_invalid (error, _ ("%1$s: a USB device, but no USB port for it"), place);
    }
  return TRUE;
}

gboolean
stasis_domain_assign_usb (StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) plugged = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GPtrArray) hubs = list_devices (def, /* hubs: */ TRUE);
  g_autoptr (GPtrArray) devices = list_devices (def, /* hubs: */ FALSE);
  Usb usb = { .def = def, .plugged = plugged };

  if (!reserve (&usb, hubs, /* is_hub: */ TRUE, error)
      || !reserve (&usb, devices, /* is_hub: */ FALSE, error)
      || !plug_all (&usb, hubs, /* is_hub: */ TRUE, error))
    return FALSE;

  add_hubs (&usb, count_unplugged (devices));
  return plug_all (&usb, devices, /* is_hub: */ FALSE, error);
}
