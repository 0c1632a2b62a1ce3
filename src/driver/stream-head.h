/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-head.h: how QEMU's stream of a running guest would begin
 */

#pragma once

#include "image/qemu-head.h"
#include "monitor/monitor.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* The head and the blocks of a mapped body, which only QEMU knows; the guest runs on.  @fdset: a
 * set of QEMU's (/dev/fdset/N) of which @fd is the same empty file.  Leaves no migration behind. */
StasisImageRamMap *stasis_stream_head_take (StasisMonitor *monitor, pid_t qemu, gint64 fdset,
                                            int fd, StasisQemuHead *out_head,
                                            GCancellable *cancellable,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
