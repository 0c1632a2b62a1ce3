/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-settle.c: whose the guest is after a handover was cut off
 *
 * Theory of operation
 *
 * Two QEMUs have one guest's memory, and only one of them may let it run.  The journal says which:
 *
 *   HANDOVER     the first one, which the status names; `beside` is the second, which never ran
 *   HANDED_OVER  the second one, which the status names by now; `beside` is the first
 *
 * The second is started with -S and does not run by itself, whatever it has loaded; the first has
 * come to the end of its migration before HANDED_OVER is written.  So whoever is told to run first
 * has to be found by that one word.  A QEMU that is not the guest's is killed, without a word of
 * its own: it would say that the guest shut down.
 */

#include "config.h"

#include "driver/handover-settle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-settle.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/recover.h"
#include "driver/still.h"
#include "driver/thaw.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fd.h"

#define END_MS 10000

static const char *const sockets[] = { "monitor.sock", "supervisor.sock" };

static gboolean
end_beside (const StasisStatus *status, GError **error)
{
  const StasisProcess *beside = &status->journal.beside;
  stasis_autofd int pidfd = beside->pid != 0 ? stasis_process_open (beside, NULL) : -1;
  if (pidfd < 0)
    return TRUE;
  syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  if (stasis_process_wait (pidfd, END_MS))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("QEMU of domain '%1$s' (process %2$d) does not end"), status->name,
               (int) beside->pid);
  return FALSE;
}

static void
drop_sockets (const char *folder)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sockets); i++)
    {
      g_autofree char *path = g_strconcat (folder, "/", sockets[i], STASIS_BESIDE, NULL);
      if (unlink (path) < 0 && errno != ENOENT)
        g_debug ("'%s': %s", path, g_strerror (errno));
    }
}

static void
drop_decision (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, STASIS_HANDOVER_FOLDER, "status.json", NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  if ((unlink (path) < 0 && errno != ENOENT) || (rmdir (parent) < 0 && errno != ENOENT))
    g_debug ("'%s': %s", parent, g_strerror (errno));
}

static gboolean
let_go_on (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  const StasisJournal *journal = &status->journal;
  gboolean have_failed = FALSE;
  if (journal->was_running && journal->are_disks_fine
      && !stasis_still_query_disks (monitor, &have_failed, error))
    return FALSE;
  if (journal->was_running && !have_failed)
    {
      if (!stasis_recover_let_run (monitor, error))
        return FALSE;
      stasis_thaw_if_frozen (folder, status);
      return TRUE;
    }
  g_autoptr (GError) local = NULL;
  if (!journal->was_running && !stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  if (!stasis_monitor_activate_disks (monitor, NULL, &local))
    g_debug ("%s", local->message); /* QEMU before 10.0 cannot: `cont` does it there */
  return TRUE;
}

/* What was set for the migration is nothing that a guest is failed over. */
static void
reset (StasisMonitor *monitor, const StasisJson *former)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_closefd (monitor, STASIS_MIGRATE_FD_NAME, NULL, &local))
    g_debug ("%s", local->message); /* it may hold none */
  g_clear_error (&local);
  if (!stasis_migration_reset (monitor, former, &local))
    g_message ("%s", local->message);
}

gboolean
stasis_handover_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                      GError **error)
{
  /* Who has the disks and the memory as well is ended before the guest is let run. */
  if (!end_beside (status, error) || !stasis_migration_end (monitor, status->qemu.pid, error)
      || !let_go_on (folder, status, monitor, error))
    return FALSE;
  drop_decision (folder);
  drop_sockets (folder);
  stasis_device_next_drop (folder);
  reset (monitor, status->journal.parameters);
  stasis_journal_clear (&status->journal);
  return stasis_status_write (status, folder, error);
}

gboolean
stasis_handover_move (const char *folder, const StasisStatus *status, GError **error)
{
  if (!end_beside (status, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (sockets); i++)
    {
      g_autofree char *next = g_strconcat (folder, "/", sockets[i], STASIS_BESIDE, NULL);
      g_autofree char *path = g_build_filename (folder, sockets[i], NULL);
      if (rename (next, path) < 0 && errno != ENOENT)
        return stasis_throw_errno (error, _ ("cannot rename '%s'"), next);
    }
  drop_decision (folder);
  return stasis_device_next_commit (folder, error);
}

gboolean
stasis_handover_finish (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                        GError **error)
{
  if (!let_go_on (folder, status, monitor, error))
    return FALSE;
  reset (monitor, status->journal.parameters);
  stasis_journal_clear (&status->journal);
  return stasis_status_write (status, folder, error);
}
