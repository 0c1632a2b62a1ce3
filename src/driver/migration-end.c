/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-end.c: ending an outgoing migration that nobody wants any more
 */

#include "config.h"

#include "driver/migration-end.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migration-quiet.h"
#include "monitor/commands-migrate.h"

#define MIGRATION_MS  20000 /* a write to a slow disk has to return before it ends */
#define MIGRATION_NAP 20    /* ms between two looks */

static gboolean
is_active (StasisMigrationStatus status)
{
  return status != STASIS_MIGRATION_NONE && status != STASIS_MIGRATION_UNKNOWN
         && !stasis_migration_status_is_final (status);
}

/* End it, and wait for that. */
gboolean
stasis_migration_end (StasisMonitor *monitor, pid_t qemu, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + MIGRATION_MS * 1000;
  gboolean is_cancelled = FALSE;
  for (;;)
    {
      g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
      if (info == NULL)
        return FALSE;
      if (!is_active (info->status))
        return TRUE;
      if (!is_cancelled)
        {
          stasis_migration_quiet (monitor, qemu);
          if (!stasis_monitor_migrate_cancel (monitor, NULL, error))
            return FALSE;
        }
      is_cancelled = TRUE;

      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, MIGRATION_NAP, &event, NULL, error))
        return FALSE;
      if (g_get_monotonic_time () > deadline)
        break;
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                       _ ("QEMU does not end its migration"));
  return FALSE;
}
