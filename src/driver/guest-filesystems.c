/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-filesystems.c: what a guest has mounted, as its agent says
 *
 * The agent knows a disk by its place on the guest's buses, which is where the definition has it.
 */

#include "config.h"

#include "driver/guest-filesystems.h"

#include "driver/domain-agent.h"
#include "driver/domain-private.h"

#define AGENT_MS 5000

static void
filesystem_free (gpointer data)
{
  StasisGuestFilesystem *self = data;
  g_free (self->mountpoint);
  g_free (self->name);
  g_free (self->type);
  g_ptr_array_unref (self->disks);
  g_free (self);
}

static gint64
number (const StasisJson *object, const char *key)
{
  return stasis_json_int (stasis_json_get (object, key), STASIS_UNSET);
}

static gboolean
is_at_pci (const StasisAddress *address, const StasisJson *place)
{
  return address->type == STASIS_ADDRESS_PCI && MAX (address->domain, 0) == number (place, "domain")
         && address->bus == number (place, "bus") && address->slot == number (place, "slot")
         && MAX (address->function, 0) == number (place, "function");
}

/* Whether a disk's controller is that PCI device. */
static gboolean
is_behind (const StasisDomainDef *def, const StasisDiskDef *disk, const StasisJson *place)
{
  for (guint i = 0; i < def->controllers->len; i++)
    {
      const StasisControllerDef *controller = g_ptr_array_index (def->controllers, i);
      if (controller->index == disk->info.address.controller
          && is_at_pci (&controller->info.address, place))
        return TRUE;
    }
  return FALSE;
}

/* (nullable) */
static const StasisDiskDef *
find_disk (const StasisDomainDef *def, const StasisJson *described)
{
  const StasisJson *place = stasis_json_get (described, "pci-controller");
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      const StasisAddress *address = &disk->info.address;
      if (is_at_pci (address, place))
        return disk;
      if (address->type == STASIS_ADDRESS_DRIVE
          && MAX (address->bus, 0) == number (described, "bus")
          && MAX (address->target, 0) == number (described, "target")
          && MAX (address->unit, 0) == number (described, "unit") && is_behind (def, disk, place))
        return disk;
    }
  return NULL;
}

static char *
copy_text (const StasisJson *object, const char *key)
{
  return g_strdup (stasis_json_string (stasis_json_get (object, key), ""));
}

static StasisGuestFilesystem *
read_one (const StasisJson *described, const StasisDomainDef *def)
{
  StasisGuestFilesystem *self = g_new0 (StasisGuestFilesystem, 1);
  const StasisJson *disks = stasis_json_get (described, "disk");
  self->mountpoint = copy_text (described, "mountpoint");
  self->name = copy_text (described, "name");
  self->type = copy_text (described, "type");
  self->disks = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < stasis_json_array_length (disks); i++)
    {
      const StasisDiskDef *disk = find_disk (def, stasis_json_array_get (disks, i));
      if (disk != NULL)
        g_ptr_array_add (self->disks, g_strdup (disk->target));
    }
  return self;
}

/* All of them. */
GPtrArray *
stasis_domain_guest_filesystems (StasisDomain *self, GError **error)
{
  g_autoptr (StasisJson) answer = NULL;
  if (!stasis_domain_agent_command (self, "guest-get-fsinfo", NULL, AGENT_MS, &answer, error))
    return NULL;
  g_autoptr (StasisDomainDef) def = stasis_domain_load_live (self, error);
  if (def == NULL)
    return NULL;
  GPtrArray *filesystems = g_ptr_array_new_with_free_func (filesystem_free);
  for (guint i = 0; i < stasis_json_array_length (answer); i++)
    g_ptr_array_add (filesystems, read_one (stasis_json_array_get (answer, i), def));
  return filesystems;
}
