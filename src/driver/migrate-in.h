/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in.h: the destination of a migration
 */

#pragma once

#include <stasis/migrate.h>

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* Prepare: a QEMU waits for the guest of @xml, and somebody listens for its source.  The domain's
 * lock is held until stasis_migrate_in_finish() or stasis_migrate_in_abandon(), whatever thread
 * calls them.
 * @cookie: from Begin
 * @out_cookie: (transfer full)
 * @out_uri: (transfer full): where the source sends to: "tcp:HOST:PORT" */
gboolean stasis_migrate_in_prepare (StasisDriver *driver, StasisMigrateFlags flags,
                                    const StasisMigrateRequest *request, const char *xml,
                                    GBytes *cookie, GBytes **out_cookie, char **out_uri,
                                    GCancellable *cancellable, GError **error);

/* Finish: the guest becomes this host's, and runs, or nothing is left of it.
 * @name: the domain's name here
 * @cookie: (nullable): from Perform; without one nothing begins
 * @is_cancelled: the source, or who talks for it, has given up: nothing begins, and NULL is
 *   returned with G_IO_ERROR_CANCELLED, or what is the case here
 * @out_cookie: (transfer full) (nullable) */
StasisDomain *stasis_migrate_in_finish (StasisDriver *driver, StasisMigrateFlags flags,
                                        const char *name, GBytes *cookie, gboolean is_cancelled,
                                        GBytes **out_cookie, GError **error);

/* Who prepared it has gone: revoke, unless it has begun, and clear away.  Nothing where there is
 * none of that name.
 * @token: (nullable): nor where it is another migration's */
void stasis_migrate_in_abandon (StasisDriver *driver, const char *name, const char *token);

/* Everything that waits in this process, when it ends. */
void stasis_migrate_in_abandon_all (StasisDriver *driver);

/* For a process that serves others, when it begins, and later: listen again where processes that
 * are gone have listened, and sources may still ask.  What cannot be done is in the log. */
void stasis_migrate_in_reopen_doors (StasisDriver *driver);

/* A driver's table of them; it shares the doors where sources ask with the others of the process.
 */
StasisMigrateIns *stasis_migrate_ins_new (void);
void stasis_migrate_ins_free (StasisMigrateIns *ins);

G_END_DECLS
