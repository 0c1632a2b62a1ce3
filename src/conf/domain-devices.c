/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-devices.c: walk over all devices of a definition; find and add controllers
 */

#include "config.h"

#include "conf/domain-internal.h"

#include "conf/domain-schema.h"

/* What the devices are called, where the lists of them are, and where each keeps its
 * StasisDeviceInfo. */
static const StasisDeviceKind lists[] = {
  { "disk", G_STRUCT_OFFSET (StasisDomainDef, disks), G_STRUCT_OFFSET (StasisDiskDef, info),
    &stasis_disk_schema },
  { "controller", G_STRUCT_OFFSET (StasisDomainDef, controllers),
    G_STRUCT_OFFSET (StasisControllerDef, info), &stasis_controller_schema },
  { "interface", G_STRUCT_OFFSET (StasisDomainDef, interfaces),
    G_STRUCT_OFFSET (StasisInterfaceDef, info), &stasis_interface_schema },
  { "serial", G_STRUCT_OFFSET (StasisDomainDef, serials), G_STRUCT_OFFSET (StasisChardevDef, info),
    &stasis_serial_schema },
  { "parallel", G_STRUCT_OFFSET (StasisDomainDef, parallels),
    G_STRUCT_OFFSET (StasisChardevDef, info), &stasis_serial_schema },
  { "console", G_STRUCT_OFFSET (StasisDomainDef, consoles),
    G_STRUCT_OFFSET (StasisChardevDef, info), &stasis_console_schema },
  { "channel", G_STRUCT_OFFSET (StasisDomainDef, channels),
    G_STRUCT_OFFSET (StasisChardevDef, info), &stasis_channel_schema },
  { "input", G_STRUCT_OFFSET (StasisDomainDef, inputs), G_STRUCT_OFFSET (StasisInputDef, info),
    &stasis_input_schema },
  { "sound", G_STRUCT_OFFSET (StasisDomainDef, sounds), G_STRUCT_OFFSET (StasisSoundDef, info),
    &stasis_sound_schema },
  { "video", G_STRUCT_OFFSET (StasisDomainDef, videos), G_STRUCT_OFFSET (StasisVideoDef, info),
    &stasis_video_schema },
  { "redirdev", G_STRUCT_OFFSET (StasisDomainDef, redirdevs),
    G_STRUCT_OFFSET (StasisChardevDef, info), &stasis_redirdev_schema },
  { "hub", G_STRUCT_OFFSET (StasisDomainDef, hubs), G_STRUCT_OFFSET (StasisHubDef, info),
    &stasis_hub_schema },
  { "watchdog", G_STRUCT_OFFSET (StasisDomainDef, watchdogs),
    G_STRUCT_OFFSET (StasisWatchdogDef, info), &stasis_watchdog_schema },
  { "memballoon", G_STRUCT_OFFSET (StasisDomainDef, balloons),
    G_STRUCT_OFFSET (StasisBalloonDef, info), &stasis_balloon_schema },
  { "rng", G_STRUCT_OFFSET (StasisDomainDef, rngs), G_STRUCT_OFFSET (StasisRngDef, info),
    &stasis_rng_schema },
  { "panic", G_STRUCT_OFFSET (StasisDomainDef, panics), G_STRUCT_OFFSET (StasisPanicDef, info),
    &stasis_panic_schema },
};

/* (borrowed): all kinds of devices that have an alias. */
const StasisDeviceKind *
stasis_device_kinds (guint *out_n_kinds)
{
  *out_n_kinds = G_N_ELEMENTS (lists);
  return lists;
}

GPtrArray *
stasis_domain_list_infos (const StasisDomainDef *def)
{
  GPtrArray *infos = g_ptr_array_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      const GPtrArray *list = *(GPtrArray *const *) ((const guint8 *) def + lists[i].list);
      for (guint k = 0; k < list->len; k++)
        g_ptr_array_add (infos, (guint8 *) list->pdata[k] + lists[i].info);
    }
  return infos;
}

/* Controllers have been sorted when this is asked: which was written where is not known. */
char *
stasis_domain_info_path (const StasisDomainDef *def, const StasisDeviceInfo *info)
{
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    {
      const GPtrArray *list = *(GPtrArray *const *) ((const guint8 *) def + lists[i].list);
      for (guint k = 0; k < list->len; k++)
        if ((const guint8 *) info == (const guint8 *) list->pdata[k] + lists[i].info
            && list != def->controllers)
          return g_strdup_printf ("/domain/devices/%s[%u]", lists[i].name, k + 1);
    }
  return g_strdup ("/domain/devices");
}

StasisControllerDef *
stasis_domain_find_controller (const StasisDomainDef *def, StasisControllerType type, gint64 index)
{
  for (guint i = 0; i < def->controllers->len; i++)
    {
      StasisControllerDef *controller = def->controllers->pdata[i];
      if (controller->type == type && controller->index == index)
        return controller;
    }
  return NULL;
}

void
stasis_address_clear (StasisAddress *address)
{
  g_clear_pointer (&address->usb_port, g_free);
  address->type = STASIS_ADDRESS_NONE;
}

gboolean
stasis_controller_is_companion (StasisControllerModel model)
{
  return model == STASIS_CONTROLLER_MODEL_ICH9_UHCI1 || model == STASIS_CONTROLLER_MODEL_ICH9_UHCI2
         || model == STASIS_CONTROLLER_MODEL_ICH9_UHCI3;
}

/* At the end, but in front of higher numbers of its kind, as libvirt keeps them. */
void
stasis_domain_insert_controller (StasisDomainDef *def, StasisControllerDef *controller_take)
{
  int place = -1;

  for (guint i = def->controllers->len; i > 0; i--)
    {
      const StasisControllerDef *other = def->controllers->pdata[i - 1];
      if (other->type == controller_take->type && other->index > controller_take->index)
        place = (int) i - 1;
    }
  g_ptr_array_insert (def->controllers, place, controller_take);
}

StasisControllerDef *
stasis_domain_add_controller (StasisDomainDef *def, StasisControllerType type, gint64 index,
                              StasisControllerModel model)
{
  StasisControllerDef *controller = stasis_schema_new (&stasis_controller_schema);
  controller->type = type;
  controller->index = index;
  controller->model = model;
  g_ptr_array_add (def->controllers, controller);
  return controller;
}
