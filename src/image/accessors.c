/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * accessors.c: what an open image says of itself
 *
 * All of it was checked when the image was opened.
 */

#include "config.h"

#include "image/reader.h"

#include "image/facts.h"
#include "image/reader-private.h"

int
stasis_image_fd (const StasisImage *image)
{
  return image->fd;
}

const char *
stasis_image_name (const StasisImage *image)
{
  return image->name;
}

const guint8 *
stasis_image_uuid (const StasisImage *image)
{
  return image->header.uuid;
}

const guint8 *
stasis_image_domain_uuid (const StasisImage *image)
{
  return image->header.domain_uuid;
}

gint64
stasis_image_created_ns (const StasisImage *image)
{
  return (gint64) image->header.created_ns;
}

const char *
stasis_image_writer_version (const StasisImage *image)
{
  return image->header.writer;
}

GBytes *
stasis_image_xml (const StasisImage *image)
{
  return image->xml;
}

const StasisJson *
stasis_image_qemu_facts (const StasisImage *image)
{
  return image->qemu_facts;
}

/* Whether the guest ran before the save. */
gboolean
stasis_image_was_running (const StasisImage *image)
{
  const StasisJson *state = stasis_json_get (image->qemu_facts, STASIS_IMAGE_FACTS_RUN_STATE);
  return g_str_equal (stasis_json_string (state, ""), "running");
}

const StasisJson *
stasis_image_origin (const StasisImage *image)
{
  return image->origin;
}

const StasisJson *
stasis_image_parent (const StasisImage *image)
{
  return image->parent;
}

const StasisJson *
stasis_image_disks (const StasisImage *image)
{
  return image->disks;
}

StasisImageBodyKind
stasis_image_body_kind (const StasisImage *image)
{
  return image->header.body_kind;
}

guint64
stasis_image_body_offset (const StasisImage *image)
{
  return image->header.body_offset;
}

guint64
stasis_image_body_length (const StasisImage *image)
{
  return image->header.body_length;
}

/* Octets of QEMU's plain stream. */
guint64
stasis_image_stream_length (const StasisImage *image)
{
  switch (image->header.body_kind)
    {
    case STASIS_IMAGE_BODY_STREAM:
      return image->header.body_length;
    case STASIS_IMAGE_BODY_CHUNKS:
      return image->stream_length;
    default:
      return 0;
    }
}

guint64
stasis_image_file_size (const StasisImage *image)
{
  return image->header.file_size;
}

const StasisImageRamMap *
stasis_image_ram_map (const StasisImage *image)
{
  return image->map;
}

guint
stasis_image_n_unknown_records (const StasisImage *image)
{
  return image->n_unknown;
}
