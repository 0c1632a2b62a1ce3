/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-stream.h: QEMU's plain stream out of an image in a file
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* The body of @image (borrowed: must outlive the stream), STREAM or CHUNKS, verified before an
 * octet is handed out; of a MAPPED_RAM image, whose body is no plain stream,
 * STASIS_IMAGE_ERROR_INVALID.
 * @n_threads that decompress, 0: one for each core, at most 8.  Several may be read at once. */
StasisStreamIn *stasis_image_body_stream (const StasisImage *image, guint n_threads,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
