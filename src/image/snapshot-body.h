/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-body.h: what a mapped body lacks that QEMU has written as a background snapshot
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Make the body [@body_offset, @body_end) like that of any other save: the bitmaps, and the end of
 * the RAM.  One that is complete is so afterwards.  @fd is open for reading and writing; its
 * position moves.  STASIS_IMAGE_ERROR_CORRUPT or UNSUPPORTED where it is no such body. */
gboolean stasis_snapshot_body_complete (int fd, guint64 body_offset, guint64 body_end,
                                        GCancellable *cancellable, GError **error);

G_END_DECLS
