/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types.h: numbers and names that all of src/image shares (docs/save-image.md)
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_IMAGE_VERSION     2u
#define STASIS_IMAGE_HEADER_SIZE 4096u         /* octets */
#define STASIS_IMAGE_ALIGN       4096u         /* of body and tail offset */
#define STASIS_IMAGE_SLACK       (512u * 1024) /* the body stands at a multiple of this */
#define STASIS_IMAGE_CHUNK_SIZE  (1024u * 1024)
#define STASIS_IMAGE_PAGE_SIZE   4096u /* of the guest, in RAM map and bitmaps */
#define STASIS_IMAGE_END_MAX     (G_GUINT64_CONSTANT (4) << 40) /* of the body */
#define STASIS_IMAGE_UUID_SIZE   16u

/* On-disk numbers: append at the end, never renumber, never reuse. */
typedef enum
{
  STASIS_IMAGE_BODY_MAPPED_RAM = 1, /* QEMU's file: with the capability mapped-ram, in place */
  STASIS_IMAGE_BODY_STREAM = 2,     /* QEMU's plain stream */
  STASIS_IMAGE_BODY_CHUNKS = 3,     /* the same, in CHUNK records: a streamed image */
  STASIS_IMAGE_BODY_PACKED_RAM = 4, /* some pages, and a stream without any: incremental */
} StasisImageBodyKind;

/* "mapped-ram", "stream", "chunks", "packed-ram" or "unknown". */
const char *stasis_image_body_kind_to_string (guint32 kind);

/* What the header calls the writer. */
#define STASIS_IMAGE_WRITER_NAME "stasis " STASIS_VERSION

/* A random UUID (version 4). */
void stasis_image_uuid_generate (guint8 uuid[STASIS_IMAGE_UUID_SIZE]);

/* TRUE where the octets can be a DOMAIN_XML record; else STASIS_IMAGE_ERROR_INVALID.  Whether they
 * are XML is not looked at. */
gboolean stasis_image_xml_check (GBytes *xml, GError **error);

/* Where a long operation stands.  Called on the thread that called the operation, at most ten
 * times a second, and once when everything is done. */
typedef void (*StasisImageProgress) (guint64 done, guint64 total, gpointer data);

G_END_DECLS
