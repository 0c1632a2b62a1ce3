/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror-drop.c: the end of copies of disks that came to nothing
 *
 * Jobs and nodes are called after the disk, so that whoever finds a dead driver's can end them: the
 * supervisor too, which knows no definitions.
 */

#include "config.h"

#include "driver/migrate-mirror-drop.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-block.h"
#include "monitor/commands-jobs.h"
#include "monitor/commands-nbd.h"
#include "monitor/error.h"

#define PREFIX  "stasis-copy-" /* with a target at most 31 octets */
#define DROP_MS 5000

char *
stasis_migrate_mirror_name (const char *target)
{
  return g_strconcat (PREFIX, target, NULL);
}

static gboolean
is_there (const GPtrArray *jobs, const char *name)
{
  for (guint i = 0; i < jobs->len; i++)
    if (g_strcmp0 (((const StasisBlockJob *) g_ptr_array_index (jobs, i))->id, name) == 0)
      return TRUE;
  return FALSE;
}

/* By now it may be in any state, or not be there. */
static gboolean
drop_job (StasisMonitor *monitor, const char *name, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GPtrArray) jobs = stasis_monitor_query_block_jobs (monitor, NULL, error);
  if (jobs == NULL)
    return FALSE;
  if (!is_there (jobs, name))
    return TRUE;
  /* One that has concluded, or is about to, cannot be cancelled: it is waited for. */
  if (!stasis_monitor_block_job_cancel (monitor, name, /* force= */ TRUE, NULL, &local))
    g_debug ("%s", local->message);
  g_clear_error (&local);
  /* That it did not end well is what we wanted. */
  if (stasis_monitor_job_wait (monitor, name, "concluded", DROP_MS, &local)
      || g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

void
stasis_migrate_mirrors_disconnect (StasisMonitor *monitor, const char *const *copied)
{
  for (gsize i = 0; copied[i] != NULL; i++)
    {
      g_autofree char *name = stasis_migrate_mirror_name (copied[i]);
      g_autoptr (GError) error = NULL;
      if (!stasis_monitor_nbd_client_yank (monitor, name, NULL, &error))
        g_debug ("%s", error->message); /* it may not have come so far */
    }
}

void
stasis_migrate_mirrors_drop (StasisMonitor *monitor, const char *const *copied)
{
  for (gsize i = 0; copied[i] != NULL; i++)
    {
      g_autofree char *name = stasis_migrate_mirror_name (copied[i]);
      g_autoptr (GError) error = NULL;
      if (!drop_job (monitor, name, &error))
        g_warning (_ ("disk '%1$s' may be copied still: %2$s"), copied[i], error->message);
      g_clear_error (&error);
      if (!stasis_monitor_blockdev_del (monitor, name, NULL, &error))
        g_debug ("%s", error->message); /* it may not have come so far */
    }
}
