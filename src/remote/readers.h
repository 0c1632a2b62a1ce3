/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * readers.h: what the clients that may only read have of the server, all together
 *
 * Theory of operation
 *
 * Whoever can reach the read-only socket may connect often, so what one connection is allowed does
 * not limit what all of them take.  They have half of the threads of each pool, and one user's half
 * of that: those who may do more always have threads left, and so have other users' readers.  What
 * has to be kept for them is counted by user, too, as far as the first thread knows of it; where
 * it is too much for all, the one of whom most is kept has to go, see server.c.
 */

#pragma once

#include <sys/types.h>

#include <glib.h>

G_BEGIN_DECLS

typedef struct _StasisReaders StasisReaders;

StasisReaders *stasis_readers_new (void);
void stasis_readers_free (StasisReaders *self);

/* On the first thread: one more call of that user, in a pool of so many threads; FALSE where it has
 * to wait. */
gboolean stasis_readers_begin (StasisReaders *self, uid_t uid, gboolean is_quick, guint threads);
/* From any thread: it has ended.  TRUE where calls wait since one had to. */
gboolean stasis_readers_end (StasisReaders *self, uid_t uid, gboolean is_quick);
/* Calls of that user. */
guint stasis_readers_n_calls (StasisReaders *self, uid_t uid);

/* On the first thread: for one of that user's connections so many octets are kept, not @before. */
void stasis_readers_keep (StasisReaders *self, uid_t uid, gsize before, gsize now);
/* On the first thread: whether too much is kept, and for which user most. */
gboolean stasis_readers_are_too_much (StasisReaders *self, uid_t *out_uid);

G_END_DECLS
