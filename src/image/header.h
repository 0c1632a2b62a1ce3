/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * header.h: the first 4096 octets of a save image
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_WRITER_SIZE 64u /* octets, a final NUL included */

typedef struct
{
  gboolean complete;
  gboolean
      is_stream; /* written front to back: never complete, and END tells whether all is there */
  guint8 uuid[STASIS_IMAGE_UUID_SIZE];
  guint8 domain_uuid[STASIS_IMAGE_UUID_SIZE];
  guint64 created_ns; /* since 1970 */
  guint64 file_size;
  guint64 front_length;
  guint64 body_offset;
  guint64 body_length;
  guint32 body_kind; /* a StasisImageBodyKind, or one that we do not know */
  guint64 tail_offset;
  guint64 tail_length;
  char writer[STASIS_IMAGE_WRITER_SIZE]; /* ends with a NUL */
} StasisImageHeader;

/* The octets of a header, its checksum included. */
void stasis_image_header_encode (const StasisImageHeader *header,
                                 guint8 octets[STASIS_IMAGE_HEADER_SIZE]);

/* Magic, checksum, version, state and body kind, in this order; not the layout.  @size octets were
 * there to read.  Partial and streamed headers are decoded, too: see @complete, @is_stream. */
gboolean stasis_image_header_decode (const guint8 *octets, gsize size, const char *name,
                                     StasisImageHeader *out_header, GError **error);

/* TRUE where the octets begin with our magic. */
gboolean stasis_image_header_has_magic (const guint8 *octets, gsize size);

/* The layout of a streamed image, as far as its header can tell. */
gboolean stasis_image_header_check_stream (const StasisImageHeader *header, const char *name,
                                           GError **error);

/* The layout of a complete image whose file has @file_size octets. */
gboolean stasis_image_header_check_layout (const StasisImageHeader *header, guint64 file_size,
                                           const char *name, GError **error);

/* Where a reserved field of these octets is not zero: its offset; else 0. */
gsize stasis_image_header_find_reserved (const guint8 octets[STASIS_IMAGE_HEADER_SIZE]);

static inline guint64
stasis_image_header_front_end (const StasisImageHeader *header)
{
  return STASIS_IMAGE_HEADER_SIZE + header->front_length;
}

static inline guint64
stasis_image_header_body_end (const StasisImageHeader *header)
{
  return header->body_offset + header->body_length;
}

G_END_DECLS
