/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save.c: saving a running domain to an image, and ending it
 *
 * Theory of operation
 *
 * In this order: everything that may say no is asked (hold, state, target, devices' step 0); a
 * file without a name is begun beside the target, with the definition in it; the journal says
 * SAVE; the guest is paused; QEMU writes its memory into the file while we hash it from outside;
 * hash table and tail records follow and are synced; the journal says COMMIT; the file gets its
 * name by rename; the journal says COMMITTED; QEMU is ended.
 *
 * Until the rename any failure, and the death of this process at any point, ends with the guest
 * going on as it was and the target as it was (recover.c does it for a dead process).  From the
 * rename on there is only forward: the guest is ended, for it must never live beside its image.
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/devices.h"
#include "driver/disks.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/job.h"
#include "driver/marks.h"
#include "driver/memory-hash.h"
#include "driver/recover.h"
#include "driver/save-engine.h"
#include "driver/save-facts.h"
#include "driver/save-target.h"
#include "driver/teardown.h"
#include "image/writer.h"
#include "monitor/commands-run.h"
#include "util/atomic-file.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/uuid.h"

#define HASH_THREADS 2u

typedef struct
{
  StasisDriver *driver;  /* (borrowed) */
  StasisDomain *domain;  /* (borrowed) */
  const char *operation; /* "save" or "managedsave" */
  char *target;          /* (owned) */
  StasisSaveFlags flags;
  StasisJob *job;         /* (borrowed) */
  StasisHold *hold;       /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  StasisDomainDef *def;   /* (owned): of the running instance */
  char *xml;              /* (owned): that goes into the image */
  gboolean was_running;
  gboolean is_postmigrate;
  StasisSaveEngine *engine;  /* (owned) */
  StasisAtomicFile *file;    /* (owned) */
  StasisImageWriter *writer; /* (owned) */
  GPtrArray *ram_blocks;     /* (owned) of StasisRamBlock */
  gint64 paused_us;
} Save;

static void
save_clear (Save *save)
{
  stasis_image_writer_free (save->writer);
  stasis_atomic_file_free (save->file);
  stasis_save_engine_free (save->engine);
  g_clear_pointer (&save->ram_blocks, g_ptr_array_unref);
  stasis_domain_def_free (save->def);
  stasis_monitor_close (save->monitor);
  stasis_hold_release (save->hold);
  g_free (save->xml);
  g_free (save->target);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Save, save_clear)

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

/* All that may say no before anything is touched. */
static gboolean
ask_everybody (Save *save, const char *xml, GError **error)
{
  save->hold
      = stasis_hold_take_running (save->driver, stasis_domain_get_name (save->domain), error);
  if (save->hold == NULL)
    return FALSE;
  save->def = stasis_domain_load_live (save->domain, error);
  if (save->def == NULL || !choose_xml (save, xml, error))
    return FALSE;
  save->monitor = stasis_hold_open_monitor (save->hold, stasis_job_cancellable (save->job), error);
  if (save->monitor == NULL || !look_at_guest (save, error))
    return FALSE;

  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->target,
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

/* The file with everything that is known before the guest is paused. */
static gboolean
begin_image (Save *save, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  save->file = stasis_atomic_file_begin (save->target, 0600, error);
  if (save->file == NULL)
    return FALSE;
  const int fd = stasis_atomic_file_fd (save->file);
  save->engine = stasis_save_engine_choose (save->monitor, fd, cancellable, error);
  if (save->engine == NULL)
    return FALSE;
  stasis_job_set_engine (save->job, save->engine->description);
  save->ram_blocks = stasis_monitor_query_ram_blocks (save->monitor, cancellable, error);
  if (save->ram_blocks == NULL)
    return FALSE;

  const char *reason = save->was_running ? "running" : "user";
  g_autoptr (StasisJson) json
      = stasis_save_facts (save->def, save->hold->status, save->engine, save->ram_blocks,
                           resume_running (save), reason, save->monitor, cancellable);
  g_autoptr (GBytes) xml = g_bytes_new_static (save->xml, strlen (save->xml));
  StasisImageFacts facts = { .xml = xml, .qemu_facts = json, .body_kind = save->engine->body_kind };
  if (!stasis_uuid_parse (save->def->uuid, facts.domain_uuid, error))
    return FALSE;
  save->writer = stasis_image_writer_begin (fd, &facts, error);
  return save->writer != NULL;
}

/* From here on this process may die and the guest must not notice for long. */
static gboolean
open_journal (Save *save, GError **error)
{
  struct stat st;
  if (fstat (stasis_atomic_file_fd (save->file), &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the new image"));

  StasisJournal *journal = &save->hold->status->journal;
  const char *temp = stasis_atomic_file_temp_path (save->file);
  stasis_journal_begin (journal, STASIS_STEP_SAVE, save->operation);
  journal->was_running = save->was_running;
  journal->target = g_strdup (save->target);
  journal->temp = g_strdup (temp);
  journal->device = st.st_dev;
  journal->inode = st.st_ino;
  if (!stasis_hold_write (save->hold, error))
    return FALSE;
  stasis_job_attach (save->job, save->hold->folder);
  return stasis_fault ("save-journal", error);
}

/* QEMU writes, we hash what it should write. */
static gboolean
copy_memory (Save *save, StasisImageHashes **out_hashes, GError **error)
{
  const StasisJournal *journal = &save->hold->status->journal;
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisMemoryHash) memory = NULL;
  if (save->engine->body_kind == STASIS_IMAGE_BODY_MAPPED_RAM)
    memory = stasis_memory_hash_start (&save->hold->status->qemu, save->ram_blocks, HASH_THREADS,
                                       &local);
  if (local != NULL)
    g_debug ("hashes come from the file: %s", local->message);

  stasis_job_set_phase (save->job, "copy");
  if (!stasis_save_engine_run (save->engine, save->monitor,
                               stasis_image_writer_body_offset (save->writer), journal, save->job,
                               error))
    return FALSE;
  if (memory == NULL)
    return TRUE;
  *out_hashes = stasis_memory_hash_finish (memory, error);
  return *out_hashes != NULL;
}

static void
on_hash_progress (guint64 done, guint64 total, gpointer data)
{
  StasisJobStats *stats = stasis_job_stats (data);
  stats->bytes_total = total;
  stats->bytes_processed = done;
  stats->bytes_remaining = total - MIN (done, total);
  stasis_job_update (data);
}

static gboolean
write_tail (Save *save, const StasisImageHashes *hashes, GError **error)
{
  g_autoptr (GPtrArray) disks = stasis_disks_describe (save->def, error);
  if (disks == NULL)
    return FALSE;

  g_autoptr (StasisJson) json = disks->len > 0 ? stasis_image_disks_to_json (disks) : NULL;
  const StasisImageTail tail = { .disks = json, .hashes = hashes };
  stasis_job_set_phase (save->job, "hash and sync");
  return stasis_image_writer_finish (save->writer, 0, &tail, on_hash_progress, save->job,
                                     stasis_job_cancellable (save->job), error);
}

/* The guest may end by itself until its CPUs have stopped: what stands still then must be a guest
 * that can go on, and must still do so when its memory has been copied. */
static gboolean
check_still (const Save *save, GError **error)
{
  StasisRunState state;
  if (!stasis_monitor_query_status (save->monitor, &state, NULL, error))
    return FALSE;
  if (state == STASIS_RUN_STATE_PAUSED || state == STASIS_RUN_STATE_SUSPENDED
      || state == STASIS_RUN_STATE_PRELAUNCH || state == STASIS_RUN_STATE_FINISH_MIGRATE
      || state == STASIS_RUN_STATE_POSTMIGRATE)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%1$s' did not stay paused: it is in the state '%2$s'"),
               save->hold->status->name, stasis_run_state_to_string (state));
  return FALSE;
}

static gboolean
pause_guest (Save *save, GError **error)
{
  if (save->is_postmigrate && !leave_postmigrate (save, error))
    return FALSE;
  if (save->was_running
      && !stasis_monitor_stop (save->monitor, stasis_job_cancellable (save->job), error))
    return FALSE;
  return check_still (save, error);
}

/* Paused guest to complete file. */
static gboolean
write_state (Save *save, GError **error)
{
  StasisJournal *journal = &save->hold->status->journal;
  GCancellable *cancellable = stasis_job_cancellable (save->job);
  if (!stasis_save_engine_pass (save->engine, save->monitor, stasis_atomic_file_fd (save->file),
                                stasis_image_writer_body_offset (save->writer), journal,
                                cancellable, error)
      || !stasis_hold_write (save->hold, error) || !stasis_fault ("save-passed", error))
    return FALSE;

  stasis_job_set_phase (save->job, "pause");
  save->paused_us = g_get_monotonic_time ();
  if (!pause_guest (save, error))
    return FALSE;
  g_autoptr (StasisImageHashes) hashes = NULL;
  return stasis_fault ("save-paused", error) && copy_memory (save, &hashes, error)
         && check_still (save, error) && stasis_fault ("save-copied", error)
         && write_tail (save, hashes, error) && stasis_fault ("save-written", error);
}

/* The rename, with the journal around it.  *@out_renamed: there is no way back any more. */
static gboolean
commit (Save *save, gboolean *out_renamed, GError **error)
{
  StasisJournal *journal = &save->hold->status->journal;
  if (g_cancellable_set_error_if_cancelled (stasis_job_cancellable (save->job), error))
    return FALSE;
  /* Named first: at COMMIT the journal's inode is the new file's, under one name or the other. */
  if (!stasis_atomic_file_link (save->file, error) || !stasis_fault ("save-linked", error))
    return FALSE;
  journal->step = STASIS_STEP_COMMIT;
  if (!stasis_hold_write (save->hold, error) || !stasis_fault ("save-commit", error))
    return FALSE;

  g_autoptr (GError) local = NULL;
  if (!stasis_atomic_file_rename (save->file, out_renamed, &local))
    {
      if (!*out_renamed)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      g_warning ("%s: the image is complete, but may lose its name in a power failure",
                 local->message);
    }
  return TRUE;
}

/* QEMU has sent everything away and its disks are closed: there is nothing to wait for. */
static void
end_qemu_at_once (const StasisStatus *status)
{
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, NULL);
  if (pidfd >= 0)
    stasis_process_end (pidfd, /* grace_ms= */ 0);
}

/* The image has its name: the guest must not live beside it.  What fails from here on does not
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

  stasis_mark_verified (save->driver->paths, stasis_atomic_file_fd (save->file));
  StasisJobStats *stats = stasis_job_stats (save->job);
  stats->pause_us = save->was_running ? g_get_monotonic_time () - save->paused_us : -1;
  g_autofree char *last = stasis_paths_last_job (save->driver->paths, status->name);
  stasis_job_end (save->job, last, NULL);

  const gboolean noted = stasis_end_reason_write (save->hold->folder, "saved", error);
  end_qemu_at_once (status);
  if (!noted || !stasis_teardown (status, save->hold->folder, "saved", error))
    {
      g_prefix_error (error, _ ("the image '%s' is complete, but: "), save->target);
      return FALSE;
    }
  return TRUE;
}

/* The guest goes on as it was.  @error tells why; what goes wrong here is added to it. */
static void
roll_back (Save *save, GError **error)
{
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->target,
    .def = save->def,
  };
  stasis_job_set_phase (save->job, "roll back");
  stasis_devices_recover (&request);
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_roll_back (save->hold->folder, save->hold->status, save->monitor, &local))
    g_prefix_error (error, _ ("(and the guest could not be let go on: %s) "), local->message);

  g_autofree char *last = stasis_paths_last_job (save->driver->paths, save->hold->status->name);
  stasis_job_end (save->job, last, *error);
}

static gboolean
run (Save *save, const char *xml, GError **error)
{
  stasis_job_set_phase (save->job, "prepare");
  if (!ask_everybody (save, xml, error) || !begin_image (save, error))
    return FALSE;

  gboolean renamed = FALSE;
  g_autoptr (GError) local = NULL;
  if (open_journal (save, &local) && write_state (save, &local) && commit (save, &renamed, &local))
    return finish (save, error);

  roll_back (save, &local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
save_to (StasisDomain *self, const char *operation, const char *path, const char *xml,
         StasisSaveFlags flags, StasisProgressFunc progress, gpointer user_data,
         GCancellable *cancellable, GError **error)
{
  if ((flags & STASIS_SAVE_RUNNING) && (flags & STASIS_SAVE_PAUSED))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("an image cannot be resumed both running and paused"));
      return FALSE;
    }
  g_autoptr (StasisJob) job = stasis_job_new (operation, progress, user_data, cancellable);
  g_auto (Save) save = {
    .driver = stasis_domain_get_driver (self),
    .domain = self,
    .operation = operation,
    .flags = flags,
    .job = job,
  };
  save.target = stasis_save_target_resolve (path, error);
  return save.target != NULL && run (&save, xml, error);
}

/**
 * stasis_domain_save:
 * @self: a running domain
 * @path: (type filename): where the save image goes; an image that is there already is replaced
 *   once the new one is complete
 * @xml: (nullable): a definition of the same guest ABI that goes into the image
 * @flags: how the image is to be resumed
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; the domain then runs on
 * @error: return location
 *
 * Saves the state of the domain to an image and ends it.  Blocks; may be called on any thread.
 * On failure the domain goes on as before and @path is as it was.  Fails with
 * %STASIS_ERROR_BUSY while another job holds the domain.
 *
 * Returns: %TRUE if the image is complete and on disk
 */
gboolean
stasis_domain_save (StasisDomain *self, const char *path, const char *xml, StasisSaveFlags flags,
                    StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                    GError **error)
{
  return save_to (self, "save", path, xml, flags, progress, user_data, cancellable, error);
}

/**
 * stasis_domain_managed_save:
 * @self: a running, persistent domain
 * @flags: how it is to be resumed
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; the domain then runs on
 * @error: return location
 *
 * Saves the domain to its managed image, from which stasis_domain_start() brings it back.
 *
 * Returns: %TRUE if the image is complete and on disk
 */
gboolean
stasis_domain_managed_save (StasisDomain *self, StasisSaveFlags flags, StasisProgressFunc progress,
                            gpointer user_data, GCancellable *cancellable, GError **error)
{
  if (!stasis_domain_is_persistent (self))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("cannot do managed save of the transient domain '%s'"),
                   stasis_domain_get_name (self));
      return FALSE;
    }
  g_autofree char *path = stasis_paths_managed_save (stasis_domain_get_driver (self)->paths,
                                                     stasis_domain_get_name (self));
  g_autofree char *folder = g_path_get_dirname (path);
  return stasis_paths_make (folder, error)
         && save_to (self, "managedsave", path, NULL, flags, progress, user_data, cancellable,
                     error);
}
