/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-args.c: options, devices and addresses on QEMU's command line
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

/* "-option" and, where it is not NULL, its value. */
void
stasis_args_add (StasisArgs *args, const char *option, const char *value)
{
  g_ptr_array_add (args->argv, g_strdup (option));
  if (value != NULL)
    g_ptr_array_add (args->argv, g_strdup (value));
}

/* The caller has no comma in what it formats, but between its parts. */
void
stasis_args_add_printf (StasisArgs *args, const char *option, const char *format, ...)
{
  va_list values;
  va_start (values, format);
  g_autofree char *value = g_strdup_vprintf (format, values);
  va_end (values);
  stasis_args_add (args, option, value);
}

void
stasis_args_add_json (StasisArgs *args, const char *option, StasisJson *object_take)
{
  g_autoptr (StasisJson) object = object_take;
  g_autofree char *text = stasis_json_to_string (object);
  stasis_args_add (args, option, text);
}

void
stasis_args_append (GString *options, const char *name, const char *value)
{
  if (options->len > 0)
    g_string_append_c (options, ',');
  if (*name != '\0')
    g_string_append_printf (options, "%s=", name);
  for (const char *p = value; *p != '\0'; p++)
    {
      g_string_append_c (options, *p);
      if (*p == ',')
        g_string_append_c (options, ',');
    }
}

/* One that is missing is the driver's mistake, but no reason to take the program down. */
const StasisResource *
stasis_args_need (const StasisArgs *args, const char *prefix, const char *name, GError **error)
{
  g_autofree char *key = g_strconcat (prefix, name, NULL);
  const StasisResource *resource = stasis_resources_find (args->host->resources, key);
  const gboolean is_open
      = resource != NULL && (resource->fd >= 0 || resource->kind == STASIS_RESOURCE_VHOST);
  if (!is_open)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("'%1$s' has not been opened"), key);
      return NULL;
    }
  return resource;
}

StasisJson *
stasis_args_device (const StasisArgs *args, const char *driver, const StasisDeviceInfo *info,
                    const char *place, GError **error)
{
  if (!stasis_qemu_caps_has_device (args->caps, driver))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s: QEMU %2$s as installed has no device '%3$s'"), place,
                   stasis_qemu_caps_version (args->caps), driver);
      return NULL;
    }

  StasisJson *device = stasis_json_new_object ();
  stasis_json_set_string (device, "driver", driver);
  if (info != NULL && info->alias != NULL)
    stasis_json_set_string (device, "id", info->alias);
  return device;
}

StasisJson *
stasis_args_virtio_device (const StasisArgs *args, const char *driver, StasisVirtioModel model,
                           const StasisDeviceInfo *info, const char *place, GError **error)
{
  const char *suffix = model == STASIS_VIRTIO_TRANSITIONAL       ? "-transitional"
                       : model == STASIS_VIRTIO_NON_TRANSITIONAL ? "-non-transitional"
                                                                 : "";
  g_autofree char *name = g_strconcat (driver, suffix, NULL);
  return stasis_args_device (args, name, info, place, error);
}

/* The controller of that type and number, or NULL. */
const StasisControllerDef *
stasis_args_controller (const StasisArgs *args, StasisControllerType type, gint64 index)
{
  for (guint i = 0; i < args->def->controllers->len; i++)
    {
      const StasisControllerDef *controller = args->def->controllers->pdata[i];
      if (controller->type == type && controller->index == index)
        return controller;
    }
  return NULL;
}

static gboolean
throw_no_bus (const char *place, const char *type, gint64 index, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s/address: there is no controller of type '%2$s' with index %3$" PRId64),
               place, type, index);
  return FALSE;
}

static gboolean
set_pci (const StasisArgs *args, StasisJson *device, const StasisAddress *address,
         const char *place, GError **error)
{
  const StasisControllerDef *controller
      = stasis_args_controller (args, STASIS_CONTROLLER_PCI, address->bus);
  const char *bus = NULL;
  if (address->bus == 0)
    bus = args->is_q35 ? "pcie.0" : "pci.0";
  else if (controller != NULL)
    bus = controller->info.alias;
  if (bus == NULL)
    return throw_no_bus (place, "pci", address->bus, error);

  stasis_json_set_string (device, "bus", bus);
  if (address->multifunction == STASIS_TRISTATE_ON)
    stasis_json_set_boolean (device, "multifunction", TRUE);
  g_autofree char *addr = address->function > 0 ? g_strdup_printf ("0x%" PRIx64 ".0x%" PRIx64,
                                                                   address->slot, address->function)
                                                : g_strdup_printf ("0x%" PRIx64, address->slot);
  stasis_json_set_string (device, "addr", addr);
  return TRUE;
}

/* A device on a bus named after its controller: "usb1.0". */
static gboolean
set_bus_of (const StasisArgs *args, StasisJson *device, StasisControllerType type, gint64 index,
            gint64 bus_number, const char *place, GError **error)
{
  const StasisControllerDef *controller = stasis_args_controller (args, type, index);
  if (controller == NULL || controller->info.alias == NULL)
    return throw_no_bus (place, stasis_controller_type_names[type], index, error);

  g_autofree char *bus = g_strdup_printf ("%s.%" PRId64, controller->info.alias, bus_number);
  stasis_json_set_string (device, "bus", bus);
  return TRUE;
}

static void
set_isa (StasisJson *device, const StasisAddress *address)
{
  stasis_args_set_number (device, "iobase", address->iobase);
  stasis_args_set_number (device, "irq", address->irq);
}

gboolean
stasis_args_set_address (const StasisArgs *args, StasisJson *device, const StasisDeviceInfo *info,
                         const char *place, GError **error)
{
  const StasisAddress *address = &info->address;

  switch (address->type)
    {
    case STASIS_ADDRESS_NONE:
    case STASIS_ADDRESS_DRIVE: /* command-disk.c's business */
      return TRUE;
    case STASIS_ADDRESS_PCI:
      return set_pci (args, device, address, place, error);
    case STASIS_ADDRESS_USB:
      if (!set_bus_of (args, device, STASIS_CONTROLLER_USB, address->bus, 0, place, error))
        return FALSE;
      if (address->usb_port != NULL)
        stasis_json_set_string (device, "port", address->usb_port);
      return TRUE;
    case STASIS_ADDRESS_VIRTIO_SERIAL:
      if (!set_bus_of (args, device, STASIS_CONTROLLER_VIRTIO_SERIAL, address->controller,
                       MAX (0, address->bus), place, error))
        return FALSE;
      stasis_args_set_number (device, "nr", address->port);
      return TRUE;
    case STASIS_ADDRESS_ISA:
      set_isa (device, address);
      return TRUE;
    case STASIS_ADDRESS_CCID:
      break;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s/address/@type: '%2$s' is not supported here"), place,
               stasis_address_type_names[address->type]);
  return FALSE;
}

/* Nothing where @index is STASIS_UNSET. */
void
stasis_args_set_boot_index (StasisJson *device, gint64 index)
{
  stasis_args_set_number (device, "bootindex", index);
}

void
stasis_args_set_rom (StasisJson *device, const StasisDeviceInfo *info)
{
  if (info->rom_enabled == STASIS_TRISTATE_OFF)
    stasis_json_set_string (device, "romfile", "");
  else if (info->rom_bar != STASIS_TRISTATE_UNSET)
    stasis_json_set_int (device, "rombar", info->rom_bar == STASIS_TRISTATE_ON ? 1 : 0);
}

/* Nothing where the XML says nothing; so the next. */
void
stasis_args_set_tristate (StasisJson *device, const char *name, StasisTristate value)
{
  if (value != STASIS_TRISTATE_UNSET)
    stasis_json_set_boolean (device, name, value == STASIS_TRISTATE_ON);
}

void
stasis_args_set_number (StasisJson *device, const char *name, gint64 value)
{
  if (value != STASIS_UNSET)
    stasis_json_set_int (device, name, value);
}
