/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-header.h: what stands before the body of libvirt's save images
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define STASIS_LIBVIRT_HEADER_SIZE 92u                 /* octets */
#define STASIS_LIBVIRT_MAGIC_SIZE  16u                 /* octets, no NUL */
#define STASIS_LIBVIRT_SLACK       65536u              /* octets left for a longer XML */
#define STASIS_LIBVIRT_DATA_MAX    (64u * 1024 * 1024) /* octets of XML, cookie and slack */
#define STASIS_LIBVIRT_XML_MAX     (16u * 1024 * 1024) /* octets, as in our own images */
#define STASIS_LIBVIRT_COOKIE_MAX  (1u * 1024 * 1024)  /* octets */

/* libvirt's on-disk numbers. */
typedef enum
{
  STASIS_LIBVIRT_FORMAT_RAW = 0,
  STASIS_LIBVIRT_FORMAT_GZIP = 1,
  STASIS_LIBVIRT_FORMAT_BZIP2 = 2,
  STASIS_LIBVIRT_FORMAT_XZ = 3,
  STASIS_LIBVIRT_FORMAT_LZOP = 4,
  STASIS_LIBVIRT_FORMAT_ZSTD = 5,
  STASIS_LIBVIRT_FORMAT_SPARSE = 6, /* mapped-ram, at absolute offsets */
} StasisLibvirtFormat;

#define STASIS_LIBVIRT_FORMATS 7u

/* libvirt's names: "raw", "gzip", ..., "sparse". */
const char *stasis_libvirt_format_to_string (StasisLibvirtFormat format);

typedef struct
{
  guint32 version;
  guint32 data_length; /* of what stands between header and body */
  gboolean was_running;
  StasisLibvirtFormat format;
  guint32 cookie_offset; /* in the data; 0: there is none */
  gboolean is_swapped;   /* written by a host of the other byte order */
  guint32 strange_at;    /* the first octet that libvirt would have written otherwise; 0: none */
} StasisLibvirtHeader;

/* Checked: magic, version, format, and that the numbers fit each other.  @size octets were there to
 * read.  An unfinished image is STASIS_IMAGE_ERROR_INCOMPLETE. */
gboolean stasis_libvirt_header_decode (const guint8 *octets, gsize size, const char *name,
                                       StasisLibvirtHeader *out_header, GError **error);

/* In this host's byte order, as version 2.  @is_complete: whether the magic says so. */
void stasis_libvirt_header_encode (const StasisLibvirtHeader *header, gboolean is_complete,
                                   guint8 octets[STASIS_LIBVIRT_HEADER_SIZE]);

/* Only the magic. */
void stasis_libvirt_header_put_magic (gboolean is_complete,
                                      guint8 octets[STASIS_LIBVIRT_MAGIC_SIZE]);

/* TRUE where the octets begin with the magic, finished or not. */
gboolean stasis_libvirt_header_has_magic (const guint8 *octets, gsize size);

/* XML and cookie (NULL: there is none) out of the data behind a header; notes in @header what is
 * strange about it. */
gboolean stasis_libvirt_data_decode (StasisLibvirtHeader *header, const guint8 *data,
                                     const char *name, GBytes **out_xml, GBytes **out_cookie,
                                     GError **error);

/* Set cookie offset and length for these; a length that is large enough already stays. */
gboolean stasis_libvirt_data_measure (GBytes *xml, GBytes *cookie, StasisLibvirtHeader *header,
                                      GError **error);

/* The data, whose header was measured. */
GBytes *stasis_libvirt_data_encode (const StasisLibvirtHeader *header, GBytes *xml,
                                    GBytes *cookie) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
