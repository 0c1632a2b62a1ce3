/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-stream.h: a mapped body out of QEMU's plain stream
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* Read a plain stream to its end and write what it says to @fd as a QEMU with the capability
 * mapped-ram would, the body at @body_offset: zero pages become holes.  What the file had from
 * there on is cut off.  @out_body_end: where the body ends, which is the file's end.  Nothing is
 * synced.  @progress (nullable) is told how much of the RAM, in octets, has come.  Fails as
 * stasis_qemu_stream_scan(); with STASIS_IMAGE_ERROR_TOO_LARGE where the body would end behind
 * STASIS_IMAGE_END_MAX. */
gboolean stasis_map_stream (StasisStreamIn *in, int fd, guint64 body_offset, guint64 *out_body_end,
                            StasisImageProgress progress, gpointer progress_data,
                            GCancellable *cancellable, GError **error);

G_END_DECLS
