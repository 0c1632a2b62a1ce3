/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate.h: start, watch and cancel QEMU's migration
 */

#pragma once

#include "monitor/commands-migrate-info.h"
#include "monitor/commands-migrate-params.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Start a migration; it goes on in the background: events (with the capability `events`) and
 * query-migrate tell.  TRUE does not mean that it succeeds. */
gboolean stasis_monitor_migrate (StasisMonitor *monitor, const char *uri, GCancellable *cancellable,
                                 GError **error);
/* The same with all of QMP's arguments (channels, resume ...). */
gboolean stasis_monitor_migrate_full (StasisMonitor *monitor, StasisJson *arguments_take,
                                      GCancellable *cancellable, GError **error);
gboolean stasis_monitor_migrate_cancel (StasisMonitor *monitor, GCancellable *cancellable,
                                        GError **error);
/* Go on from pre-switchover. */
gboolean stasis_monitor_migrate_continue (StasisMonitor *monitor, StasisMigrationStatus status,
                                          GCancellable *cancellable, GError **error);
/* For a QEMU started with `-incoming defer`. */
gboolean stasis_monitor_migrate_incoming (StasisMonitor *monitor, const char *uri,
                                          GCancellable *cancellable, GError **error);
/* Whether QEMU lists something of this type ("migration") as what `yank` would break off. */
gboolean stasis_monitor_query_yank (StasisMonitor *monitor, const char *type,
                                    gboolean *out_is_there, GCancellable *cancellable,
                                    GError **error);

G_END_DECLS
