/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * view.h: what QEMU is to read of an image whose memory is mapped from it
 */

#pragma once

#include <gio/gio.h>

#include "image/reader.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_VIEW_MAX (G_GUINT64_CONSTANT (256) << 20) /* enough for every device's */

/* A file in memory, open for reading and writing, that has the body of @image at its own offsets,
 * but of @block, one of its RAM map, neither the pages nor the bits that call for them.  Nothing
 * else of the image is in it.
 *
 * STASIS_IMAGE_ERROR_UNSUPPORTED: @block cannot be mapped (it has data in pages that its bitmap
 * calls zero, QEMU's own header of it is not where the map says), or the rest has
 * more than @data_max octets. */
int stasis_image_view_new (const StasisImage *image, const StasisImageBlock *block,
                           guint64 data_max, GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
