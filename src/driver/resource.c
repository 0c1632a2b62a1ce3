/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resource.c: what a domain needs of the host
 *
 * Only names and wishes; resource-open.c opens them.  Whatever is listed here the command line
 * looks up by its key, so the two must agree on when there is a resource.
 */

#include "config.h"

#include "driver/resource.h"

#include "driver/command-private.h"

/* A resource that is not open. */
StasisResource *
stasis_resource_new (StasisResourceKind kind, const char *key, const char *path)
{
  StasisResource *resource = g_new0 (StasisResource, 1);
  resource->kind = kind;
  resource->key = g_strdup (key);
  resource->path = g_strdup (path);
  resource->fd = -1;
  resource->fdset = -1;
  resource->backing = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_resource_free);
  return resource;
}

/* NULL is fine.  The descriptor is QEMU's number, not ours to close. */
void
stasis_resource_free (StasisResource *resource)
{
  if (resource == NULL)
    return;

  g_free (resource->key);
  g_free (resource->path);
  g_free (resource->format);
  g_free (resource->bridge);
  g_ptr_array_unref (resource->backing);
  g_free (resource);
}

static StasisResource *
add (GPtrArray *list, StasisResourceKind kind, const char *prefix, const char *name,
     const char *path)
{
  g_autofree char *key = g_strconcat (prefix, name, NULL);
  StasisResource *resource = stasis_resource_new (kind, key, path);
  g_ptr_array_add (list, resource);
  return resource;
}

static void
list_boot (GPtrArray *list, const StasisOsDef *os)
{
  if (os->loader != NULL && os->loader_type == STASIS_LOADER_PFLASH)
    {
      StasisResource *loader = add (list, STASIS_RESOURCE_LOADER, "loader", "", os->loader);
      loader->readonly = os->loader_readonly != STASIS_TRISTATE_OFF;
    }
  else if (os->loader != NULL)
    add (list, STASIS_RESOURCE_BLOB, "bios", "", os->loader)->readonly = TRUE;
  if (stasis_command_has_nvram (os))
    add (list, STASIS_RESOURCE_NVRAM, "nvram", "", os->nvram);
  if (os->kernel != NULL)
    add (list, STASIS_RESOURCE_BLOB, "kernel", "", os->kernel)->readonly = TRUE;
  if (os->initrd != NULL)
    add (list, STASIS_RESOURCE_BLOB, "initrd", "", os->initrd)->readonly = TRUE;
}

static void
list_disk (GPtrArray *list, const StasisDiskDef *disk)
{
  if (!stasis_command_has_medium (disk))
    return;

  StasisResource *resource = add (list, STASIS_RESOURCE_DISK, "disk:", disk->target, disk->source);
  resource->readonly = disk->readonly;
  resource->format = g_strdup (stasis_disk_format_names[disk->format]);
  const StasisDiskCache cache = stasis_command_cache_mode (disk);
  resource->direct = cache == STASIS_DISK_CACHE_NONE || cache == STASIS_DISK_CACHE_DIRECTSYNC;
  resource->is_block = disk->type == STASIS_DISK_TYPE_BLOCK;
}

static void
list_chardev (GPtrArray *list, const StasisChardevDef *chardev)
{
  if (chardev->type == STASIS_CHARDEV_FILE)
    {
      StasisResource *resource = add (list, STASIS_RESOURCE_OUTPUT, "chardev:char",
                                      chardev->info.alias, chardev->source_path);
      resource->append = chardev->append == STASIS_TRISTATE_ON;
    }
  if (chardev->type == STASIS_CHARDEV_UNIX && chardev->mode == STASIS_CHARDEV_MODE_BIND)
    add (list, STASIS_RESOURCE_LISTEN, "chardev:char", chardev->info.alias, chardev->source_path);
  if (chardev->log_file != NULL)
    {
      StasisResource *log
          = add (list, STASIS_RESOURCE_OUTPUT, "log:char", chardev->info.alias, chardev->log_file);
      log->append = chardev->log_append == STASIS_TRISTATE_ON;
    }
}

static void
list_chardevs (GPtrArray *list, const GPtrArray *chardevs)
{
  for (guint i = 0; i < chardevs->len; i++)
    {
      const StasisChardevDef *chardev = chardevs->pdata[i];
      if (chardev->target_type != STASIS_CHARDEV_TARGET_SERIAL) /* the serial port's own */
        list_chardev (list, chardev);
    }
}

static void
list_interface (GPtrArray *list, const StasisInterfaceDef *interface)
{
  if (interface->type == STASIS_INTERFACE_USER)
    return;

  StasisResource *tap
      = add (list, STASIS_RESOURCE_TAP, "tap:", interface->info.alias, interface->target);
  tap->bridge = g_strdup (interface->bridge);
  tap->mtu = interface->mtu != STASIS_UNSET ? interface->mtu : 0;
  if (stasis_command_wants_vhost (interface))
    add (list, STASIS_RESOURCE_VHOST, "vhost:", interface->info.alias, NULL);
}

/* Firmware and kernel, disks, interfaces, character devices. */
GPtrArray *
stasis_resources_list (const StasisDomainDef *def)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_resource_free);

  list_boot (list, &def->os);
  for (guint i = 0; i < def->disks->len; i++)
    list_disk (list, def->disks->pdata[i]);
  for (guint i = 0; i < def->interfaces->len; i++)
    list_interface (list, def->interfaces->pdata[i]);
  list_chardevs (list, def->serials);
  list_chardevs (list, def->parallels);
  list_chardevs (list, def->consoles);
  list_chardevs (list, def->channels);
  return list;
}

/* (borrowed) Backing files have no key of their own; they hang below their disk. */
const StasisResource *
stasis_resources_find (const GPtrArray *resources, const char *key)
{
  for (guint i = 0; i < resources->len; i++)
    {
      const StasisResource *resource = resources->pdata[i];
      if (g_str_equal (resource->key, key))
        return resource;
    }
  return NULL;
}
