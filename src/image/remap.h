/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remap.h: a mapped body at another place of another file
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"

G_BEGIN_DECLS

/* Copy the mapped body [@body_offset, @body_end) of @from to @new_offset of another file, which is
 * cut there first.  All offsets in the body are made right, holes stay holes, and where the file
 * system can share octets between files it does.  @out_new_end: where the body ends, which is the
 * file's end.  Nothing is synced.  @progress (nullable) is told the octets of RAM that are done.
 * Fails as stasis_mapped_ram_parse(); with STASIS_IMAGE_ERROR_TOO_LARGE where the body would end
 * behind STASIS_IMAGE_END_MAX.  Moves the position of @from. */
gboolean stasis_remap (int from, guint64 body_offset, guint64 body_end, int to, guint64 new_offset,
                       guint64 *out_new_end, StasisImageProgress progress, gpointer progress_data,
                       GCancellable *cancellable, GError **error);

G_END_DECLS
