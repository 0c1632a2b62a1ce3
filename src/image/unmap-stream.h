/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unmap-stream.h: QEMU's plain stream out of a mapped body
 */

#pragma once

#include <gio/gio.h>

#include "util/stream.h"

G_BEGIN_DECLS

/* The plain stream that says what the mapped body [@body_offset, @body_end) of a file says; any
 * QEMU that could load the body loads it by `-incoming fd:`.  The body's structure is checked here,
 * its pages are read as they are wanted.  @fd is borrowed.  Fails as
 * stasis_qemu_stream_scan_mapped(). */
StasisStreamIn *stasis_unmap_stream_new (int fd, guint64 body_offset, guint64 body_end,
                                         GCancellable *cancellable,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How many octets come out of such a stream. */
guint64 stasis_unmap_stream_length (const StasisStreamIn *stream);

G_END_DECLS
