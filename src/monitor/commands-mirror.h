/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-mirror.h: copy a disk while the guest writes to it
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_MIRROR_FULL, /* all of it */
  STASIS_MIRROR_TOP,  /* the topmost overlay only */
  STASIS_MIRROR_NONE  /* only what is written from now on */
} StasisMirrorSync;

typedef enum
{
  STASIS_MIRROR_BACKGROUND,    /* the guest may outrun the copy */
  STASIS_MIRROR_WRITE_BLOCKING /* its writes wait until the copy has them too */
} StasisMirrorCopyMode;

typedef enum
{
  STASIS_MIRROR_REPORT, /* the job fails; the guest does not notice */
  STASIS_MIRROR_IGNORE, /* try again and again */
  STASIS_MIRROR_ENOSPC, /* as stop where there is no space left, else as report */
  STASIS_MIRROR_STOP    /* the job pauses */
} StasisMirrorOnError;

typedef struct
{
  const char *job;    /* its name */
  const char *device; /* a device's QOM path or id, or a block node */
  const char *target; /* a block node of the same size or larger */
  StasisMirrorSync sync;
  StasisMirrorCopyMode copy_mode;
  StasisMirrorOnError on_source_error;
  StasisMirrorOnError on_target_error;
  guint64 speed; /* octets/s; 0: no limit */
} StasisMirror;

/* Start a mirror.  It never ends by itself: once it is "ready" both are kept equal, until
 * block_job_cancel without force leaves the copy as it is at that time, or job_complete lets the
 * guest go on on the copy; then it is "pending" until job_finalize, and stays "concluded" until
 * job_dismiss: so a failure is never overlooked. */
gboolean stasis_monitor_mirror_start (StasisMonitor *monitor, const StasisMirror *mirror,
                                      GCancellable *cancellable, GError **error);

/* From background to write-blocking while it runs, so that it becomes equal; not the way back.
 * QEMU >= 8.2, STASIS_MONITOR_ERROR_UNSUPPORTED otherwise. */
gboolean stasis_monitor_mirror_change (StasisMonitor *monitor, const char *job,
                                       StasisMirrorCopyMode copy_mode, GCancellable *cancellable,
                                       GError **error);

G_END_DECLS
