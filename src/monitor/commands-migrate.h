/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate.h: start, steer and cancel QEMU's migration
 */

#pragma once

#include "monitor/commands-migrate-info.h"
#include "monitor/commands-migrate-params.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* By which way a migration goes: @uri, which every QEMU knows, or @main and perhaps @cpr, the
 * channels of QEMU >= 8.2 (cpr: >= 10.0, with the mode cpr-transfer).  Sockets that QEMU connects
 * by itself wait up to 40 ms for an acknowledgement now and then; one of ours with TCP_NODELAY,
 * passed as `fd:NAME`, does not. */
typedef struct
{
  const char *uri;               /* (nullable) */
  const StasisQemuAddress *main; /* (nullable) */
  const StasisQemuAddress *cpr;  /* (nullable) */
} StasisMigrationRoute;

/* Start a migration; it goes on in the background: events (with the capability `events`) and
 * query-migrate tell.  TRUE does not mean that it succeeds. */
gboolean stasis_monitor_migrate (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                                 GError **error);
/* The same by any way; STASIS_MONITOR_ERROR_UNSUPPORTED where this QEMU lacks channels.
 * @is_resume: go on with a postcopy migration that was paused, whose destination got the way by
 * migrate_recover. */
gboolean stasis_monitor_migrate_by (StasisMonitor *monitor, const StasisMigrationRoute *route,
                                    gboolean is_resume, GCancellable *cancellable, GError **error);

/* Cancel a migration; it is over only once its status is final.  Refused,
 * STASIS_MONITOR_ERROR_COMMAND, once the destination may run (postcopy): QEMU 7.2 would let the
 * guest run here too.  The status is asked before, so nobody may start postcopy at the same time.
 * A precopy migration whose last octets are gone may still be complete at the destination: one that
 * is not to run there is started with -S.  The guest goes on here by itself, if it ran; but
 * QEMU 7.2 leaves it in postmigrate where the switch to postcopy waited for migrate_continue. */
gboolean stasis_monitor_migrate_cancel (StasisMonitor *monitor, GCancellable *cancellable,
                                        GError **error);
/* Go on from @status, pre-switchover: refused where the migration is not there. */
gboolean stasis_monitor_migrate_continue (StasisMonitor *monitor, StasisMigrationStatus status,
                                          GCancellable *cancellable, GError **error);

/* Let the destination run and fetch what it lacks; both have the capability postcopy-ram.  Only
 * once the migration is active; it happens a moment later, and not where precopy is complete
 * before: the status tells.  With pause-before-switchover it waits for migrate_continue. */
gboolean stasis_monitor_migrate_start_postcopy (StasisMonitor *monitor, GCancellable *cancellable,
                                                GError **error);
/* Break off the connection of a postcopy migration, at either end: it is postcopy-paused then.  A
 * destination fails instead that has not got all that it needs to run (inmigrate), though the
 * source is postcopy-active before. */
gboolean stasis_monitor_migrate_pause (StasisMonitor *monitor, GCancellable *cancellable,
                                       GError **error);
/* At the destination of one that is paused: wait for the source there. */
gboolean stasis_monitor_migrate_recover (StasisMonitor *monitor, const char *uri,
                                         GCancellable *cancellable, GError **error);

/* For a QEMU started with `-incoming defer`. */
gboolean stasis_monitor_migrate_incoming (StasisMonitor *monitor, const char *uri,
                                          GCancellable *cancellable, GError **error);
/* The same by any way; the port that it chose is in query-migrate's listens_at.
 * @out_stays: (nullable): ask QEMU to stay when the migration fails, so that it can tell why:
 * whether it will (QEMU >= 9.1); NULL: it exits. */
gboolean stasis_monitor_migrate_incoming_by (StasisMonitor *monitor,
                                             const StasisMigrationRoute *route, gboolean *out_stays,
                                             GCancellable *cancellable, GError **error);

/* Whether QEMU lists something of this type ("migration") as what `yank` would break off. */
gboolean stasis_monitor_query_yank (StasisMonitor *monitor, const char *type,
                                    gboolean *out_is_there, GCancellable *cancellable,
                                    GError **error);
/* Break off QEMU's connections of that type ("migration"), also those that hang. */
gboolean stasis_monitor_yank (StasisMonitor *monitor, const char *type, GCancellable *cancellable,
                              GError **error);

G_END_DECLS
