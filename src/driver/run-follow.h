/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-follow.h: hearing what becomes of a running domain
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisRunFollow StasisRunFollow;

/* @event: an object of docs/supervisor.md's `watch`: a state, or a job that has ended
 * @is_present: it is how the domain is now, and what came before it is not known */
typedef void (*StasisRunFollowFunc) (const StasisJson *event, gboolean is_present, gpointer data);

/* Ask the supervisor whose run folder this is, from the beginning of the run or from now on, and
 * again whenever there is another one, until it is freed.  In this main context, which is never
 * blocked. */
StasisRunFollow *stasis_run_follow_new (const char *folder, gboolean from_beginning,
                                        GMainContext *context, StasisRunFollowFunc func,
                                        gpointer data);
/* Take what has come already. */
void stasis_run_follow_flush (StasisRunFollow *self);
/* NULL is fine. */
void stasis_run_follow_free (StasisRunFollow *self);

G_END_DECLS
