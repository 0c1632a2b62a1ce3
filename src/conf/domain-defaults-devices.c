/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-defaults-devices.c: what devices are when the definition leaves it open
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "conf/domain-schema.h"

/* Where libvirt makes sockets of its own, which mean nothing here. */
static gboolean
is_libvirts_own (const char *path)
{
  return g_str_has_prefix (path, "/var/lib/libvirt/qemu/")
         || g_str_has_prefix (path, "/run/libvirt/qemu/")
         || strstr (path, "/channel/target/domain-") != NULL;
}

static void
default_string (char **at, const char *value)
{
  if (*at == NULL)
    *at = g_strdup (value);
}

static StasisDiskBus
bus_from_target (const char *target)
{
  if (target == NULL)
    return STASIS_DISK_BUS_UNSET;
  if (g_str_has_prefix (target, "vd"))
    return STASIS_DISK_BUS_VIRTIO;
  if (g_str_has_prefix (target, "sd"))
    return STASIS_DISK_BUS_SCSI;
  if (g_str_has_prefix (target, "hd"))
    return STASIS_DISK_BUS_IDE;
  if (g_str_has_prefix (target, "fd"))
    return STASIS_DISK_BUS_FDC;
  return STASIS_DISK_BUS_UNSET;
}

static void
fill_disk (StasisDiskDef *disk)
{
  if (disk->type == STASIS_DISK_TYPE_UNSET)
    disk->type = STASIS_DISK_TYPE_FILE;
  if (disk->device == STASIS_DISK_DEVICE_UNSET)
    disk->device = STASIS_DISK_DEVICE_DISK;
  if (disk->device == STASIS_DISK_DEVICE_CDROM)
    disk->readonly = TRUE;
  if (disk->bus == STASIS_DISK_BUS_UNSET)
    disk->bus = disk->device == STASIS_DISK_DEVICE_FLOPPY ? STASIS_DISK_BUS_FDC
                                                          : bus_from_target (disk->target);
  default_string (&disk->driver_name, "qemu");
  if (disk->format == STASIS_DISK_FORMAT_UNSET)
    disk->format = STASIS_DISK_FORMAT_RAW;
  if (disk->source != NULL && *disk->source == '\0')
    g_clear_pointer (&disk->source, g_free);
}

static void
fill_usb_controller (StasisControllerDef *controller)
{
  if (controller->model == STASIS_CONTROLLER_MODEL_UNSET)
    controller->model = STASIS_CONTROLLER_MODEL_PIIX3_UHCI;
}

static gboolean
has_part (const StasisDomainDef *def, gint64 index, StasisControllerModel model)
{
  for (guint i = 0; i < def->controllers->len; i++)
    {
      const StasisControllerDef *controller = def->controllers->pdata[i];
      if (controller->type == STASIS_CONTROLLER_USB && controller->index == index
          && controller->model == model)
        return TRUE;
    }
  return FALSE;
}

/* The next number, but a companion has that of the first EHCI controller which lacks it. */
static gint64
next_index (const StasisDomainDef *def, const StasisControllerDef *controller)
{
  gint64 index = 0;
  if (stasis_controller_is_companion (controller->model))
    while (has_part (def, index, STASIS_CONTROLLER_MODEL_ICH9_EHCI1))
      {
        if (!has_part (def, index, controller->model))
          return index;
        index++;
      }

  index = 0;
  while (stasis_domain_find_controller (def, controller->type, index) != NULL)
    index++;
  return index;
}

static void
fill_controllers (StasisDomainDef *def)
{
  for (guint i = 0; i < def->controllers->len; i++)
    {
      StasisControllerDef *controller = def->controllers->pdata[i];

      if (controller->type == STASIS_CONTROLLER_USB)
        fill_usb_controller (controller);
      if (controller->type == STASIS_CONTROLLER_SCSI
          && controller->model == STASIS_CONTROLLER_MODEL_UNSET)
        controller->model = STASIS_CONTROLLER_MODEL_LSILOGIC;
      if (controller->index == STASIS_UNSET)
        controller->index = next_index (def, controller);
    }
}

/* The next number: behind the highest one. */
static gint64
next_port (const GPtrArray *serials)
{
  gint64 next = 0;
  for (guint i = 0; i < serials->len; i++)
    next = MAX (next, ((StasisChardevDef *) serials->pdata[i])->target_port + 1);
  return next;
}

/* Ports that are ISA by word come first, so that a PC's first port is its port 0. */
static void
fill_serials (GPtrArray *serials)
{
  for (int pass = 0; pass < 2; pass++)
    for (guint i = 0; i < serials->len; i++)
      {
        StasisChardevDef *serial = serials->pdata[i];
        const gboolean is_isa = serial->target_type == STASIS_CHARDEV_TARGET_ISA_SERIAL;
        if (serial->target_port == STASIS_UNSET && (pass > 0 || is_isa))
          serial->target_port = next_port (serials);
      }

  for (guint i = 0; i < serials->len; i++)
    {
      StasisChardevDef *serial = serials->pdata[i];
      if (serial->target_type == STASIS_CHARDEV_TARGET_UNSET)
        serial->target_type = STASIS_CHARDEV_TARGET_ISA_SERIAL;
      if (serial->target_model == NULL)
        serial->target_model = g_strdup (stasis_chardev_target_names[serial->target_type]);
    }
}

static void
fill_parallels (GPtrArray *parallels)
{
  for (guint i = 0; i < parallels->len; i++)
    {
      StasisChardevDef *parallel = parallels->pdata[i];
      if (parallel->target_port == STASIS_UNSET)
        parallel->target_port = (gint64) i;
    }
}

static void
fill_host_side (GPtrArray *chardevs, StasisDomainParseFlags flags)
{
  for (guint i = 0; i < chardevs->len; i++)
    {
      StasisChardevDef *chardev = chardevs->pdata[i];
      const gboolean is_socket
          = chardev->type == STASIS_CHARDEV_UNIX || chardev->type == STASIS_CHARDEV_TCP;
      if (is_socket && chardev->mode == STASIS_CHARDEV_MODE_UNSET)
        chardev->mode = chardev->source_path == NULL && chardev->type == STASIS_CHARDEV_UNIX
                            ? STASIS_CHARDEV_MODE_BIND
                            : STASIS_CHARDEV_MODE_CONNECT;
      if (chardev->type == STASIS_CHARDEV_UNIX && (flags & STASIS_DOMAIN_PARSE_ACTIVE) == 0
          && chardev->source_path != NULL && is_libvirts_own (chardev->source_path))
        g_clear_pointer (&chardev->source_path, g_free);
      if (chardev->type == STASIS_CHARDEV_TCP)
        default_string (&chardev->protocol, "raw");
    }
}

static void
fill_consoles (StasisDomainDef *def)
{
  for (guint i = 0; i < def->consoles->len; i++)
    {
      StasisChardevDef *console = def->consoles->pdata[i];
      if (console->target_type == STASIS_CHARDEV_TARGET_UNSET)
        console->target_type = STASIS_CHARDEV_TARGET_SERIAL;
      if (console->target_port == STASIS_UNSET)
        console->target_port = (gint64) i;
      if (console->target_type == STASIS_CHARDEV_TARGET_SERIAL)
        stasis_address_clear (&console->info.address); /* it is the serial port's */
    }
}

static void
make_serial (StasisDomainDef *def, const StasisChardevDef *console)
{
  StasisChardevDef *serial = stasis_schema_new (&stasis_serial_schema);
  stasis_schema_copy (&stasis_console_schema, serial, console);
  serial->target_type = STASIS_CHARDEV_TARGET_ISA_SERIAL;
  serial->target_port = 0;
  g_ptr_array_add (def->serials, serial);
}

static void
make_console (StasisDomainDef *def, const StasisChardevDef *serial)
{
  StasisChardevDef *console = stasis_schema_new (&stasis_console_schema);
  stasis_schema_copy (&stasis_console_schema, console, serial);
  stasis_address_clear (&console->info.address);
  console->target_type = STASIS_CHARDEV_TARGET_SERIAL;
  g_ptr_array_insert (def->consoles, 0, console);
}

/* The first console of a PC is its first serial port under another name: whichever of the two is
 * written brings the other, and where both are, the serial port counts. */
static void
pair_console (StasisDomainDef *def)
{
  fill_consoles (def);
  StasisChardevDef *first = def->consoles->len > 0 ? def->consoles->pdata[0] : NULL;
  const gboolean is_serial = first != NULL && first->target_type == STASIS_CHARDEV_TARGET_SERIAL;

  if (def->serials->len == 0 && is_serial)
    make_serial (def, first);
  fill_serials (def->serials);
  if (def->serials->len == 0)
    return;

  const StasisChardevDef *serial = def->serials->pdata[0];
  if (is_serial)
    {
      g_ptr_array_remove_index (def->consoles, 0);
      stasis_schema_free (&stasis_console_schema, first);
    }
  if (is_serial || serial->target_type == STASIS_CHARDEV_TARGET_ISA_SERIAL)
    make_console (def, serial);
}

static void
fill_inputs (GPtrArray *inputs)
{
  for (guint i = 0; i < inputs->len; i++)
    {
      StasisInputDef *input = inputs->pdata[i];
      if (input->bus == STASIS_INPUT_BUS_UNSET)
        input->bus
            = input->type == STASIS_INPUT_TABLET ? STASIS_INPUT_BUS_USB : STASIS_INPUT_BUS_PS2;
    }
}

static void
fill_graphics (StasisGraphicsDef *graphics)
{
  const gboolean by_socket
      = graphics->socket != NULL
        || (graphics->listens->len > 0
            && ((StasisListenDef *) graphics->listens->pdata[0])->type != STASIS_LISTEN_ADDRESS);
  if (!by_socket && graphics->port == STASIS_UNSET && graphics->autoport == STASIS_TRISTATE_UNSET)
    graphics->autoport = STASIS_TRISTATE_ON;
  if (graphics->listens->len > 0)
    return;

  StasisListenDef *listen = g_new0 (StasisListenDef, 1);
  listen->type = graphics->socket != NULL ? STASIS_LISTEN_SOCKET : STASIS_LISTEN_ADDRESS;
  if (graphics->socket != NULL)
    listen->socket = g_strdup (graphics->socket);
  else
    listen->address = g_strdup (graphics->listen);
  g_ptr_array_add (graphics->listens, listen);
}

static void
fill_video (StasisVideoDef *video, gboolean is_first)
{
  if (video->model == STASIS_VIDEO_UNSET)
    video->model = STASIS_VIDEO_CIRRUS;
  if (video->model == STASIS_VIDEO_NONE)
    return;

  if (video->heads == STASIS_UNSET)
    video->heads = 1;
  if (is_first)
    video->primary = STASIS_TRISTATE_ON;
  if (video->model == STASIS_VIDEO_VIRTIO)
    return;

  if (video->model == STASIS_VIDEO_QXL)
    {
      video->ram = video->ram != STASIS_UNSET ? video->ram : 65536;
      video->vram = video->vram != STASIS_UNSET ? video->vram : 65536;
      video->vgamem = video->vgamem != STASIS_UNSET ? video->vgamem : 16384;
    }
  else if (video->vram == STASIS_UNSET)
    video->vram = 16384;
}

static void
fill_small_devices (StasisDomainDef *def)
{
  for (guint i = 0; i < def->watchdogs->len; i++)
    {
      StasisWatchdogDef *watchdog = def->watchdogs->pdata[i];
      if (watchdog->action == STASIS_WATCHDOG_ACTION_UNSET)
        watchdog->action = STASIS_WATCHDOG_ACTION_RESET;
    }
  for (guint i = 0; i < def->rngs->len; i++)
    {
      StasisRngDef *rng = def->rngs->pdata[i];
      if (rng->model == STASIS_VIRTIO_UNSET)
        rng->model = STASIS_VIRTIO_PLAIN;
      if (rng->backend == STASIS_RNG_RANDOM && rng->source == NULL)
        rng->source = g_strdup ("/dev/urandom");
    }
  for (guint i = 0; i < def->panics->len; i++)
    {
      StasisPanicDef *panic = def->panics->pdata[i];
      if (panic->model == STASIS_PANIC_UNSET)
        panic->model = STASIS_PANIC_ISA;
    }
}

void
stasis_domain_fill_device_defaults (StasisDomainDef *def, StasisDomainParseFlags flags)
{
  for (guint i = 0; i < def->disks->len; i++)
    fill_disk (def->disks->pdata[i]);
  fill_controllers (def);
  fill_host_side (def->serials, flags);
  fill_host_side (def->parallels, flags);
  fill_host_side (def->consoles, flags);
  fill_host_side (def->channels, flags);
  pair_console (def);
  fill_parallels (def->parallels);
  fill_inputs (def->inputs);
  for (guint i = 0; i < def->channels->len; i++)
    {
      StasisChardevDef *channel = def->channels->pdata[i];
      if (channel->type == STASIS_CHARDEV_SPICEVMC)
        default_string (&channel->target_name, "com.redhat.spice.0");
    }
  for (guint i = 0; i < def->graphics->len; i++)
    fill_graphics (def->graphics->pdata[i]);
  for (guint i = 0; i < def->videos->len; i++)
    fill_video (def->videos->pdata[i], i == 0);
  fill_small_devices (def);
}

/* One of QEMU's. */
char *
stasis_domain_def_new_mac (void)
{
  const guint32 random = g_random_int ();
  return g_strdup_printf ("52:54:00:%02x:%02x:%02x", random & 0xff, random >> 8 & 0xff,
                          random >> 16 & 0xff);
}

static gboolean
fill_mac (StasisInterfaceDef *interface, guint number, GError **error)
{
  if (interface->mac == NULL)
    {
      interface->mac = stasis_domain_def_new_mac ();
      return TRUE;
    }

  static const char pattern[]
      = "^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$"; /* libvirt takes single digits too */
  g_autofree char *lower = g_ascii_strdown (interface->mac, -1);
  if (!g_regex_match_simple (pattern, lower, 0, 0))
    return stasis_conf_invalid (
        error, _ ("/domain/devices/interface[%1$u]/mac/@address: '%2$s' is not a MAC address"),
        number, interface->mac);

  g_auto (GStrv) parts = g_strsplit (lower, ":", 6);
  guint octets[6];
  for (guint i = 0; i < 6; i++)
    octets[i] = (guint) g_ascii_strtoull (parts[i], NULL, 16);
  if ((octets[0] & 1) != 0)
    return stasis_conf_invalid (
        error, _ ("/domain/devices/interface[%1$u]/mac/@address: '%2$s' is a multicast address"),
        number, interface->mac);
  g_free (interface->mac);
  interface->mac = g_strdup_printf ("%02x:%02x:%02x:%02x:%02x:%02x", octets[0], octets[1],
                                    octets[2], octets[3], octets[4], octets[5]);
  return TRUE;
}

static gboolean
fill_bridge (StasisInterfaceDef *interface, guint number, const StasisConfContext *context,
             GError **error)
{
  if (interface->type != STASIS_INTERFACE_NETWORK || context->network_bridge == NULL
      || interface->network == NULL || interface->bridge != NULL)
    return TRUE;

  const char *bridge = context->network_bridge (interface->network, context->data);
  if (bridge == NULL && context->network_settings != NULL)
    return stasis_conf_unsupported (
        error,
        _ ("/domain/devices/interface[%1$u]: no bridge is configured for network '%2$s'; name one "
           "in %3$s, or use <interface type='bridge'>"),
        number, interface->network, context->network_settings);
  if (bridge == NULL)
    return stasis_conf_unsupported (
        error,
        _ ("/domain/devices/interface[%1$u]: no bridge is configured for network '%2$s'; configure "
           "one, or use <interface type='bridge'>"),
        number, interface->network);
  g_free (interface->bridge);
  interface->bridge = g_strdup (bridge);
  return TRUE;
}

gboolean
stasis_domain_fill_interfaces (StasisDomainDef *def, const StasisConfContext *context,
                               StasisDomainParseFlags flags, GError **error)
{
  for (guint i = 0; i < def->interfaces->len; i++)
    {
      StasisInterfaceDef *interface = def->interfaces->pdata[i];
      if (!fill_mac (interface, i + 1, error) || !fill_bridge (interface, i + 1, context, error))
        return FALSE;
      default_string (&interface->model, "rtl8139");

      /* Names that the kernel or libvirt gave to a running instance's tap. */
      if ((flags & STASIS_DOMAIN_PARSE_ACTIVE) == 0 && interface->target != NULL
          && g_str_has_prefix (interface->target, "vnet"))
        g_clear_pointer (&interface->target, g_free);
    }
  return TRUE;
}
