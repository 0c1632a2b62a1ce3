/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-run.c: short operations on a running domain
 */

#include "config.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/hook.h"
#include "driver/job.h"
#include "driver/look.h"
#include "driver/memory-check.h"
#include "driver/lost.h"
#include "driver/migrate-persist.h"
#include "driver/migrate-settle.h"
#include "driver/recover.h"
#include "driver/supervise.h"
#include "driver/teardown.h"
#include "driver/thaw.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/process.h"

#define GRACEFUL_MS 10000 /* as libvirt waits for SIGTERM */
#define RESET_MS    10000 /* for QEMU to do it */
#define ENDING_MS   2000  /* for a process to let go of its sockets */

/* Hold and monitor of a running domain, and its run state. */
typedef struct
{
  StasisHold *hold;       /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  StasisRunState state;
} Grip;

static void
grip_clear (Grip *grip)
{
  g_clear_pointer (&grip->monitor, stasis_monitor_close);
  g_clear_pointer (&grip->hold, stasis_hold_release);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Grip, grip_clear)

static gboolean
grip_take (Grip *grip, StasisDomain *self, GError **error)
{
  grip->hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                         stasis_domain_get_name (self), error);
  if (grip->hold == NULL)
    return FALSE;
  grip->monitor = stasis_hold_open_monitor (grip->hold, NULL, error);
  return grip->monitor != NULL
         && stasis_monitor_query_status (grip->monitor, &grip->state, NULL, error);
}

/* The same; not of a guest that may run at the destination of its migration. */
static gboolean
grip_take_decided (Grip *grip, StasisDomain *self, GError **error)
{
  if (!grip_take (grip, self, error))
    return FALSE;
  const StasisStatus *status = grip->hold->status;
  return status->undecided_migration == NULL || stasis_migrate_throw_elsewhere (status, error);
}

/* The supervisor has seen what we did before the next command asks it. */
static gboolean
sync_supervisor (StasisDomain *self, GError **error)
{
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, error);
  return control != NULL && stasis_control_sync (control, error);
}

static gboolean
throw_state (GError **error, StasisDomain *self, const char *state)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%1$s' %2$s"),
               stasis_domain_get_name (self), state);
  return FALSE;
}

/* While it is sent: whoever sends it has the lock, and lets it run again where that fails.  FALSE
 * where that is not how it is. */
static gboolean
suspend_migrating (StasisDomain *self)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStatus) status = stasis_domain_read_status (self);
  if (status == NULL || status->journal.step != STASIS_STEP_MIGRATE_SENDING)
    return FALSE;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, &error);
  if (control != NULL && stasis_control_migrate_stand (control, &error)
      && stasis_control_sync (control, &error))
    return TRUE;
  g_debug ("%s", error->message);
  return FALSE;
}

/**
 * stasis_domain_suspend:
 * @self: a running domain
 * @error: return location
 *
 * Stops its CPUs.  A domain that is paused already stays so; one whose guest has ended is refused.
 * While it is sent to another host it stands still until it is there, or the migration has failed.
 *
 * Returns: %TRUE if it is paused
 */
gboolean
stasis_domain_suspend (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->suspend (self, error);

  g_auto (Grip) grip = { 0 };
  g_autoptr (GError) local = NULL;
  if (!grip_take (&grip, self, &local))
    {
      if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_BUSY) && suspend_migrating (self))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (grip.state == STASIS_RUN_STATE_PAUSED)
    return TRUE;
  if (grip.state == STASIS_RUN_STATE_SUSPENDED)
    return throw_state (error, self, _ ("sleeps (pmsuspended)"));
  if (!stasis_monitor_stop (grip.monitor, NULL, error)
      || !stasis_monitor_query_status (grip.monitor, &grip.state, NULL, error))
    return FALSE;
  /* QEMU has nothing to stop in one that has ended, and its restart may be due. */
  if (stasis_run_state_is_end (grip.state))
    return throw_state (error, self,
                        grip.state == STASIS_RUN_STATE_SHUTDOWN ? _ ("has shut down")
                                                                : _ ("has crashed"));
  return sync_supervisor (self, error);
}

/* Where its file systems are frozen it is thawed, and journalled: it is, whatever becomes of us. */
static gboolean
let_run (const Grip *grip, GError **error)
{
  StasisHold *hold = grip->hold;
  if (hold->status->frozen == NULL)
    return stasis_monitor_cont (grip->monitor, NULL, error);

  g_autoptr (GError) local = NULL;
  stasis_journal_begin (&hold->status->journal, STASIS_STEP_RESUME, "resume");
  hold->status->journal.was_running = TRUE;
  if (!stasis_hold_write (hold, &local))
    g_message ("%s", local->message);
  const gboolean ok = stasis_monitor_cont (grip->monitor, NULL, error);
  stasis_fault ("resume-running", NULL);
  if (ok)
    stasis_thaw_if_frozen (hold->folder, hold->status);
  stasis_journal_clear (&hold->status->journal);
  g_clear_error (&local);
  if (!stasis_hold_write (hold, &local))
    g_message ("%s", local->message);
  return ok;
}

/**
 * stasis_domain_resume:
 * @self: a paused domain
 * @error: return location
 *
 * Lets its CPUs run.  %STASIS_ERROR_INVALID_STATE for a domain that runs already, as in libvirt.
 * Of a guest that was saved with its file systems frozen they are thawed.
 *
 * Returns: %TRUE if it was let run
 */
gboolean
stasis_domain_resume (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->resume (self, error);

  g_auto (Grip) grip = { 0 };
  if (!grip_take_decided (&grip, self, error))
    return FALSE;
  /* Where a save is undecided although somebody let the guest run, this is the decision. */
  if (grip.state == STASIS_RUN_STATE_RUNNING && !grip.hold->status->is_undecided)
    return throw_state (error, self, _ ("is already running"));
  if (grip.state == STASIS_RUN_STATE_GUEST_PANICKED)
    return throw_state (error, self, _ ("has crashed"));
  if (!let_run (&grip, error))
    return FALSE;
  /* Somebody has decided. */
  StasisStatus *status = grip.hold->status;
  const gboolean is_damaged
      = status->memory_image != NULL && !status->is_damage_accepted
        && stasis_memory_check_read (grip.hold->folder, NULL) == STASIS_MEMORY_FINDING_DAMAGED;
  if (status->is_undecided || is_damaged)
    {
      status->is_damage_accepted |= is_damaged;
      status->is_undecided = FALSE;
      if (!stasis_hold_write (grip.hold, error))
        return FALSE;
    }
  return sync_supervisor (self, error);
}

/**
 * stasis_domain_shutdown:
 * @self: a running domain
 * @error: return location
 *
 * Presses the power button; the guest takes its time, or does not care.
 *
 * Returns: %TRUE if the guest was asked
 */
gboolean
stasis_domain_shutdown (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->shutdown (self, error);

  g_auto (Grip) grip = { 0 };
  if (!grip_take_decided (&grip, self, error))
    return FALSE;
  if (grip.state == STASIS_RUN_STATE_PAUSED)
    return throw_state (error, self, _ ("is paused; resume it first"));
  return stasis_monitor_system_powerdown (grip.monitor, NULL, error);
}

/**
 * stasis_domain_reboot:
 * @self: a running domain
 * @error: return location
 *
 * Presses the power button; when the guest has shut down, its supervisor resets it.
 *
 * Returns: %TRUE if the guest was asked
 */
gboolean
stasis_domain_reboot (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->reboot (self, error);

  g_autoptr (StasisHold) hold = stasis_hold_take_running (stasis_domain_get_driver (self),
                                                          stasis_domain_get_name (self), error);
  if (hold == NULL)
    return FALSE;
  if (hold->status->undecided_migration != NULL)
    return stasis_migrate_throw_elsewhere (hold->status, error);
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, error);
  return control != NULL && stasis_control_reboot (control, error);
}

/* QEMU answers `system_reset` before it resets the guest, which may shut down meanwhile. */
static gboolean
await_reset (StasisMonitor *monitor, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + RESET_MS * 1000;
  while (g_get_monotonic_time () < deadline)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (monitor, RESET_MS, &event, NULL, error))
        return FALSE;
      /* SHUTDOWN: its own, or what a QEMU with -action reboot=shutdown makes of ours. */
      if (event != NULL
          && (g_str_equal (event->name, "RESET") || g_str_equal (event->name, "SHUTDOWN")))
        return TRUE;
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("QEMU does not reset its guest"));
  return FALSE;
}

/* A guest that has ended, or does so now, stands still after a reset, and whoever was to let it run
 * sees nothing due: so this is done as the supervisor's restarts are, journalled. */
static gboolean
reset_and_run (StasisDomain *self, Grip *grip, GError **error)
{
  StasisHold *hold = grip->hold;
  stasis_journal_begin (&hold->status->journal, STASIS_STEP_RESTART, "restart");
  hold->status->journal.was_running = TRUE;
  if (!stasis_hold_write (hold, error))
    return FALSE;
  if (!stasis_run_state_is_end (grip->state)
      && (!stasis_monitor_system_reset (grip->monitor, NULL, error)
          || !await_reset (grip->monitor, error)))
    return FALSE;
  /* It opens its own: there is one at a time. */
  g_clear_pointer (&grip->monitor, stasis_monitor_close);
  return stasis_recover (hold->folder, hold->status, NULL, error) && sync_supervisor (self, error);
}

/**
 * stasis_domain_reset:
 * @self: a running domain
 * @error: return location
 *
 * Resets it at once, without asking the guest.  A guest that has shut down or panicked and is
 * still there begins anew, and so does one that sleeps; a paused one stays paused.
 *
 * Returns: %TRUE if it was reset
 */
gboolean
stasis_domain_reset (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->reset (self, error);

  g_auto (Grip) grip = { 0 };
  if (!grip_take_decided (&grip, self, error))
    return FALSE;
  if (grip.state == STASIS_RUN_STATE_RUNNING || grip.state == STASIS_RUN_STATE_SUSPENDED
      || stasis_run_state_is_end (grip.state))
    return reset_and_run (self, &grip, error);
  if (!stasis_monitor_system_reset (grip.monitor, NULL, error))
    return FALSE;
  /* It boots anew once it is resumed. */
  const gboolean was_frozen = grip.hold->status->frozen != NULL;
  g_clear_pointer (&grip.hold->status->frozen, g_free);
  return !was_frozen || stasis_hold_write (grip.hold, error);
}

/* End QEMU by its pidfd; FALSE where it does not end. */
static gboolean
end_qemu (StasisDomain *self, const StasisStatus *status, StasisDestroyFlags flags, GError **error)
{
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, NULL);
  if (pidfd < 0)
    return TRUE;

  if (flags & STASIS_DESTROY_GRACEFUL)
    {
      syscall (SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
      if (stasis_process_wait (pidfd, GRACEFUL_MS))
        return TRUE;
    }
  else if (stasis_process_end (pidfd, GRACEFUL_MS))
    return TRUE;

  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("QEMU of domain '%1$s' (process %2$d) does not end"),
               stasis_domain_get_name (self), (int) status->qemu.pid);
  return FALSE;
}

static gboolean
is_still (const char *folder, const StasisStatus *status)
{
  g_autoptr (StasisStatus) now = stasis_status_read (folder, NULL);
  return now != NULL && now->id == status->id;
}

/* End it, with a note why for whoever clears it away.  No lock is held, so the folder may be a
 * later run's by now, whose end this is not. */
static gboolean
end_with_reason (StasisDomain *self, const char *folder, const StasisStatus *status,
                 StasisDestroyFlags flags, GError **error)
{
  /* A full disk does not keep a domain from ending. */
  g_autoptr (GError) local = NULL;
  if (is_still (folder, status) && !stasis_end_reason_write (folder, "destroyed", &local))
    g_debug ("%s", local->message);
  if (end_qemu (self, status, flags, error))
    return TRUE;
  /* Its end is another one's then, whenever it comes. */
  if (is_still (folder, status))
    stasis_end_reason_clear (folder);
  return FALSE;
}

/* TRUE once no QEMU has the run folder any more. */
static gboolean
end_lost_qemu (StasisDomain *self, const char *folder, StasisDestroyFlags flags, GError **error)
{
  StasisStatus found = { 0 };
  while (stasis_lost_find_qemu (folder, &found.qemu))
    if (!end_qemu (self, &found, flags, error))
      return FALSE;
  return stasis_lost_check_monitor (folder, ENDING_MS, error);
}

/* The end of a domain whose status cannot be read: of what is found of it. */
static gboolean
destroy_lost (StasisDomain *self, const char *folder, StasisDestroyFlags flags, GError **error)
{
  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  if (!end_lost_qemu (self, folder, flags, error))
    return FALSE;
  g_autoptr (StasisLock) lock = stasis_hold_lock (driver, name, /* through_jobs= */ TRUE,
                                                  STASIS_HOLD_DEADLINE_MS, NULL, error);
  if (lock == NULL)
    return FALSE;

  /* Whoever had the lock may have written it anew, or cleared it away. */
  g_autoptr (StasisStatus) now = NULL;
  if (stasis_look_only (driver, name, &now, NULL) == STASIS_LOOK_ACTIVE
      || !g_file_test (folder, G_FILE_TEST_EXISTS))
    return TRUE;
  g_autoptr (StasisStatus) status = stasis_status_new ();
  status->name = g_strdup (name);
  status->uuid = g_strdup (stasis_domain_get_uuid (self));
  status->last = stasis_paths_last (driver->paths, name);
  status->hooks = driver->host->hooks.is_off ? NULL : g_strdup (driver->host->hooks.folder);
  status->hook_timeout = driver->host->hooks.timeout;
  status->started_us = g_get_real_time ();
  return stasis_teardown (status, folder, "destroyed", error);
}

/**
 * stasis_domain_destroy:
 * @self: a running domain
 * @flags: how hard
 * @error: return location
 *
 * Ends its QEMU at once, whatever job goes on (which then fails).  A transient domain is gone
 * with that.
 *
 * Returns: %TRUE if it does not run any more
 */
gboolean
stasis_domain_destroy (StasisDomain *self, StasisDestroyFlags flags, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->destroy (self, flags, error);

  StasisDriver *driver = stasis_domain_get_driver (self);
  const char *name = stasis_domain_get_name (self);
  g_autofree char *folder = stasis_paths_domain (driver->paths, name, NULL);
  g_autoptr (StasisStatus) status = NULL;
  const StasisLook look = stasis_look_only (driver, name, &status, NULL);
  if (look == STASIS_LOOK_LOST
      || (look == STASIS_LOOK_OFF && !stasis_lost_check_removed (folder, NULL)))
    return destroy_lost (self, folder, flags, error);
  if (look == STASIS_LOOK_OFF)
    return throw_state (error, self, _ ("is not running"));

  if (status != NULL && status->undecided_migration != NULL
      && status->undecided_migration->is_postcopy)
    g_warning (_ ("domain '%s' is destroyed although its migration's destination lacks memory that "
                  "was here: the guest does not go on there without it"),
               name);
  else if (status != NULL && status->undecided_migration != NULL)
    g_warning (_ ("domain '%s' is destroyed although nobody knows whether its migration's "
                  "destination has it: it does not start here again before 'stasis "
                  "migrate-resolve'"),
               name);
  /* Without the hold: a job must not keep a guest alive that is to go. */
  if (!end_with_reason (self, folder, status, flags, error))
    return FALSE;

  /* The job notices, fails and lets go of the lock; taking it clears the rest away. */
  const int deadline_ms = STASIS_HOLD_DEADLINE_MS + stasis_hook_end_bound_ms (status);
  g_autoptr (StasisLock) lock
      = stasis_hold_lock (driver, name, /* through_jobs= */ TRUE, deadline_ms, NULL, error);
  if (lock == NULL)
    return FALSE;
  g_autoptr (StasisStatus) left = stasis_status_read (folder, NULL);
  if (left == NULL || left->id != status->id)
    return TRUE;
  /* Who wants it to end is not kept from that. */
  g_autoptr (GError) local = NULL;
  if (!stasis_migrate_persist_end (folder, left, &local))
    g_warning ("%s", local->message);
  return stasis_teardown (left, folder, "destroyed", error);
}

/**
 * stasis_domain_get_job:
 * @self: a domain
 * @completed: the last job that ended, instead of the one that goes on
 * @error: return location
 *
 * Returns: (transfer full): its statistics; state %STASIS_JOB_NONE where there is none
 */
StasisJobStats *
stasis_domain_get_job (StasisDomain *self, gboolean completed, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_job (self, completed, error);

  if (completed)
    return stasis_job_load_completed (stasis_domain_get_driver (self)->paths,
                                      stasis_domain_get_name (self), error);

  g_autoptr (StasisStatus) status = stasis_domain_need_status (self, error);
  if (status == NULL)
    return NULL;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, error);
  return control != NULL ? stasis_control_get_job (control, error) : NULL;
}

/**
 * stasis_domain_abort_job:
 * @self: a domain with a job
 * @error: return location
 *
 * Asks the job's owner, in whatever process, to cancel.  It rolls back in its own time.
 *
 * Returns: %TRUE if it will; %FALSE with STASIS_ERROR_INVALID_STATE where it is too late
 */
gboolean
stasis_domain_abort_job (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->abort_job (self, error);

  g_autoptr (StasisStatus) status = stasis_domain_need_status (self, error);
  if (status == NULL)
    return FALSE;
  g_autoptr (StasisControl) control = stasis_domain_open_control (self, error);
  return control != NULL && stasis_control_abort_job (control, error);
}
