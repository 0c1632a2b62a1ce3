/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrating.h: migrations that wait for their client's next step
 *
 * Theory of operation
 *
 * Between the steps of a migration the client alone knows how it is to go on.  Where its connection
 * ends, whatever it began on it is abandoned: a source undoes it, a destination revokes it.  That
 * may take a while, so a thread of the reaper does it; where a step is being carried out at that
 * moment the thread of this step does it behind it.
 *
 * A record belongs to the connection on which Begin, or Prepare, came; later steps may come on any.
 * It is of one migration, whose token its client does not always have to say: a domain can come
 * here anew, by another client, before the first one has heard of the end of his.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

typedef struct _StasisMigrating StasisMigrating;   /* one of them */
typedef struct _StasisMigratings StasisMigratings; /* all of a server */

StasisMigratings *stasis_migratings_new (void);
/* NULL is fine. */
void stasis_migratings_free (StasisMigratings *self);

/* A step of one begins; the others of these functions end it.
 * @cookie: (nullable): of the step, with its token
 * NULL and an error where the client has begun too many. */
StasisMigrating *stasis_migrating_begin (StasisCall *call, StasisDomain *domain, const char *name,
                                         GBytes *cookie, GCancellable *cancellable, GError **error);
/* What Begin has made, where there was no token before. */
void stasis_migrating_set_cookie (StasisMigrating *self, GBytes *cookie);
/* The next step of one that is there; NULL where there is none, or a step of it is under way.  One
 * without a token is of this connection's, or of anybody's. */
StasisMigrating *stasis_migrating_go_on (StasisCall *call, StasisDomain *domain, const char *name,
                                         GBytes *cookie, GCancellable *cancellable);
/* (transfer none): what it was begun with, for the steps that follow: a driver keeps them, and the
 * daemon may have another one by now.  @otherwise where it is NULL. */
StasisDomain *stasis_migrating_domain (const StasisMigrating *self, StasisDomain *otherwise);
StasisDriver *stasis_migrating_driver (const StasisMigrating *self, StasisDriver *otherwise);
/* It waits for the next one: FALSE where nobody is left who could come with it, and it was
 * abandoned.  NULL is fine. */
gboolean stasis_migrating_rest (StasisMigrating *self);
/* That was the last one.  NULL is fine. */
void stasis_migrating_end (StasisMigrating *self);

/* It failed, and nobody comes with the next one: what is left of it is abandoned.  NULL is fine. */
void stasis_migrating_fail (StasisMigrating *self);

/* A connection ends, on the first thread: (transfer full) (element-type StasisMigrating) what is to
 * be abandoned, each by stasis_migrating_abandon(). */
GPtrArray *stasis_migratings_leave (StasisMigratings *self, guint64 session);
void stasis_migrating_abandon (StasisMigrating *self_take);

G_END_DECLS
