/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extents.h: where a file has data, and where holes
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The first run of data in [@offset, @end): [*@out_start, *@out_end), clipped to the range; both
 * @end where there is only a hole.  What lies behind the end of the file counts as a hole.  Moves
 * the position of @fd. */
gboolean stasis_extent_next (int fd, guint64 offset, guint64 end, guint64 *out_start,
                             guint64 *out_end, GError **error);

/* Where the first octet in [@offset, @end) stands that is not zero; @end where there is none. */
gboolean stasis_extent_find_nonzero (int fd, guint64 offset, guint64 end, guint64 *out_found,
                                     GError **error);

/* Turn [@offset, @end) into a hole, or into zeros where the file system knows no holes. */
gboolean stasis_extent_punch (int fd, guint64 offset, guint64 end, GError **error);

G_END_DECLS
