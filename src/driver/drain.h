/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drain.h: taking the stream that QEMU writes
 */

#pragma once

#include "driver/job.h"
#include "monitor/monitor.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* Let QEMU send its state away as a plain stream, the guest being paused, and write that to @out
 * (borrowed; not finished).  The descriptor is known to QEMU as @fd_name.  @poll (nullable) adds to
 * what the job shows of QEMU's progress. */
gboolean stasis_drain_run (StasisStreamOut *out, const char *fd_name, StasisMonitor *monitor,
                           StasisJobPoll poll, gpointer poll_data, StasisJob *job, GError **error);

G_END_DECLS
