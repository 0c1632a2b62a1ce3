/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-switch.c: a source's QEMU is to switch to postcopy
 *
 * Theory of operation
 *
 * QEMU remembers whether the guest ran when it paused it for the switch.  Where its sending fails
 * behind that, which is so from 8.2 on if the connection breaks when all is written and not all has
 * come, it lets the guest run again by itself, whatever the destination does with its copy.  So the
 * guest is paused before QEMU does so: then it stays as it is, and is nobody's but ours to let run.
 */

#include "config.h"

#include "driver/migrate-switch.h"

#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"

gboolean
stasis_migrate_switch (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  StasisRunState state;
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_query_status (monitor, &state, cancellable, error))
    return FALSE;
  const gboolean runs = state == STASIS_RUN_STATE_RUNNING;
  if (runs && !stasis_monitor_stop (monitor, cancellable, error))
    return FALSE;
  if (stasis_monitor_migrate_start_postcopy (monitor, cancellable, &local))
    return TRUE;
  /* Where the answer was lost QEMU may have switched, and the guest run elsewhere. */
  g_autoptr (GError) next = NULL;
  if (runs && g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
      && !stasis_monitor_cont (monitor, NULL, &next))
    g_warning ("%s", next->message);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}
