/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-jobs.h: watch, steer and end block jobs
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef struct
{
  char *id;        /* (owned) */
  char *type;      /* (owned) "mirror", "commit" ... */
  char *status;    /* (owned) "running", "ready", "pending", "concluded" ... */
  char *io_status; /* (owned) "ok", "failed", "nospace" */
  char *error;     /* (owned) (nullable) why it failed */
  guint64 current; /* octets done, of @total; what the guest writes adds to both */
  guint64 total;
  guint64 speed; /* octets/s; 0: no limit */
  gboolean is_busy;
  gboolean is_paused;
  gboolean is_ready;           /* it may be completed */
  gboolean is_actively_synced; /* of a mirror: its writes wait for both; QEMU >= 8.2 */
} StasisBlockJob;

void stasis_block_job_free (StasisBlockJob *job);

/* (transfer full): of StasisBlockJob: those that go on, and those that nobody has dismissed yet */
GPtrArray *stasis_monitor_query_block_jobs (StasisMonitor *monitor, GCancellable *cancellable,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

gboolean stasis_monitor_job_complete (StasisMonitor *monitor, const char *job,
                                      GCancellable *cancellable, GError **error);
/* Ends it, whatever is missing. */
gboolean stasis_monitor_job_cancel (StasisMonitor *monitor, const char *job,
                                    GCancellable *cancellable, GError **error);

/* The same where @force.  A mirror that is ready ends well without: the copy is as the disk was at
 * that time, and the guest goes on on the disk. */
gboolean stasis_monitor_block_job_cancel (StasisMonitor *monitor, const char *job, gboolean force,
                                          GCancellable *cancellable, GError **error);
/* 0: no limit */
gboolean stasis_monitor_block_job_set_speed (StasisMonitor *monitor, const char *job,
                                             guint64 octets_per_s, GCancellable *cancellable,
                                             GError **error);
/* Let one that is pending take effect. */
gboolean stasis_monitor_job_finalize (StasisMonitor *monitor, const char *job,
                                      GCancellable *cancellable, GError **error);
/* Forget one that has concluded. */
gboolean stasis_monitor_job_dismiss (StasisMonitor *monitor, const char *job,
                                     GCancellable *cancellable, GError **error);

/* Wait until the job is @status ("ready", "concluded"), at most @timeout_ms (-1: for ever;
 * STASIS_MONITOR_ERROR_TIMEOUT).  A job that has concluded is forgotten by
 * QEMU then; one that has failed, or concluded too early, is a failure in QEMU's words. */
gboolean stasis_monitor_job_wait (StasisMonitor *monitor, const char *job, const char *status,
                                  gint64 timeout_ms, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisBlockJob, stasis_block_job_free)

G_END_DECLS
