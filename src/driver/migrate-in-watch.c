/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-watch.c: watching over a QEMU that waits for a guest
 *
 * Between Prepare and Finish nobody else does: the job is told of, and what ends it is seen, QEMU's
 * death, an abort, or that the source has taken its guest back.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

#define TICK_US (G_USEC_PER_SEC / 5)

static gboolean
check_wanted (const StasisMigrateIn *in, GError **error)
{
  if (!g_atomic_int_get (&in->is_revoked))
    return stasis_job_check (in->job, error);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               _ ("the source of the migration of domain '%s' has kept it"), in->name);
  return FALSE;
}

/* QEMU says postcopy-active before it has the devices. */
static gboolean
can_run (const StasisMigrateIn *in, gboolean *out_can, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (in->monitor, &state, NULL, error))
    return FALSE;
  *out_can = state != STASIS_RUN_STATE_INMIGRATE;
  return TRUE;
}

gboolean
stasis_migrate_in_look (StasisMigrateIn *in, gboolean *out_is_loaded, gboolean *out_is_postcopy,
                        GError **error)
{
  g_autoptr (StasisMigrationInfo) info
      = check_wanted (in, error) ? stasis_monitor_query_migrate (in->monitor, NULL, error) : NULL;
  if (info == NULL)
    return FALSE;
  const StasisMigrationStatus status = info->status;
  *out_is_postcopy = stasis_migration_status_is_postcopy (status);
  *out_is_loaded = status == STASIS_MIGRATION_COMPLETED;
  if (*out_is_postcopy && !can_run (in, out_is_loaded, error))
    return FALSE;
  stasis_job_update (in->job);
  if (status == STASIS_MIGRATION_COMPLETED || !stasis_migration_status_is_final (status))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("QEMU: the migration of domain '%1$s' that came in %2$s: %3$s"), in->name,
               stasis_migration_status_to_string (status),
               info->error_desc != NULL ? info->error_desc : _ ("no reason given"));
  return FALSE;
}

/* The queue of events is not for ever. */
static void
drop_events (StasisMonitor *monitor)
{
  StasisMonitorEvent *event;
  while ((event = stasis_monitor_pop_event (monitor)) != NULL)
    stasis_monitor_event_free (event);
}

static gpointer
watch (gpointer data)
{
  StasisMigrateIn *in = data;
  g_mutex_lock (&in->work);
  while (!in->is_finishing && !in->is_over)
    {
      gboolean is_loaded = FALSE;
      gboolean is_in_postcopy = FALSE;
      g_autoptr (GError) error = NULL;
      drop_events (in->monitor);
      if (!stasis_migrate_in_look (in, &is_loaded, &is_in_postcopy, &error))
        stasis_migrate_in_clear_away (in, error);
      else
        g_cond_wait_until (&in->stirred, &in->work, g_get_monotonic_time () + TICK_US);
    }
  g_mutex_unlock (&in->work);
  stasis_migrate_in_unref (in);
  return NULL;
}

void
stasis_migrate_in_watch (StasisMigrateIn *in)
{
  if ((in->flags & STASIS_MIGRATE_OFFLINE) == 0)
    in->watch = g_thread_new ("migrate-in", watch, stasis_migrate_in_ref (in));
}
