/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-head.h: how QEMU's stream begins in an image whose pages lie apart from it
 */

#pragma once

#include "image/qemu-head.h"
#include "image/reader.h"

G_BEGIN_DECLS

/* Read head and blocks of a MAPPED_RAM or PACKED_RAM body; *@out_rest (nullable): where in the file
 * the stream goes on behind them. */
StasisImageRamMap *stasis_image_take_head (const StasisImage *image, StasisQemuHead *head,
                                           guint64 *out_rest, GCancellable *cancellable,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The part of a PACKED_RAM body that is QEMU's stream; FALSE for another kind. */
gboolean stasis_image_get_packed_stream (const StasisImage *image, guint64 *out_offset,
                                         guint64 *out_end);

G_END_DECLS
