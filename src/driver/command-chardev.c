/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-chardev.c: serial and parallel ports, consoles and channels
 */

#include "config.h"

#include "driver/command-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

static gboolean
append_fd_set (GString *options, const StasisArgs *args, const char *prefix, const char *alias,
               const char *option, GError **error)
{
  const StasisResource *resource = stasis_args_need (args, prefix, alias, error);
  if (resource == NULL)
    return FALSE;
  g_string_append_printf (options, ",%s=/dev/fdset/%" PRId64, option, resource->fdset);
  return TRUE;
}

static gboolean
append_unix (GString *options, const StasisArgs *args, const StasisChardevDef *chardev,
             GError **error)
{
  if (chardev->mode != STASIS_CHARDEV_MODE_BIND)
    {
      stasis_args_append (options, "path", chardev->source_path);
      return TRUE;
    }

  const StasisResource *resource
      = stasis_args_need (args, "chardev:char", chardev->info.alias, error);
  if (resource == NULL)
    return FALSE;
  g_string_append_printf (options, ",fd=%d,server=on,wait=off", resource->fd);
  return TRUE;
}

static void
append_tcp (GString *options, const StasisChardevDef *chardev)
{
  stasis_args_append (options, "host", chardev->host != NULL ? chardev->host : "");
  stasis_args_append (options, "port", chardev->service != NULL ? chardev->service : "");
  if (g_strcmp0 (chardev->protocol, "telnet") == 0)
    stasis_args_append (options, "telnet", "on");
  if (chardev->mode == STASIS_CHARDEV_MODE_BIND)
    g_string_append (options, ",server=on,wait=off");
}

static gboolean
append_backend (GString *options, const StasisArgs *args, const StasisChardevDef *chardev,
                const char *place, GError **error)
{
  static const char *const backends[] = {
    [STASIS_CHARDEV_NULL] = "null",  [STASIS_CHARDEV_PTY] = "pty",
    [STASIS_CHARDEV_FILE] = "file",  [STASIS_CHARDEV_UNIX] = "socket",
    [STASIS_CHARDEV_TCP] = "socket",
  };
  const char *backend = chardev->type < G_N_ELEMENTS (backends) ? backends[chardev->type] : NULL;
  if (backend == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("%1$s/@type: '%2$s' is not supported here"), place,
                   stasis_chardev_type_names[chardev->type]);
      return FALSE;
    }

  g_autofree char *id = g_strconcat ("char", chardev->info.alias, NULL);
  g_string_append (options, backend);
  stasis_args_append (options, "id", id);
  if (chardev->type == STASIS_CHARDEV_UNIX)
    return append_unix (options, args, chardev, error);
  if (chardev->type == STASIS_CHARDEV_TCP)
    append_tcp (options, chardev);
  if (chardev->type != STASIS_CHARDEV_FILE)
    return TRUE;

  /* The driver opened it for writing and has cut it, or not; QEMU only ever appends. */
  if (!append_fd_set (options, args, "chardev:char", chardev->info.alias, "path", error))
    return FALSE;
  g_string_append (options, ",append=on");
  return TRUE;
}

static gboolean
add_backend (StasisArgs *args, const StasisChardevDef *chardev, const char *place, GError **error)
{
  g_autoptr (GString) options = g_string_new (NULL);
  if (!append_backend (options, args, chardev, place, error))
    return FALSE;
  if (chardev->log_file != NULL)
    {
      if (!append_fd_set (options, args, "log:char", chardev->info.alias, "logfile", error))
        return FALSE;
      g_string_append (options, ",logappend=on");
    }
  stasis_args_add (args, "-chardev", options->str);
  return TRUE;
}

/* Backend and device; @index: for ISA devices, which the guest knows by number. */
static gboolean
add_pair (StasisArgs *args, const StasisChardevDef *chardev, const char *driver, gint64 index,
          const char *place, GError **error)
{
  g_autoptr (StasisJson) device = stasis_args_device (args, driver, &chardev->info, place, error);
  if (device == NULL || !add_backend (args, chardev, place, error))
    return FALSE;

  g_autofree char *id = g_strconcat ("char", chardev->info.alias, NULL);
  stasis_json_set_string (device, "chardev", id);
  stasis_args_set_number (device, "index", index);
  if (chardev->target_name != NULL)
    stasis_json_set_string (device, "name", chardev->target_name);
  if (!stasis_args_set_address (args, device, &chardev->info, place, error))
    return FALSE;
  stasis_args_add_json (args, "-device", g_steal_pointer (&device));
  return TRUE;
}

static gboolean
add_serial (StasisArgs *args, const StasisChardevDef *serial, const char *place, GError **error)
{
  switch (serial->target_type)
    {
    case STASIS_CHARDEV_TARGET_UNSET:
    case STASIS_CHARDEV_TARGET_ISA_SERIAL:
      return add_pair (args, serial, "isa-serial", serial->target_port, place, error);
    case STASIS_CHARDEV_TARGET_PCI_SERIAL:
      return add_pair (args, serial, "pci-serial", STASIS_UNSET, place, error);
    case STASIS_CHARDEV_TARGET_USB_SERIAL:
      return add_pair (args, serial, "usb-serial", STASIS_UNSET, place, error);
    case STASIS_CHARDEV_TARGET_SERIAL:
    case STASIS_CHARDEV_TARGET_VIRTIO:
      break;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s/target/@type: '%2$s' is not supported here"), place,
               stasis_chardev_target_names[serial->target_type]);
  return FALSE;
}

static gboolean
add_parallel (StasisArgs *args, const StasisChardevDef *parallel, const char *place, GError **error)
{
  return add_pair (args, parallel, "isa-parallel", STASIS_UNSET, place, error);
}

/* A console of type 'serial' is the first serial port by another name. */
static gboolean
add_console (StasisArgs *args, const StasisChardevDef *console, const char *place, GError **error)
{
  if (console->target_type != STASIS_CHARDEV_TARGET_VIRTIO)
    return TRUE;
  return add_pair (args, console, "virtconsole", STASIS_UNSET, place, error);
}

static gboolean
add_channel (StasisArgs *args, const StasisChardevDef *channel, const char *place, GError **error)
{
  return add_pair (args, channel, "virtserialport", STASIS_UNSET, place, error);
}

/* libvirt's order: QEMU numbers ISA ports as they come. */
gboolean
stasis_args_add_chardevs (StasisArgs *args, GError **error)
{
  const struct
  {
    const GPtrArray *list;
    const char *name;
    gboolean (*add) (StasisArgs *, const StasisChardevDef *, const char *, GError **);
  } kinds[] = {
    { args->def->serials, "serial", add_serial },
    { args->def->parallels, "parallel", add_parallel },
    { args->def->channels, "channel", add_channel },
    { args->def->consoles, "console", add_console },
  };

  for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
    for (guint i = 0; i < kinds[k].list->len; i++)
      {
        g_autofree char *place = g_strdup_printf ("/domain/devices/%s[%u]", kinds[k].name, i + 1);
        if (!kinds[k].add (args, kinds[k].list->pdata[i], place, error))
          return FALSE;
      }
  return TRUE;
}
