/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * load-engine.h: having QEMU read a guest's state from an image
 */

#pragma once

#include "driver/job.h"
#include "image/reader.h"
#include "monitor/monitor.h"
#include "util/process.h"

G_BEGIN_DECLS

/* Let a QEMU that was started with `-incoming defer` load the body of @image, and wait until it
 * has.  Its CPUs stay stopped.  @qemu: its process, for the progress. */
gboolean stasis_load_engine_run (const StasisImage *image, StasisMonitor *monitor,
                                 const StasisProcess *qemu, StasisJob *job, GError **error);

G_END_DECLS
