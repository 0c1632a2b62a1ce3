/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.c: saving a running domain to an image, and ending it
 *
 * Theory of operation
 *
 * In this order: everything that may say no is asked (hold, state, place, devices' step 0); the
 * image is begun, with the definition in it; the journal says SAVE; the guest is paused; its memory
 * goes into the image, as its kind wants it (save-output.c), and where QEMU writes it in place we
 * hash it from outside; what belongs behind it follows, and is synced; the journal says COMMIT; the
 * image is completed (save-commit.c), if the guest has stood still all the time (still.c); the
 * journal says COMMITTED; QEMU is ended.
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

#include "driver/devices.h"
#include "driver/disks.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/job.h"
#include "driver/marks.h"
#include "driver/memory-check.h"
#include "driver/memory-hash.h"
#include "driver/recover.h"
#include "driver/registry.h"
#include "driver/save-commit.h"
#include "driver/save-facts.h"
#include "driver/save-output.h"
#include "driver/still.h"
#include "driver/teardown.h"
#include "image/disks.h"
#include "monitor/commands-run.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/uuid.h"

#define HASH_THREADS 2u

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisDomain *domain; /* (borrowed) */
  gboolean is_managed;
  StasisSaveFlags flags;
  StasisSaveForm form;
  StasisSavePlace *place; /* (owned) */
  StasisJob *job;         /* (borrowed) */
  StasisHold *hold;       /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  StasisDomainDef *def;   /* (owned): of the running instance */
  char *xml;              /* (owned): that goes into the image */
  gboolean was_running;
  gboolean is_postmigrate;
  StasisStill still;        /* once it is paused */
  StasisSaveEngine *engine; /* (owned) */
  StasisSaveOutput *output; /* (owned) */
  GPtrArray *ram_blocks;    /* (owned) of StasisRamBlock */
  gint64 paused_us;
} Save;

static void
save_clear (Save *save)
{
  stasis_save_output_free (save->output);
  stasis_save_place_free (save->place);
  stasis_save_engine_free (save->engine);
  g_clear_pointer (&save->ram_blocks, g_ptr_array_unref);
  stasis_domain_def_free (save->def);
  stasis_monitor_close (save->monitor);
  stasis_hold_release (save->hold);
  g_free (save->xml);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Save, save_clear)

static const char *
operation_name (gboolean is_managed)
{
  return is_managed ? "managedsave" : "save";
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

/* What the image is to say of the guest: its live definition, or the caller's of the same ABI. */
static gboolean
choose_xml (Save *save, const char *xml, GError **error)
{
  const StasisDomainFormatFlags flags = STASIS_DOMAIN_FORMAT_INACTIVE
                                        | STASIS_DOMAIN_FORMAT_MIGRATABLE
                                        | STASIS_DOMAIN_FORMAT_SECURE;
  if (xml == NULL)
    {
      save->xml = stasis_domain_def_format (save->def, flags);
      return TRUE;
    }
  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (save->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL || !stasis_domain_def_check_abi (save->def, wanted, error))
    return FALSE;
  save->xml = stasis_domain_def_format (wanted, flags);
  return TRUE;
}

/* A QEMU whose earlier save failed at its very end has sent its state away and wants to be let go
 * once before it can do so again. */
static gboolean
leave_postmigrate (Save *save, GError **error)
{
  return stasis_monitor_cont (save->monitor, NULL, error)
         && stasis_monitor_stop (save->monitor, NULL, error);
}

static gboolean
look_at_guest (Save *save, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (save->monitor, &state, NULL, error))
    return FALSE;

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
 * not held meanwhile: others may have to do with the guest. */
static gboolean
await_memory_check (Save *save, GError **error)
{
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (save->domain, &status, error))
    return FALSE;
  if (status == NULL)
    return TRUE;
  g_autofree char *folder = stasis_paths_domain (save->driver->paths, status->name, NULL);
  StasisMemoryFinding finding;
  g_autofree char *message = NULL;
  stasis_job_set_phase (save->job, "wait for the memory image to be verified");
  return stasis_memory_check_wait (status, folder, stasis_job_cancellable (save->job), &finding,
                                   &message, error);
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

/* All that may say no before anything is touched. */
static gboolean
ask_everybody (Save *save, const char *xml, GError **error)
{
  if (!await_memory_check (save, error))
    return FALSE;
  save->hold
      = stasis_hold_take_running (save->driver, stasis_domain_get_name (save->domain), error);
  if (save->hold == NULL || !check_persistent (save, error))
    return FALSE;
  save->def = stasis_domain_load_live (save->domain, error);
  if (save->def == NULL || !choose_xml (save, xml, error))
    return FALSE;
  save->monitor = stasis_hold_open_monitor (save->hold, stasis_job_cancellable (save->job), error);
  if (save->monitor == NULL || !check_memory (save, error) || !look_at_guest (save, error))
    return FALSE;

  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->place->name,
    .def = save->def,
    .monitor = save->monitor,
  };
  if (!stasis_devices_test (&request, error))
    return FALSE;
  /* A disk that cannot be described says so now, not after minutes of copying. */
  g_autoptr (GPtrArray) disks = stasis_disks_describe (save->def, error);
  return disks != NULL;
}

static gboolean
resume_running (const Save *save)
{
  if (save->flags & STASIS_SAVE_RUNNING)
    return TRUE;
  return save->was_running && (save->flags & STASIS_SAVE_PAUSED) == 0;
}

/* All that is known before the guest is paused. */
static gboolean
write_head (Save *save, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  const char *reason = save->was_running ? "running" : "user";
  g_autoptr (StasisJson) json
      = stasis_save_facts (save->def, save->hold->status, save->engine, save->ram_blocks,
                           resume_running (save), reason, save->monitor, cancellable);
  guint8 uuid[STASIS_UUID_SIZE];
  if (!stasis_uuid_parse (save->def->uuid, uuid, error))
    return FALSE;
  const StasisSaveHead head = {
    .domain_uuid = uuid,
    .xml = save->xml,
    .qemu_facts = json,
    .way = save->engine->way,
    .resume_running = resume_running (save),
  };
  return stasis_save_output_begin (save->output, &head, cancellable, error);
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
  const StasisSaveGuest guest = { save->hold->status, save->ram_blocks };
  save->engine = stasis_save_engine_choose (save->monitor, stasis_save_output_way (save->output),
                                            stasis_save_place_file_fd (save->place), &guest,
                                            cancellable, error);
  if (save->engine == NULL)
    return FALSE;
  stasis_job_set_engine (save->job, save->engine->description);
  return write_head (save, error);
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
  stasis_job_end (save->job, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* From here on this process may die and the guest must not notice for long. */
static gboolean
open_journal (Save *save, GError **error)
{
  StasisJournal *journal = &save->hold->status->journal;
  stasis_journal_begin (journal, STASIS_STEP_SAVE, operation_name (save->is_managed));
  journal->was_running = save->was_running;
  if (!stasis_save_place_note (save->place, journal, error)
      || !stasis_hold_write (save->hold, error))
    return FALSE;
  stasis_job_attach (save->job, save->hold->folder);
  return stasis_fault ("save-journal", error);
}

/* What is written is hashed on the way. */
static gboolean
capture_memory (Save *save, StasisImageHashes **out_hashes, GError **error)
{
  const StasisSaveBody body = stasis_save_output_body (save->output);
  const StasisCaptureTarget target = {
    .qemu = &save->hold->status->qemu,
    .ram_blocks = save->ram_blocks,
    .fd = body.fd,
    .offset = body.offset,
    .direct_io = save->engine->direct_io,
    .fdset = save->hold->status->journal.fdset,
  };
  stasis_job_set_phase (save->job, "copy");
  return stasis_capture_run (save->engine->capture, &target, save->monitor, save->job, out_hashes,
                             error);
}

/* QEMU writes, we hash what it should write. */
static gboolean
copy_memory (Save *save, StasisImageHashes **out_hashes, GError **error)
{
  if (save->engine->capture != NULL)
    return capture_memory (save, out_hashes, error);
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
  *out_hashes = stasis_memory_hash_finish (memory, error);
  return *out_hashes != NULL;
}

static gboolean
write_tail (Save *save, const StasisImageHashes *hashes, GError **error)
{
  g_autoptr (GPtrArray) disks = stasis_disks_describe (save->def, error);
  if (disks == NULL)
    return FALSE;

  g_autoptr (StasisJson) json = disks->len > 0 ? stasis_image_disks_to_json (disks) : NULL;
  stasis_job_set_phase (save->job, "hash and sync");
  return stasis_save_output_finish (save->output, json, hashes, save->job, error);
}

static gboolean
pause_guest (Save *save, GError **error)
{
  if (save->is_postmigrate && !leave_postmigrate (save, error))
    return FALSE;
  if (save->was_running
      && !stasis_monitor_stop (save->monitor, stasis_job_cancellable (save->job), error))
    return FALSE;
  const StasisStatus *status = save->hold->status;
  return stasis_still_begin (&save->still, save->monitor, &status->qemu, status->name,
                             save->was_running, error);
}

/* Paused guest to complete file. */
static gboolean
write_state (Save *save, GError **error)
{
  StasisJournal *journal = &save->hold->status->journal;
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  const StasisSaveBody body = stasis_save_output_body (save->output);
  if (!stasis_save_engine_pass (save->engine, save->monitor, &body, journal, cancellable, error)
      || !stasis_hold_write (save->hold, error) || !stasis_fault ("save-passed", error))
    return FALSE;

  stasis_job_set_phase (save->job, "pause");
  save->paused_us = g_get_monotonic_time ();
  if (!pause_guest (save, error))
    return FALSE;
  g_autoptr (StasisImageHashes) hashes = NULL;
  return stasis_fault ("save-paused", error) && copy_memory (save, &hashes, error)
         && stasis_still_check (&save->still, error) && stasis_fault ("save-copied", error)
         && write_tail (save, hashes, error) && stasis_fault ("save-written", error);
}

/* QEMU has sent everything away and its disks are closed: there is nothing to wait for. */
static void
end_qemu_at_once (const StasisStatus *status)
{
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, NULL);
  if (pidfd >= 0)
    stasis_process_end (pidfd, /* grace_ms= */ 0);
}

/* The image is complete and the guest ended: that is what was asked for, and whoever comes next may
 * clear away what is left.  Only a QEMU that does not end is a failure. */
static gboolean
clear_away (const Save *save, GError **error)
{
  g_autoptr (GError) local = NULL;
  const StasisStatus *status = save->hold->status;
  if (stasis_teardown (status, save->hold->folder, "saved", &local))
    return TRUE;
  if (!stasis_process_is_alive (&status->qemu))
    {
      g_warning (_ ("the image '%1$s' is complete and the guest has ended, but its run folder is "
                    "left: %2$s"),
                 save->place->name, local->message);
      return TRUE;
    }
  g_propagate_prefixed_error (error, g_steal_pointer (&local),
                              _ ("the image '%s' is complete, but: "), save->place->name);
  return FALSE;
}

/* The image is complete: the guest must not live beside it.  What fails from here on does not
 * change that any more. */
static gboolean
finish (Save *save, GError **error)
{
  StasisStatus *status = save->hold->status;
  g_autoptr (GError) local = NULL;
  status->journal.step = STASIS_STEP_COMMITTED;
  if (!stasis_fault ("save-renamed", &local) || !stasis_hold_write (save->hold, &local))
    g_debug ("%s", local->message);
  if (!stasis_fault ("save-committed", NULL))
    g_debug ("fault after the commit");

  if (save->form.kind == STASIS_IMAGE_KIND_STASIS)
    stasis_mark_verified (save->driver->paths, stasis_save_place_file_fd (save->place));
  StasisJobStats *stats = stasis_job_stats (save->job);
  if (save->engine->way == STASIS_SAVE_WAY_THROUGH)
    stats->bytes_written = stasis_save_place_written (save->place);
  stats->pause_us = save->was_running ? g_get_monotonic_time () - save->paused_us : -1;
  stasis_job_end (save->job, NULL);

  g_autoptr (GError) unnoted = NULL;
  if (!stasis_end_reason_write (save->hold->folder, "saved", &unnoted))
    g_debug ("%s", unnoted->message);
  end_qemu_at_once (status);
  return clear_away (save, error);
}

/* Say so where the guest, or somebody who ended it, was faster than the save: what QEMU's monitor
 * says of that is that it is gone.  FALSE where QEMU lives, or nobody has noted why it does not. */
static gboolean
explain_end (const Save *save, GError **error)
{
  const char *name = save->hold->status->name;
  g_autofree char *reason = stasis_monitor_is_closed (save->monitor)
                                ? stasis_end_reason_read (save->hold->folder)
                                : NULL;
  g_autofree char *message = NULL;
  if (g_strcmp0 (reason, "shutdown") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' was shut off while it was being saved; no image was written"), name);
  else if (g_strcmp0 (reason, "destroyed") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' was destroyed while it was being saved; no image was written"), name);
  else if (g_strcmp0 (reason, "crashed") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' crashed while it was being saved; no image was written"), name);
  if (message == NULL)
    return FALSE;

  g_clear_error (error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, message);
  return TRUE;
}

/* The guest goes on as it was.  @error tells why; what goes wrong here is added to it, unless QEMU
 * has ended: then there is nobody to go on. */
static void
roll_back (Save *save, GError **error)
{
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->place->name,
    .def = save->def,
  };
  stasis_job_set_phase (save->job, "roll back");
  stasis_devices_recover (&request);
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_roll_back (save->hold->folder, save->hold->status, save->monitor, &local)
      && !explain_end (save, error) && !stasis_monitor_is_closed (save->monitor))
    g_prefix_error (error, _ ("(and %s) "), local->message);

  stasis_job_end (save->job, *error);
}

/* The reader of a pipe may have a complete image. */
static void
leave_paused (Save *save, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_leave_paused (save->hold->folder, save->hold->status, save->monitor, &local))
    g_prefix_error (error, "(%s) ", local->message);
  stasis_job_end (save->job, *error);
}

static gboolean
run (Save *save, const char *xml, GError **error)
{
  stasis_job_set_phase (save->job, "prepare");
  if (!ask_everybody (save, xml, error) || !begin (save, error))
    return FALSE;

  StasisSaveOutcome outcome = STASIS_SAVE_OPEN;
  g_autoptr (GError) local = NULL;
  if (open_journal (save, &local) && write_state (save, &local))
    outcome = stasis_save_commit (save->place, save->hold, save->job, &save->still, &local);
  if (outcome == STASIS_SAVE_COMPLETE)
    return finish (save, error);

  if (outcome == STASIS_SAVE_UNDECIDED)
    leave_paused (save, &local);
  else
    roll_back (save, &local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
check_flags (StasisSaveFlags flags, GError **error)
{
  if ((flags & STASIS_SAVE_RUNNING) == 0 || (flags & STASIS_SAVE_PAUSED) == 0)
    return TRUE;
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("an image cannot be resumed both running and paused"));
  return FALSE;
}

/* Save the domain and end it. */
gboolean
stasis_save_run (StasisDomain *self, gboolean is_managed, const StasisSaveRequest *request,
                 StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (StasisJob) job
      = stasis_job_new (operation_name (is_managed), progress, user_data, cancellable);
  g_auto (Save) save = {
    .driver = stasis_domain_get_driver (self),
    .domain = self,
    .is_managed = is_managed,
    .flags = request->flags,
    .job = job,
  };
  if (!check_flags (request->flags, error))
    return FALSE;
  save.place = stasis_save_place_new (request->path, request->fd, request->fd_name, error);
  return save.place != NULL
         && stasis_save_form_choose (request->format, request->compress,
                                     stasis_save_place_is_stream (save.place), &save.form, error)
         && stasis_save_place_open (save.place, stasis_job_cancellable (job), error)
         && run (&save, request->xml, error);
}
