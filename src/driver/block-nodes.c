/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block-nodes.c: the two block nodes of a disk's image, as QEMU wants them described
 *
 * The words are QEMU's (qapi/block-core.json, BlockdevOptions).
 */

#include "config.h"

#include "driver/block-nodes.h"

#include "driver/command-private.h"

/* As QEMU defines the words: what goes past the host's cache, what is never flushed. */
static void
set_cache (StasisJson *node, StasisDiskCache mode)
{
  if (mode == STASIS_DISK_CACHE_UNSET || mode == STASIS_DISK_CACHE_DEFAULT)
    return;

  StasisJson *cache = stasis_json_new_object ();
  stasis_json_set_boolean (cache, "direct",
                           mode == STASIS_DISK_CACHE_NONE || mode == STASIS_DISK_CACHE_DIRECTSYNC);
  stasis_json_set_boolean (cache, "no-flush", mode == STASIS_DISK_CACHE_UNSAFE);
  stasis_json_set (node, "cache", cache);
}

/* The file. */
StasisJson *
stasis_block_storage_node (const StasisBlockPair *pair)
{
  g_autofree char *node_name = g_strconcat (pair->name, "-storage", NULL);
  g_autofree char *filename = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, pair->fdset);

  StasisJson *node = stasis_json_new_object ();
  stasis_json_set_string (node, "driver", pair->is_block ? "host_device" : "file");
  stasis_json_set_string (node, "filename", filename);
  stasis_json_set_string (node, "node-name", node_name);
  stasis_json_set_boolean (node, "read-only", pair->is_read_only);
  stasis_json_set_boolean (node, "auto-read-only", FALSE);
  stasis_json_set_string (node, "discard", "unmap");
  if (pair->disk != NULL)
    {
      if (pair->disk->io != NULL)
        stasis_json_set_string (node, "aio", pair->disk->io);
      set_cache (node, stasis_command_cache_mode (pair->disk));
    }
  return node;
}

/* Zeroes can only be detected as holes where holes may be made. */
static void
set_discard (StasisJson *node, const StasisDiskDef *disk)
{
  if (disk->discard != NULL)
    stasis_json_set_string (node, "discard", disk->discard);
  if (disk->detect_zeroes == NULL)
    return;

  const gboolean is_unmap = g_str_equal (disk->detect_zeroes, "unmap");
  const gboolean may_unmap = g_strcmp0 (disk->discard, "unmap") == 0;
  stasis_json_set_string (node, "detect-zeroes",
                          is_unmap && !may_unmap ? "on" : disk->detect_zeroes);
}

/* What the guest sees of it. */
StasisJson *
stasis_block_format_node (const StasisBlockPair *pair)
{
  g_autofree char *node_name = g_strconcat (pair->name, "-format", NULL);
  g_autofree char *file = g_strconcat (pair->name, "-storage", NULL);

  StasisJson *node = stasis_json_new_object ();
  stasis_json_set_string (node, "driver", pair->format);
  stasis_json_set_string (node, "node-name", node_name);
  stasis_json_set_boolean (node, "read-only", pair->is_read_only);
  if (pair->disk != NULL)
    {
      if (!pair->is_backing)
        set_discard (node, pair->disk);
      set_cache (node, stasis_command_cache_mode (pair->disk));
    }
  stasis_json_set_string (node, "file", file);
  if (pair->backing_name != NULL)
    {
      g_autofree char *backing = g_strconcat (pair->backing_name, "-format", NULL);
      stasis_json_set_string (node, "backing", backing);
    }
  else if (!g_str_equal (pair->format, "raw"))
    stasis_json_set (node, "backing", stasis_json_new_null ());
  return node;
}
