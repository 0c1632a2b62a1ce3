/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.c: saving a running domain to an image, and ending it
 *
 * Theory of operation
 *
 * In this order: everything that may say no is asked (hold, state, place, devices' step 0); the
 * image is begun, with the definition in it; the journal says SAVE; the guest's file systems are
 * frozen if that was asked for (quiesce.c); its memory goes into the image, as its kind wants it
 * (save-output.c), and it is paused before that or in the end (save-state.c); where QEMU writes the
 * memory in place we hash it from outside; what
 * belongs behind it follows, and is synced; the journal says COMMIT; the image is completed
 * (save-commit.c), if the guest has stood still all the time (still.c); the journal says
 * COMMITTED; QEMU is ended.
 *
 * Until then any failure, and the death of this process at any point, ends with the guest going on
 * as it was and the target as it was (recover.c does it for a dead process).  From then on there is
 * only forward: the guest is ended, for it must never live beside its image.  Where the image goes
 * into a pipe nobody may know which of both it is; then the guest stays paused.
 */

#include "config.h"

#include "driver/save.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/device-unplug.h"
#include "driver/devices.h"
#include "driver/disks.h"
#include "driver/domain-private.h"
#include "driver/hook-begin.h"
#include "driver/memory-check.h"
#include "driver/migrate-settle.h"
#include "driver/migration-end.h"
#include "driver/overlay-bases.h"
#include "driver/quiesce.h"
#include "driver/registry.h"
#include "driver/save-commit.h"
#include "driver/save-private.h"
#include "driver/save-track.h"
#include "driver/vcpus.h"
#include "image/disks.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"

typedef StasisSave Save;

static void
save_clear (Save *save)
{
  stasis_save_engine_free (save->engine); /* it may have to wait for what it writes to the file */
  stasis_save_output_free (save->output);
  stasis_save_place_free (save->place);
  stasis_save_base_free (save->base);
  stasis_disk_snapshot_free (save->snapshot);
  g_clear_pointer (&save->ram_blocks, g_ptr_array_unref);
  g_clear_pointer (&save->disks, g_ptr_array_unref);
  stasis_domain_def_free (save->def);
  stasis_domain_def_free (save->def_before);
  g_clear_pointer (&save->facts, stasis_json_unref);
  stasis_monitor_close (save->monitor);
  stasis_hold_release (save->hold);
  g_free (save->xml);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Save, save_clear)

static const char *
operation_name (gboolean is_managed, StasisSaveFlags flags)
{
  if (is_managed)
    return "managedsave";
  return (flags & STASIS_SAVE_KEEP_RUNNING) != 0 ? "checkpoint" : "save";
}

/* The definition gives a managed image its meaning; under the hold nobody can remove it. */
static gboolean
check_persistent (const Save *save, GError **error)
{
  const char *name = stasis_domain_get_name (save->domain);
  if (!save->is_managed || stasis_registry_has (save->driver, name))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("cannot do managed save of the transient domain '%s'"), name);
  return FALSE;
}

static gboolean
look_at_guest (Save *save, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (save->monitor, &state, NULL, error)
      || !stasis_migration_check_none (save->monitor, save->hold->status->name,
                                       stasis_job_cancellable (save->job), error))
    return FALSE;

  if (save->hold->status->undecided_migration != NULL)
    return stasis_migrate_throw_elsewhere (save->hold->status, error);
  if (save->hold->status->is_undecided && state != STASIS_RUN_STATE_RUNNING)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("an earlier save of domain '%1$s' into a pipe may be complete: resume or "
                      "destroy the domain first"),
                   save->hold->status->name);
      return FALSE;
    }

  /* A guest that sleeps is let go to sleep on. */
  save->was_running = state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED;
  save->is_postmigrate = state == STASIS_RUN_STATE_POSTMIGRATE;
  if (save->is_postmigrate || state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_PAUSED
      || state == STASIS_RUN_STATE_PRELAUNCH || state == STASIS_RUN_STATE_SUSPENDED)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' cannot be saved in the state '%2$s'"), save->hold->status->name,
               stasis_run_state_to_string (state));
  return FALSE;
}

/* What was mapped from an image that nobody has verified yet is not passed on as good.  The lock is
 * not held meanwhile: others may have to do with the guest, and see and abort what waits here. */
static gboolean
await_memory_check (Save *save, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (save->domain, &status, error))
    return FALSE;
  if (status == NULL)
    return TRUE;
  g_autofree char *folder = stasis_paths_domain (save->driver->paths, status->name, NULL);
  if (!stasis_memory_check_goes_on (status, folder))
    return TRUE;
  stasis_job_attach_background (save->job, folder);
  stasis_job_set_phase (save->job, "wait for the memory image to be verified");
  while (stasis_memory_check_goes_on (status, folder))
    {
      stasis_job_update (save->job);
      if (g_cancellable_set_error_if_cancelled (stasis_job_cancellable (save->job), error))
        return FALSE;
      g_usleep (STASIS_MEMORY_CHECK_LOOK_US);
    }
  stasis_job_set_phase (save->job, "prepare");
  return TRUE;
}

/* A guest on a damaged image is passed on only by somebody who has resumed it in spite of that. */
static gboolean
check_memory (const Save *save, GError **error)
{
  const StasisStatus *status = save->hold->status;
  StasisMemoryFinding finding;
  g_autofree char *message = NULL;
  if (!stasis_memory_check_wait (status, save->hold->folder, stasis_job_cancellable (save->job),
                                 &finding, &message, error))
    return FALSE;
  if (finding != STASIS_MEMORY_FINDING_DAMAGED || status->is_damage_accepted)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the memory of domain '%1$s' comes from a damaged image (%2$s); it can be saved "
                  "once it has been resumed in spite of that"),
               status->name, message);
  return FALSE;
}

/* A guest that goes on changes its disks, and the image is of a moment: they are kept as they are
 * in that, unless they are left out. */
static gboolean
check_disks (Save *save, GError **error)
{
  /* A disk that cannot be described says so now, not after minutes of copying. */
  g_autoptr (GPtrArray) disks = stasis_disks_describe (save->def, error);
  if (disks == NULL)
    return FALSE;
  if (!stasis_save_keeps_running (save) || (save->flags & STASIS_SAVE_NO_DISKS) != 0)
    return TRUE;
  save->snapshot = stasis_disk_snapshot_new (save->def, save->hold->status, save->monitor,
                                             stasis_job_cancellable (save->job), error);
  return save->snapshot != NULL;
}

static gboolean
check_quiesce (const Save *save, GError **error)
{
  if (stasis_save_head_is_frozen (save) && !stasis_quiesce_check_kind (save->form.kind, error))
    return FALSE;
  return (save->flags & STASIS_SAVE_QUIESCE) == 0
         || stasis_quiesce_check (save->def, save->monitor, stasis_job_cancellable (save->job),
                                  error);
}

static gboolean
open_base (Save *save, GError **error)
{
  if ((save->flags & STASIS_SAVE_INCREMENTAL) == 0)
    return TRUE;
  save->base = stasis_save_base_open (save->hold->status, save->request->base, save->request->path,
                                      stasis_job_cancellable (save->job), error);
  return save->base != NULL;
}

/* All that may say no before anything is touched. */
static gboolean
ask_everybody (Save *save, GError **error)
{
  if (!await_memory_check (save, error))
    return FALSE;
  save->hold
      = stasis_hold_take_running (save->driver, stasis_domain_get_name (save->domain), error);
  if (save->hold == NULL || !check_persistent (save, error))
    return FALSE;
  save->def = stasis_domain_load_live (save->domain, error);
  if (save->def == NULL)
    return FALSE;
  save->monitor = stasis_hold_open_monitor (save->hold, stasis_job_cancellable (save->job), error);
  if (save->monitor == NULL
      || !stasis_device_unplug_settle_held (save->driver, save->hold, save->monitor, save->def,
                                            error)
      || !stasis_vcpus_check_boot (save->def, save->monitor, stasis_job_cancellable (save->job),
                                   error)
      || !stasis_save_head_choose (save, error) || !check_memory (save, error)
      || !look_at_guest (save, error) || !check_quiesce (save, error))
    return FALSE;

  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->place->name,
    .def = save->def,
    .monitor = save->monitor,
  };
  if (!stasis_devices_test (&request, error))
    return FALSE;
  return check_disks (save, error) && open_base (save, error);
}

static StasisSaveEngine *
try_engine (const Save *save, gboolean is_live, GError **error)
{
  const StasisSaveGuest guest = {
    .status = save->hold->status,
    .ram_blocks = save->ram_blocks,
    .was_running = save->was_running,
    .is_live = is_live,
    .is_patient = stasis_save_wants_live (save),
    .release_disks = !stasis_save_keeps_running (save),
    .chain = save->base != NULL ? save->base->chain : NULL,
    .is_chain_mapped = save->base != NULL && save->base->is_mapped,
    .is_chain_tracked = save->base != NULL && save->base->is_tracked,
    .keep_track = stasis_save_wants_track (save),
  };
  return stasis_save_engine_choose (save->monitor, stasis_save_output_way (save->output),
                                    stasis_save_place_file_fd (save->place), &guest,
                                    stasis_job_cancellable (save->job), error);
}

/* Nobody said how.  What is tracked of a guest's writes would be lost with a save that fails, and
 * what has changed since a base is little. */
static gboolean
may_be_live (const Save *save)
{
  return save->was_running && (save->flags & (STASIS_SAVE_STILL | STASIS_SAVE_INCREMENTAL)) == 0
         && save->form.kind == STASIS_IMAGE_KIND_STASIS
         && stasis_save_output_way (save->output) == STASIS_SAVE_WAY_BEST
         && !stasis_tracked_is_on (save->hold->status->tracked);
}

/* A guest stands still for as short as can be had without asking more of it: its memory is copied
 * while it runs where we can do so ourselves. */
static gboolean
choose_engine (Save *save, GError **error)
{
  save->is_live = stasis_save_wants_live (save);
  if (!save->is_live && may_be_live (save))
    {
      save->engine = try_engine (save, TRUE, NULL);
      save->is_live = save->engine != NULL && save->engine->capture != NULL;
      if (!save->is_live)
        g_clear_pointer (&save->engine, stasis_save_engine_free);
    }
  if (save->engine == NULL)
    save->engine = try_engine (save, save->is_live, error);
  if (save->engine == NULL)
    return FALSE;
  g_autofree char *note = stasis_save_track_describe (save);
  stasis_job_set_engine_note (save->job, note);
  stasis_job_set_engine (save->job, save->engine->description);
  return TRUE;
}

static gboolean
begin_image (Save *save, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  if (!stasis_save_place_begin (save->place, stasis_save_output_keep (&save->form), error))
    return FALSE;
  save->output = stasis_save_output_new (&save->form, save->place);
  save->ram_blocks = stasis_monitor_query_ram_blocks (save->monitor, cancellable, error);
  if (save->ram_blocks == NULL)
    return FALSE;
  stasis_save_track_check (save);
  /* What cannot be written again is written once the guest stands still (save-state.c). */
  return choose_engine (save, error)
         && (save->engine->way == STASIS_SAVE_WAY_THROUGH || stasis_save_head_write (save, error));
}

/* Nobody has said no: now it counts as a job. */
static gboolean
begin (Save *save, GError **error)
{
  g_autofree char *last = stasis_paths_last_job (save->driver->paths, save->hold->status->name);
  stasis_job_begin (save->job, last);
  g_autoptr (GError) local = NULL;
  if (begin_image (save, &local))
    return TRUE;
  stasis_job_attach_background (save->job, save->hold->folder); /* for who hears of its end */
  stasis_job_end (save->job, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The guest goes on meanwhile, and may come to stand still by itself. */
static gboolean
ask_hooks (Save *save, GError **error)
{
  const char *operation = stasis_save_keeps_running (save) ? "checkpoint" : "save";
  if (!stasis_hold_write (save->hold, error))
    return FALSE;
  stasis_job_attach (save->job, save->hold->folder);
  StasisRunState state;
  if (!stasis_hook_begin_in_job (save->hold, save->def, operation, save->job, error)
      || !stasis_monitor_query_status (save->monitor, &state, NULL, error))
    return FALSE;
  const gboolean is_running
      = state == STASIS_RUN_STATE_RUNNING || state == STASIS_RUN_STATE_SUSPENDED;
  if (is_running == save->was_running)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' came into the state '%2$s' while its hooks were asked"),
               save->hold->status->name, stasis_run_state_to_string (state));
  return FALSE;
}

/* From here on this process may die and the guest must not notice for long. */
static gboolean
open_journal (Save *save, GError **error)
{
  StasisJournal *journal = &save->hold->status->journal;
  stasis_job_claim (save->job, save->hold->folder);
  stasis_journal_begin (journal, STASIS_STEP_SAVE, operation_name (save->is_managed, save->flags));
  journal->id = g_strdup (stasis_job_id (save->job));
  journal->was_running = save->was_running;
  journal->parameters
      = stasis_migration_note_parameters (save->monitor, stasis_job_cancellable (save->job), error);
  /* A guest that goes on goes on with them, and beyond the image. */
  const char *overlays = stasis_save_keeps_running (save) ? NULL : save->hold->status->overlays;
  if (journal->parameters == NULL || !stasis_save_place_note (save->place, journal, error)
      || (overlays != NULL
          && !stasis_overlay_bases_keep (save->def, overlays, journal->target, error))
      || (stasis_hook_may_be_asked (save->hold) && !ask_hooks (save, error)))
    return FALSE;
  stasis_save_track_begin (save);
  if (!stasis_hold_write (save->hold, error))
    return FALSE;
  stasis_job_attach (save->job, save->hold->folder);
  return stasis_fault ("save-journal", error);
}

static gboolean
run (Save *save, GError **error)
{
  stasis_job_set_phase (save->job, "prepare");
  if (!ask_everybody (save, error) || !begin (save, error))
    {
      stasis_job_leave (save->job);
      return FALSE;
    }

  StasisSaveOutcome outcome = STASIS_SAVE_OPEN;
  g_autoptr (GError) local = NULL;
  const StasisStill *still = stasis_save_keeps_running (save) ? NULL : &save->still;
  if (open_journal (save, &local) && stasis_save_write_state (save, &local))
    outcome = stasis_save_commit (save->place, save->hold, save->job, still, &local);
  if (outcome == STASIS_SAVE_COMPLETE)
    return stasis_save_finish (save, error);

  if (outcome == STASIS_SAVE_UNDECIDED)
    stasis_save_leave_paused (save, &local);
  else
    stasis_save_roll_back (save, &local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
check_flags (StasisSaveFlags flags, gboolean is_managed, GError **error)
{
  const char *message = NULL;
  if ((flags & STASIS_SAVE_RUNNING) != 0 && (flags & STASIS_SAVE_PAUSED) != 0)
    message = _ ("an image cannot be resumed both running and paused");
  else if ((flags & STASIS_SAVE_STILL) != 0
           && (flags & (STASIS_SAVE_LIVE | STASIS_SAVE_KEEP_RUNNING)) != 0)
    message = _ ("a guest cannot run and stand still while its memory is copied");
  else if ((flags & STASIS_SAVE_NO_DISKS) != 0 && (flags & STASIS_SAVE_KEEP_RUNNING) == 0)
    message = _ ("disks are left out only where the guest goes on");
  else if ((flags & STASIS_SAVE_TRACK) != 0 && (flags & STASIS_SAVE_KEEP_RUNNING) == 0)
    message = _ ("what the guest writes to is tracked only where it goes on");
  else if ((flags & STASIS_SAVE_INCREMENTAL) != 0 && is_managed)
    message = _ ("a managed save is whole: it is removed once the domain is started from it");
  else if ((flags & STASIS_SAVE_KEEP_RUNNING) != 0 && is_managed)
    message = _ ("a managed save ends the guest: it cannot be kept running");
  if (message == NULL)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT, message);
  return FALSE;
}

/* Pages that are written a second time want a file, and a body with a place for each. */
static gboolean
check_form (const Save *save, GError **error)
{
  const gboolean is_incremental = (save->flags & STASIS_SAVE_INCREMENTAL) != 0;
  if ((!stasis_save_wants_live (save) && !is_incremental)
      || save->form.kind == STASIS_IMAGE_KIND_STASIS)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("a live or incremental save goes into a file of our own kind ('stasis'): "
                          "'image convert' makes another one of it"));
  return FALSE;
}

/* Save the domain and end it. */
gboolean
stasis_save_run (StasisDomain *self, gboolean is_managed, const StasisSaveRequest *request,
                 const StasisSaveReader *reader, StasisProgressFunc progress, gpointer user_data,
                 GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJob) job = stasis_job_new (operation_name (is_managed, request->flags), progress,
                                              user_data, cancellable);
  g_auto (Save) save = {
    .driver = stasis_domain_get_driver (self),
    .domain = self,
    .is_managed = is_managed,
    .flags = request->flags,
    .request = request,
    .job = job,
    .pause_us = -1,
  };
  if (!check_flags (request->flags, is_managed, error))
    return FALSE;
  save.place = stasis_save_place_new (request->path, request->fd, request->fd_name, error);
  if (save.place != NULL)
    save.place->reader = reader;
  return save.place != NULL
         && stasis_save_form_choose (request->format, request->compress,
                                     stasis_save_place_is_stream (save.place), &save.form, error)
         && check_form (&save, error)
         && stasis_save_place_open (save.place, stasis_job_cancellable (job), error)
         && run (&save, error);
}
