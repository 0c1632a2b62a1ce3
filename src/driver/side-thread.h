/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * side-thread.h: what a job does on a second thread while its own waits for QEMU
 */

#pragma once

#include "driver/job.h"

G_BEGIN_DECLS

typedef struct _StasisSideThread StasisSideThread;

/* The work, on the second thread.  It tells how far it has come by stasis_side_thread_tell(@side).
 */
typedef gboolean (*StasisSideFunc) (StasisSideThread *side, gpointer data,
                                    GCancellable *cancellable, GError **error);

/* Begin @func (@data outlives the thread).  Its progress becomes @job's; where it fails, the job's
 * cancellable is cancelled, so that what goes on beside it stops. */
StasisSideThread *stasis_side_thread_start (const char *name, StasisSideFunc func, gpointer data,
                                            StasisJob *job);

/* Octets so far and in all (0: nobody knows).  On the second thread. */
void stasis_side_thread_tell (guint64 done, guint64 total, gpointer side);

/* TRUE once it has failed by itself, not by being cancelled. */
gboolean stasis_side_thread_has_failed (StasisSideThread *side);

/* Have it stop soon; its end is to be waited for. */
void stasis_side_thread_stop (StasisSideThread *side);

/* Wait for its end, going on to tell the job's progress.  TRUE where it did its work. */
gboolean stasis_side_thread_finish (StasisSideThread *side, GError **error);

/* All of it: @func on a second thread, while this one tells and hears of the job's state.  @poll
 * (nullable) instead of what @func tells.  The thread has ended when this returns. */
gboolean stasis_side_thread_run (const char *name, StasisSideFunc func, gpointer data,
                                 StasisJob *job, StasisJobPoll poll, gpointer poll_data,
                                 GError **error);

/* Stop at once.  NULL is fine. */
void stasis_side_thread_free (StasisSideThread *side);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisSideThread, stasis_side_thread_free)

G_END_DECLS
