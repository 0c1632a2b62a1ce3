/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-validate-devices.c: refuse devices that contradict themselves, but for disks and chardevs
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#define VNC_PASSWORD_MAX 8u /* octets, by the protocol */

#define MODEL_BIT(name) (G_GUINT64_CONSTANT (1) << STASIS_CONTROLLER_MODEL_##name)

/* The models of each type of controller. */
static const guint64 controller_models[] = {
  [STASIS_CONTROLLER_PCI] = MODEL_BIT (PCI_ROOT) | MODEL_BIT (PCIE_ROOT)
                            | MODEL_BIT (PCIE_ROOT_PORT) | MODEL_BIT (PCIE_TO_PCI_BRIDGE)
                            | MODEL_BIT (PCI_BRIDGE) | MODEL_BIT (DMI_TO_PCI_BRIDGE),
  [STASIS_CONTROLLER_USB] = MODEL_BIT (PIIX3_UHCI) | MODEL_BIT (PIIX4_UHCI) | MODEL_BIT (EHCI)
                            | MODEL_BIT (ICH9_EHCI1) | MODEL_BIT (ICH9_UHCI1)
                            | MODEL_BIT (ICH9_UHCI2) | MODEL_BIT (ICH9_UHCI3)
                            | MODEL_BIT (VT82C686B_UHCI) | MODEL_BIT (PCI_OHCI)
                            | MODEL_BIT (NEC_XHCI) | MODEL_BIT (QEMU_XHCI) | MODEL_BIT (NONE),
  [STASIS_CONTROLLER_IDE] = MODEL_BIT (UNSET) | MODEL_BIT (PIIX3),
  [STASIS_CONTROLLER_SATA] = MODEL_BIT (UNSET),
  [STASIS_CONTROLLER_SCSI] = MODEL_BIT (VIRTIO_SCSI) | MODEL_BIT (LSILOGIC)
                             | MODEL_BIT (VIRTIO_TRANSITIONAL)
                             | MODEL_BIT (VIRTIO_NON_TRANSITIONAL),
  [STASIS_CONTROLLER_VIRTIO_SERIAL] = MODEL_BIT (UNSET) | MODEL_BIT (VIRTIO)
                                      | MODEL_BIT (VIRTIO_TRANSITIONAL)
                                      | MODEL_BIT (VIRTIO_NON_TRANSITIONAL),
  [STASIS_CONTROLLER_FDC] = MODEL_BIT (UNSET),
};

static gboolean
validate_root (const StasisDomainDef *def, const StasisControllerDef *controller, const char *place,
               GError **error)
{
  if (controller->type != STASIS_CONTROLLER_PCI)
    return TRUE;

  const StasisControllerModel root = stasis_domain_def_is_q35 (def)
                                         ? STASIS_CONTROLLER_MODEL_PCIE_ROOT
                                         : STASIS_CONTROLLER_MODEL_PCI_ROOT;
  const gboolean is_root = controller->model == STASIS_CONTROLLER_MODEL_PCIE_ROOT
                           || controller->model == STASIS_CONTROLLER_MODEL_PCI_ROOT;
  if (is_root != (controller->index == 0) || (is_root && controller->model != root))
    return stasis_conf_invalid (
        error, _ ("%1$s: machine '%2$s' has '%3$s' with index 0 and no other root"), place,
        def->os.machine, stasis_controller_model_names[root]);
  return TRUE;
}

static gboolean
validate_controllers (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (guint i = 0; i < def->controllers->len; i++)
    {
      const StasisControllerDef *controller = def->controllers->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/controller[%u]", i + 1);

      if (controller->type == STASIS_CONTROLLER_UNSET)
        return stasis_conf_invalid (error, _ ("%1$s/@type: missing"), place);
      if (controller->index < 0 || controller->index > 255)
        return stasis_conf_invalid (error, _ ("%1$s/@index: not between 0 and 255"), place);
      if ((controller_models[controller->type] & G_GUINT64_CONSTANT (1) << controller->model) == 0)
        return stasis_conf_invalid (error, _ ("%1$s/@model: '%2$s' is no model of type '%3$s'"),
                                    place, stasis_controller_model_names[controller->model],
                                    stasis_controller_type_names[controller->type]);
      char *key = g_strdup_printf (
          "%d/%d/%d", controller->type, (int) controller->index,
          stasis_controller_is_companion (controller->model) ? (int) controller->model : 0);
      if (!g_hash_table_add (seen, key))
        return stasis_conf_invalid (error, _ ("%1$s/@index: there is such a controller already"),
                                    place);
      if (!validate_root (def, controller, place, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
validate_interface (const StasisInterfaceDef *interface, const char *place, GError **error)
{
  static const char models[] = "virtio virtio-transitional virtio-non-transitional e1000 e1000e "
                               "rtl8139 ne2k_pci pcnet i82551 i82557b i82559er vmxnet3";

  if (interface->type == STASIS_INTERFACE_UNSET)
    return stasis_conf_invalid (error, _ ("%1$s/@type: missing"), place);
  if (interface->type == STASIS_INTERFACE_BRIDGE && interface->bridge == NULL)
    return stasis_conf_invalid (error, _ ("%1$s/source/@bridge: missing"), place);
  if (interface->type == STASIS_INTERFACE_NETWORK && interface->network == NULL)
    return stasis_conf_invalid (error, _ ("%1$s/source/@network: missing"), place);
  if (interface->target != NULL && strlen (interface->target) > 15)
    return stasis_conf_invalid (error, _ ("%1$s/target/@dev: longer than 15 octets"), place);
  const gboolean is_virtio = g_str_has_prefix (interface->model, "virtio");
  if (!is_virtio
      && (interface->queues != STASIS_UNSET || interface->rx_queue_size != STASIS_UNSET
          || interface->tx_queue_size != STASIS_UNSET || interface->mtu != STASIS_UNSET))
    return stasis_conf_invalid (error, _ ("%1$s: queues and mtu are for model 'virtio' only"),
                                place);

  g_autofree char *model_path = g_strdup_printf ("%s/model/@type", place);
  g_autofree char *driver_path = g_strdup_printf ("%s/driver/@name", place);
  return stasis_conf_check_word (interface->model, model_path, models, error)
         && stasis_conf_check_word (interface->driver_name, driver_path, "vhost qemu", error);
}

static gboolean
validate_interfaces (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->interfaces->len; i++)
    {
      g_autofree char *place = g_strdup_printf ("/domain/devices/interface[%u]", i + 1);
      if (!validate_interface (def->interfaces->pdata[i], place, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
validate_inputs (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->inputs->len; i++)
    {
      const StasisInputDef *input = def->inputs->pdata[i];
      if (input->type == STASIS_INPUT_UNSET)
        return stasis_conf_invalid (error, _ ("/domain/devices/input[%1$u]/@type: missing"), i + 1);
      if (input->bus == STASIS_INPUT_BUS_PS2 && input->type == STASIS_INPUT_TABLET)
        return stasis_conf_invalid (
            error, _ ("/domain/devices/input[%1$u]: no 'tablet' on bus 'ps2'"), i + 1);
    }
  return TRUE;
}

static gboolean
validate_listen (const StasisListenDef *listen, const char *place, GError **error)
{
  if (listen->type == STASIS_LISTEN_UNSET)
    return stasis_conf_invalid (error, _ ("%1$s/listen/@type: missing"), place);
  if (listen->socket != NULL && !g_path_is_absolute (listen->socket))
    return stasis_conf_invalid (error, _ ("%1$s/listen/@socket: '%2$s' is not an absolute path"),
                                place, listen->socket);
  return TRUE;
}

static gboolean
validate_graphics (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->graphics->len; i++)
    {
      const StasisGraphicsDef *graphics = def->graphics->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/graphics[%u]", i + 1);

      if (graphics->type == STASIS_GRAPHICS_UNSET)
        return stasis_conf_invalid (error, _ ("%1$s/@type: missing"), place);
      if (i > 0 && graphics->type == ((StasisGraphicsDef *) def->graphics->pdata[0])->type)
        return stasis_conf_unsupported (error, _ ("%1$s: one display of a type is supported"),
                                        place);
      if (graphics->gl == STASIS_TRISTATE_ON)
        return stasis_conf_unsupported (error, _ ("%1$s/gl: OpenGL is not supported"), place);
      if (graphics->listens->len > 1)
        return stasis_conf_unsupported (error, _ ("%1$s/listen[2]: one address is supported"),
                                        place);
      if (graphics->type == STASIS_GRAPHICS_VNC && graphics->port != STASIS_UNSET
          && (graphics->port < 5900 || graphics->port > 65535))
        return stasis_conf_invalid (error, _ ("%1$s/@port: not between 5900 and 65535"), place);
      if (graphics->passwd != NULL && strlen (graphics->passwd) > VNC_PASSWORD_MAX)
        return stasis_conf_invalid (error, _ ("%1$s/@passwd: longer than %2$u octets"), place,
                                    VNC_PASSWORD_MAX);
      if (graphics->listens->len == 1
          && !validate_listen (graphics->listens->pdata[0], place, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
validate_videos (const StasisDomainDef *def, GError **error)
{
  for (guint i = 0; i < def->videos->len; i++)
    {
      const StasisVideoDef *video = def->videos->pdata[i];
      g_autofree char *place = g_strdup_printf ("/domain/devices/video[%u]", i + 1);

      if (video->accel3d == STASIS_TRISTATE_ON || video->blob == STASIS_TRISTATE_ON)
        return stasis_conf_unsupported (error, _ ("%1$s/model: OpenGL is not supported"), place);
      if (i > 0 && video->model != STASIS_VIDEO_QXL && video->model != STASIS_VIDEO_VIRTIO)
        return stasis_conf_invalid (
            error, _ ("%1$s/model/@type: '%2$s' can only be the first video device"), place,
            stasis_video_model_names[video->model]);
    }
  return TRUE;
}

static gboolean
validate_others (const StasisDomainDef *def, GError **error)
{
  if (def->balloons->len > 1)
    return stasis_conf_invalid (error, _ ("/domain/devices/memballoon[2]: there can be only one"));
  for (guint i = 0; i < def->rngs->len; i++)
    if (((StasisRngDef *) def->rngs->pdata[i])->backend == STASIS_RNG_UNSET)
      return stasis_conf_invalid (error, _ ("/domain/devices/rng[%1$u]/backend/@model: missing"),
                                  i + 1);
  for (guint i = 0; i < def->watchdogs->len; i++)
    if (((StasisWatchdogDef *) def->watchdogs->pdata[i])->model == STASIS_WATCHDOG_UNSET)
      return stasis_conf_invalid (error, _ ("/domain/devices/watchdog[%1$u]/@model: missing"),
                                  i + 1);
  for (guint i = 0; i < def->sounds->len; i++)
    if (((StasisSoundDef *) def->sounds->pdata[i])->model == STASIS_SOUND_UNSET)
      return stasis_conf_invalid (error, _ ("/domain/devices/sound[%1$u]/@model: missing"), i + 1);
  for (guint i = 0; i < def->hubs->len; i++)
    if (g_strcmp0 (((StasisHubDef *) def->hubs->pdata[i])->type, "usb") != 0)
      return stasis_conf_unsupported (error, _ ("/domain/devices/hub[%1$u]/@type: must be 'usb'"),
                                      i + 1);
  return TRUE;
}

/* Two ways to say what is booted first would contradict each other. */
static gboolean
validate_boot_order (const StasisDomainDef *def, GError **error)
{
  g_autoptr (GHashTable) orders = g_hash_table_new (g_direct_hash, g_direct_equal);
  g_autoptr (GPtrArray) infos = stasis_domain_list_infos (def);

  for (guint i = 0; i < infos->len; i++)
    {
      const StasisDeviceInfo *info = infos->pdata[i];
      if (info->boot_order == STASIS_UNSET)
        continue;
      if (def->os.boots->len > 0)
        return stasis_conf_invalid (
            error, _ ("/domain/os/boot: devices with <boot order=…> exclude <boot dev=…>"));
      g_autofree char *place = stasis_domain_info_path (def, info);
      if (info->boot_order < 1 || info->boot_order > 65535)
        return stasis_conf_invalid (error, _ ("%1$s/boot/@order: not between 1 and 65535"), place);
      if (!g_hash_table_add (orders, GINT_TO_POINTER ((int) info->boot_order)))
        return stasis_conf_invalid (error, _ ("%1$s/boot/@order: '%2$d' is used twice"), place,
                                    (int) info->boot_order);
    }
  return TRUE;
}

gboolean
stasis_domain_validate_devices (const StasisDomainDef *def, GError **error)
{
  return validate_controllers (def, error) && validate_interfaces (def, error)
         && validate_inputs (def, error) && validate_graphics (def, error)
         && validate_videos (def, error) && validate_others (def, error)
         && validate_boot_order (def, error);
}
