/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kind.h: which kind of save image it is
 */

#pragma once

#include "image/libvirt-header.h"
#include "util/stream.h"

G_BEGIN_DECLS

/**
 * StasisImageKind:
 * @STASIS_IMAGE_KIND_STASIS: ours, a file whose memory lies in place (docs/save-image.md)
 * @STASIS_IMAGE_KIND_STASIS_STREAM: ours, in one piece for pipes
 * @STASIS_IMAGE_KIND_LIBVIRT_RAW: libvirt's, with QEMU's plain stream
 * @STASIS_IMAGE_KIND_LIBVIRT_GZIP: the same, compressed
 * @STASIS_IMAGE_KIND_LIBVIRT_BZIP2: the same
 * @STASIS_IMAGE_KIND_LIBVIRT_XZ: the same
 * @STASIS_IMAGE_KIND_LIBVIRT_LZOP: the same
 * @STASIS_IMAGE_KIND_LIBVIRT_ZSTD: the same
 * @STASIS_IMAGE_KIND_LIBVIRT_SPARSE: libvirt's, a file whose memory lies in place
 * @STASIS_IMAGE_KIND_TRAILER: of 2007: QEMU's plain stream with a UUID behind it
 *
 * The kinds of save images.
 */
typedef enum
{
  STASIS_IMAGE_KIND_STASIS,
  STASIS_IMAGE_KIND_STASIS_STREAM,
  STASIS_IMAGE_KIND_LIBVIRT_RAW,
  STASIS_IMAGE_KIND_LIBVIRT_GZIP,
  STASIS_IMAGE_KIND_LIBVIRT_BZIP2,
  STASIS_IMAGE_KIND_LIBVIRT_XZ,
  STASIS_IMAGE_KIND_LIBVIRT_LZOP,
  STASIS_IMAGE_KIND_LIBVIRT_ZSTD,
  STASIS_IMAGE_KIND_LIBVIRT_SPARSE,
  STASIS_IMAGE_KIND_TRAILER,
} StasisImageKind;

#define STASIS_IMAGE_KINDS 10u

/* As users type it: "stasis", "stasis-stream", "libvirt", "libvirt-gzip", ..., "trailer". */
const char *stasis_image_kind_to_string (StasisImageKind kind);

/* Fails with G_IO_ERROR_INVALID_ARGUMENT, and says which there are. */
gboolean stasis_image_kind_from_string (const char *text, StasisImageKind *out_kind,
                                        GError **error);

gboolean stasis_image_kind_is_libvirt (StasisImageKind kind);

/* TRUE where an image of that kind can only be a file: its memory lies at places. */
gboolean stasis_image_kind_needs_file (StasisImageKind kind);

/* Only for a kind that is libvirt's. */
StasisLibvirtFormat stasis_image_kind_libvirt_format (StasisImageKind kind);
StasisImageKind stasis_image_kind_from_libvirt_format (StasisLibvirtFormat format);

/* Of a file, by its first octets; a trailer has to be there, too.  Fails as the reader of what it
 * seems to be would: with STASIS_IMAGE_ERROR_NOT_AN_IMAGE, CORRUPT, INCOMPLETE (libvirt's), or
 * UNSUPPORTED.  That it is of a kind does not mean that the rest of it is good. */
gboolean stasis_image_kind_detect (int fd, const char *name, StasisImageKind *out_kind,
                                   GError **error);

/* Of a pipe (@in is borrowed).  What was read of it comes again from the result, then the rest.
 * Any stream of QEMU counts as one that has a trailer. */
StasisStreamIn *stasis_image_kind_detect_stream (StasisStreamIn *in, const char *name,
                                                 StasisImageKind *out_kind,
                                                 GCancellable *cancellable,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
