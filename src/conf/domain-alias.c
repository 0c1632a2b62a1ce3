/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-alias.c: the names of devices ("virtio-disk0"), which QEMU and its events use too
 *
 * Only a name that the user chose ("ua-...") is in a definition; all others follow from it.  Those
 * of a running instance stay what they are, whatever comes and goes: QEMU knows the devices by
 * them.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <string.h>

static void set_alias (StasisDeviceInfo *info, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
set_alias (StasisDeviceInfo *info, const char *format, ...)
{
  if (info->alias != NULL)
    return;

  va_list args;
  va_start (args, format);
  info->alias = g_strdup_vprintf (format, args);
  va_end (args);
}

static void
alias_controller (const StasisDomainDef *def, StasisControllerDef *controller)
{
  const gboolean is_q35 = stasis_domain_def_is_q35 (def);
  const int index = (int) controller->index;

  switch (controller->type)
    {
    case STASIS_CONTROLLER_PCI:
      /* The root complex is QEMU's own bus and has QEMU's name. */
      if (controller->model == STASIS_CONTROLLER_MODEL_PCIE_ROOT)
        set_alias (&controller->info, "pcie.%d", index);
      else
        set_alias (&controller->info, "pci.%d", index);
      return;
    case STASIS_CONTROLLER_IDE:
    case STASIS_CONTROLLER_SATA:
      /* What the chipset brings is called "ide" by QEMU, also where it is SATA. */
      if (index == 0 && is_q35 == (controller->type == STASIS_CONTROLLER_SATA))
        {
          set_alias (&controller->info, "ide");
          return;
        }
      break;
    case STASIS_CONTROLLER_USB:
      if (index == 0)
        {
          set_alias (&controller->info, "usb");
          return;
        }
      break;
    default:
      break;
    }
  set_alias (&controller->info, "%s%d", stasis_controller_type_names[controller->type], index);
}

static void
alias_disk (const StasisDomainDef *def, StasisDiskDef *disk)
{
  const StasisAddress *address = &disk->info.address;
  const char *bus = stasis_disk_bus_names[disk->bus];
  const int controller = (int) address->controller;

  if (disk->bus == STASIS_DISK_BUS_VIRTIO || disk->bus == STASIS_DISK_BUS_USB)
    {
      set_alias (&disk->info, "%s-disk%d", bus, stasis_disk_target_index (disk->target));
      return;
    }

  const StasisControllerDef *scsi
      = stasis_domain_find_controller (def, STASIS_CONTROLLER_SCSI, controller);
  const gboolean is_narrow = scsi != NULL && scsi->model == STASIS_CONTROLLER_MODEL_LSILOGIC;
  if (disk->bus == STASIS_DISK_BUS_SCSI && !is_narrow)
    set_alias (&disk->info, "scsi%d-%d-%d-%d", controller, (int) address->bus,
               (int) address->target, (int) address->unit);
  else
    set_alias (&disk->info, "%s%d-%d-%d", bus, controller, (int) address->bus, (int) address->unit);
}

static StasisDeviceInfo *
info_at (const GPtrArray *list, guint index, gsize offset)
{
  return (StasisDeviceInfo *) ((guint8 *) list->pdata[index] + offset);
}

static gboolean
is_taken (const GPtrArray *list, gsize offset, const char *alias)
{
  for (guint i = 0; i < list->len; i++)
    if (g_strcmp0 (info_at (list, i, offset)->alias, alias) == 0)
      return TRUE;
  return FALSE;
}

/* Devices that are simply counted; one that came later has the next number that is free. */
static void
alias_list (const GPtrArray *list, gsize offset, const char *name)
{
  for (guint i = 0; i < list->len; i++)
    {
      guint number = i;
      g_autofree char *alias = g_strdup_printf ("%s%u", name, number);
      while (is_taken (list, offset, alias))
        {
          g_free (alias);
          alias = g_strdup_printf ("%s%u", name, ++number);
        }
      set_alias (info_at (list, i, offset), "%s", alias);
    }
}

#define ALIAS_LIST(list, T, name) alias_list (list, G_STRUCT_OFFSET (T, info), name)

/* A console that is a serial port under another name has its alias too. */
static void
alias_consoles (StasisDomainDef *def)
{
  if (def->consoles->len > 0 && def->serials->len > 0)
    {
      StasisChardevDef *console = def->consoles->pdata[0];
      const StasisChardevDef *serial = def->serials->pdata[0];
      if (console->target_type == STASIS_CHARDEV_TARGET_SERIAL)
        set_alias (&console->info, "%s", serial->info.alias);
    }
  ALIAS_LIST (def->consoles, StasisChardevDef, "console");
}

static void
alias_counted (StasisDomainDef *def)
{
  ALIAS_LIST (def->interfaces, StasisInterfaceDef, "net");
  ALIAS_LIST (def->inputs, StasisInputDef, "input");
  ALIAS_LIST (def->sounds, StasisSoundDef, "sound");
  ALIAS_LIST (def->videos, StasisVideoDef, "video");
  ALIAS_LIST (def->hubs, StasisHubDef, "hub");
  ALIAS_LIST (def->watchdogs, StasisWatchdogDef, "watchdog");
  ALIAS_LIST (def->rngs, StasisRngDef, "rng");
  for (guint i = 0; i < def->balloons->len; i++)
    {
      StasisBalloonDef *balloon = def->balloons->pdata[i];
      if (balloon->model != STASIS_BALLOON_NONE)
        set_alias (&balloon->info, "balloon%u", i);
    }
}

void
stasis_domain_def_assign_aliases (StasisDomainDef *def)
{
  for (guint i = 0; i < def->controllers->len; i++)
    alias_controller (def, def->controllers->pdata[i]);
  for (guint i = 0; i < def->disks->len; i++)
    alias_disk (def, def->disks->pdata[i]);
  ALIAS_LIST (def->serials, StasisChardevDef, "serial");
  ALIAS_LIST (def->parallels, StasisChardevDef, "parallel");
  ALIAS_LIST (def->channels, StasisChardevDef, "channel");
  ALIAS_LIST (def->redirdevs, StasisChardevDef, "redir");
  alias_consoles (def);
  alias_counted (def);
}
