/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-follow.h: hearing what becomes of a running domain
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisRunFollow StasisRunFollow;

typedef enum
{
  STASIS_FOLLOW_NEWS,    /* it happened */
  STASIS_FOLLOW_PRESENT, /* it is how the domain is now; what came before it is not known */
  STASIS_FOLLOW_STATE,   /* the same, and has been told, or will be */
} StasisFollowKind;

/* @event: an object of docs/supervisor.md's `watch`: a state, or a job that has ended */
typedef void (*StasisRunFollowFunc) (const StasisJson *event, StasisFollowKind kind, gpointer data);

/* Ask the supervisor whose run folder this is, from the beginning of the run or from now on.  What
 * it says is taken by stasis_ready_set_take (@set). */
StasisRunFollow *stasis_run_follow_new (const char *folder, gboolean from_beginning, int set,
                                        StasisRunFollowFunc func, gpointer data);

/* When to look for a supervisor again (monotonic, µs), or 0; and do so, where that is over. */
gint64 stasis_run_follow_due (const StasisRunFollow *self);
void stasis_run_follow_retry (StasisRunFollow *self);

/* Something has happened after which the supervisor's next word may not be how the guest is: ask.
 */
void stasis_run_follow_confirm (StasisRunFollow *self);
/* TRUE where all that has been taken is all that the supervisor knows. */
gboolean stasis_run_follow_is_current (const StasisRunFollow *self);
/* Its process, or 0. */
gint64 stasis_run_follow_pid (const StasisRunFollow *self);

/* Take what has come already. */
void stasis_run_follow_flush (StasisRunFollow *self);
/* NULL is fine. */
void stasis_run_follow_free (StasisRunFollow *self);

G_END_DECLS
