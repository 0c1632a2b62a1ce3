/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.c: finish or undo what a driver was doing when it died
 *
 * Theory of operation
 *
 * The journal in the status file says how far a dead driver had come, and so what is to be done:
 * START: end QEMU; RESUME: let the guest run; RESTART: reset it, and let it run; SAVE: roll back;
 * COMMIT: the rename may have happened, which the target's inode tells, so roll back or forward;
 * COMMIT of an image that went into a pipe: nobody can know, so the guest stays paused; COMMITTED:
 * end QEMU.  Of the steps of a migration see migrate-settle.c.  Whoever holds the domain's lock
 * does it, the supervisor usually within milliseconds. All journalled work is done under that lock:
 * having it is the proof that nobody is at it any more.
 *
 * The dead driver's last commands may still be in QEMU's queue, and would undo what we do.
 * monitor.sock takes one connection at a time: when it greets us, QEMU has seen the end of the old
 * one and thrown away what that had in its queue.  So recovery opens monitor.sock even where it is
 * handed a connection, which is used only if that fails, and never for a change of devices.  What a
 * dead driver had passed by name belongs to monitor.sock: where that has not greeted us in time, it
 * is noted, and closed when it does.
 *
 * The guest comes first: the migration is ended, then it runs again and its file systems are thawed
 * if they were frozen, and only then is cleared up.
 */

#include "config.h"

#include "driver/recover-private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/guest-reset.h"
#include "driver/handover-settle.h"
#include "driver/device-settle.h"
#include "driver/job-fate.h"
#include "driver/kept-definitions.h"
#include "driver/migrate-in-postcopy.h"
#include "driver/migrate-mirror-ways.h"
#include "driver/migrate-note.h"
#include "driver/migrate-persist.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/teardown.h"
#include "driver/thaw.h"
#include "monitor/commands-fd.h"
#include "util/fault.h"
#include "util/fd.h"

#define MONITOR_FILE "monitor.sock"
#define BARRIER_MS   250 /* where there is another way, and a guest that waits */
#define OPEN_MS      5000

static StasisMonitor *
open_monitor (const char *folder, const StasisStatus *status, gint64 timeout_ms, GError **error)
{
  g_autofree char *path = g_build_filename (folder, MONITOR_FILE, NULL);
  const int socket = stasis_unix_connect (path, error);
  if (socket < 0)
    return NULL;
  return stasis_monitor_open (socket, status->log, status->log_start, timeout_ms, NULL, error);
}

static gboolean
end_domain (const char *folder, StasisStatus *status, const char *reason, GError **error)
{
  if (!stasis_teardown (status, folder, reason, error))
    return FALSE;
  stasis_journal_clear (&status->journal);
  return TRUE;
}

/* The dead driver may not have come to this. */
static void
sync_folder (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  stasis_autofd int fd = stasis_fd_open (parent, O_RDONLY | O_DIRECTORY, 0, NULL);
  if (fd >= 0)
    fsync (fd);
}

/* The image is complete: the guest must not live beside it, whether its end can
 * be noted or not. */
static gboolean
roll_forward (const char *folder, StasisStatus *status, GError **error)
{
  if (status->journal.target != NULL)
    sync_folder (status->journal.target);
  g_autoptr (GError) local = NULL;
  if (!stasis_end_reason_write (folder, "saved", &local))
    g_debug ("%s", local->message);
  return end_domain (folder, status, "saved", error);
}

/* What is to be done of a guest that is there. */
typedef gboolean (*Recovery) (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                              GError **error);

/* By a connection of our own, or else by @other. */
static gboolean
with_monitor (const char *folder, StasisStatus *status, StasisMonitor *other, Recovery recovery,
              GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisMonitor) own
      = open_monitor (folder, status, other != NULL ? BARRIER_MS : OPEN_MS, &local);
  if (own == NULL && other != NULL)
    status->is_fd_left |= stasis_journal_has_job (&status->journal); /* or it was before */
  if (own != NULL || other != NULL)
    return recovery (folder, status, own != NULL ? own : other, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The same; of a guest whose QEMU has ended nothing is left to be done. */
static gboolean
with_qemu (const char *folder, StasisStatus *status, StasisMonitor *other, Recovery recovery,
           GError **error)
{
  if (!stasis_process_is_alive (&status->qemu))
    return end_domain (folder, status, "crashed", error);
  return with_monitor (folder, status, other, recovery, error);
}

/* What fails here is tried again by whoever comes next, and said even by those who would not say
 * why they see no domain: people have to make room for the image. */
static gboolean
name_image (const StasisStatus *status, GError **error)
{
  const StasisJournal *journal = &status->journal;
  g_autoptr (GError) local = NULL;
  if (stasis_atomic_file_finish (journal->temp, journal->target, &journal->image,
                                 &journal->replaced, &local))
    return TRUE;
  g_warning (_ ("all that is left of domain '%1$s' is the image '%2$s', which cannot get its name: "
                "%3$s"),
             status->name, journal->temp, local->message);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* QEMU is dead: what there is of the guest is the sealed image, if it got as far as a name. */
static gboolean
give_up_qemu (const char *folder, StasisStatus *status, GError **error)
{
  StasisJournal *journal = &status->journal;
  if (journal->step == STASIS_STEP_COMMIT
      && stasis_recover_is_journals_file (journal->temp, journal))
    return name_image (status, error) && roll_forward (folder, status, error);
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_remove_temp (journal, &local))
    g_debug ("%s", local->message);
  if (!stasis_recover_settle_disks (folder, status, NULL, &local))
    g_debug ("%s", local->message);
  return end_domain (folder, status, "crashed", error);
}

static gboolean
roll_back (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (!stasis_process_is_alive (&status->qemu))
    return give_up_qemu (folder, status, error);
  return with_monitor (folder, status, monitor, stasis_recover_roll_back, error);
}

/* Somebody may have a complete image: two running copies are worse than one that waits for somebody
 * to decide. */
static gboolean
wait_for_people (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (!stasis_recover_leave_paused (folder, status, monitor, error))
    return FALSE;
  g_warning (_ ("domain '%s' stays paused: its save was cut off at the very end, and whoever reads "
                "the pipe, or moved the file away, may have a complete image; 'destroy' ends it, "
                "'resume' lets it go on if there is no such image"),
             status->name);
  return TRUE;
}

/* Whether the rename has happened.  A file that is there under neither name was moved away,
 * complete perhaps. */
static gboolean
decide_commit (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  const StasisJournal *journal = &status->journal;
  if (journal->target != NULL && stasis_recover_is_journals_file (journal->target, journal))
    return roll_forward (folder, status, error);
  if (journal->target != NULL && stasis_recover_is_journals_file (journal->temp, journal))
    return roll_back (folder, status, monitor, error);
  return with_qemu (folder, status, monitor, wait_for_people, error);
}

/* The guest never ran from the image: it may be resumed again. */
static gboolean
undo_start (const char *folder, StasisStatus *status, GError **error)
{
  if (status->journal.mark != NULL)
    unlink (status->journal.mark);
  if (!stasis_kept_definitions_restore (folder, status, error))
    return FALSE;
  stasis_journal_overlays_unlink (status->journal.overlays, NULL);
  return end_domain (folder, status, "failed", error);
}

/* The mark "resumed" keeps an image that stays from being resumed again. */
void
stasis_recover_use_up (const StasisJournal *journal)
{
  if (stasis_recover_is_journals_file (journal->target, journal) && unlink (journal->target) < 0)
    g_warning (_ ("'%1$s' cannot be removed (%2$s): the guest has gone on from it, and it is not "
                  "resumed again"),
               journal->target, g_strerror (errno));
}

/* A full disk does not keep a guest from beginning anew. */
static gboolean
restart_guest (const char *folder, const StasisStatus *status, StasisMonitor *monitor,
               GError **error)
{
  if (!stasis_guest_reset (monitor, status->on_reboot, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  if (!stasis_guest_note_boot (folder, &local))
    g_message ("%s", local->message);
  return TRUE;
}

/* A guest that came by a migration, and goes on: what is left to be done of that. */
static gboolean
finish_migration (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_journal_is_migration (&status->journal))
    return TRUE;
  if (stasis_migrate_in_is_postcopy (monitor))
    stasis_migrate_in_keep_postcopy (status);
  else if (!stasis_migration_reset (monitor, status->journal.parameters, &local))
    g_message ("%s", local->message);
  stasis_migrate_note_remove (status->journal.migration->note); /* it has come back */
  return stasis_migrate_persist_apply (folder, status, error);
}

/* The guest may have run: it goes on, and the managed image that it came from is used up.  Where
 * QEMU has ended that image is all that is left; its mark has people decide whether to use it.  At
 * RESTART the guest may have been reset, or not. */
static gboolean
finish_resume (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  StasisJournal *journal = &status->journal;
  if (journal->step == STASIS_STEP_RESTART)
    g_clear_pointer (&status->frozen, g_free); /* it boots anew */
  if ((journal->step == STASIS_STEP_RESTART && !restart_guest (folder, status, monitor, error))
      || (journal->was_running && !stasis_recover_let_run (monitor, error))
      || (journal->step == STASIS_STEP_RESTART
          && !stasis_guest_end_reset (monitor, status->on_reboot, error)))
    return FALSE;
  if (journal->was_running)
    stasis_thaw_if_frozen (folder, status);
  if (!finish_migration (folder, status, monitor, error))
    return FALSE;
  stasis_recover_use_up (journal);
  stasis_kept_definitions_drop (folder);
  stasis_journal_clear (journal);
  return stasis_status_write (status, folder, error);
}

/* Its devices: QEMU says which of both definitions is true.  No other monitor will do: what was
 * passed by name can be closed by the one that it was passed by only.  The guest does not wait. */
static gboolean
finish_device (const char *folder, StasisStatus *status, GError **error)
{
  if (!stasis_process_is_alive (&status->qemu))
    return end_domain (folder, status, "crashed", error);

  g_autoptr (StasisMonitor) monitor = open_monitor (folder, status, OPEN_MS, error);
  if (monitor == NULL || !stasis_device_settle (folder, status, monitor, error))
    return FALSE;
  stasis_journal_clear (&status->journal);
  return stasis_status_write (status, folder, error);
}

/* Of a QEMU that has ended the destination cannot have all. */
static gboolean
settle_sending (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (!stasis_process_is_alive (&status->qemu))
    stasis_migrate_note_remove (status->journal.migration->note);
  stasis_mirror_ways_cut_of (status); /* QEMU may wait for them, and greet nobody */
  return with_qemu (folder, status, monitor, stasis_migrate_settle_sending, error);
}

/* A guest that has begun here: one whose QEMU has ended since is a domain with a definition all the
 * same, if one came along. */
static gboolean
finish_begun (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (!stasis_process_is_alive (&status->qemu)
      && !stasis_migrate_persist_apply (folder, status, error))
    return FALSE;
  return with_qemu (folder, status, monitor, finish_resume, error);
}

/* The destination may have the guest. */
static gboolean
settle_handed (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (!stasis_process_is_alive (&status->qemu))
    return end_domain (folder, status, stasis_migrate_settle_dead (status), error);
  return with_monitor (folder, status, monitor, stasis_migrate_settle_handed, error);
}

/* In postcopy the guest may be able to go on here only. */
static gboolean
is_last_hope (const char *folder, StasisStatus *status, StasisMonitor *monitor)
{
  if (!stasis_process_is_alive (&status->qemu))
    return FALSE;
  g_autoptr (StasisMonitor) own
      = open_monitor (folder, status, monitor != NULL ? BARRIER_MS : OPEN_MS, NULL);
  StasisMonitor *any = own != NULL ? own : monitor;
  return any != NULL && stasis_migrate_in_is_last_hope (any);
}

/* A guest that comes to this host, and was not ours yet, unless somebody has said so. */
static gboolean
settle_incoming (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  StasisVerdict verdict
      = is_last_hope (folder, status, monitor) ? STASIS_VERDICT_BEGUN : STASIS_VERDICT_REVOKED;
  if (!stasis_migrate_settle_incoming (status, &verdict, error))
    return FALSE;
  return verdict == STASIS_VERDICT_BEGUN ? finish_begun (folder, status, monitor, error)
                                         : undo_start (folder, status, error);
}

/* What recovery by another monitor could not do. */
gboolean
stasis_recover_close_left (const char *folder, StasisStatus *status, GError **error)
{
  g_autoptr (StasisMonitor) monitor = open_monitor (folder, status, OPEN_MS, error);
  if (monitor == NULL)
    return FALSE;
  /* There may be none. */
  g_autoptr (GError) local = NULL;
  static const char *const names[] = { STASIS_SAVE_FD_NAME, STASIS_MIGRATE_FD_NAME };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_clear_error (&local);
      if (!stasis_monitor_closefd (monitor, names[i], NULL, &local)
          && !g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
  status->is_fd_left = FALSE;
  return stasis_status_write (status, folder, error);
}

/* Finish or undo what a driver was doing when it died. */
gboolean
stasis_recover (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  const StasisJournal *journal = &status->journal;
  if (journal->step == STASIS_STEP_NONE)
    return TRUE;
  if (!stasis_fault ("recover", error))
    return FALSE;

  gboolean ok = FALSE;
  g_autofree char *id = g_strdup (journal->id);
  switch (journal->step)
    {
    case STASIS_STEP_NONE:
      return TRUE;
    case STASIS_STEP_START:
      ok = undo_start (folder, status, error);
      break;
    case STASIS_STEP_RESUME:
    case STASIS_STEP_RESTART:
      ok = with_qemu (folder, status, monitor, finish_resume, error);
      break;
    case STASIS_STEP_MIGRATE_BEGUN:
      ok = finish_begun (folder, status, monitor, error);
      break;
    case STASIS_STEP_COMMITTED:
      ok = roll_forward (folder, status, error);
      break;
    case STASIS_STEP_COMMIT:
      ok = decide_commit (folder, status, monitor, error);
      break;
    case STASIS_STEP_SAVE:
      ok = roll_back (folder, status, monitor, error);
      break;
    case STASIS_STEP_DEVICE:
      ok = finish_device (folder, status, error);
      break;
    case STASIS_STEP_MIGRATE_SENDING:
      ok = settle_sending (folder, status, monitor, error);
      break;
    case STASIS_STEP_MIGRATE_HANDED:
      ok = settle_handed (folder, status, monitor, error);
      break;
    case STASIS_STEP_MIGRATE_INCOMING:
      ok = settle_incoming (folder, status, monitor, error);
      break;
    case STASIS_STEP_HANDOVER:
      ok = with_qemu (folder, status, monitor, stasis_handover_undo, error);
      break;
    case STASIS_STEP_HANDED_OVER:
      ok = stasis_handover_move (folder, status, error)
           && with_qemu (folder, status, NULL, stasis_handover_finish, error);
      break;
    }
  if (!ok)
    g_prefix_error (error, _ ("cannot recover domain '%s': "), status->name);
  else if (id != NULL)
    stasis_job_fate_clear (folder, id);
  return ok;
}
