/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-info.h: how QEMU's migration goes
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* QEMU's own migration states. */
typedef enum
{
  STASIS_MIGRATION_UNKNOWN, /* one that we do not know */
  STASIS_MIGRATION_NONE,
  STASIS_MIGRATION_SETUP,
  STASIS_MIGRATION_CANCELLING,
  STASIS_MIGRATION_CANCELLED,
  STASIS_MIGRATION_ACTIVE,
  STASIS_MIGRATION_POSTCOPY_ACTIVE,
  STASIS_MIGRATION_POSTCOPY_PAUSED,
  STASIS_MIGRATION_POSTCOPY_RECOVER_SETUP,
  STASIS_MIGRATION_POSTCOPY_RECOVER,
  STASIS_MIGRATION_COMPLETED,
  STASIS_MIGRATION_FAILED,
  STASIS_MIGRATION_COLO,
  STASIS_MIGRATION_PRE_SWITCHOVER,
  STASIS_MIGRATION_DEVICE,
  STASIS_MIGRATION_WAIT_UNPLUG,
} StasisMigrationStatus;

const char *stasis_migration_status_to_string (StasisMigrationStatus status);
StasisMigrationStatus stasis_migration_status_from_string (const char *name);
/* TRUE where nothing more will happen: completed, failed or cancelled.  The run state follows a
 * moment later and without an event: after "completed" it may still be finish-migrate, in which
 * QEMU refuses `cont`; the rates of query-migrate may still be 0.  Ask until it is another. */
gboolean stasis_migration_status_is_final (StasisMigrationStatus status);

/* What query-migrate says; a member that QEMU did not send is 0. */
typedef struct
{
  StasisMigrationStatus status; /* NONE before the first migration */
  guint64 ram_transferred;      /* octets, so for the next three */
  guint64 ram_remaining;
  guint64 ram_total;
  guint64 ram_normal_bytes;
  guint64 ram_normal;       /* pages sent whole */
  guint64 ram_duplicate;    /* pages of zeros */
  guint64 ram_page_size;    /* octets */
  guint64 dirty_pages_rate; /* pages/s */
  guint64 dirty_sync_count; /* passes over the memory */
  guint64 pages_per_second;
  double mbps; /* 10^6 bits/s */
  guint64 total_time_ms;
  guint64 setup_time_ms;
  guint64 downtime_ms;          /* once completed */
  guint64 expected_downtime_ms; /* while active */
  char *error_desc;             /* (owned) (nullable) why it failed */
} StasisMigrationInfo;

void stasis_migration_info_free (StasisMigrationInfo *info);

StasisMigrationInfo *stasis_monitor_query_migrate (StasisMonitor *monitor,
                                                   GCancellable *cancellable,
                                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrationInfo, stasis_migration_info_free)

G_END_DECLS
