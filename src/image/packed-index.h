/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-index.h: which page of the guest is where in a PACKED_RAM body
 *
 * Immutable once loaded: any thread.
 */

#pragma once

#include "image/reader.h"

G_BEGIN_DECLS

typedef struct _StasisPackedIndex StasisPackedIndex;

/* The index of an image with such a body, read and checked: STASIS_IMAGE_ERROR_CORRUPT where it is
 * not what the record says, or makes no sense. */
StasisPackedIndex *stasis_packed_index_load (const StasisImage *image, GCancellable *cancellable,
                                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A bit for each page of a block that the image has, zero or not; (borrowed). */
const guint8 *stasis_packed_index_bitmap (const StasisPackedIndex *self, guint block);

/* Of [@page, @page + @n) of a block, all of which the image has: where in the file the first pages
 * are, 0: they are zero.  Returns how many lie there one behind the other. */
guint64 stasis_packed_index_find (const StasisPackedIndex *self, guint block, guint64 page,
                                  guint64 n, guint64 *out_offset);

/* Whose page the octets at @offset of the file are; FALSE where they are no page's. */
gboolean stasis_packed_index_at (const StasisPackedIndex *self, guint64 offset, guint *out_block,
                                 guint64 *out_page);

/* NULL is fine. */
void stasis_packed_index_free (StasisPackedIndex *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPackedIndex, stasis_packed_index_free)

G_END_DECLS
