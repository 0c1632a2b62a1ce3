/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.h: having QEMU load a stream that comes from us
 */

#pragma once

#include "driver/job.h"
#include "monitor/monitor.h"
#include "util/stream.h"

G_BEGIN_DECLS

/* Let a QEMU that was started with `-incoming defer` load the plain stream @in (borrowed), and see
 * @in's own end: TRUE means that QEMU has loaded all of it and that @in has been checked to its
 * last octet.  Its CPUs stay stopped.  @total: octets to come, for the progress; 0: nobody knows.
 * @scan: @in has no checksums, so QEMU's stream itself is gone over on the way. */
gboolean stasis_feed_run (StasisStreamIn *in, guint64 total, gboolean scan, StasisMonitor *monitor,
                          StasisJob *job, GError **error);

G_END_DECLS
