/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover.c: a running guest gets another QEMU on the same host
 *
 * Theory of operation
 *
 * The guest's memory is shared, and a second QEMU maps the very same.  So only the state of the
 * devices has to be sent, by an ordinary migration that leaves shared memory out
 * (x-ignore-shared), over a pair of sockets.  The guest stands from then until the second QEMU has
 * loaded that and is let run.
 *
 *   HANDOVER     written before the second QEMU is; until HANDED_OVER any failure ends it, and the
 *                guest goes on in the first
 *   HANDED_OVER  when both QEMUs say `completed`, with the second in the status.  From here on any
 *                failure ends the first, and the guest goes on in the second
 *
 * Both steps are settled by handover-settle.c, whoever does it.  cpr-transfer, which QEMU 10.0 has
 * for this, was tried: its pause is no shorter, it needs both QEMUs to know it, and nobody can talk
 * to the second one before the first is told to migrate.
 */

#include "config.h"

#include "driver/handover.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/control.h"
#include "driver/domain-private.h"
#include "driver/handover-settle.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/migration-wait.h"
#include "driver/ops.h"
#include "driver/start.h"
#include "driver/still.h"
#include "driver/supervise.h"
#include "driver/teardown.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-query.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

#define POLL_MS       200
#define LOAD_MS       60000
#define SUPERVISOR_MS 10000
#define NAP_US        2000
#define RESUME_MS     1000
/* QEMU from which on there is a command that makes disks active. */
#define ACTIVATE_MAJOR 10u

static const StasisMigrationCapability capabilities[] = {
  { "x-ignore-shared", TRUE },
  { "events", TRUE },
};

static void
handover_clear (StasisHandover *self)
{
  stasis_monitor_close (self->old);
  stasis_monitor_close (self->new);
  stasis_domain_def_free (self->def);
  stasis_hold_release (self->hold);
  g_free (self->former_emulator);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisHandover, handover_clear)

static gboolean
open_journal (StasisHandover *self, GError **error)
{
  StasisJournal *journal = &self->hold->status->journal;
  gboolean have_failed = TRUE;
  if (self->was_running && !stasis_still_query_disks (self->old, &have_failed, error))
    return FALSE;
  stasis_journal_begin (journal, STASIS_STEP_HANDOVER, "handover");
  journal->was_running = self->was_running;
  journal->are_disks_fine = !have_failed;
  journal->id = g_strdup (stasis_job_id (self->job));
  journal->parameters = stasis_migration_note_parameters (self->old, NULL, error);
  return journal->parameters != NULL && stasis_hold_write (self->hold, error)
         && stasis_fault ("handover-journal", error);
}

static gboolean
configure (StasisMonitor *monitor, GError **error)
{
  StasisJson *parameters = stasis_json_new_object ();
  stasis_json_set_uint (parameters, "max-bandwidth", 0);
  return stasis_migration_reset (monitor, NULL, error)
         && stasis_monitor_migrate_set_capabilities (monitor, capabilities,
                                                     G_N_ELEMENTS (capabilities), NULL, error)
         && stasis_monitor_migrate_set_parameters (monitor, parameters, NULL, error);
}

/* Disks are the first QEMU's until the second is let run.  A guest that stays paused would have
 * none that are active then, where QEMU (before 10.0) can make them so by `cont` only; and the next
 * migration of such a guest ends in an assertion of QEMU.  There they are the second one's as soon
 * as it has the state. */
static gboolean
configure_new (const StasisHandover *self, GError **error)
{
  const StasisMigrationCapability late = { "late-block-activate", TRUE };
  return configure (self->new, error)
         && ((!self->was_running && stasis_monitor_version (self->new)->major < ACTIVATE_MAJOR)
             || stasis_monitor_migrate_set_capabilities (self->new, &late, 1, NULL, error));
}

static gboolean
pass_end (StasisMonitor *monitor, int *fd, GError **error)
{
  const gboolean ok = stasis_monitor_getfd (monitor, STASIS_MIGRATE_FD_NAME, *fd, NULL, error);
  stasis_fd_clear (fd);
  return ok;
}

/* QEMU before 9.0 misses what an emulated processor writes after the first pass; video memory is
 * sent, so that one stands before it is. */
static gboolean
pause_if_due (const StasisHandover *self, GError **error)
{
  gboolean is_kvm = FALSE;
  const StasisMonitorVersion *version = stasis_monitor_version (self->old);
  if (!self->was_running || version->major >= 9)
    return TRUE;
  return stasis_monitor_query_kvm (self->old, &is_kvm, NULL, error)
         && (is_kvm || stasis_monitor_stop (self->old, NULL, error));
}

static gboolean
begin_sending (const StasisHandover *self, GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
  stasis_autofd int from = pair[0];
  stasis_autofd int to = pair[1];
  return pass_end (self->old, &from, error) && pass_end (self->new, &to, error)
         && stasis_monitor_migrate_incoming (self->new, "fd:" STASIS_MIGRATE_FD_NAME, NULL, error)
         && stasis_fault ("handover-ready", error) && stasis_job_check (self->job, error)
         && pause_if_due (self, error)
         && stasis_monitor_migrate (self->old, "fd:" STASIS_MIGRATE_FD_NAME, NULL, error)
         && stasis_fault ("handover-sending", error);
}

/* A guest that stops by itself stays where that can be seen. */
static gboolean
look_at_event (StasisHandover *self, const StasisMonitorEvent *event, GError **error)
{
  const StasisRunState trouble = stasis_migration_announced_trouble (event);
  if (stasis_run_state_is_trouble (trouble) || g_str_equal (event->name, "SHUTDOWN"))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("the guest of domain '%1$s' stopped by itself while it was handed over"),
                   self->name);
      return FALSE;
    }
  if (self->stopped_us == 0 && self->was_running && g_str_equal (event->name, "STOP"))
    self->stopped_us = event->timestamp_us > 0 ? event->timestamp_us : g_get_real_time ();
  return TRUE;
}

/* *@out_is_done: it is completed. */
static gboolean
look_at_migration (StasisMonitor *monitor, gboolean *out_is_done, GError **error)
{
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (monitor, NULL, error);
  if (info == NULL)
    return FALSE;
  *out_is_done = info->status == STASIS_MIGRATION_COMPLETED;
  if (*out_is_done || !stasis_migration_status_is_final (info->status)
      || info->status == STASIS_MIGRATION_NONE)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU, _ ("QEMU: handover %1$s: %2$s"),
               stasis_migration_status_to_string (info->status),
               info->error_desc != NULL ? info->error_desc : _ ("no reason given"));
  return FALSE;
}

/* QEMU may be further than the event by which we asked: what it said meanwhile is there by now. */
static gboolean
look_at_queued (StasisHandover *self, GError **error)
{
  for (;;)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (self->old, 0, &event, NULL, error))
        return FALSE;
      if (event == NULL)
        return TRUE;
      if (!look_at_event (self, event, error))
        return FALSE;
    }
}

static gboolean
await_completed (StasisHandover *self, StasisMonitor *monitor, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + LOAD_MS * 1000;
  while (g_get_monotonic_time () < deadline)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      gboolean is_done = FALSE;
      if (!stasis_monitor_wait_event (monitor, POLL_MS, &event, NULL, error)
          || (event != NULL && monitor == self->old && !look_at_event (self, event, error)))
        return FALSE;
      if (event != NULL && !g_str_equal (event->name, "MIGRATION"))
        continue;
      if (!look_at_migration (monitor, &is_done, error))
        return FALSE;
      if (is_done)
        return monitor != self->old || look_at_queued (self, error);
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("QEMU did not hand the guest over within %d s"), LOAD_MS / 1000);
  return FALSE;
}

/* Its announcement may have been held back (QEMU 10.0 makes one in a second). */
static gboolean
check_disks (const StasisHandover *self, GError **error)
{
  gboolean have_failed = FALSE;
  if (!self->hold->status->journal.are_disks_fine)
    return TRUE;
  if (!stasis_still_query_disks (self->old, &have_failed, error))
    return FALSE;
  if (!have_failed)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("the guest of domain '%s' stopped over a disk while it was handed over"),
               self->name);
  return FALSE;
}

/* What the status says of a QEMU is said of the other one. */
static void
swap (StasisHandover *self, StasisStep step)
{
  StasisStatus *status = self->hold->status;
  const StasisProcess one = status->qemu;
  status->qemu = status->journal.beside;
  status->journal.beside = one;
  status->journal.step = step;
  char *emulator = status->emulator;
  status->emulator = self->former_emulator;
  self->former_emulator = emulator;
}

/* The decision is written, and synced, before the guest stands: then it only has to get its name.
 */
static gboolean
prepare_decision (StasisHandover *self, GError **error)
{
  const StasisHold *hold = self->hold;
  g_autofree char *folder = g_build_filename (hold->folder, STASIS_HANDOVER_FOLDER, NULL);
  if (g_mkdir_with_parents (folder, 0700) < 0)
    return stasis_throw_errno (error, _ ("cannot make the folder '%s'"), folder);
  self->former_emulator = g_strdup (self->def->emulator);
  swap (self, STASIS_STEP_HANDED_OVER);
  const gboolean ok = stasis_status_write (hold->status, folder, error);
  swap (self, STASIS_STEP_HANDOVER);
  return ok;
}

/* Two QEMUs, one guest; the second has all of it. */
static gboolean
transfer (StasisHandover *self, GError **error)
{
  stasis_job_set_phase (self->job, "start QEMU");
  self->new = stasis_start_beside (self->driver, self->hold, self->def,
                                   stasis_job_cancellable (self->job), error);
  if (self->new == NULL || !stasis_fault ("handover-started", error)
      || !configure (self->old, error) || !configure_new (self, error)
      || !prepare_decision (self, error))
    return FALSE;
  stasis_job_set_phase (self->job, "switch over");
  return stasis_job_check (self->job, error) && begin_sending (self, error)
         && await_completed (self, self->old, error) && check_disks (self, error)
         && stasis_job_commit (self->job, error) && await_completed (self, self->new, error)
         && stasis_fault ("handover-completed", error);
}

static gboolean
throw_dead (const StasisHandover *self, GError **error)
{
  const StasisStatus *status = self->hold->status;
  g_propagate_error (error, stasis_monitor_ended (status->log, status->log_start));
  return FALSE;
}

/* From then on it is the second one's. */
static gboolean
decide (StasisHandover *self, GError **error)
{
  const StasisHold *hold = self->hold;
  g_autofree char *prepared
      = g_build_filename (hold->folder, STASIS_HANDOVER_FOLDER, "status.json", NULL);
  g_autofree char *path = g_build_filename (hold->folder, "status.json", NULL);
  if (!stasis_process_is_alive (&hold->status->journal.beside))
    return throw_dead (self, error);
  if (rename (prepared, path) < 0)
    return stasis_throw_errno (error, _ ("cannot rename '%s'"), prepared);
  swap (self, STASIS_STEP_HANDED_OVER);
  return TRUE;
}

/* It never ran in the second one, which has refused to, or has ended before it was told. */
static gboolean
take_back (StasisHandover *self, GError **error)
{
  swap (self, STASIS_STEP_HANDOVER);
  return stasis_hold_write (self->hold, error)
         && stasis_handover_undo (self->hold->folder, self->hold->status, self->old, error);
}

static void
note_resume (StasisHandover *self)
{
  const gint64 deadline = g_get_monotonic_time () + RESUME_MS * 1000;
  while (self->was_running && self->resumed_us == 0 && g_get_monotonic_time () < deadline)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      if (!stasis_monitor_wait_event (self->new, POLL_MS, &event, NULL, NULL))
        return;
      if (event != NULL && g_str_equal (event->name, "RESUME"))
        self->resumed_us = event->timestamp_us;
    }
  if (self->stopped_us > 0 && self->resumed_us > 0)
    stasis_job_stats (self->job)->pause_us = self->resumed_us - self->stopped_us;
}

/* It begins anew beside the new QEMU; until then it would tell of the old one. */
static void
await_supervisor (const StasisHandover *self)
{
  const gint64 deadline = g_get_monotonic_time () + SUPERVISOR_MS * 1000;
  while (g_get_monotonic_time () < deadline)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StasisControl) control = stasis_control_open (self->hold->folder, &error);
      if (control != NULL
          && stasis_control_get_qemu (control, NULL) == self->hold->status->qemu.pid)
        return;
      if (!stasis_supervise_is_alive (self->hold->folder)
          && !stasis_supervise_ensure (self->hold->folder, &error))
        g_debug ("%s", error->message);
      g_usleep (NAP_US);
    }
}

/* A failure: it goes on in the first one, where it cannot have run in the second. */
static gboolean
let_run (StasisHandover *self, GError **error)
{
  const StasisStatus *status = self->hold->status;
  g_autoptr (GError) why = NULL;
  g_autoptr (GError) local = NULL;
  gboolean may_have_run = FALSE;
  if (!stasis_process_is_alive (&status->qemu))
    throw_dead (self, &why);
  else if (stasis_fault ("handover-cont", &why))
    {
      if (!self->was_running || stasis_start_let_run (self->hold, self->new, &why))
        return TRUE;
      may_have_run = !g_error_matches (why, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND);
    }
  if (may_have_run || status->journal.step != STASIS_STEP_HANDED_OVER
      || !stasis_process_is_alive (&status->journal.beside))
    g_propagate_error (error, g_steal_pointer (&why));
  else if (take_back (self, &local))
    g_propagate_error (error, g_steal_pointer (&why));
  else
    g_set_error (error, local->domain, local->code, "%1$s; %2$s", why->message, local->message);
  return FALSE;
}

/* The guest first.  What fails after that is recovered by whoever comes next: it is not undone any
 * more. */
static gboolean
finish (StasisHandover *self, GError **error)
{
  StasisHold *hold = self->hold;
  if (!let_run (self, error))
    return FALSE;
  if (hold->status->journal.step == STASIS_STEP_NONE) /* its answer was lost: it was recovered */
    return TRUE;
  note_resume (self);
  stasis_fault ("handover-running", NULL);
  if (!stasis_handover_move (hold->folder, hold->status, error))
    return FALSE;
  stasis_fault ("handover-moved", NULL);
  if (!stasis_handover_finish (hold->folder, hold->status, self->new, error))
    return FALSE;
  stasis_fault ("handover-finished", NULL);
  await_supervisor (self);
  return TRUE;
}

static gboolean
undo (StasisHandover *self, const GError *why, GError **error)
{
  StasisStatus *status = self->hold->status;
  g_autoptr (GError) local = NULL;
  if (!stasis_process_is_alive (&status->qemu))
    {
      if (stasis_teardown (status, self->hold->folder, "crashed", &local))
        g_clear_pointer (&self->hold->status, stasis_status_free);
    }
  else
    stasis_handover_undo (self->hold->folder, status, self->old, &local);
  if (local == NULL)
    g_propagate_error (error, g_error_copy (why));
  else
    g_set_error (error, local->domain, local->code, "%1$s; %2$s", why->message, local->message);
  return FALSE;
}

static gboolean
run (StasisHandover *self, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autofree char *last = stasis_paths_last_job (self->driver->paths, self->name);
  stasis_job_claim (self->job, self->hold->folder);
  stasis_job_begin (self->job, last);
  if (!open_journal (self, &why))
    {
      if (self->hold->status->journal.step == STASIS_STEP_HANDOVER)
        return undo (self, why, error);
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
  stasis_job_attach (self->job, self->hold->folder);
  if (!transfer (self, &why) || !decide (self, &why))
    return undo (self, why, error);
  stasis_fault ("handover-decided", NULL);
  return finish (self, error);
}

/**
 * stasis_domain_handover:
 * @self: a running domain
 * @emulator: (nullable): the QEMU that it is to have; %NULL: its own, as it is installed now
 * @flags: how
 * @out_pause_us: (out) (optional): how long the guest stood still; -1 where it did not run
 * @progress: (nullable) (scope call): told how it stands
 * @user_data: for @progress
 * @cancellable: (nullable): ends it, as long as the guest has not been given away
 * @error: return location
 *
 * Gives a running guest another QEMU process on the same host, which upgrades QEMU under it. It
 * stands still for some milliseconds. Its memory has to be shared; where that or another thing
 * stands against it, %STASIS_ERROR_UNSUPPORTED tells all of them, and nothing was done. When it
 * fails later the guest goes on in the QEMU that it had.
 *
 * The domain stays the same, its id too. Terminals (pty) are new ones.
 *
 * Returns: %TRUE if the guest has the new QEMU; with %STASIS_HANDOVER_CHECK: if it could
 */
gboolean
stasis_domain_handover (StasisDomain *self, const char *emulator, StasisHandoverFlags flags,
                        gint64 *out_pause_us, StasisProgressFunc progress, gpointer user_data,
                        GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->handover (self, emulator, flags, out_pause_us, progress, user_data, cancellable,
                          error);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisJob) job = stasis_job_new ("handover", progress, user_data, cancellable);
  g_auto (StasisHandover) handover = {
    .driver = stasis_domain_get_driver (self),
    .name = stasis_domain_get_name (self),
    .emulator = emulator,
    .job = job,
  };
  if (!stasis_handover_check (&handover, self, cancellable, error))
    return FALSE;
  if (out_pause_us != NULL)
    *out_pause_us = -1;
  if ((flags & STASIS_HANDOVER_CHECK) != 0)
    return TRUE;
  const gboolean ok = run (&handover, &local);
  stasis_job_end (job, local);
  if (ok && out_pause_us != NULL)
    *out_pause_us = stasis_job_stats (job)->pause_us;
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}
