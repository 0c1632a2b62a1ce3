/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-broken.c: has the connection of a postcopy broken, at either end
 */

#include "config.h"

#include "driver/migrate-broken.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-migrate-info.h"
#include "monitor/commands-migrate.h"

#define BREAK_US (10 * G_USEC_PER_SEC)
#define LOOK_MS  50

static gboolean
throw_status (const char *name, StasisMigrationStatus status, GError **error)
{
  if (status == STASIS_MIGRATION_FAILED)
    g_set_error (
        error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
        _ ("QEMU has given up the postcopy of domain '%s', whose connection broke when all "
           "was written and had not come: what its destination lacks cannot be sent again"),
        name);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("domain '%1$s' is at no postcopy that broke (QEMU: %2$s)"), name,
                 stasis_migration_status_to_string (status));
  return FALSE;
}

gboolean
stasis_migrate_await_broken (StasisMonitor *monitor, const char *name, GCancellable *cancellable,
                             GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + BREAK_US;
  StasisMigrationStatus told = STASIS_MIGRATION_UNKNOWN;
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      g_autoptr (StasisMigrationInfo) info
          = stasis_monitor_query_migrate (monitor, cancellable, error);
      if (info == NULL)
        return FALSE;
      if (info->status == STASIS_MIGRATION_POSTCOPY_PAUSED)
        return TRUE;
      if (!stasis_migration_status_is_postcopy (info->status)
          || g_get_monotonic_time () > deadline_us)
        return throw_status (name, info->status, error);
      /* A resume whose connection hangs is one, too, for QEMU 9.1 and later. */
      if (info->status != told)
        {
          g_autoptr (GError) local = NULL;
          told = info->status;
          if (!stasis_monitor_migrate_pause (monitor, cancellable, &local))
            g_debug ("%s", local->message); /* it may have seen it, or be complete, by now */
        }
      if (!stasis_monitor_wait_event (monitor, LOOK_MS, &event, cancellable, error))
        return FALSE;
    }
}
