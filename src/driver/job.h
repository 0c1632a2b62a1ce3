/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: a long operation while it goes on: statistics, progress, abort
 */

#pragma once

#include "driver/control.h"
#include "driver/paths.h"

#include <stasis/job.h>

G_BEGIN_DECLS

typedef struct _StasisJob StasisJob;

/* @cancellable (nullable): the caller's; @progress (nullable) */
StasisJob *stasis_job_new (const char *operation, StasisProgressFunc progress,
                           gpointer progress_data, GCancellable *cancellable);
void stasis_job_free (StasisJob *job);

/* It has begun: what @last_path keeps of an older job is none of it.  How it ends is kept there. */
void stasis_job_begin (StasisJob *job, const char *last_path);

/* The domain has gone, and with it what is kept of its jobs. */
void stasis_job_forget_last (StasisJob *job);

/* Tell the supervisor of the domain whose run folder this is: from now on others can see and
 * abort the job.  A job that gives way (detach.c) is waited for, for a second.  Where another one
 * has the place, or no supervisor can be had, the job goes on all the same, unseen until an update
 * finds it otherwise. */
void stasis_job_attach (StasisJob *job, const char *folder);

/* The same for one that leaves the guest alone, and has no journal: whoever pauses the guest now is
 * not the job.  It may be attached in the other way later. */
void stasis_job_attach_background (StasisJob *job, const char *folder);

/* (borrowed): what tells it from all others, for its journal: an abort is of one job only. */
const char *stasis_job_id (const StasisJob *job);
/* Before it is attached: it is the job that a journal has told of already, and may be aborted. */
void stasis_job_set_id (StasisJob *job, const char *id);

/* Under the domain's lock, and before its journal tells of it: what a supervisor without ids has
 * decided of an older job is none of it. */
void stasis_job_claim (StasisJob *job, const char *folder);

/* FALSE with G_IO_ERROR_CANCELLED where it was aborted, or cancelled by the caller, although its
 * waits may not have seen that. */
gboolean stasis_job_check (StasisJob *job, GError **error);

/* The same, and where it was not: from now on whoever wants to abort it is told that it is too
 * late.  Nothing may fail it any more that people would have wished for. */
gboolean stasis_job_commit (StasisJob *job, GError **error);

/* It comes to nothing before it has begun: others see it no more. */
void stasis_job_leave (StasisJob *job);

/* What the job's own waits take: cancelled by the caller, or by domjobabort. */
GCancellable *stasis_job_cancellable (StasisJob *job);

/* The statistics, for the job's own thread to fill in. */
StasisJobStats *stasis_job_stats (StasisJob *job);
void stasis_job_set_phase (StasisJob *job, const char *phase);
void stasis_job_set_engine (StasisJob *job, const char *engine);
/* Where the guest's disks go on (StasisJobStats). */
void stasis_job_set_new_disks (StasisJob *job, char *text_take);
/* What else is to be said of whatever engine is set from now on. */
void stasis_job_set_engine_note (StasisJob *job, const char *note);

/* Called by stasis_job_update() before it tells: takes over into the statistics what another
 * thread has come to.  NULL for none. */
typedef void (*StasisJobPoll) (StasisJobStats *stats, gpointer data);
void stasis_job_set_poll (StasisJob *job, StasisJobPoll poll, gpointer data);
gboolean stasis_job_has_poll (const StasisJob *job);

/* Take over now, before the poll is taken away: the last of it comes between two updates. */
void stasis_job_poll (StasisJob *job);

/* Tell everybody how it stands, five times in a second at most. */
void stasis_job_update (StasisJob *job);

/* The last word.  @error (nullable, borrowed): why it failed.  Once it has begun the statistics are
 * kept for `domjobinfo --completed`. */
void stasis_job_end (StasisJob *job, const GError *error);

/* What stasis_job_end() kept; state NONE where there is nothing. */
StasisJobStats *stasis_job_load_completed (const StasisPaths *paths, const char *name,
                                           GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisJob, stasis_job_free)

G_END_DECLS
