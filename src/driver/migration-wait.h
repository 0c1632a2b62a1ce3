/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-wait.h: waiting for QEMU's migration, with progress
 */

#pragma once

#include "driver/job.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Wait until the migration that runs (outgoing or incoming) has come to @status, or to its end.  As
 * below. */
gboolean stasis_migration_wait_for (StasisMonitor *monitor, StasisJob *job,
                                    StasisMigrationStatus status, guint passes_max, GError **error);

/* Wait until the migration that runs (outgoing or incoming) has ended.  Returns FALSE with QEMU's
 * own words where it failed, or G_IO_ERROR_CANCELLED when the job is cancelled (the migration then
 * still runs).  @passes_max: 0, or after how many passes over the memory of a guest that runs it is
 * stopped: one that changes it faster than it is sent would go on for ever.  Of such a guest it is
 * also an error (STASIS_ERROR_INVALID_STATE) that it stops by itself. */
gboolean stasis_migration_wait (StasisMonitor *monitor, StasisJob *job, guint passes_max,
                                GError **error);

/* What an event says of a guest that is about to stop by itself, or UNKNOWN. */
StasisRunState stasis_migration_announced_trouble (const StasisMonitorEvent *event);

G_END_DECLS
