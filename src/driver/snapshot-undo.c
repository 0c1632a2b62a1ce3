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
 * Which of both QEMU has on top is asked of QEMU, so all of this may be begun again.
 */

#include "config.h"

#include "driver/snapshot-undo.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/kept-definitions.h"
#include "driver/recover.h"
#include "monitor/commands-block.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "util/fault.h"

#define READY     "ready"
#define CONCLUDED "concluded"

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

/* A job of somebody who died may be there. */
static void
cancel_jobs (const GPtrArray *overlays, StasisMonitor *monitor)
{
  for (guint i = 0; i < overlays->len; i++)
    {
      const char *job = job_of (g_ptr_array_index (overlays, i));
      g_autoptr (GError) local = NULL;
      if (stasis_monitor_job_cancel (monitor, job, NULL, &local))
        stasis_monitor_job_wait (monitor, job, CONCLUDED, NULL, NULL);
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
  for (guint i = 0; i < overlays->len; i++)
    if (!stasis_monitor_job_wait (monitor, job_of (g_ptr_array_index (overlays, i)), READY, NULL,
                                  error))
      return FALSE;
  return TRUE;
}

/* *@out_done: how many are. */
static gboolean
complete_jobs (const GPtrArray *overlays, StasisMonitor *monitor, guint *out_done, GError **error)
{
  for (*out_done = 0; *out_done < overlays->len; (*out_done)++)
    {
      const char *job = job_of (g_ptr_array_index (overlays, *out_done));
      if (!stasis_monitor_job_complete (monitor, job, NULL, error)
          || !stasis_monitor_job_wait (monitor, job, CONCLUDED, NULL, error))
        return FALSE;
    }
  return TRUE;
}

/* Whoever recovers from our death lets it go on. */
static gboolean
stop_for_a_moment (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  StasisJournal *journal = &status->journal;
  const gboolean was_released = journal->is_released;
  journal->is_released = FALSE;
  journal->was_running = TRUE;
  const gboolean ok
      = stasis_status_write (status, folder, error) && stasis_monitor_stop (monitor, NULL, error);
  journal->is_released = was_released;
  return ok;
}

/* While nothing is written both are equal.  A guest of which QEMU has turned back some disks only
 * does not go on: what it wrote there would be in no disk of its definitions. */
static gboolean
turn_back (const char *folder, StasisStatus *status, const GPtrArray *overlays,
           StasisMonitor *monitor, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  const gboolean runs = state == STASIS_RUN_STATE_RUNNING;
  if (runs && !stop_for_a_moment (folder, status, monitor, error))
    return FALSE;
  guint n_done;
  const gboolean ok = complete_jobs (overlays, monitor, &n_done, error)
                      && stasis_fault ("snapshot-merged", error)
                      && stasis_kept_definitions_restore (folder, status, error);
  if (!ok && n_done > 0)
    {
      g_prefix_error (error, _ ("the guest is paused, destroy it and start it anew: "));
      return FALSE;
    }
  return (!runs || stasis_recover_let_run (monitor, ok ? error : NULL)) && ok;
}

static gboolean
merge (const char *folder, StasisStatus *status, StasisMonitor *monitor, GError **error)
{
  g_autoptr (GPtrArray) overlays = list_on_top (status, monitor, error);
  if (overlays == NULL)
    return FALSE;
  if (overlays->len == 0)
    return stasis_kept_definitions_restore (folder, status, error);
  cancel_jobs (overlays, monitor);
  if (begin_jobs (overlays, monitor, error) && turn_back (folder, status, overlays, monitor, error))
    return TRUE;
  cancel_jobs (overlays, monitor);
  return FALSE;
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

static void
close_nodes (const StasisStatus *status, StasisMonitor *monitor)
{
  for (guint i = 0; i < status->journal.overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (status->journal.overlays, i);
      if (overlay->overlay == NULL)
        continue;
      close_node (monitor, overlay->overlay, "-format");
      close_node (monitor, overlay->overlay, "-storage");
      g_autoptr (GError) local = NULL;
      if (overlay->fdset >= 0
          && !stasis_monitor_remove_fd (monitor, overlay->fdset, STASIS_FDSET_ALL, NULL, &local))
        g_debug ("%s", local->message);
    }
}

/* It has ended: whatever is in them is the guest's. */
static gboolean
undo_without_qemu (const char *folder, const StasisStatus *status, GError **error)
{
  if (!stasis_journal_overlays_are_written (status->journal.overlays))
    return stasis_kept_definitions_restore (folder, status, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("the guest has ended"));
  return FALSE;
}

static void
tell_that_they_stay (const StasisStatus *status, const GError *error)
{
  for (guint i = 0; i < status->journal.overlays->len; i++)
    {
      const StasisJournalOverlay *overlay = g_ptr_array_index (status->journal.overlays, i);
      g_warning (_ ("a disk of domain '%1$s' is now '%2$s', an overlay over the one that it had, "
                    "for it could not be merged: %3$s"),
                 status->name, overlay->path, error->message);
    }
}

/* The way back. */
void
stasis_snapshot_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor)
{
  StasisJournal *journal = &status->journal;
  if (journal->overlays == NULL)
    return;
  const gboolean is_open = monitor != NULL && !stasis_monitor_is_closed (monitor);
  g_autoptr (GError) error = NULL;
  if (is_open ? merge (folder, status, monitor, &error)
              : undo_without_qemu (folder, status, &error))
    {
      if (is_open)
        close_nodes (status, monitor);
      if (!stasis_journal_overlays_unlink (journal->overlays, &error))
        g_warning ("%s", error->message);
    }
  else
    tell_that_they_stay (status, error);
  stasis_snapshot_keep (folder, status);
}

/* They stay. */
void
stasis_snapshot_keep (const char *folder, StasisStatus *status)
{
  stasis_kept_definitions_drop (folder);
  g_clear_pointer (&status->journal.overlays, g_ptr_array_unref);
}
