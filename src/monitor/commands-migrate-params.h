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

gboolean stasis_monitor_migrate_set_capabilities (StasisMonitor *monitor,
                                                  const StasisMigrationCapability *capabilities,
                                                  guint n_capabilities, GCancellable *cancellable,
                                                  GError **error);
/* (transfer full): name (char *) -> GINT_TO_POINTER (is on); a name that is missing is a
 * capability that this QEMU lacks */
GHashTable *stasis_monitor_query_migrate_capabilities (StasisMonitor *monitor,
                                                       GCancellable *cancellable,
                                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @parameters_take: consumed: an object with QMP's names */
gboolean stasis_monitor_migrate_set_parameters (StasisMonitor *monitor, StasisJson *parameters_take,
                                                GCancellable *cancellable, GError **error);
/* (transfer full): an object with QMP's names; a name that is missing is unknown to this QEMU,
 * or has no value yet */
StasisJson *stasis_monitor_query_migrate_parameters (StasisMonitor *monitor,
                                                     GCancellable *cancellable,
                                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
