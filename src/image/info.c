/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * info.c: what `stasis image info` shows
 */

#include "config.h"

#include "image/info.h"

#include <sys/stat.h>

#include "image/reader-private.h"
#include "util/json-path.h"

static char *
uuid_to_string (const guint8 *uuid)
{
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < STASIS_IMAGE_UUID_SIZE; i++)
    g_string_append_printf (text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                            uuid[i]);
  return g_string_free (text, FALSE);
}

static void
set_uuid (StasisJson *object, const char *key, const guint8 *uuid)
{
  g_autofree char *text = uuid_to_string (uuid);
  stasis_json_set_string (object, key, text);
}

/* The octets of guest memory: all of it, and what is stored. */
void
stasis_image_memory (const StasisImage *image, guint64 *out_total, guint64 *out_stored)
{
  *out_total = 0;
  *out_stored = 0;
  for (guint i = 0; image->map != NULL && i < image->map->n_blocks; i++)
    {
      *out_total += image->map->blocks[i].used_length;
      *out_stored += image->map->blocks[i].n_set * image->map->blocks[i].page_size;
    }
}

static StasisJson *
block_to_json (const StasisImageBlock *block, gboolean is_packed)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "name", block->name);
  stasis_json_set_uint (object, "length", block->used_length);
  stasis_json_set_uint (object, "stored", block->n_set * block->page_size);
  if (is_packed)
    return object;
  stasis_json_set_uint (object, "pages-offset", block->pages_offset);
  stasis_json_set_uint (object, "bitmap-offset", block->bitmap_offset);
  return object;
}

static StasisJson *
memory_to_json (const StasisImage *image)
{
  guint64 total, stored;
  stasis_image_memory (image, &total, &stored);
  StasisJson *blocks = stasis_json_new_array ();
  for (guint i = 0; i < image->map->n_blocks; i++)
    stasis_json_array_append (blocks,
                              block_to_json (&image->map->blocks[i], image->packed != NULL));

  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_uint (object, "total", total);
  stasis_json_set_uint (object, "stored", stored);
  stasis_json_set_uint (object, image->parent != NULL ? "in-parent" : "zero", total - stored);
  stasis_json_set (object, "blocks", blocks);
  return object;
}

static StasisJson *
body_to_json (const StasisImage *image)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "kind",
                          stasis_image_body_kind_to_string (image->header.body_kind));
  stasis_json_set_uint (object, "offset", image->header.body_offset);
  stasis_json_set_uint (object, "length", image->header.body_length);
  if (image->chunks != NULL)
    {
      stasis_json_set_uint (object, "chunks", image->chunks->len);
      stasis_json_set_uint (object, "stream-length", image->stream_length);
    }
  return object;
}

static StasisJson *
file_to_json (const StasisImage *image)
{
  struct stat st;
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_uint (object, "size", image->header.file_size);
  if (fstat (image->fd, &st) == 0)
    stasis_json_set_uint (object, "allocated", (guint64) st.st_blocks * 512);
  return object;
}

/* A reference of one's own to what is immutable from here on. */
static StasisJson *
share (const StasisJson *json)
{
  return stasis_json_ref ((StasisJson *) json);
}

/* All about an image as one JSON object. */
StasisJson *
stasis_image_info_to_json (const StasisImage *image)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_text (object, "name", image->name);
  stasis_json_set_int (object, "format-version", STASIS_IMAGE_VERSION);
  set_uuid (object, "uuid", image->header.uuid);
  set_uuid (object, "domain-uuid", image->header.domain_uuid);
  stasis_json_set_uint (object, "created-ns", image->header.created_ns);
  stasis_json_set_string (object, "writer", image->header.writer);
  stasis_json_set (object, "body", body_to_json (image));
  if (image->map != NULL)
    stasis_json_set (object, "memory", memory_to_json (image));
  stasis_json_set (object, "qemu", share (image->qemu_facts));
  if (image->parent != NULL)
    stasis_json_set (object, "parent", share (image->parent));
  if (image->origin != NULL)
    stasis_json_set (object, "origin", share (image->origin));
  if (image->disks != NULL) /* of a pipe they are known at its end */
    stasis_json_set (object, "disks", share (stasis_json_get (image->disks, "disks")));
  if (image->fd >= 0)
    stasis_json_set (object, "file", file_to_json (image));
  stasis_json_set_uint (object, "unknown-records", image->n_unknown);
  return object;
}
