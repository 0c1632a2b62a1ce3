/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: what a long operation on a domain is doing
 */

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisJobState:
 * @STASIS_JOB_NONE: no job
 * @STASIS_JOB_ACTIVE: it goes on
 * @STASIS_JOB_COMPLETED: it is done
 * @STASIS_JOB_FAILED: it failed; the domain is as it was before
 * @STASIS_JOB_CANCELLED: somebody aborted it; the domain is as it was before
 */
typedef enum
{
  STASIS_JOB_NONE,
  STASIS_JOB_ACTIVE,
  STASIS_JOB_COMPLETED,
  STASIS_JOB_FAILED,
  STASIS_JOB_CANCELLED,
} StasisJobState;

/**
 * StasisJobStats:
 * @state: where the job stands
 * @operation: (nullable): "start", "save", "restore", "verify" ..., as libvirt names operations
 * @phase: (nullable): the step it is at, for people: "copy", "hash", "commit" ...
 * @engine: (nullable): which way of doing it was chosen, and why, in a few words
 * @owner_pid: the process that runs the job
 * @elapsed_us: since the job began
 * @remaining_us: expected, or -1 where unknown
 * @bytes_total: octets of state in all, or 0 where unknown
 * @bytes_processed: octets dealt with
 * @bytes_remaining: octets still to do
 * @bytes_written: octets that went into (or came from) the image
 * @bytes_per_second: present rate
 * @pages_zero: pages that were zero and took no room
 * @pages_skipped: pages that the base of an incremental save has as they are
 * @pages_normal: pages stored
 * @page_size: octets of a page
 * @pause_us: how long the guest stood still, as far as known; -1 where it did not run
 * @dirty_per_second: octets that the guest writes to in a second, while its memory is sent
 * @passes: how often its memory was gone over
 * @expected_pause_us: how long it would stand still if it were paused now; -1 where unknown
 * @throttle: by how much it is slowed down so that it can be sent at all, in percent
 * @disk_total: octets of disks that are copied along, and of what is written to them meanwhile
 * @disk_processed: those that were copied
 * @disk_remaining: those still to do
 * @new_disks: (nullable): the files that a guest's disks go on in from now on, a line each: the
 *   disk's target, a space, the path
 * @error: (nullable): why it failed
 *
 * A picture of a job at one moment.
 */
typedef struct
{
  StasisJobState state;
  char *operation;
  char *phase;
  char *engine;
  gint64 owner_pid;
  gint64 elapsed_us;
  gint64 remaining_us;
  guint64 bytes_total;
  guint64 bytes_processed;
  guint64 bytes_remaining;
  guint64 bytes_written;
  guint64 bytes_per_second;
  guint64 pages_zero;
  guint64 pages_skipped;
  guint64 pages_normal;
  guint64 page_size;
  gint64 pause_us;
  guint64 dirty_per_second;
  guint64 passes;
  gint64 expected_pause_us;
  guint64 throttle;
  guint64 disk_total;
  guint64 disk_processed;
  guint64 disk_remaining;
  char *new_disks;
  char *error;
} StasisJobStats;

#define STASIS_TYPE_JOB_STATS (stasis_job_stats_get_type ())
GType stasis_job_stats_get_type (void);
StasisJobStats *stasis_job_stats_new (void);
StasisJobStats *stasis_job_stats_copy (const StasisJobStats *self);
void stasis_job_stats_free (StasisJobStats *self);

/**
 * StasisProgressFunc:
 * @stats: the job now; valid during the call only
 * @user_data: what was given with the function
 *
 * Called from the thread that runs the operation, a few times in a second and once at its end.
 */
typedef void (*StasisProgressFunc) (const StasisJobStats *stats, gpointer user_data);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisJobStats, stasis_job_stats_free)

#pragma GCC visibility pop

G_END_DECLS
