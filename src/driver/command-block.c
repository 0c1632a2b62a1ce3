/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-block.c: the block nodes behind disks and firmware
 *
 * Theory of operation
 *
 * A disk is a chain of pairs of nodes, "disk-vda-storage" (the file) below "disk-vda-format",
 * and so on with "disk-vda-1-…" for what it rests on.  Files are fd sets: QEMU takes the one
 * descriptor whose access mode fits, so the storage node's "read-only" must say exactly how the
 * driver opened it, and "auto-read-only" stays off.  The end of each chain is written down
 * ("backing": null): QEMU must never follow a file name that stands in an image.
 *
 * QEMU's own locks on the images stay on.
 */

#include "config.h"

#include "driver/block-nodes.h"
#include "driver/command-private.h"
#include "driver/device-change.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

/* Node names may have 31 characters at most, "-storage" and the chain's number included. */
#define TARGET_MAX 12

/* A cdrom with an open tray is empty to the guest. */
gboolean
stasis_command_has_medium (const StasisDiskDef *disk)
{
  return disk->source != NULL && g_strcmp0 (disk->tray, "open") != 0;
}

/* Two guests that write to one disk must not each have a cache of the host's in between. */
StasisDiskCache
stasis_command_cache_mode (const StasisDiskDef *disk)
{
  const gboolean is_open
      = disk->cache == STASIS_DISK_CACHE_UNSET || disk->cache == STASIS_DISK_CACHE_DEFAULT;
  return is_open && disk->shareable && !disk->readonly ? STASIS_DISK_CACHE_NONE : disk->cache;
}

static void
add_pair (StasisArgs *args, const StasisBlockPair *pair)
{
  stasis_args_add_json (args, "-blockdev", stasis_block_storage_node (pair));
  stasis_args_add_json (args, "-blockdev", stasis_block_format_node (pair));
}

static gboolean
check_target (const StasisDiskDef *disk, GError **error)
{
  if (disk->target != NULL && strlen (disk->target) <= TARGET_MAX)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("/domain/devices/disk/target/@dev: '%1$s' is longer than %2$d octets"),
               disk->target, TARGET_MAX);
  return FALSE;
}

static char *
pair_name (const StasisArgs *args, const StasisDiskDef *disk, guint depth)
{
  g_autofree char *base = args->node_base != NULL ? g_strdup (args->node_base)
                                                  : stasis_disk_node_base (disk->target, 0);
  return depth == 0 ? g_steal_pointer (&base) : g_strdup_printf ("%s-%u", base, depth);
}

static gboolean
check_backing (const StasisResource *resource, const char *key, GError **error)
{
  if (resource->fd >= 0 && resource->fdset >= 0 && resource->format != NULL)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("'%1$s': what it rests on has not been opened: '%2$s'"), key,
               resource->path != NULL ? resource->path : "");
  return FALSE;
}

/* From the far end to the near one: QEMU takes the options in order. */
static gboolean
add_backing (StasisArgs *args, const StasisDiskDef *disk, const StasisResource *top, GError **error)
{
  for (guint depth = top->backing->len; depth > 0; depth--)
    {
      const StasisResource *resource = top->backing->pdata[depth - 1];
      if (!check_backing (resource, top->key, error))
        return FALSE;

      g_autofree char *name = pair_name (args, disk, depth);
      g_autofree char *below = depth < top->backing->len ? pair_name (args, disk, depth + 1) : NULL;
      const StasisBlockPair pair = { .name = name,
                                     .fdset = resource->fdset,
                                     .is_block = resource->is_block,
                                     .format = resource->format,
                                     .backing_name = below,
                                     .is_read_only = TRUE,
                                     .disk = disk,
                                     .is_backing = TRUE };
      add_pair (args, &pair);
    }
  return TRUE;
}

static char *
add_copy_on_read (StasisArgs *args, const char *name)
{
  g_autofree char *file = g_strconcat (name, "-format", NULL);
  char *node_name = g_strconcat (name, "-cor", NULL);

  StasisJson *node = stasis_json_new_object ();
  stasis_json_set_string (node, "driver", "copy-on-read");
  stasis_json_set_string (node, "node-name", node_name);
  stasis_json_set_string (node, "file", file);
  stasis_json_set_string (node, "discard", "unmap");
  stasis_args_add_json (args, "-blockdev", node);
  return node_name;
}

gboolean
stasis_args_add_disk_nodes (StasisArgs *args, const StasisDiskDef *disk, char **out_node,
                            GError **error)
{
  if (!check_target (disk, error))
    return FALSE;
  const StasisResource *resource = stasis_args_need (args, "disk:", disk->target, error);
  if (resource == NULL || !add_backing (args, disk, resource, error))
    return FALSE;

  g_autofree char *name = pair_name (args, disk, 0);
  g_autofree char *below = resource->backing->len > 0 ? pair_name (args, disk, 1) : NULL;
  const StasisBlockPair pair
      = { .name = name,
          .fdset = resource->fdset,
          .is_block = resource->is_block,
          .format = disk->format == STASIS_DISK_FORMAT_QCOW2 ? "qcow2" : "raw",
          .backing_name = below,
          .is_read_only = disk->readonly,
          .disk = disk };
  add_pair (args, &pair);
  *out_node = disk->copy_on_read == STASIS_TRISTATE_ON ? add_copy_on_read (args, name)
                                                       : g_strconcat (name, "-format", NULL);
  return TRUE;
}

gboolean
stasis_args_add_flash_nodes (StasisArgs *args, const char *name, const StasisResource *resource,
                             StasisDiskFormat format, GError **error)
{
  const StasisBlockPair pair = { .name = name,
                                 .fdset = resource->fdset,
                                 .is_block = resource->is_block,
                                 .format = format == STASIS_DISK_FORMAT_QCOW2 ? "qcow2" : "raw",
                                 .is_read_only = resource->readonly };
  add_pair (args, &pair);
  return TRUE;
}
