/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain-body.h: one mapped body out of a chain of images
 */

#pragma once

#include "image/chain.h"

G_BEGIN_DECLS

/* Write to @fd, from @offset on, the body that the top would have if it were whole.  Of the block
 * called @mapped (nullable) only what is not in the root, which is where its memory is mapped from.
 * Nothing is synced.  STASIS_IMAGE_ERROR_UNSUPPORTED where more than @data_max octets of pages
 * would be written. */
gboolean stasis_image_chain_write_body (const StasisImageChain *chain, int fd, guint64 offset,
                                        const char *mapped, guint64 data_max,
                                        StasisImageProgress progress, gpointer progress_data,
                                        GCancellable *cancellable, GError **error);

G_END_DECLS
