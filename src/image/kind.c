/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind.c: which kind of save image it is
 */

#include "config.h"

#include "image/kind.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/header.h"
#include "image/octets.h"
#include "image/stream-join.h"
#include "image/trailer.h"

/* The first octets of every kind fit in here, and whole headers of ours: only with all of one can a
 * header whose magic is damaged be told. */
#define HEAD_SIZE STASIS_IMAGE_HEADER_SIZE

/* docs/save-image.md, "Header": the place and the value of the body kind of a streamed image. */
#define AT_BODY_KIND     104u
#define BODY_KIND_CHUNKS 3u

static const char *const names[STASIS_IMAGE_KINDS] = {
  [STASIS_IMAGE_KIND_STASIS] = "stasis",
  [STASIS_IMAGE_KIND_STASIS_STREAM] = "stasis-stream",
  [STASIS_IMAGE_KIND_LIBVIRT_RAW] = "libvirt",
  [STASIS_IMAGE_KIND_LIBVIRT_GZIP] = "libvirt-gzip",
  [STASIS_IMAGE_KIND_LIBVIRT_BZIP2] = "libvirt-bzip2",
  [STASIS_IMAGE_KIND_LIBVIRT_XZ] = "libvirt-xz",
  [STASIS_IMAGE_KIND_LIBVIRT_LZOP] = "libvirt-lzop",
  [STASIS_IMAGE_KIND_LIBVIRT_ZSTD] = "libvirt-zstd",
  [STASIS_IMAGE_KIND_LIBVIRT_SPARSE] = "libvirt-sparse",
  [STASIS_IMAGE_KIND_TRAILER] = "trailer",
};

/* As users type it. */
const char *
stasis_image_kind_to_string (StasisImageKind kind)
{
  return names[kind];
}

/* The kind that users call so. */
gboolean
stasis_image_kind_from_string (const char *text, StasisImageKind *out_kind, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (guint i = 0; i < STASIS_IMAGE_KINDS; i++)
    {
      if (g_str_equal (text, names[i]))
        {
          *out_kind = (StasisImageKind) i;
          return TRUE;
        }
      g_string_append_printf (known, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
               _ ("there is no kind of save image called '%1$s'; there are: %2$s"), text,
               known->str);
  return FALSE;
}

gboolean
stasis_image_kind_is_libvirt (StasisImageKind kind)
{
  return kind >= STASIS_IMAGE_KIND_LIBVIRT_RAW && kind <= STASIS_IMAGE_KIND_LIBVIRT_SPARSE;
}

/* TRUE where an image of that kind can only be a file. */
gboolean
stasis_image_kind_needs_file (StasisImageKind kind)
{
  return kind == STASIS_IMAGE_KIND_STASIS || kind == STASIS_IMAGE_KIND_LIBVIRT_SPARSE;
}

/* libvirt's number for it. */
StasisLibvirtFormat
stasis_image_kind_libvirt_format (StasisImageKind kind)
{
  return (StasisLibvirtFormat) (kind - STASIS_IMAGE_KIND_LIBVIRT_RAW);
}

/* The kinds stand in the order of libvirt's numbers. */
StasisImageKind
stasis_image_kind_from_libvirt_format (StasisLibvirtFormat format)
{
  return (StasisImageKind) (STASIS_IMAGE_KIND_LIBVIRT_RAW + (guint) format);
}

static gboolean
is_qemu (const guint8 *octets, gsize size)
{
  return size >= 4 && memcmp (octets, "QEVM", 4) == 0;
}

static gboolean
detect_libvirt (const guint8 *octets, gsize size, const char *name, StasisImageKind *out_kind,
                GError **error)
{
  StasisLibvirtHeader header;
  if (!stasis_libvirt_header_decode (octets, size, name, &header, error))
    return FALSE;
  *out_kind = stasis_image_kind_from_libvirt_format (header.format);
  return TRUE;
}

static gboolean
detect (const guint8 *octets, gsize size, const char *name, StasisImageKind *out_kind,
        GError **error)
{
  if (stasis_libvirt_header_has_magic (octets, size))
    return detect_libvirt (octets, size, name, out_kind, error);

  if (is_qemu (octets, size))
    {
      *out_kind = STASIS_IMAGE_KIND_TRAILER;
      return TRUE;
    }
  if (stasis_image_header_has_magic (octets, size))
    {
      const gboolean is_stream
          = size >= AT_BODY_KIND + 4 && stasis_get_le32 (octets + AT_BODY_KIND) == BODY_KIND_CHUNKS;
      *out_kind = is_stream ? STASIS_IMAGE_KIND_STASIS_STREAM : STASIS_IMAGE_KIND_STASIS;
      return TRUE;
    }

  /* It knows what strangers and damaged magics look like, and always fails here. */
  StasisImageHeader header;
  return stasis_image_header_decode (octets, size, name, &header, error);
}

/* Of a file. */
gboolean
stasis_image_kind_detect (int fd, const char *name, StasisImageKind *out_kind, GError **error)
{
  guint8 octets[HEAD_SIZE], uuid[STASIS_UUID_SIZE];
  guint64 body_end;
  StasisImageKind kind;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (fd, 0, G_MAXUINT64);
  const gssize n = stasis_stream_in_read_full (in, octets, sizeof octets, NULL, error);
  if (n < 0 || !detect (octets, (gsize) n, name, &kind, error))
    return FALSE;
  if (kind == STASIS_IMAGE_KIND_TRAILER
      && !stasis_trailer_read_file (fd, name, uuid, &body_end, error))
    return FALSE;
  *out_kind = kind;
  return TRUE;
}

/* Of a pipe. */
StasisStreamIn *
stasis_image_kind_detect_stream (StasisStreamIn *in, const char *name, StasisImageKind *out_kind,
                                 GCancellable *cancellable, GError **error)
{
  guint8 octets[HEAD_SIZE];
  const gssize n = stasis_stream_in_read_full (in, octets, sizeof octets, cancellable, error);
  if (n < 0 || !detect (octets, (gsize) n, name, out_kind, error))
    return NULL;
  g_autoptr (GBytes) head = g_bytes_new (octets, (gsize) n);
  return stasis_stream_in_new_joined (head, in);
}
