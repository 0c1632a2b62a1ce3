/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-net.c: network interfaces
 *
 * Whether the link is up is no option of QEMU's: the driver sets it by QMP before the guest runs.
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static gboolean
is_virtio (const StasisInterfaceDef *interface)
{
  return g_str_has_prefix (interface->model, "virtio");
}

/* The kernel carries a virtio interface on a tap unless the definition forbids it. */
gboolean
stasis_command_wants_vhost (const StasisInterfaceDef *interface)
{
  return interface->type != STASIS_INTERFACE_USER && is_virtio (interface)
         && g_strcmp0 (interface->driver_name, "qemu") != 0;
}

/* By its number, or the name that it was given by. */
static char *
fd_of (const StasisResource *resource)
{
  return resource->name != NULL ? g_strdup (resource->name) : g_strdup_printf ("%d", resource->fd);
}

static gboolean
set_vhost (const StasisArgs *args, StasisJson *netdev, const StasisInterfaceDef *interface,
           const char *place, GError **error)
{
  if (!stasis_command_wants_vhost (interface))
    return TRUE;
  const StasisResource *vhost = stasis_args_need (args, "vhost:", interface->info.alias, error);
  if (vhost == NULL)
    return FALSE;
  if (vhost->fd < 0 && interface->driver_name != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/driver/@name: this host has no vhost"), place);
      return FALSE;
    }
  if (vhost->fd < 0)
    return TRUE;

  g_autofree char *fd = fd_of (vhost);
  stasis_json_set_boolean (netdev, "vhost", TRUE);
  stasis_json_set_string (netdev, "vhostfd", fd);
  return TRUE;
}

static gboolean
add_netdev (StasisArgs *args, const StasisInterfaceDef *interface, const char *place,
            const char *id, GError **error)
{
  g_autoptr (StasisJson) netdev = stasis_json_new_object ();

  if (interface->type == STASIS_INTERFACE_USER)
    stasis_json_set_string (netdev, "type", "user");
  else
    {
      const StasisResource *tap = stasis_args_need (args, "tap:", interface->info.alias, error);
      if (tap == NULL)
        return FALSE;
      g_autofree char *fd = fd_of (tap);
      stasis_json_set_string (netdev, "type", "tap");
      stasis_json_set_string (netdev, "fd", fd);
      if (!set_vhost (args, netdev, interface, place, error))
        return FALSE;
    }
  stasis_json_set_string (netdev, "id", id);
  stasis_args_add_json (args, "-netdev", g_steal_pointer (&netdev));
  return TRUE;
}

static StasisJson *
make_device (const StasisArgs *args, const StasisInterfaceDef *interface, const char *place,
             GError **error)
{
  if (!is_virtio (interface))
    return stasis_args_device (args, interface->model, &interface->info, place, error);

  const StasisVirtioModel model
      = g_str_has_suffix (interface->model, "-non-transitional") ? STASIS_VIRTIO_NON_TRANSITIONAL
        : g_str_has_suffix (interface->model, "-transitional")   ? STASIS_VIRTIO_TRANSITIONAL
                                                                 : STASIS_VIRTIO_PLAIN;
  return stasis_args_virtio_device (args, "virtio-net-pci", model, &interface->info, place, error);
}

gboolean
stasis_args_add_interface (StasisArgs *args, const StasisInterfaceDef *interface, const char *place,
                           GError **error)
{
  if (interface->queues > 1)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/driver/@queues: more than one is not supported here"), place);
      return FALSE;
    }

  g_autofree char *id = g_strconcat ("host", interface->info.alias, NULL);
  g_autoptr (StasisJson) device = make_device (args, interface, place, error);
  if (device == NULL || !add_netdev (args, interface, place, id, error))
    return FALSE;

  stasis_args_set_number (device, "rx_queue_size", interface->rx_queue_size);
  stasis_args_set_number (device, "tx_queue_size", interface->tx_queue_size);
  stasis_args_set_number (device, "host_mtu", interface->mtu);
  stasis_json_set_string (device, "netdev", id);
  stasis_json_set_string (device, "mac", interface->mac);
  stasis_args_set_boot_index (device, stasis_args_boot_index_of_interface (args, interface));
  stasis_args_set_rom (device, &interface->info);
  if (!stasis_args_set_address (args, device, &interface->info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

gboolean
stasis_args_add_interfaces (StasisArgs *args, GError **error)
{
  for (guint i = 0; i < args->def->interfaces->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/interface[%u]", i + 1);
      if (!stasis_args_add_interface (args, args->def->interfaces->pdata[i], place, error))
        return FALSE;
    }
  return TRUE;
}
