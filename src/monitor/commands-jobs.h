/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-jobs.h: watch, steer and end block jobs
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

gboolean stasis_monitor_job_complete (StasisMonitor *monitor, const char *job,
                                      GCancellable *cancellable, GError **error);
gboolean stasis_monitor_job_cancel (StasisMonitor *monitor, const char *job,
                                    GCancellable *cancellable, GError **error);

/* Wait until the job is @status ("ready", "concluded"), at most @timeout_ms (-1: for ever;
 * STASIS_MONITOR_ERROR_TIMEOUT).  A job that has concluded is forgotten by
 * QEMU then; one that has failed, or concluded too early, is a failure in QEMU's words. */
gboolean stasis_monitor_job_wait (StasisMonitor *monitor, const char *job, const char *status,
                                  gint64 timeout_ms, GError **error);

G_END_DECLS
