/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-migrate-params.h: what a migration of QEMU may use, and how much of it
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

typedef struct
{
  const char *name;
  gboolean is_on;
} StasisMigrationCapability;

/* Switch them on and off: all of them, or none.  STASIS_MONITOR_ERROR_UNSUPPORTED names one that
 * this QEMU lacks.  Where disks are shared, `late-block-activate` belongs to those of the
 * destination: without it QEMU takes the disks over before it is told to let the guest run. */
gboolean stasis_monitor_migrate_set_capabilities (StasisMonitor *monitor,
                                                  const StasisMigrationCapability *capabilities,
                                                  guint n_capabilities, GCancellable *cancellable,
                                                  GError **error);
/* (transfer full): name (char *) -> GINT_TO_POINTER (is on); a name that is missing is a
 * capability that this QEMU lacks */
GHashTable *stasis_monitor_query_migrate_capabilities (StasisMonitor *monitor,
                                                       GCancellable *cancellable,
                                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @parameters_take: consumed: an object with QMP's names.  STASIS_MONITOR_ERROR_UNSUPPORTED names
 * one that this QEMU lacks; nothing was set then. */
gboolean stasis_monitor_migrate_set_parameters (StasisMonitor *monitor, StasisJson *parameters_take,
                                                GCancellable *cancellable, GError **error);
/* (transfer full): an object with QMP's names; a name that is missing is unknown to this QEMU,
 * or has no value yet */
StasisJson *stasis_monitor_query_migrate_parameters (StasisMonitor *monitor,
                                                     GCancellable *cancellable,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What may be set, under names that the compiler checks. */
typedef enum
{
  STASIS_MIGRATION_ANNOUNCE_INITIAL, /* ms, so for the next two: the guest's network cards tell */
  STASIS_MIGRATION_ANNOUNCE_MAX,     /* the switches where they are */
  STASIS_MIGRATION_ANNOUNCE_STEP,
  STASIS_MIGRATION_ANNOUNCE_ROUNDS,
  STASIS_MIGRATION_AVAIL_SWITCHOVER_BANDWIDTH, /* octets/s; QEMU >= 8.2 */
  STASIS_MIGRATION_CPU_THROTTLE_INCREMENT,     /* percent */
  STASIS_MIGRATION_CPU_THROTTLE_INITIAL,       /* percent */
  STASIS_MIGRATION_CPU_THROTTLE_TAILSLOW,      /* boolean */
  STASIS_MIGRATION_DIRECT_IO,                  /* boolean; QEMU >= 9.1 */
  STASIS_MIGRATION_DOWNTIME_LIMIT,             /* ms */
  STASIS_MIGRATION_MAX_BANDWIDTH,              /* octets/s; 0: none; QEMU begins with 128 MiB/s */
  STASIS_MIGRATION_MAX_CPU_THROTTLE,           /* percent */
  STASIS_MIGRATION_MAX_POSTCOPY_BANDWIDTH,     /* octets/s; 0: none */
  STASIS_MIGRATION_MODE,                       /* "normal", "cpr-transfer"; QEMU >= 8.2 */
  STASIS_MIGRATION_MULTIFD_CHANNELS,
  STASIS_MIGRATION_MULTIFD_COMPRESSION,        /* "none", "zlib", "zstd" */
  STASIS_MIGRATION_MULTIFD_ZLIB_LEVEL,         /* QEMU 7.2 takes it and stays at 1 */
  STASIS_MIGRATION_MULTIFD_ZSTD_LEVEL,         /* the same */
  STASIS_MIGRATION_THROTTLE_TRIGGER_THRESHOLD, /* percent */
  STASIS_MIGRATION_TLS_AUTHZ,                  /* an object's id; "": none */
  STASIS_MIGRATION_TLS_CREDS,                  /* an object's id; "": none */
  STASIS_MIGRATION_TLS_HOSTNAME,               /* "": as the destination is addressed */
  STASIS_MIGRATION_XBZRLE_CACHE_SIZE,          /* octets */
} StasisMigrationParameter;

/* One of them with its value. */
typedef struct
{
  StasisMigrationParameter parameter;
  guint64 number;   /* or a boolean */
  const char *text; /* (nullable): of those that are text */
} StasisMigrationSetting;

/* QMP's name of a parameter. */
const char *stasis_migration_parameter_to_string (StasisMigrationParameter parameter);

/* Set all of them, or none; errors as above.  Bandwidths and the downtime limit may be set while a
 * migration runs. */
gboolean stasis_monitor_migrate_set (StasisMonitor *monitor, const StasisMigrationSetting *settings,
                                     guint n_settings, GCancellable *cancellable, GError **error);

/* Of what query_migrate_parameters has returned: FALSE, *@out_setting untouched, where this QEMU
 * lacks it (or, of a text, has none).  The text is borrowed from @values. */
gboolean stasis_migration_setting_from_json (const StasisJson *values,
                                             StasisMigrationParameter parameter,
                                             StasisMigrationSetting *out_setting);

G_END_DECLS
