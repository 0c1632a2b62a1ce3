/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out.h: the source of a migration
 */

#pragma once

#include <stasis/domain.h>
#include <stasis/migrate.h>

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* Begin: what is sent, and a token.  The domain's lock is held until stasis_migrate_out_confirm()
 * or stasis_migrate_out_abandon(), whatever thread calls them.
 * @out_xml: (transfer full): the definition for the destination
 * @out_cookie: (transfer full) */
gboolean stasis_migrate_out_begin (StasisDomain *domain, StasisMigrateFlags flags,
                                   const StasisMigrateRequest *request, char **out_xml,
                                   GBytes **out_cookie, GCancellable *cancellable, GError **error);

/* Perform: send all of it; afterwards the guest stands still here, and nobody lets it run before
 * the destination has said whose it is.  Where it fails before that it goes on here.
 * @request: its uri is where to send to, from Prepare where nobody chose one
 * @cookie: from Prepare
 * @out_cookie: (transfer full) */
gboolean stasis_migrate_out_perform (StasisDomain *domain, StasisMigrateFlags flags,
                                     const StasisMigrateRequest *request, GBytes *cookie,
                                     GBytes **out_cookie, StasisProgressFunc progress,
                                     gpointer user_data, GCancellable *cancellable, GError **error);

/* Confirm: the copy that is here ends, or goes on.  What decides is what the destination says
 * (its cookie, or its door), never @is_cancelled alone.
 * @cookie: (nullable): from Finish
 * FALSE with STASIS_ERROR_INVALID_STATE where nobody could tell: the guest stays paused. */
gboolean stasis_migrate_out_confirm (StasisDomain *domain, StasisMigrateFlags flags, GBytes *cookie,
                                     gboolean is_cancelled, GError **error);

/* While it goes on, from whatever process: the guest is to run at its destination before all of it
 * is there.  It happens a moment later. */
gboolean stasis_migrate_out_start_postcopy (StasisDomain *domain, GError **error);
/* Likewise, behind that: the connection is broken off, as by a network that fails. */
gboolean stasis_migrate_out_pause_postcopy (StasisDomain *domain, GError **error);

/* For the journal, and for people: the destination's URI, where it is known.  After Begin. */
void stasis_migrate_out_set_peer (StasisDomain *domain, const char *uri);

/* Who began has gone: as recovery does it.  Nothing where nothing was begun.
 * @token: (nullable): nor where that was another migration */
void stasis_migrate_out_abandon (StasisDomain *domain, const char *token);

/* Everything that was begun in this process, when it ends. */
void stasis_migrate_out_abandon_all (StasisDriver *driver);

/* A driver's table of them. */
StasisMigrateOuts *stasis_migrate_outs_new (void);
void stasis_migrate_outs_free (StasisMigrateOuts *self);

/* All five steps, with another driver as the destination (peer-to-peer, and `stasis migrate`). */
gboolean stasis_migrate_out_run (StasisDomain *domain, StasisDriver *destination,
                                 StasisMigrateFlags flags, const StasisMigrateRequest *request,
                                 StasisProgressFunc progress, gpointer user_data,
                                 GCancellable *cancellable, GError **error);

G_END_DECLS
