/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-undo.c: the way back from overlays that a save has laid over a guest's disks
 *
 * Theory of operation
 *
 * The definitions name the overlays before QEMU has them: an overlay that is empty is the same disk
 * as the one below it, so they are right whenever the host may fail.  On the way back it is the
 * other way round: a block job merges each overlay into its disk while the guest runs; then the
 * guest is stopped for a moment, in which both are equal again; QEMU lets go of the overlay, the
 * definitions name the disk, the guest goes on.  Whoever dies in between leaves definitions that
 * name what has all of the guest's data.
 *
 * Which of both QEMU has on top is asked of QEMU, so all of this may be begun again; from the stop
 * on
 * (`turning` in the journal) it is, before anybody lets the guest go on.
 */

#include "config.h"

#include "driver/snapshot-undo.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/kept-definitions.h"
#include "driver/recover.h"
#include "monitor/commands-block.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-jobs.h"
#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "monitor/error.h"
#include "util/fault.h"

#define READY     "ready"
#define CONCLUDED "concluded"
#define FOREVER   ((gint64) -1)
#define FOLLOW_MS 10000

static char *
format_node (const StasisJournalOverlay *overlay)
{
  return g_strconcat (overlay->overlay, "-format", NULL);
}

/* The job has the name of the pair of nodes. */
static const char *
job_of (const StasisJournalOverlay *overlay)
{
  return overlay->overlay;
}

static gboolean
has_node (const GPtrArray *blocks, const char *node)
{
  for (guint i = 0; i < blocks->len; i++)
    if (g_strcmp0 (((const StasisMonitorBlock *) g_ptr_array_index (blocks, i))->node_name, node)
        == 0)
      return TRUE;
  return FALSE;
}

/* (transfer container) (nullable): those that QEMU has on top of the guest's disks. */
static GPtrArray *
list_on_top (const StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (monitor, NULL, error);
  if (blocks == NULL)
    return NULL;
  GPtrArray *found = g_ptr_array_new ();
  for (guint i = 0; i < status->journal.overlays->len; i++)
    {
      StasisJournalOverlay *overlay = g_ptr_array_index (status->journal.overlays, i);
      g_autofree char *node = overlay->overlay != NULL ? format_node (overlay) : NULL;
      if (node != NULL && has_node (blocks, node))
        g_ptr_array_add (found, overlay);
    }
  return found;
}

/* What somebody who died has begun; a job that has ended is forgotten. */
static void
end_jobs (const GPtrArray *overlays, StasisMonitor *monitor)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (overlays, i);
      if (overlay->overlay == NULL)
        continue;
      stasis_monitor_job_cancel (monitor, job_of (overlay), NULL, NULL);
      stasis_monitor_job_wait (monitor, job_of (overlay), CONCLUDED, FOREVER, NULL);
    }
}

static gboolean
begin_jobs (const GPtrArray *overlays, StasisMonitor *monitor, GError **error)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (overlays, i);
      g_autofree char *top = format_node (overlay);
      if (!stasis_monitor_block_commit (monitor, job_of (overlay), top, overlay->node, NULL, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
await_ready (const GPtrArray *overlays, StasisMonitor *monitor, gint64 timeout_ms, GError **error)
{
  for (guint i = 0; i < overlays->len; i++)
    if (!stasis_monitor_job_wait (monitor, job_of (g_ptr_array_index (overlays, i)), READY,
                                  timeout_ms, error))
      return FALSE;
  return TRUE;
}

/* A guest that writes faster than is copied is never ready while it runs. */
static gboolean
follow (const GPtrArray *overlays, StasisMonitor *monitor, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (await_ready (overlays, monitor, FOLLOW_MS, &local)
      || g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
complete_jobs (const GPtrArray *overlays, StasisMonitor *monitor, GError **error)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const char *job = job_of (g_ptr_array_index (overlays, i));
      g_autofree char *step = g_strdup_printf ("snapshot-turned-%u", i + 1);
      if (!stasis_monitor_job_complete (monitor, job, NULL, error)
          || !stasis_monitor_job_wait (monitor, job, CONCLUDED, FOREVER, error)
          || !stasis_fault (step, error))
        return FALSE;
    }
  return TRUE;
}

/* Whoever recovers from our death goes on with this before the guest does. */
static gboolean
stop_for_a_moment (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  StasisJournal *journal = &status->journal;
  StasisRunState state;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  if (journal->is_turning)
    return TRUE;
  journal->was_running = state == STASIS_RUN_STATE_RUNNING;
  journal->is_released = FALSE;
  journal->is_turning = TRUE;
  return stasis_status_write (status, folder, error)
         && (!journal->was_running || stasis_monitor_stop (monitor, NULL, error));
}

/* While nothing is written both are equal. */
static gboolean
turn_back (const char *folder, StasisStatus *status, const GPtrArray *overlays,
           StasisMonitor *monitor, GError **error)
{
  return stop_for_a_moment (folder, status, monitor, error)
         && await_ready (overlays, monitor, FOREVER, error)
         && complete_jobs (overlays, monitor, error) && stasis_fault ("snapshot-merged", error);
}

static gboolean
merge (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  end_jobs (status->journal.overlays, monitor);
  g_autoptr (GPtrArray) overlays = list_on_top (status, monitor, error);
  return overlays != NULL
         && (overlays->len == 0
             || (begin_jobs (overlays, monitor, error) && follow (overlays, monitor, error)
                 && turn_back (folder, status, overlays, monitor, error)))
         && stasis_kept_definitions_restore (folder, status, error);
}

/* QEMU may have none of them. */
static void
close_node (StasisMonitor *monitor, const char *pair, const char *part)
{
  g_autofree char *node = g_strconcat (pair, part, NULL);
  g_autoptr (GError) local = NULL;
  if (!stasis_monitor_blockdev_del (monitor, node, NULL, &local))
    g_debug ("%s", local->message);
}

/* Those in use cannot be closed, and are not. */
void
stasis_snapshot_close_nodes (const StasisJournalOverlay *overlay, StasisMonitor *monitor)
{
  close_node (monitor, overlay->overlay, "-format");
  close_node (monitor, overlay->overlay, "-storage");
}

static void
close_all (const StasisStatus *status, StasisMonitor *monitor)
{
  for (guint i = 0; i < status->journal.overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (status->journal.overlays, i);
      if (overlay->overlay == NULL)
        continue;
      stasis_snapshot_close_nodes (overlay, monitor);
      g_autoptr (GError) local = NULL;
      if (overlay->fdset >= 0
          && !stasis_monitor_remove_fd (monitor, overlay->fdset, STASIS_FDSET_ALL, NULL, &local))
        g_debug ("%s", local->message);
    }
}

static void
remove_files (const StasisStatus *status)
{
  g_autoptr (GError) error = NULL;
  if (!stasis_journal_overlays_unlink (status->journal.overlays, &error))
    g_warning ("%s", error->message);
}

static void
tell_that_they_stay (const StasisStatus *status, const char *why)
{
  for (guint i = 0; i < status->journal.overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (status->journal.overlays, i);
      g_warning (_ ("a disk of domain '%1$s' is now '%2$s', an overlay over the one that it had, "
                    "for it could not be merged: %3$s"),
                 status->name, overlay->path, why);
    }
}

/* What is in them is the guest's.  Where its definitions are the old ones again all of it is in its
 * disks. */
static gboolean
undo_without_qemu (const char *folder, StasisStatus *status, GError **error)
{
  if (stasis_kept_definitions_are_there (folder)
      && stasis_journal_overlays_are_written (status->journal.overlays))
    tell_that_they_stay (status, _ ("the guest has ended"));
  else if (stasis_kept_definitions_restore (folder, status, error))
    remove_files (status);
  else
    return FALSE;
  stasis_snapshot_keep (folder, status);
  return TRUE;
}

/* They may stay where QEMU has all of them: so the definitions say. */
static gboolean
give_up (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  end_jobs (status->journal.overlays, monitor);
  g_autoptr (GPtrArray) overlays = list_on_top (status, monitor, NULL);
  if (overlays == NULL || overlays->len < status->journal.overlays->len)
    return FALSE;
  tell_that_they_stay (status, (*error)->message);
  g_clear_error (error);
  stasis_snapshot_keep (folder, status);
  return TRUE;
}

/* Settled, one way or the other. */
static gboolean
settle (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  if (merge (folder, status, monitor, error))
    {
      close_all (status, monitor);
      remove_files (status);
      stasis_snapshot_keep (folder, status);
      return TRUE;
    }
  return give_up (folder, status, monitor, error);
}

/* The way back. */
gboolean
stasis_snapshot_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                      GError **error)
{
  if (status->journal.overlays == NULL)
    return TRUE;
  if (!stasis_process_is_alive (&status->qemu))
    return undo_without_qemu (folder, status, error);
  const gboolean was_turning = status->journal.is_turning;
  g_autoptr (GError) local = NULL;
  if (!settle (folder, status, monitor, &local))
    {
      g_propagate_prefixed_error (error, g_steal_pointer (&local),
                                  _ ("the overlays over the guest's disks cannot be merged: "));
      return FALSE;
    }
  /* What we have stopped; another's guest is not ours to let run. */
  return was_turning || status->journal.is_released || !status->journal.was_running
         || stasis_recover_let_run (monitor, error);
}

/* They stay. */
void
stasis_snapshot_keep (const char *folder, StasisStatus *status)
{
  stasis_kept_definitions_drop (folder);
  g_clear_pointer (&status->journal.overlays, g_ptr_array_unref);
  status->journal.is_turning = FALSE;
}
