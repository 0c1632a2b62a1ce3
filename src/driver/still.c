/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * still.c: that a guest which is being saved stands still
 *
 * Theory of operation
 *
 * An image is of one moment.  Whoever saves holds the domain's lock, so nobody of ours lets the
 * guest run meanwhile; but a monitor is open to others too, by hand or by a program that knows
 * nothing of locks.  A guest that ran for an instant and stands still again has other memory than
 * a part of the image, or disks that are younger than it: the run state alone does not tell, so
 * the monitor counts what lets a guest move.  QEMU says what happened before it answers: all that
 * happened until `query-status` was answered is counted when it returns.
 */

#include "config.h"

#include "driver/still.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "util/fd.h"

#define END_MS 1000 /* from the end of QEMU's connection to that of its process */

/* Whether it ever stopped over a disk. */
gboolean
stasis_still_query_disks (StasisMonitor *monitor, gboolean *out_have_failed, GError **error)
{
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (monitor, NULL, error);
  if (blocks == NULL)
    return FALSE;
  *out_have_failed = FALSE;
  for (guint i = 0; i < blocks->len; i++)
    *out_have_failed |= ((const StasisMonitorBlock *) g_ptr_array_index (blocks, i))->has_failed;
  return TRUE;
}

/* An error where the guest stopped by itself. */
gboolean
stasis_still_check_trouble (StasisRunState state, GError **error)
{
  if (!stasis_run_state_is_trouble (state))
    return TRUE;
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
      _ ("the guest stopped by itself (%s) while it was being saved; no image was written"),
      stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
throw_state (const StasisStill *still, StasisRunState state, GError **error)
{
  if (!stasis_still_check_trouble (state, error))
    return FALSE;
  if (state == STASIS_RUN_STATE_SHUTDOWN)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("the guest of domain '%s' shut down while it was being saved; no image was "
                    "written"),
                 still->name);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("domain '%1$s' did not stay paused: it is in the state '%2$s'"), still->name,
                 stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
is_still (StasisRunState state)
{
  switch (state)
    {
    case STASIS_RUN_STATE_PAUSED:
    case STASIS_RUN_STATE_SUSPENDED:
    case STASIS_RUN_STATE_PRELAUNCH:
    case STASIS_RUN_STATE_FINISH_MIGRATE:
    case STASIS_RUN_STATE_POSTMIGRATE:
      return TRUE;
    default:
      return FALSE;
    }
}

static gboolean
has_ended (const StasisProcess *qemu)
{
  stasis_autofd int pidfd = stasis_process_open (qemu, NULL);
  return pidfd < 0 || stasis_process_wait (pidfd, END_MS);
}

/* TRUE and *out_is_dead where a QEMU that answers no more has ended: nobody lets its guest run. */
static gboolean
query (const StasisStill *still, StasisRunState *out_state, gboolean *out_is_dead, GError **error)
{
  g_autoptr (GError) local = NULL;
  *out_is_dead = FALSE;
  if (stasis_monitor_query_status (still->monitor, out_state, NULL, &local))
    return TRUE;
  *out_is_dead = g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED)
                 && has_ended (still->qemu);
  if (*out_is_dead)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* From now on it is to stand still. */
gboolean
stasis_still_begin (StasisStill *still, StasisMonitor *monitor, const StasisProcess *qemu,
                    const char *name, gboolean was_running, GError **error)
{
  *still = (StasisStill){
    .monitor = monitor,
    .qemu = qemu,
    .name = name,
    .n_stirs = stasis_monitor_stirs (monitor),
  };
  StasisRunState state;
  if (!stasis_monitor_query_status (monitor, &state, NULL, error))
    return FALSE;
  if (is_still (state) && !(was_running && state == STASIS_RUN_STATE_PRELAUNCH))
    return TRUE;
  return throw_state (still, state, error);
}

/* An error where it does not stand still any more, or did not for a while. */
gboolean
stasis_still_check (const StasisStill *still, GError **error)
{
  StasisRunState state;
  gboolean is_dead;
  if (!query (still, &state, &is_dead, error))
    return FALSE;
  if (!is_dead && !is_still (state))
    return throw_state (still, state, error);
  if (stasis_monitor_stirs (still->monitor) == still->n_stirs)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' did not stay paused: somebody let it run, or reset it, while it "
                  "was being saved"),
               still->name);
  return FALSE;
}
