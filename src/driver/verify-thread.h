/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-thread.h: verifying an image while something else happens
 */

#pragma once

#include "driver/job.h"
#include "image/reader.h"

G_BEGIN_DECLS

typedef struct _StasisVerifyThread StasisVerifyThread;

/* Begin to verify @image (borrowed: outlives the thread).  Its progress becomes @job's. */
StasisVerifyThread *stasis_verify_thread_start (StasisImage *image, StasisJob *job);

/* TRUE once it has found the image damaged; the job's cancellable is cancelled then, so that what
 * goes on beside it stops. */
gboolean stasis_verify_thread_has_failed (StasisVerifyThread *thread);

/* Wait for its verdict, going on to tell the job's progress. */
gboolean stasis_verify_thread_finish (StasisVerifyThread *thread, GError **error);

/* Stop at once.  NULL is fine. */
void stasis_verify_thread_free (StasisVerifyThread *thread);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisVerifyThread, stasis_verify_thread_free)

G_END_DECLS
