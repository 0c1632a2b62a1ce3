/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-validate-chardevs.c: refuse character devices that contradict themselves
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

static gboolean
validate_source (const StasisChardevDef *chardev, const char *place, GError **error)
{
  switch (chardev->type)
    {
    case STASIS_CHARDEV_UNSET:
      return stasis_conf_invalid (error, _ ("%1$s/@type: missing"), place);
    case STASIS_CHARDEV_FILE:
      if (chardev->source_path == NULL)
        return stasis_conf_invalid (error, _ ("%1$s/source/@path: missing"), place);
      break;
    case STASIS_CHARDEV_UNIX:
      if (chardev->source_path == NULL && chardev->mode != STASIS_CHARDEV_MODE_BIND)
        return stasis_conf_invalid (error, _ ("%1$s/source/@path: missing"), place);
      break;
    case STASIS_CHARDEV_TCP:
      if (chardev->service == NULL
          || (chardev->host == NULL && chardev->mode == STASIS_CHARDEV_MODE_CONNECT))
        return stasis_conf_invalid (error, _ ("%1$s/source: host and service are needed"), place);
      break;
    case STASIS_CHARDEV_NULL:
    case STASIS_CHARDEV_PTY:
    case STASIS_CHARDEV_SPICEVMC:
      break;
    }

  if (chardev->type != STASIS_CHARDEV_PTY && chardev->source_path != NULL
      && !g_path_is_absolute (chardev->source_path))
    return stasis_conf_invalid (error, _ ("%1$s/source/@path: '%2$s' is not an absolute path"),
                                place, chardev->source_path);
  if (chardev->log_file != NULL && !g_path_is_absolute (chardev->log_file))
    return stasis_conf_invalid (error, _ ("%1$s/log/@file: '%2$s' is not an absolute path"), place,
                                chardev->log_file);
  g_autofree char *path = g_strdup_printf ("%s/protocol/@type", place);
  return stasis_conf_check_word (chardev->protocol, path, "raw telnet", error);
}

/* A channel's spicevmc needs a SPICE display to end in. */
static gboolean
validate_spicevmc (const StasisDomainDef *def, const StasisChardevDef *chardev, const char *place,
                   GError **error)
{
  if (chardev->type != STASIS_CHARDEV_SPICEVMC)
    return TRUE;

  for (guint i = 0; i < def->graphics->len; i++)
    if (((StasisGraphicsDef *) def->graphics->pdata[i])->type == STASIS_GRAPHICS_SPICE)
      return TRUE;
  return stasis_conf_invalid (error, _ ("%1$s/@type: 'spicevmc' needs <graphics type='spice'>"),
                              place);
}

static gboolean
validate_serials (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->serials->len; i++)
    {
      const StasisChardevDef *serial = def->serials->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/serial[%u]", i + 1);

      if (!validate_source (serial, place, error))
        return FALSE;
      if (serial->type == STASIS_CHARDEV_SPICEVMC)
        return stasis_conf_unsupported (error, _ ("%1$s/@type: 'spicevmc' is not supported here"),
                                        place);
      if (serial->target_type > STASIS_CHARDEV_TARGET_USB_SERIAL)
        return stasis_conf_unsupported (error,
                                        _ ("%1$s/target/@type: '%2$s' is not supported here"),
                                        place, stasis_chardev_target_names[serial->target_type]);
      if (g_strcmp0 (serial->target_model, stasis_chardev_target_names[serial->target_type]) != 0)
        return stasis_conf_unsupported (error,
                                        _ ("%1$s/target/model/@name: '%2$s' is not supported here"),
                                        place, serial->target_model);
    }
  if (def->parallels->len > 3)
    return stasis_conf_invalid (error, _ ("/domain/devices/parallel[4]: a PC has three at most"));
  for (guint i = 0; i < def->parallels->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/parallel[%u]", i + 1);
      if (!validate_source (def->parallels->pdata[i], place, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
validate_consoles (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->consoles->len; i++)
    {
      const StasisChardevDef *console = def->consoles->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/console[%u]", i + 1);

      if (!validate_source (console, place, error)
          || !validate_spicevmc (def, console, place, error))
        return FALSE;
      const gboolean is_serial = console->target_type == STASIS_CHARDEV_TARGET_SERIAL;
      if (!is_serial && console->target_type != STASIS_CHARDEV_TARGET_VIRTIO)
        return stasis_conf_unsupported (error,
                                        _ ("%1$s/target/@type: '%2$s' is not supported here"),
                                        place, stasis_chardev_target_names[console->target_type]);
      if (is_serial && i > 0)
        return stasis_conf_invalid (
            error, _ ("%1$s: only the first console can be of type 'serial'"), place);
    }
  return TRUE;
}

static gboolean
validate_channels (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < def->channels->len; i++)
    {
      const StasisChardevDef *channel = def->channels->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/channel[%u]", i + 1);

      if (!validate_source (channel, place, error)
          || !validate_spicevmc (def, channel, place, error))
        return FALSE;
      if (channel->target_type != STASIS_CHARDEV_TARGET_VIRTIO)
        return stasis_conf_unsupported (error, _ ("%1$s/target/@type: must be 'virtio'"), place);
      if (channel->target_name != NULL && !g_hash_table_add (names, channel->target_name))
        return stasis_conf_invalid (error, _ ("%1$s/target/@name: '%2$s' is used twice"), place,
                                    channel->target_name);
    }
  return TRUE;
}

static gboolean
validate_redirdevs (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->redirdevs->len; i++)
    {
      const StasisChardevDef *redirdev = def->redirdevs->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/redirdev[%u]", i + 1);

      if (g_strcmp0 (redirdev->bus, "usb") != 0)
        return stasis_conf_unsupported (error, _ ("%1$s/@bus: must be 'usb'"), place);
      if (redirdev->type != STASIS_CHARDEV_SPICEVMC)
        return stasis_conf_unsupported (error, _ ("%1$s/@type: must be 'spicevmc'"), place);
      if (!validate_spicevmc (def, redirdev, place, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
stasis_domain_validate_chardevs (const StasisDomainDef *def, GError **error)
{
  return validate_serials (def, error) && validate_consoles (def, error)
         && validate_channels (def, error) && validate_redirdevs (def, error);
}
