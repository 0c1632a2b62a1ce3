/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thaw.c: thaw the file systems of a guest that runs again
 *
 * Theory of operation
 *
 * A guest whose file systems are frozen hangs as soon as it writes, so whoever lets one run that
 * was frozen for a save has to thaw it: the save itself where it fails, whoever recovers from its
 * death, a restore, `resume`.  The status file names the agent's socket from before the freeze is
 * sent, and until a thaw was answered.  Thawing what is not frozen does nothing, so it may be done
 * twice.
 *
 * An agent that does not answer in time is no reason for a command to wait, nor for the guest to
 * hang for ever: the supervisor sees what is still noted, and tries again and again.
 */

#include "config.h"

#include "driver/thaw.h"

#include <glib/gi18n-lib.h>

#include "monitor/guest-agent.h"
#include "util/fault.h"
#include "util/fd.h"

/* Thaw what is noted. */
gboolean
stasis_thaw (const char *folder, StasisStatus *status, gint64 sync_ms, GError **error)
{
  if (status->frozen == NULL)
    return TRUE;
  if (!stasis_fault ("thaw", error))
    return FALSE;
  const int fd = stasis_unix_connect (status->frozen, error);
  if (fd < 0 || !stasis_agent_thaw (fd, sync_ms, NULL, error))
    return FALSE;
  g_clear_pointer (&status->frozen, g_free);
  g_autoptr (GError) local = NULL;
  if (!stasis_status_write (status, folder, &local))
    g_message ("%s", local->message);
  return TRUE;
}

/* If it has to be. */
void
stasis_thaw_if_frozen (const char *folder, StasisStatus *status)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_thaw (folder, status, STASIS_AGENT_THAW_MS, &error))
    g_warning (
        _ ("the file systems of domain '%1$s' were frozen for a save and could not be thawed "
           "(%2$s): its guest may hang until its supervisor, which goes on trying, or "
           "'stasis domfsthaw %1$s' succeeds, or 'stasis reset %1$s' has it boot anew"),
        status->name, error->message);
}
