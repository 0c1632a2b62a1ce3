/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-owner.h: whose a save image is
 */

#pragma once

#include "image/chain.h"

G_BEGIN_DECLS

/* TRUE where the file belongs to root or to us, and nobody else may write to it.  Else
 * STASIS_ERROR_REFUSED, by @name and with what overrides it. */
gboolean stasis_image_owner_check (int fd, const char *name, GError **error);

/* The same of all images that the first one stands on. */
gboolean stasis_image_owner_check_bases (const StasisImageChain *chain, GError **error);

/* Give @new_fd the owner and mode of @old_fd, which is called @name: it replaces that file, or was
 * made of it. */
gboolean stasis_image_owner_keep (int old_fd, const char *name, int new_fd, GError **error);

/* The same of what was made of a whole chain: the first that is not trusted, else its top. */
gboolean stasis_image_owner_keep_chain (const StasisImageChain *chain, int new_fd, GError **error);

G_END_DECLS
