/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-info.h: how QEMU's migration goes
 */

#pragma once

#include "monitor/monitor.h"
#include "monitor/qemu-address.h"

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
  STASIS_MIGRATION_POSTCOPY_DEVICE, /* the destination loads what it needs to run */
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

/* TRUE once the destination may have begun to run, or if we can't tell: cancelling such a migration
 * would let the guest run twice. */
gboolean stasis_migration_status_is_shared (StasisMigrationStatus status);

/* TRUE where the guest's memory is on both sides, whether they are connected or not. */
gboolean stasis_migration_status_is_postcopy (StasisMigrationStatus status);

/* Of pages that are sent as their differences from what was sent before. */
typedef struct
{
  guint64 cache_size; /* octets */
  guint64 bytes;      /* sent */
  guint64 pages;
  guint64 cache_misses;
  guint64 overflows; /* pages that were longer as a difference */
  double cache_miss_rate;
  double encoding_rate;
} StasisMigrationXbzrle;

/* Of the compressing threads that QEMU before 9.1 has. */
typedef struct
{
  guint64 pages;
  guint64 busy;
  guint64 compressed_size; /* octets */
  double busy_rate;
  double compression_rate;
} StasisMigrationCompression;

/* What query-migrate says; a member that QEMU did not send is 0. */
typedef struct
{
  StasisMigrationStatus status; /* NONE before the first migration */
  guint64 ram_transferred;      /* octets, so for the next three */
  guint64 ram_remaining;
  guint64 ram_total;
  guint64 ram_normal_bytes;
  guint64 ram_normal;        /* pages sent whole */
  guint64 ram_duplicate;     /* pages of zeros */
  guint64 ram_page_size;     /* octets */
  guint64 ram_precopy_bytes; /* octets, by phase; so for the next two */
  guint64 ram_downtime_bytes;
  guint64 ram_postcopy_bytes;
  guint64 multifd_bytes;
  guint64 postcopy_requests; /* pages that the destination had to wait for */
  guint64 dirty_pages_rate;  /* pages/s */
  guint64 dirty_sync_count;  /* passes over the memory */
  guint64 pages_per_second;
  double mbps; /* 10^6 bits/s */
  guint64 total_time_ms;
  guint64 setup_time_ms;
  guint64 downtime_ms;           /* once completed */
  guint64 expected_downtime_ms;  /* while active */
  guint64 postcopy_blocktime_ms; /* at the destination, with the capability of that name */
  guint cpu_throttle;            /* percent, by which auto-converge slows the guest down */
  gboolean has_xbzrle;
  StasisMigrationXbzrle xbzrle;
  gboolean has_compression;
  StasisMigrationCompression compression;
  char *error_desc;       /* (owned) (nullable) why it failed */
  char **blocked_reasons; /* (owned) (nullable) why this guest cannot be migrated */
  GPtrArray *listens_at;  /* (owned) of StasisQemuAddress: at a destination that waits */
} StasisMigrationInfo;

/* (transfer full): of an answer of query-migrate; never fails */
StasisMigrationInfo *
stasis_migration_info_from_json (const StasisJson *reply) G_GNUC_WARN_UNUSED_RESULT;
void stasis_migration_info_free (StasisMigrationInfo *info);

StasisMigrationInfo *stasis_monitor_query_migrate (StasisMonitor *monitor,
                                                   GCancellable *cancellable,
                                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrationInfo, stasis_migration_info_free)

G_END_DECLS
