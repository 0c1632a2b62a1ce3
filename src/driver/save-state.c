/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-state.c: writing the state of a guest that is being saved
 *
 * Theory of operation
 *
 * A save of a guest that is to stand still pauses it first, and all the rest is one moment.  A live
 * one, which an ordinary one is where it can be, copies its memory while it runs: we do it from
 * outside QEMU where we can (capture.c), else QEMU does, as a migration into the file.  The moment
 * that the image is of is the pause at the end of that; a guest that is to go on does so at once,
 * and what was taken is written after it.
 *
 * Of a guest that is to go on QEMU may also take a background snapshot (background.c).  Then the
 * pause is at the beginning, and the memory is copied after it.  Not of one that ends: the image
 * would be older than what the guest did last.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/background.h"
#include "driver/disks.h"
#include "driver/memory-hash.h"
#include "driver/migration-end.h"
#include "driver/migration-wait.h"
#include "driver/quiesce.h"
#include "driver/recover.h"
#include "driver/save-private.h"
#include "image/disks.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-run.h"
#include "util/fault.h"

#define HASH_THREADS 2u
#define STOP_TRIES   3u

static StasisCaptureTarget
capture_target (const StasisSave *save)
{
  const StasisSaveBody body = stasis_save_output_body (save->output);
  return (StasisCaptureTarget){ body.fd, body.offset, save->engine->direct_io };
}

/* What is written is hashed on the way. */
static gboolean
capture_memory (StasisSave *save, StasisBodyNotes *notes, GError **error)
{
  const StasisCaptureTarget target = capture_target (save);
  stasis_job_set_phase (save->job, "copy");
  return stasis_capture_run (save->engine->capture, save->ram_blocks, &target,
                             save->hold->status->journal.fdset, save->monitor, save->job, notes,
                             error);
}

/* QEMU writes, we hash what it should write. */
static gboolean
copy_memory (StasisSave *save, StasisBodyNotes *notes, GError **error)
{
  if (save->engine->capture != NULL)
    return capture_memory (save, notes, error);
  const StasisJournal *journal = &save->hold->status->journal;
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisMemoryHash) memory = NULL;
  if (save->form.kind == STASIS_IMAGE_KIND_STASIS && save->engine->way == STASIS_SAVE_WAY_MAPPED)
    memory = stasis_memory_hash_start (&save->hold->status->qemu, save->ram_blocks, HASH_THREADS,
                                       &local);
  if (local != NULL)
    g_debug ("hashes come from the file: %s", local->message);

  stasis_job_set_phase (save->job, "copy");
  const StasisSaveBody body = stasis_save_output_body (save->output);
  if (!stasis_save_engine_run (save->engine, save->monitor, &body, journal, save->job, error))
    return FALSE;
  if (memory == NULL)
    return TRUE;
  notes->hashes = stasis_memory_hash_finish (memory, error);
  return notes->hashes != NULL;
}

static gboolean
write_tail (StasisSave *save, const StasisBodyNotes *notes, GError **error)
{
  const GPtrArray *disks = save->disks;
  g_autoptr (StasisJson) json = disks->len > 0 ? stasis_image_disks_to_json (disks) : NULL;
  stasis_job_set_phase (save->job, "hash and sync");
  g_autoptr (GPtrArray) bases = stasis_disks_describe_bases (save->def, disks, error);
  if (bases == NULL)
    return FALSE;
  if (json != NULL)
    stasis_image_disks_set_bases (json, bases);
  return stasis_save_head_renew (save, error)
         && stasis_save_output_finish (save->output, json, notes, save->job, error);
}

/* A QEMU whose earlier save failed at its very end has sent its state away and wants to be let go
 * once before it can do so again. */
static gboolean
leave_postmigrate (StasisSave *save, GError **error)
{
  save->is_postmigrate = FALSE;
  return stasis_monitor_cont (save->monitor, NULL, error)
         && stasis_monitor_stop (save->monitor, NULL, error);
}

/* From now on it is to stand still. */
static gboolean
begin_still (StasisSave *save, GError **error)
{
  const StasisStatus *status = save->hold->status;
  return stasis_still_begin (&save->still, save->monitor, &status->qemu, status->name,
                             save->was_running, error);
}

/* Its file systems, where that is wanted, while it still runs. */
static gboolean
quiesce (StasisSave *save, GError **error)
{
  if ((save->flags & STASIS_SAVE_QUIESCE) == 0)
    return TRUE;
  stasis_job_set_phase (save->job, "freeze");
  return stasis_quiesce_begin (save->hold, save->def, save->monitor,
                               stasis_job_cancellable (save->job), error);
}

/* A guest that reset itself in the instant before is stopped with that still to be done, and is not
 * one that stands still: it is let run, and stopped again. */
static gboolean
stop_guest (StasisSave *save, GError **error)
{
  for (guint i = 0;; i++)
    {
      StasisRunState state;
      if (!stasis_monitor_stop (save->monitor, stasis_job_cancellable (save->job), error)
          || !stasis_fault ("save-stopped", error)
          || !stasis_monitor_query_status (save->monitor, &state, NULL, error))
        return FALSE;
      if (state != STASIS_RUN_STATE_PRELAUNCH || i == STOP_TRIES)
        return TRUE;
      if (!stasis_monitor_cont (save->monitor, NULL, error))
        return FALSE;
    }
}

static gboolean
pause_guest (StasisSave *save, GError **error)
{
  if (!quiesce (save, error))
    return FALSE;
  if (save->snapshot != NULL)
    stasis_disk_snapshot_flush (save->snapshot);
  stasis_job_set_phase (save->job, "pause");
  save->paused_us = g_get_monotonic_time ();
  if (save->was_running && !stop_guest (save, error))
    return FALSE;
  return begin_still (save, error) && stasis_fault ("save-paused", error);
}

/* The disks are described in the moment that the image is of, and kept so for a guest that goes on:
 * what it is to go on with was made ready before. */
static gboolean
keep_disks (StasisSave *save, GError **error)
{
  if (save->snapshot != NULL
      && !stasis_disk_snapshot_take (save->snapshot, save->hold, save->monitor, error))
    return FALSE;
  save->disks = stasis_disks_describe (save->def, error);
  if (save->disks == NULL)
    return FALSE;
  if (save->snapshot != NULL)
    stasis_disk_snapshot_mark (save->snapshot, save->disks);
  return TRUE;
}

/* QEMU has stopped the guest. */
static gboolean
keep_disks_late (StasisSave *save, GError **error)
{
  return stasis_save_head_settle_late (save, error) && keep_disks (save, error);
}

static gboolean
prepare_disks (StasisSave *save, GError **error)
{
  if (save->snapshot == NULL)
    return TRUE;
  stasis_job_set_phase (save->job, "prepare the disks");
  return stasis_disk_snapshot_prepare (save->snapshot, save->driver, save->hold, save->monitor,
                                       stasis_job_cancellable (save->job), error);
}

/* It has gone on, if it ran: nothing of the image is taken from it any more. */
static gboolean
note_release (StasisSave *save, GError **error)
{
  save->hold->status->journal.is_released = TRUE;
  if (!stasis_hold_write (save->hold, error) || !stasis_fault ("save-going-on", error))
    return FALSE;
  if (save->was_running)
    stasis_quiesce_end (save->hold);
  return TRUE;
}

static gboolean
go_on (StasisSave *save, GError **error)
{
  if (!stasis_still_check (&save->still, error)
      || (save->was_running && !stasis_recover_let_run (save->monitor, error)))
    return FALSE;
  save->pause_us = g_get_monotonic_time () - save->paused_us;
  return note_release (save, error);
}

/* A guest that was asked for its head may have come to the end of its migration by that. */
static gboolean
let_run_again (StasisSave *save, GError **error)
{
  return !save->was_running || stasis_recover_let_run (save->monitor, error);
}

/* Direct I/O writes to pages that were looked up before: nobody sees when.  Of what is on a command
 * line that we do not know it cannot be told. */
static gboolean
needs_calm (const StasisDomainDef *def)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (disk->cache == STASIS_DISK_CACHE_NONE || disk->cache == STASIS_DISK_CACHE_DIRECTSYNC
          || disk->shareable)
        return TRUE;
    }
  return def->qemu_args->len > 0;
}

/* We copy while it runs, and take the rest while it does not. */
static gboolean
capture_live (StasisSave *save, StasisBodyNotes *notes, GError **error)
{
  StasisCapture *capture = save->engine->capture;
  const StasisCaptureTarget target = capture_target (save);
  stasis_job_set_phase (save->job, "copy");
  return let_run_again (save, error)
         && stasis_capture_follow (capture, save->ram_blocks, &target,
                                   save->was_running && needs_calm (save->def), save->monitor,
                                   save->job, error)
         && stasis_fault ("save-followed", error) && pause_guest (save, error)
         && stasis_save_head_settle (save, error)
         && stasis_capture_cut (capture, save->hold->status->journal.fdset, save->monitor,
                                save->job, error)
         && keep_disks (save, error) && (!stasis_save_keeps_running (save) || go_on (save, error))
         && stasis_capture_finish (capture, save->job, notes, error);
}

/* One that stopped by itself is not migrated, nor let run by QEMU. */
static gboolean
check_trouble (StasisSave *save, GError **error)
{
  StasisRunState state;
  return stasis_monitor_query_status (save->monitor, &state, NULL, error)
         && stasis_still_check_trouble (state, error);
}

/* Of a guest that QEMU migrates, for check_disks_since() and who recovers it. */
static gboolean
note_disks (StasisSave *save, GError **error)
{
  gboolean have_failed = TRUE;
  if (save->is_live && save->was_running && save->engine->capture == NULL
      && !stasis_still_query_disks (save->monitor, &have_failed, error))
    return FALSE;
  save->hold->status->journal.are_disks_fine = !have_failed;
  return TRUE;
}

/* QEMU has come to the end: its run state tells nothing any more, and its announcement may have
 * been held back (10.0 makes one in a second). */
static gboolean
check_disks_since (const StasisSave *save, GError **error)
{
  gboolean have_failed = FALSE;
  return !save->hold->status->journal.are_disks_fine
         || (stasis_still_query_disks (save->monitor, &have_failed, error)
             && (!have_failed || stasis_still_check_trouble (STASIS_RUN_STATE_IO_ERROR, error)));
}

/* Nor is one that did so meanwhile let run again, although QEMU may have come to the end by now,
 * and not tell any more. */
static void
forget_running (StasisSave *save)
{
  g_autoptr (GError) local = NULL;
  save->hold->status->journal.was_running = FALSE;
  if (!stasis_hold_write (save->hold, &local))
    g_debug ("%s", local->message);
}

static gboolean
keeps_disks (const StasisSave *save)
{
  return save->snapshot != NULL && stasis_disk_snapshot_is_needed (save->snapshot);
}

/* Until QEMU has stopped the guest. */
static gboolean
migrate_to_pause (StasisSave *save, GError **error)
{
  const StasisSaveBody body = stasis_save_output_body (save->output);
  const StasisJournal *journal = &save->hold->status->journal;
  g_autoptr (GError) local = NULL;
  save->engine->waits_for_us = keeps_disks (save);
  const gboolean ok = save->engine->waits_for_us
                          ? stasis_save_engine_run_to_pause (save->engine, save->monitor, &body,
                                                             journal, save->job, &local)
                          : stasis_save_engine_run (save->engine, save->monitor, &body, journal,
                                                    save->job, &local);
  if (ok && check_disks_since (save, &local))
    return TRUE;
  if (g_error_matches (local, STASIS_ERROR, STASIS_ERROR_INVALID_STATE))
    forget_running (save);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Disks are kept once QEMU has stopped the guest, before it lets go of them. */
static gboolean
migrate (StasisSave *save, GError **error)
{
  return stasis_fault ("save-migrating", error) && migrate_to_pause (save, error)
         && (!save->engine->waits_for_us
             || (stasis_fault ("save-waited-for", error) && keep_disks_late (save, error)
                 && stasis_save_engine_run_on (save->monitor, save->job, error)));
}

/* QEMU copies while it runs, and pauses it at the end, before anybody could have frozen its file
 * systems: they are all the while. */
static gboolean
migrate_live (StasisSave *save, gboolean is_quiesced, GError **error)
{
  if (!check_trouble (save, error) || (!is_quiesced && !quiesce (save, error)))
    return FALSE;
  stasis_job_set_phase (save->job, "copy");
  if (!migrate (save, error))
    return FALSE;
  g_autoptr (StasisMigrationInfo) info = stasis_monitor_query_migrate (save->monitor, NULL, error);
  if (info == NULL || !stasis_save_engine_check_passes (save->engine, info, error))
    return FALSE;
  save->paused_us = g_get_monotonic_time () - (gint64) info->downtime_ms * 1000;
  stasis_save_output_expect_stale (save->output);
  return begin_still (save, error) && stasis_fault ("save-paused", error)
         && (keeps_disks (save) || keep_disks_late (save, error))
         && (!stasis_save_keeps_running (save) || go_on (save, error));
}

/* It did not come to the moment: QEMU migrates the running guest, whose file systems may be frozen
 * already. */
static gboolean
fall_back (StasisSave *save, const GError *why, gboolean is_quiesced, GError **error)
{
  if (g_cancellable_is_cancelled (stasis_job_cancellable (save->job))
      || stasis_monitor_is_closed (save->monitor))
    {
      g_propagate_error (error, g_error_copy (why));
      return FALSE;
    }
  g_clear_pointer (&save->disks, g_ptr_array_unref);
  stasis_save_engine_give_up_snapshot (save->engine, why);
  stasis_job_set_engine (save->job, save->engine->description);
  return stasis_migration_end (save->monitor, save->hold->status->qemu.pid, error)
         && stasis_migration_reset (save->monitor, NULL, error) && let_run_again (save, error)
         && migrate_live (save, is_quiesced, error);
}

/* QEMU keeps what the memory is in the pause, and writes it while the guest runs on.  Where there
 * is nothing else to do in the pause it is QEMU's own, which is shorter; disks that are not kept
 * are described before, lest one that was written to after it passes for that of the moment. */
static gboolean
snapshot_live (StasisSave *save, GError **error)
{
  const StasisSaveBody body = stasis_save_output_body (save->output);
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  const gboolean is_ours = keeps_disks (save);
  g_autoptr (GError) local = NULL;
  if (!stasis_save_engine_configure (save->engine, save->monitor, cancellable, &local))
    return fall_back (save, local, FALSE, error);
  if (is_ours ? !pause_guest (save, error) : !quiesce (save, error))
    return FALSE;
  if (!stasis_save_head_settle (save, error)
      || (!is_ours && (!keep_disks (save, error) || !check_trouble (save, error))))
    return FALSE;
  if (!stasis_save_engine_begin (save->engine, save->monitor, &body, &save->hold->status->journal,
                                 cancellable, &local)
      || !stasis_background_await (save->monitor, save->job, &save->pause_us, &local)
      || (!is_ours && !stasis_save_head_check (save, &local))
      || !stasis_fault ("save-not-protected", &local))
    return fall_back (save, local, TRUE, error);
  stasis_save_output_expect_snapshot (save->output);
  if (!stasis_fault ("save-protected", error)
      || (is_ours ? !keep_disks (save, error) || !go_on (save, error)
                  : !note_release (save, error)))
    return FALSE;
  stasis_job_set_phase (save->job, "copy");
  return stasis_migration_wait (save->monitor, save->job, 0, error);
}

static gboolean
copy_paused (StasisSave *save, StasisBodyNotes *notes, GError **error)
{
  return pause_guest (save, error) && stasis_save_head_settle (save, error)
         && (save->facts != NULL || stasis_save_head_write (save, error))
         && copy_memory (save, notes, error) && keep_disks (save, error);
}

static gboolean
write_body (StasisSave *save, StasisBodyNotes *notes, GError **error)
{
  if (!save->is_live)
    return copy_paused (save, notes, error);
  if (save->engine->capture != NULL)
    return capture_live (save, notes, error);
  return save->engine->is_snapshot ? snapshot_live (save, error)
                                   : migrate_live (save, FALSE, error);
}

/* What goes through us needs nothing. */
static gboolean
pass (StasisSave *save, GError **error)
{
  if (save->engine->way == STASIS_SAVE_WAY_THROUGH)
    return TRUE;
  const StasisSaveBody body = stasis_save_output_body (save->output);
  return stasis_save_engine_pass (save->engine, save->monitor, &body, &save->hold->status->journal,
                                  stasis_job_cancellable (save->job), error);
}

/* The guest to a complete file. */
gboolean
stasis_save_write_state (StasisSave *save, GError **error)
{
  if (save->is_postmigrate && !leave_postmigrate (save, error))
    return FALSE;
  /* A capability that was left on, by people or by one who died before he had a journal
   * (background.c), would have QEMU write something else. */
  if (!stasis_migration_reset (save->monitor, NULL, error))
    return FALSE;
  if (!note_disks (save, error) || !pass (save, error) || !stasis_hold_write (save->hold, error)
      || !stasis_fault ("save-passed", error) || !prepare_disks (save, error))
    return FALSE;

  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  return write_body (save, &notes, error)
         && (stasis_save_keeps_running (save) || stasis_still_check (&save->still, error))
         && stasis_fault ("save-copied", error) && write_tail (save, &notes, error)
         && stasis_fault ("save-written", error);
}
