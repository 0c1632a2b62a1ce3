/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * copy.h: a range of a file to some place of another
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"

G_BEGIN_DECLS

/* Copy [@offset, @end) of @in to @out_offset of @out, which has only holes there; both borrowed.
 * Only data is copied, by the kernel where it can; a hole stays one, so the caller sets the size of
 * the file.  Moves the position of @in. */
gboolean stasis_image_copy_range (int in, guint64 offset, guint64 end, int out, guint64 out_offset,
                                  StasisImageProgress progress, gpointer progress_data,
                                  GCancellable *cancellable, GError **error);

G_END_DECLS
