/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * errand.h: what the supervisor does under the domain's lock
 */

#pragma once

#include "driver/status.h"
#include "supervisor/life.h"

G_BEGIN_DECLS

/* What came of it. */
typedef enum
{
  STASIS_ERRAND_DONE,  /* the domain runs on */
  STASIS_ERRAND_GONE,  /* this run of the domain is over: nothing is left to supervise */
  STASIS_ERRAND_OWED,  /* the same, and it is to be asked for again after a while */
  STASIS_ERRAND_AGAIN, /* not yet possible: try again after a while */
} StasisErrandResult;

typedef struct _StasisErrands StasisErrands;

/* Called in the default main context. */
typedef void (*StasisErrandDone) (StasisErrandResult result, gpointer data);

/* @folder and @life outlive it.
 * @life: (nullable): where QEMU has ended already */
StasisErrands *stasis_errands_new (const char *folder, const StasisStatus *status, StasisLife *life,
                                   StasisErrandDone done, gpointer data);

/* Take the domain's lock, recover a dead owner's job, tear down where QEMU has ended, reset a guest
 * that has ended where its definition wants that: on a thread of its own, after the errand that is
 * under way.
 * @fallback_reason: how the run ended, where nobody noted it */
void stasis_errands_request (StasisErrands *errands, const char *fallback_reason);

/* Before the process ends, as its run has: the destination of a migration is told, if one is to be.
 */
void stasis_errands_await_leave (StasisErrands *errands);

/* A job is over, and the status still tells of one: what its owner could not undo is to be tried
 * again, though he lives.  He may be about to clear it: whoever has the lock after him sees. */
gboolean stasis_errands_is_job_left (const char *folder);

G_END_DECLS
