/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * restore.c: bringing a domain back from a save image
 *
 * Theory of operation
 *
 * First everything that may say no without a QEMU: whose file it is, whether it is a complete
 * image (the reader checks all but the body), its emulator and machine, a replacement's guest
 * ABI, the domain's name and state, its disks, whether the image was resumed before.  Then QEMU
 * is started with its CPUs stopped and loads the body, while we verify it (source-load.c).  Only
 * when both are done may the guest run; an image that was verified here before may be verified
 * while it runs (instant.c).  Whatever fails before ends QEMU, and the image is as it was.  What
 * comes through a pipe says only at its end which disks it knew: they are looked at then, still
 * before the guest runs.
 */

#include "config.h"

#include "driver/restore.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/devices.h"
#include "driver/disks.h"
#include "driver/error.h"
#include "driver/hook-begin.h"
#include "driver/instant.h"
#include "driver/job.h"
#include "driver/marks.h"
#include "driver/ops.h"
#include "driver/overlays.h"
#include "driver/quiesce.h"
#include "driver/registry.h"
#include "driver/restorable.h"
#include "driver/restore-disks.h"
#include "driver/source.h"
#include "driver/start.h"
#include "image/error.h"
#include "monitor/commands-devices.h"
#include "util/error.h"
#include "util/fault.h"
#include "util/fd.h"

typedef struct
{
  StasisRestorable from;
  StasisJob *job;         /* (borrowed) */
  StasisHold *hold;       /* (owned) */
  StasisMonitor *monitor; /* (owned) */
  StasisInstant instant;
  GPtrArray *kept_disks; /* (owned) (nullable) of StasisDiskDef: it goes on in overlays over them */
  gboolean is_managed;
  gboolean is_for_once; /* the image is marked as resumed before the guest runs, unless it is */
  gboolean is_marked;   /* and has been */
} Restore;

static void
restore_clear (Restore *restore)
{
  stasis_monitor_close (restore->monitor);
  stasis_hold_release (restore->hold);
  stasis_instant_clear (&restore->instant);
  g_clear_pointer (&restore->kept_disks, g_ptr_array_unref);
  stasis_restorable_clear (&restore->from);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Restore, restore_clear)

static gboolean
take_hold (Restore *restore, GError **error)
{
  const char *name = restore->from.def->name;
  restore->hold = stasis_hold_take (restore->from.driver, name, error);
  if (restore->hold == NULL)
    return FALSE;
  if (restore->hold->status != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' is already active"), name);
      return FALSE;
    }
  return stasis_registry_check_unique (restore->from.driver, name, restore->from.def->uuid, error);
}

/* The guest's disks move on with it.  A managed image is used up without disks as well, although
 * its file may have stayed because it could not be removed. */
static gboolean
check_first_time (const Restore *restore, GError **error)
{
  if (!restore->is_for_once
      || !stasis_mark_is_resumed (restore->from.driver->paths,
                                  stasis_image_input_ours (restore->from.input)))
    return TRUE;
  if (restore->is_managed)
    return stasis_throw_refused (
        error, _ ("'%s' was already resumed once, and the guest has gone on since"),
        stasis_image_input_name (restore->from.input));
  return stasis_throw_refused (
      error,
      _ ("'%s' was already resumed once, and the guest's disks have moved on since; "
         "--force restores anyway"),
      stasis_image_input_name (restore->from.input));
}

/* The guest's disks are where it left them, as far as the image says where that was. */
static gboolean
check_disks (Restore *restore, GError **error)
{
  const StasisJson *disks = stasis_image_input_disks (restore->from.input);
  restore->is_for_once
      = stasis_image_input_ours (restore->from.input) != NULL
        && (restore->is_managed || stasis_restore_disks_any_other (disks, restore->from.def));
  if (restore->from.flags & STASIS_RESTORE_FORCE)
    {
      /* A mark of an earlier restore is not ours to take back, should this one fail. */
      if (restore->is_for_once)
        restore->is_for_once = !stasis_mark_is_resumed (
            restore->from.driver->paths, stasis_image_input_ours (restore->from.input));
      return TRUE;
    }
  return check_first_time (restore, error) && stasis_restorable_check_bases (&restore->from, error)
         && (disks == NULL || stasis_disks_check (disks, restore->from.def, error));
}

static gboolean
ask_everybody (Restore *restore, int fd_take, const char *path, const char *xml, GError **error)
{
  stasis_job_set_phase (restore->job, "check");
  if (!stasis_restorable_open (&restore->from, fd_take, path, xml,
                               stasis_job_cancellable (restore->job), error)
      || !take_hold (restore, error) || !check_disks (restore, error))
    return FALSE;
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_RESTORE,
    .destination = path,
    .def = restore->from.def,
    .driver = restore->from.driver,
  };
  return stasis_devices_test (&request, error);
}

/* Which way it is after all. */
static const char *
note_engine (Restore *restore)
{
  const StasisInstant *instant = &restore->instant;
  if (instant->view >= 0)
    return stasis_instant_describe (instant);
  if (instant->why_not != NULL)
    {
      g_autofree char *note = g_strdup_printf (_ ("not instant: %s"), instant->why_not);
      stasis_job_set_engine_note (restore->job, note);
    }
  return NULL;
}

/* What was verified before is so no more if somebody has written to it since. */
static gboolean
check_still_verified (const Restore *restore, int fd, GError **error)
{
  return stasis_mark_is_verified (restore->from.driver->paths, fd)
         || stasis_throw_refused (error, _ ("'%s' was changed while it was loaded"),
                                  stasis_image_input_name (restore->from.input));
}

/* The whole image, before the guest runs.  Memory that is loaded is never verified later. */
static gboolean
is_verified_now (const Restore *restore)
{
  return restore->instant.memory.check == STASIS_MEMORY_CHECK_BEFORE
         && (restore->from.flags & STASIS_RESTORE_VERIFY_NONE) == 0;
}

/* Of memory that is mapped only the view is read, faster than anybody looks. */
static void
note_amount (const Restore *restore)
{
  StasisJobStats *stats = stasis_job_stats (restore->job);
  struct stat st;
  if (stats->bytes_total == 0 && restore->instant.view >= 0
      && fstat (restore->instant.view, &st) == 0)
    stats->bytes_total = stats->bytes_processed = (guint64) st.st_blocks * 512;
  stats->bytes_written = stats->bytes_processed;
}

/* QEMU has them open by now, and would write to them. */
static gboolean
check_no_kept_disks (const Restore *restore, GError **error)
{
  g_autoptr (GPtrArray) disks = stasis_restore_disks_list (
      stasis_image_input_disks (restore->from.input), restore->from.def);
  return disks->len == 0
         || stasis_throw_refused (
             error,
             _ ("'%s' keeps the disks of its moment, over which overlays are to be "
                "laid, and says so only at its end: restore it from a file"),
             stasis_image_input_name (restore->from.input));
}

static gboolean
load (Restore *restore, GError **error)
{
  const gboolean is_flat = restore->instant.flat != NULL;
  const int fd = is_flat ? restore->instant.flat->fd : stasis_image_input_fd (restore->from.input);
  const gboolean is_file = stasis_image_input_is_file (restore->from.input);
  const StasisSourceLoad source = { .input = restore->from.input,
                                    .view = restore->instant.view,
                                    .engine = note_engine (restore),
                                    .verify = !is_flat && is_verified_now (restore),
                                    .qemu = &restore->hold->status->qemu };
  struct stat before;
  if (is_file)
    stasis_mark_begin (fd, &before);
  if (!stasis_source_is_mapped (restore->from.input))
    stasis_job_set_engine (restore->job,
                           is_flat ? source.engine : _ ("plain stream, through this process"));
  stasis_job_set_phase (restore->job, source.verify ? "load and verify" : "load");
  if (!stasis_source_load (&source, restore->monitor, restore->job, error))
    return FALSE;
  note_amount (restore);
  if (!is_file)
    return check_disks (restore, error) && check_no_kept_disks (restore, error);
  if (!source.verify)
    return !restore->instant.is_stamped || check_still_verified (restore, fd, error);
  if (stasis_image_input_kind (restore->from.input) == STASIS_IMAGE_KIND_STASIS)
    stasis_mark_verified_since (restore->from.driver->paths, fd, &before);
  return TRUE;
}

/* What recovery has to know before the guest may run: the mark that it takes back if it never does,
 * the managed image that is used up, and what is to be thawed. */
static gboolean
note_in_journal (Restore *restore, GError **error)
{
  StasisJournal *journal = &restore->hold->status->journal;
  stasis_quiesce_note (restore->hold->status, restore->from.def,
                       stasis_image_input_ours (restore->from.input));
  if (restore->is_for_once)
    journal->mark = stasis_mark_resumed_path (restore->from.driver->paths,
                                              stasis_image_input_ours (restore->from.input));
  if (restore->is_managed)
    {
      const int fd = stasis_image_input_fd (restore->from.input);
      journal->target = g_strdup (stasis_image_input_name (restore->from.input));
      if (!stasis_file_id_of_fd (fd, &journal->image, error))
        return FALSE;
    }
  return stasis_hold_write (restore->hold, error);
}

/* QEMU 10.0 and later leaves them inactive, and without a lock, until the guest runs: somebody else
 * could write to the disks of one that stays paused. */
static gboolean
take_disks (const Restore *restore, GError **error)
{
  if (stasis_restorable_should_run (&restore->from)
      || !stasis_monitor_can_activate_disks (restore->monitor))
    return TRUE;
  return stasis_monitor_activate_disks (restore->monitor, stasis_job_cancellable (restore->job),
                                        error);
}

/* From a stopped QEMU to a guest that goes on. */
static gboolean
bring_back (Restore *restore, GError **error)
{
  stasis_job_attach (restore->job, restore->hold->folder);
  if (!stasis_fault ("restore-started", error) || !load (restore, error)
      || !stasis_fault ("restore-loaded", error)
      || !stasis_hook_begin_in_job (restore->hold, restore->from.def, "started", restore->job,
                                    error)
      || !take_disks (restore, error) || !note_in_journal (restore, error))
    return FALSE;

  /* The mark comes first: a guest that ran without it could run twice. */
  restore->is_marked = restore->is_for_once;
  if (restore->is_for_once
      && !stasis_mark_resumed (restore->from.driver->paths,
                               stasis_image_input_ours (restore->from.input), error))
    return FALSE;
  /* A clone that was saved: from the next step on its disks go with the guest again. */
  restore->hold->status->overlays
      = stasis_overlays_of (restore->from.driver->paths, restore->from.def);
  return stasis_fault ("restore-marked", error) && stasis_job_commit (restore->job, error)
         && stasis_restore_disks_define (restore->from.driver, restore->hold, restore->from.def,
                                         restore->kept_disks, error)
         && stasis_start_finish (restore->hold, restore->monitor,
                                 stasis_restorable_should_run (&restore->from), error);
}

/* Whoever recovers from our death in here may still let the guest run: the mark goes when QEMU has
 * gone. */
static void
undo (Restore *restore)
{
  const StasisProcess qemu = restore->hold->status->qemu;
  /* The image still needs them. */
  g_clear_pointer (&restore->hold->status->overlays, g_free);
  stasis_start_abandon (restore->hold);
  stasis_fault ("restore-undo", NULL);
  if (restore->is_marked && !stasis_process_is_alive (&qemu))
    stasis_mark_clear_resumed (restore->from.driver->paths,
                               stasis_image_input_ours (restore->from.input));
}

static gboolean
run (Restore *restore, int fd_take, const char *path, const char *xml, GError **error)
{
  if (!ask_everybody (restore, fd_take, path, xml, error))
    return FALSE;
  stasis_job_set_phase (restore->job, "look at the memory");
  if (!stasis_restorable_prepare_instant (&restore->from, &restore->instant, restore->job, error))
    return FALSE;

  restore->kept_disks = stasis_restore_disks_list (stasis_image_input_disks (restore->from.input),
                                                   restore->from.def);
  const StasisStartRequest request = {
    .operation = "restore",
    .job_id = stasis_job_id (restore->job),
    .reason = "restored",
    .is_transient = !stasis_registry_has (restore->from.driver, restore->from.def->name),
    .is_incoming = TRUE,
    .memory = restore->instant.view >= 0 ? &restore->instant.memory : NULL,
    .kept_disks = restore->kept_disks,
  };
  g_autofree char *last
      = stasis_paths_last_job (restore->from.driver->paths, restore->from.def->name);
  stasis_job_begin (restore->job, last);
  stasis_job_set_phase (restore->job, "start QEMU");
  g_autoptr (GError) local = NULL;
  restore->monitor = stasis_start_qemu (restore->from.driver, restore->hold, restore->from.def,
                                        &request, stasis_job_cancellable (restore->job), &local);
  if (restore->monitor == NULL)
    {
      stasis_job_end (restore->job, local);
      if (request.is_transient)
        unlink (last);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }

  stasis_instant_settle (&restore->instant);
  const gboolean ok = bring_back (restore, &local);
  if (ok)
    {
      stasis_restore_disks_warn (restore->from.driver, restore->from.def);
      stasis_job_set_new_disks (restore->job, stasis_restore_disks_describe (restore->kept_disks));
    }
  stasis_job_end (restore->job, local);
  if (ok)
    return TRUE;
  undo (restore);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* Who forces a restore may expect that of damage too. */
static void
explain_force (const Restore *restore, GError *error)
{
  const gboolean is_damage
      = g_error_matches (error, STASIS_ERROR, STASIS_ERROR_IMAGE)
        || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT)
        || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INCOMPLETE);
  if (!is_damage || (restore->from.flags & STASIS_RESTORE_FORCE) == 0)
    return;
  stasis_error_set_message (
      error, g_strdup_printf (_ ("%1$s (--force does not apply to damage)"), error->message));
}

/* Bring a domain back. */
static StasisDomain *
restore_from (StasisDriver *driver, int fd_take, const char *path, const char *xml,
              StasisRestoreFlags flags, gboolean is_managed, StasisProgressFunc progress,
              gpointer user_data, GCancellable *cancellable, GError **error)
{
  if (!stasis_restorable_check_flags (flags, error))
    {
      stasis_fd_clear (&fd_take);
      return NULL;
    }
  g_autoptr (StasisJob) job = stasis_job_new ("restore", progress, user_data, cancellable);
  g_auto (Restore) restore = { .from = { .driver = driver, .flags = flags },
                               .job = job,
                               .instant = STASIS_INSTANT_INIT,
                               .is_managed = is_managed };
  GError *failure = NULL;
  if (run (&restore, fd_take, path, xml, &failure))
    return stasis_domain_new (driver, restore.from.def->name, restore.from.def->uuid);
  explain_force (&restore, failure);
  g_propagate_error (error, failure);
  return NULL;
}

/* From a file by its path. */
StasisDomain *
stasis_restore_image (StasisDriver *driver, const char *path, const char *xml,
                      StasisRestoreFlags flags, gboolean is_managed, StasisProgressFunc progress,
                      gpointer user_data, GCancellable *cancellable, GError **error)
{
  g_autofree char *absolute = g_canonicalize_filename (path, NULL);
  return restore_from (driver, -1, absolute, xml, flags, is_managed, progress, user_data,
                       cancellable, error);
}

/**
 * stasis_driver_restore:
 * @self: a driver
 * @path: (type filename): a save image of any kind (docs/save-image.md), a file or a FIFO
 * @xml: (nullable): a definition to use instead of the image's, of the same guest ABI
 * @flags: how
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; nothing is left then
 * @error: return location
 *
 * Brings a domain back.  It goes on as it was (running or paused) unless @flags say otherwise.
 * The guest runs only once the whole image has been verified, as far as its kind has checksums;
 * where its memory is mapped from an image that was verified on this host before, that is done once
 * more while it runs (stasis_domain_get_image_check()).
 * Blocks; may be called on any thread.
 *
 * Returns: (transfer full): the domain
 */
StasisDomain *
stasis_driver_restore (StasisDriver *self, const char *path, const char *xml,
                       StasisRestoreFlags flags, StasisProgressFunc progress, gpointer user_data,
                       GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->restore (self, path, xml, flags, progress, user_data, cancellable, error);

  return stasis_restore_image (self, path, xml, flags, /* is_managed= */ FALSE, progress, user_data,
                               cancellable, error);
}

/**
 * stasis_driver_restore_fd:
 * @self: a driver
 * @fd: a file, or a pipe or socket that a save image comes out of; the call closes it
 * @name: what to call it in messages
 * @xml: (nullable): a definition to use instead of the image's, of the same guest ABI
 * @flags: how
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels the job; nothing is left then
 * @error: return location
 *
 * The same as stasis_driver_restore() from an open descriptor.  A pipe is read once, front to back,
 * and nothing is stored on the way; the guest runs only after the end of the image has come.
 *
 * Returns: (transfer full): the domain
 */
StasisDomain *
stasis_driver_restore_fd (StasisDriver *self, int fd, const char *name, const char *xml,
                          StasisRestoreFlags flags, StasisProgressFunc progress, gpointer user_data,
                          GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    {
      stasis_autofd int own = fd;
      return ops->restore_fd (self, own, name, xml, flags, progress, user_data, cancellable, error);
    }

  return restore_from (self, fd, name, xml, flags, /* is_managed= */ FALSE, progress, user_data,
                       cancellable, error);
}
