/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-image.h: opening a save image of libvirt
 *
 * What the accessors return is borrowed and lives as long as the image.
 */

#pragma once

#include "image/decompress.h"
#include "image/libvirt-header.h"
#include "image/ram-map.h"
#include "util/stream.h"

G_BEGIN_DECLS

typedef struct _StasisLibvirtImage StasisLibvirtImage;

/* How the body of a format is compressed; NONE for raw and sparse. */
StasisCompression stasis_libvirt_format_compression (StasisLibvirtFormat format);

/* Read and check all that stands before the body.  Consumes @fd_take, also on failure; a regular
 * file, open for reading.  @name stands for it in messages. */
StasisLibvirtImage *stasis_libvirt_image_open_fd (int fd_take, const char *name,
                                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a file by its path, which is also the name. */
StasisLibvirtImage *stasis_libvirt_image_open (const char *path,
                                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from a pipe, of which nothing behind that is read.  @in is borrowed and has to outlive
 * the image. */
StasisLibvirtImage *stasis_libvirt_image_open_stream (StasisStreamIn *in, const char *name,
                                                      GCancellable *cancellable,
                                                      GError **error) G_GNUC_WARN_UNUSED_RESULT;

int stasis_libvirt_image_fd (const StasisLibvirtImage *image); /* -1: from a pipe */
const char *stasis_libvirt_image_name (const StasisLibvirtImage *image);
const StasisLibvirtHeader *stasis_libvirt_image_header (const StasisLibvirtImage *image);
StasisLibvirtFormat stasis_libvirt_image_format (const StasisLibvirtImage *image);
GBytes *stasis_libvirt_image_xml (const StasisLibvirtImage *image);
GBytes *stasis_libvirt_image_cookie (const StasisLibvirtImage *image); /* NULL: there is none */
gboolean stasis_libvirt_image_was_running (const StasisLibvirtImage *image);
guint64 stasis_libvirt_image_body_offset (const StasisLibvirtImage *image);
guint64 stasis_libvirt_image_body_end (const StasisLibvirtImage *image); /* 0: from a pipe */

/* What is before the body is as libvirt writes it, down to the octets that mean nothing; else
 * STASIS_IMAGE_ERROR_CORRUPT.  For a verifier. */
gboolean stasis_libvirt_image_check_strictly (const StasisLibvirtImage *image, GError **error);

/* QEMU's plain stream, decompressed.  What a compressor can notice (an early end, damage, octets
 * behind the end) is STASIS_IMAGE_ERROR_CORRUPT; a raw body has nothing that would tell.  From a
 * pipe only once.  A sparse image has no plain stream: STASIS_IMAGE_ERROR_UNSUPPORTED. */
StasisStreamIn *stasis_libvirt_image_body (const StasisLibvirtImage *image,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the memory lies in a sparse image that is a file; its offsets are absolute. */
StasisImageRamMap *stasis_libvirt_image_ram_map (const StasisLibvirtImage *image,
                                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_libvirt_image_free (StasisLibvirtImage *image);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisLibvirtImage, stasis_libvirt_image_free)

G_END_DECLS
