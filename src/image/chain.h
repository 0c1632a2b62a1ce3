/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.h: an incremental image with all those that it stands on
 *
 * A page is in the first of them, from the top on, whose bitmap has its bit; of the root a clear
 * bit means zero.  Threads may read.
 */

#pragma once

#include "image/reader.h"

G_BEGIN_DECLS

#define STASIS_IMAGE_CHAIN_MAX 64u /* images */

typedef struct _StasisImageChain StasisImageChain;

/* @top is borrowed, and outlives the chain; one that is not incremental is a chain too.  A parent
 * is looked for where it was, then beside its child.  STASIS_IMAGE_ERROR_INVALID names one that is
 * missing, or is another image by now. */
StasisImageChain *stasis_image_chain_open (const StasisImage *top, GCancellable *cancellable,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint stasis_image_chain_n (const StasisImageChain *chain);
/* 0: the top.  The last one is the root. */
const StasisImage *stasis_image_chain_get (const StasisImageChain *chain, guint index);
const StasisImage *stasis_image_chain_root (const StasisImageChain *chain);

/* A bit for each page of a block that is in one of the images: (transfer full). */
guint8 *stasis_image_chain_bitmap (const StasisImageChain *chain, guint block, gsize *out_octets);

/* Read [@offset, @offset + @length) of a block of the top's map, whole pages.  @without_root: pages
 * that are in the root are zero here.  *@out_is_zero: all of it is, and @octets are not filled.
 * @found (nullable): a bit for each page that is in one of the images that were read. */
gboolean stasis_image_chain_read (const StasisImageChain *chain, guint block, guint64 offset,
                                  guint8 *octets, gsize length, gboolean without_root,
                                  gboolean *out_is_zero, guint8 *found, GError **error);

/* NULL is fine. */
void stasis_image_chain_free (StasisImageChain *chain);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageChain, stasis_image_chain_free)

G_END_DECLS
