/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover-save.c: undo a save before its rename
 *
 * For its owner, and for whoever finds that its owner has died (recover.c).
 */

#include "config.h"

#include "driver/recover-private.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/hook.h"
#include "driver/migration-end.h"
#include "driver/snapshot-undo.h"
#include "driver/still.h"
#include "driver/thaw.h"
#include "driver/userfault.h"
#include "monitor/commands-devices.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-run.h"
#include "util/fd.h"

#define RESTART_NAP   20 /* ms between two tries */
#define RESTART_TRIES 50

/* Keep the first of several failures. */
static void
keep_first (GError **first, GError *next)
{
  if (next == NULL)
    return;
  if (*first == NULL)
    *first = next;
  else
    g_error_free (next);
}

/* `cont`, once the migration has let go of the guest. */
gboolean
stasis_recover_let_run (StasisMonitor *monitor, GError **error)
{
  StasisRunState state = STASIS_RUN_STATE_UNKNOWN;
  for (guint i = 0; i < RESTART_TRIES; i++)
    {
      if (!stasis_monitor_query_status (monitor, &state, NULL, error))
        return FALSE;
      if (state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED)
        return TRUE;
      /* The guest itself has ended meanwhile, which is the life-cycle policy's business, or has
       * stopped over something that people have to see to. */
      if (stasis_run_state_is_end (state) || stasis_run_state_is_trouble (state))
        return TRUE;

      g_autoptr (GError) local = NULL;
      if (stasis_monitor_cont (monitor, NULL, &local))
        return TRUE;
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (i + 1 == RESTART_TRIES
          || !g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND)
          || !stasis_monitor_wait_event (monitor, RESTART_NAP, &event, NULL, NULL))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  g_assert_not_reached ();
}

/* QEMU shall hold no descriptor of an image that nobody wants. */
static void
take_fds_back (StasisMonitor *monitor, const StasisJournal *journal)
{
  /* It may hold neither, and a set may be gone already: both are fine. */
  g_autoptr (GError) set_error = NULL;
  g_autoptr (GError) name_error = NULL;
  if (journal->fdset >= 0
      && !stasis_monitor_remove_fd (monitor, journal->fdset, STASIS_FDSET_ALL, NULL, &set_error))
    g_debug ("%s", set_error->message);
  if (!stasis_monitor_closefd (monitor, STASIS_SAVE_FD_NAME, NULL, &name_error))
    g_debug ("%s", name_error->message);
}

gboolean
stasis_recover_is_journals_file (const char *path, const StasisJournal *journal)
{
  struct stat st;
  return path != NULL && journal->image.inode != 0 && lstat (path, &st) == 0
         && st.st_dev == journal->image.device && st.st_ino == journal->image.inode;
}

gboolean
stasis_recover_remove_temp (const StasisJournal *journal, GError **error)
{
  if (!stasis_recover_is_journals_file (journal->temp, journal) || unlink (journal->temp) == 0)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot remove '%s'"), journal->temp);
}

/* It is not, where it stopped over a disk while QEMU migrated it, and QEMU has come to the end of
 * that since. */
static gboolean
let_run (StasisMonitor *monitor, const StasisJournal *journal, GError **error)
{
  gboolean have_failed = FALSE;
  if (journal->are_disks_fine && !stasis_still_query_disks (monitor, &have_failed, error))
    return FALSE;
  return have_failed || stasis_recover_let_run (monitor, error);
}

/* As it was before: it ran, or it stood still. */
static gboolean
free_guest (StasisMonitor *monitor, const StasisStatus *status, GError **error)
{
  if (!stasis_migration_end (monitor, status->qemu.pid, error))
    return FALSE;
  if (status->journal.is_released)
    return TRUE;
  if (status->journal.was_running)
    return let_run (monitor, &status->journal, error);
  if (!stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  /* A save from outside may have had QEMU let go of the disks; a guest that runs has them again. */
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_activate_disks (monitor, NULL, &local))
    g_debug ("%s", local->message); /* QEMU before 10.0 cannot, and need not: it saved itself */
  return TRUE;
}

gboolean
stasis_recover_settle_disks (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                             GError **error)
{
  if (!stasis_recover_is_journals_file (status->journal.target, &status->journal))
    return stasis_snapshot_undo (folder, status, monitor, error);
  stasis_snapshot_keep (folder, status);
  return TRUE;
}

/* The guest comes first; but one that was stopped to turn back to its disks would write to what its
 * definitions do not name. */
static gboolean
free_guest_and_disks (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                      GError **error)
{
  if (status->journal.is_turning && !stasis_recover_settle_disks (folder, status, monitor, error))
    return FALSE;
  const gboolean is_free = free_guest (monitor, status, error);
  if (is_free && status->journal.was_running)
    stasis_thaw_if_frozen (folder, status);
  if (is_free)
    return stasis_recover_settle_disks (folder, status, monitor, error);
  if (!stasis_process_is_alive (&status->qemu))
    stasis_recover_settle_disks (folder, status, monitor, NULL);
  return FALSE;
}

/* Its writes are seen by nobody any more, and each would cost the guest a fault. */
static void
end_tracking (const StasisStatus *status)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_tracked_is_on (status->tracked) && !stasis_userfault_release (&status->qemu, &local))
    g_debug ("the guest's writes are tracked for nothing: %s", local->message);
}

/* Undo a save before its rename. */
gboolean
stasis_recover_roll_back (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                          GError **error)
{
  StasisJournal *journal = &status->journal;
  GError *first = NULL;
  GError *next = NULL;
  const gboolean is_free = free_guest_and_disks (folder, status, monitor, &first);
  end_tracking (status);
  const gboolean is_complete = stasis_recover_is_journals_file (journal->target, journal);
  stasis_recover_remove_temp (journal, &next);
  keep_first (&first, g_steal_pointer (&next));

  if (!stasis_monitor_is_closed (monitor))
    {
      take_fds_back (monitor, journal);
      stasis_migration_reset (monitor, journal->parameters, &next);
      keep_first (&first, g_steal_pointer (&next));
    }

  /* A guest that stands still and should not keeps its journal: somebody is to try again. */
  if (is_free || !stasis_process_is_alive (&status->qemu))
    {
      stasis_hook_end_save (status, folder, is_complete ? "success" : "failure");
      stasis_journal_clear (journal);
      stasis_status_write (status, folder, &next);
      keep_first (&first, g_steal_pointer (&next));
    }
  if (first == NULL)
    return TRUE;
  g_propagate_prefixed_error (
      error, first, "%s: ",
      is_free ? _ ("the guest is as it was, but not everything of the save could be undone")
              : _ ("the guest, or its disks, could not be brought back to what they were"));
  return FALSE;
}

/* Leave a guest paused whose image a reader may have. */
gboolean
stasis_recover_leave_paused (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                             GError **error)
{
  if (!stasis_migration_end (monitor, status->qemu.pid, error)
      || !stasis_monitor_stop (monitor, NULL, error))
    return FALSE;
  take_fds_back (monitor, &status->journal);
  g_autoptr (StasisJson) parameters = g_steal_pointer (&status->journal.parameters);
  stasis_hook_end_save (status, folder, "undecided");
  stasis_journal_clear (&status->journal);
  status->is_undecided = TRUE;
  /* The state first: what is left on in QEMU does no harm to a guest that stands still. */
  return stasis_status_write (status, folder, error)
         && stasis_migration_reset (monitor, parameters, error);
}
