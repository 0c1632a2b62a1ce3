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

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/devices.h"
#include "driver/disks.h"
#include "driver/instant.h"
#include "driver/job.h"
#include "driver/marks.h"
#include "driver/quiesce.h"
#include "driver/registry.h"
#include "driver/source.h"
#include "driver/start.h"
#include "image/error.h"
#include "image/facts.h"
#include "util/error.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/safe-open.h"
#include "util/uuid.h"

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisRestoreFlags flags;
  StasisJob *job;          /* (borrowed) */
  StasisImageInput *input; /* (owned) */
  StasisDomainDef *def;    /* (owned) */
  StasisHold *hold;        /* (owned) */
  StasisMonitor *monitor;  /* (owned) */
  StasisInstant instant;
  gboolean is_managed;
  gboolean is_for_once; /* the image is marked as resumed before the guest runs, unless it is */
  gboolean is_marked;   /* and has been */
} Restore;

static void
restore_clear (Restore *restore)
{
  stasis_monitor_close (restore->monitor);
  stasis_hold_release (restore->hold);
  stasis_domain_def_free (restore->def);
  stasis_instant_clear (&restore->instant);
  stasis_image_input_free (restore->input);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Restore, restore_clear)

static gboolean G_GNUC_PRINTF (2, 3) refuse (GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_REFUSED, message);
  return FALSE;
}

/* An image says which program to start with which arguments: only root's or our own, which
 * nobody else can have written to, is obeyed without being asked to.  A socket has no mode. */
static gboolean
check_owner (const Restore *restore, int fd, const char *path, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  if (!S_ISREG (st.st_mode) && !S_ISFIFO (st.st_mode) && !S_ISSOCK (st.st_mode))
    return refuse (error, _ ("'%s' is neither a regular file nor a pipe"), path);
  if (restore->flags & STASIS_RESTORE_TRUST)
    return TRUE;
  const gboolean is_ours = st.st_uid == 0 || st.st_uid == geteuid ();
  if (is_ours && (S_ISSOCK (st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) == 0))
    return TRUE;
  if (is_ours)
    return refuse (error,
                   _ ("others than its owner may write to '%1$s' (mode %2$04o); --trust restores "
                      "it anyway"),
                   path, (guint) st.st_mode & 07777);
  return refuse (error,
                 _ ("'%1$s' belongs to user %2$u, neither to root nor to you; --trust restores "
                    "it anyway"),
                 path, (guint) st.st_uid);
}

/* @fd_take -1: open the path. */
static gboolean
open_input (Restore *restore, int fd_take, const char *path, GError **error)
{
  stasis_autofd int fd
      = fd_take >= 0 ? fd_take : stasis_safe_open (path, O_RDONLY | O_NONBLOCK, error);
  if (fd < 0 || !check_owner (restore, fd, path, error))
    return FALSE;
  restore->input = stasis_source_open (stasis_fd_steal (&fd), path,
                                       stasis_job_cancellable (restore->job), error);
  return restore->input != NULL;
}

/* The definition of the domain that is defined under this UUID. */
static StasisDomainDef *
load_defined (const Restore *restore, GError **error)
{
  g_autofree char *text = stasis_uuid_format (stasis_image_input_trailer_uuid (restore->input));
  g_autofree char *name = stasis_registry_name_of_uuid (restore->driver, text);
  if (name != NULL)
    return stasis_registry_load (restore->driver, name, error);
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN,
      _ ("'%1$s' holds no definition, and no domain is defined with the UUID that it names, "
         "%2$s"),
      stasis_image_input_name (restore->input), text);
  return NULL;
}

static StasisDomainDef *
parse_image_xml (const Restore *restore, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autofree char *xml = stasis_source_xml (restore->input, &local);
  if (xml != NULL)
    return stasis_driver_parse (restore->driver, xml, stasis_image_input_name (restore->input),
                                STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (local == NULL)
    return load_defined (restore, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

static gboolean
load_definition (Restore *restore, const char *xml, GError **error)
{
  restore->def = parse_image_xml (restore, error);
  if (restore->def == NULL || xml == NULL)
    return restore->def != NULL;

  g_autoptr (StasisDomainDef) wanted
      = stasis_driver_parse (restore->driver, xml, NULL, STASIS_DOMAIN_PARSE_DEFAULT, error);
  if (wanted == NULL || !stasis_domain_def_check_abi (restore->def, wanted, error))
    return FALSE;
  stasis_domain_def_free (restore->def);
  restore->def = g_steal_pointer (&wanted);
  return TRUE;
}

static gboolean
check_capability (const Restore *restore, const StasisQemuCaps *caps, const char *name,
                  GError **error)
{
  if (stasis_qemu_caps_has_migration (caps, name))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s' (QEMU %2$s) cannot read this image: it lacks the migration "
                  "capability '%3$s'"),
               restore->def->emulator, stasis_qemu_caps_version (caps), name);
  return FALSE;
}

/* The emulator has what the guest was saved with.  What other kinds of images do not say stands in
 * their definition, or comes out when QEMU reads the stream. */
static gboolean
check_emulator (const Restore *restore, GError **error)
{
  const char *emulator = restore->def->emulator;
  g_autoptr (StasisQemuCaps) caps = stasis_driver_get_caps (restore->driver, emulator, error);
  if (caps == NULL)
    return FALSE;
  const StasisImage *image = stasis_image_input_ours (restore->input);
  if (image == NULL)
    return !stasis_source_is_mapped (restore->input)
           || check_capability (restore, caps, "mapped-ram", error);

  const StasisJson *facts = stasis_image_qemu_facts (image);
  const char *machine
      = stasis_json_string (stasis_json_get (facts, STASIS_IMAGE_FACTS_MACHINE), "");
  if (stasis_qemu_caps_canonical_machine (caps, machine) == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("'%1$s' (QEMU %2$s) has no machine '%3$s', which the guest was saved with"),
                   emulator, stasis_qemu_caps_version (caps), machine);
      return FALSE;
    }
  const StasisJson *needed = stasis_json_get (facts, STASIS_IMAGE_FACTS_CAPABILITIES);
  for (guint i = 0; i < stasis_json_array_length (needed); i++)
    if (!check_capability (restore, caps,
                           stasis_json_string (stasis_json_array_get (needed, i), ""), error))
      return FALSE;
  return TRUE;
}

static gboolean
take_hold (Restore *restore, GError **error)
{
  const char *name = restore->def->name;
  restore->hold = stasis_hold_take (restore->driver, name, error);
  if (restore->hold == NULL)
    return FALSE;
  if (restore->hold->status != NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' is already active"), name);
      return FALSE;
    }
  return stasis_registry_check_unique (restore->driver, name, restore->def->uuid, error);
}

/* The guest's disks move on with it.  A managed image is used up without disks as well, although
 * its file may have stayed because it could not be removed. */
static gboolean
check_first_time (const Restore *restore, GError **error)
{
  if (!restore->is_for_once
      || !stasis_mark_is_resumed (restore->driver->paths, stasis_image_input_ours (restore->input)))
    return TRUE;
  if (restore->is_managed)
    return refuse (error, _ ("'%s' was already resumed once, and the guest has gone on since"),
                   stasis_image_input_name (restore->input));
  return refuse (error,
                 _ ("'%s' was already resumed once, and the guest's disks have moved on since; "
                    "--force restores anyway"),
                 stasis_image_input_name (restore->input));
}

/* The guest's disks are where it left them, as far as the image says where that was. */
static gboolean
check_disks (Restore *restore, GError **error)
{
  const StasisJson *disks = stasis_image_input_disks (restore->input);
  restore->is_for_once = stasis_image_input_ours (restore->input) != NULL
                         && (restore->is_managed || stasis_disks_any_writable (disks));
  if (restore->flags & STASIS_RESTORE_FORCE)
    {
      /* A mark of an earlier restore is not ours to take back, should this one fail. */
      if (restore->is_for_once)
        restore->is_for_once = !stasis_mark_is_resumed (restore->driver->paths,
                                                        stasis_image_input_ours (restore->input));
      return TRUE;
    }
  return check_first_time (restore, error)
         && (disks == NULL || stasis_disks_check (disks, restore->def, error));
}

static gboolean
ask_everybody (Restore *restore, int fd_take, const char *path, const char *xml, GError **error)
{
  stasis_job_set_phase (restore->job, "check");
  if (!open_input (restore, fd_take, path, error) || !load_definition (restore, xml, error)
      || !check_emulator (restore, error) || !take_hold (restore, error)
      || !check_disks (restore, error))
    return FALSE;
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_RESTORE,
    .destination = path,
    .def = restore->def,
  };
  return stasis_devices_test (&request, error);
}

/* What stands against it is told with the statistics. */
static gboolean
prepare_instant (Restore *restore, GError **error)
{
  if (restore->flags & STASIS_RESTORE_PARALLEL)
    return TRUE;
  g_autoptr (StasisQemuCaps) caps
      = stasis_driver_get_caps (restore->driver, restore->def->emulator, error);
  if (caps == NULL)
    return FALSE;
  const StasisInstantRequest request = {
    .input = restore->input,
    .def = restore->def,
    .caps = caps,
    .paths = restore->driver->paths,
    .flags = restore->flags,
  };
  stasis_job_set_phase (restore->job, "look at the memory");
  return stasis_instant_prepare (&restore->instant, &request, stasis_job_cancellable (restore->job),
                                 error);
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
  return stasis_mark_is_verified (restore->driver->paths, fd)
         || refuse (error, _ ("'%s' was changed while it was loaded"),
                    stasis_image_input_name (restore->input));
}

/* The whole image, before the guest runs.  Memory that is loaded is never verified later. */
static gboolean
is_verified_now (const Restore *restore)
{
  return restore->instant.memory.check == STASIS_MEMORY_CHECK_BEFORE
         && (restore->flags & STASIS_RESTORE_VERIFY_NONE) == 0;
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

static gboolean
load (Restore *restore, GError **error)
{
  const int fd = stasis_image_input_fd (restore->input);
  const gboolean is_file = stasis_image_input_is_file (restore->input);
  const StasisSourceLoad source = { .input = restore->input,
                                    .view = restore->instant.view,
                                    .engine = note_engine (restore),
                                    .verify = is_verified_now (restore),
                                    .qemu = &restore->hold->status->qemu };
  struct stat before;
  if (is_file)
    stasis_mark_begin (fd, &before);
  if (!stasis_source_is_mapped (restore->input))
    stasis_job_set_engine (restore->job, _ ("plain stream, through this process"));
  stasis_job_set_phase (restore->job, source.verify ? "load and verify" : "load");
  if (!stasis_source_load (&source, restore->monitor, restore->job, error))
    return FALSE;
  note_amount (restore);
  if (!is_file)
    return check_disks (restore, error);
  if (!source.verify)
    return !restore->instant.is_stamped || check_still_verified (restore, fd, error);
  if (stasis_image_input_kind (restore->input) == STASIS_IMAGE_KIND_STASIS)
    stasis_mark_verified_since (restore->driver->paths, fd, &before);
  return TRUE;
}

static gboolean
should_run (const Restore *restore)
{
  if (restore->flags & STASIS_RESTORE_RUNNING)
    return TRUE;
  return stasis_source_was_running (restore->input)
         && (restore->flags & STASIS_RESTORE_PAUSED) == 0;
}

/* What recovery has to know before the guest may run: the mark that it takes back if it never does,
 * the managed image that is used up, and what is to be thawed. */
static gboolean
note_in_journal (Restore *restore, GError **error)
{
  StasisJournal *journal = &restore->hold->status->journal;
  stasis_quiesce_note (restore->hold->status, restore->def,
                       stasis_image_input_ours (restore->input));
  if (restore->is_for_once)
    journal->mark = stasis_mark_resumed_path (restore->driver->paths,
                                              stasis_image_input_ours (restore->input));
  if (restore->is_managed)
    {
      const int fd = stasis_image_input_fd (restore->input);
      journal->target = g_strdup (stasis_image_input_name (restore->input));
      if (!stasis_file_id_of_fd (fd, &journal->image, error))
        return FALSE;
    }
  return stasis_hold_write (restore->hold, error);
}

/* From a stopped QEMU to a guest that goes on. */
static gboolean
bring_back (Restore *restore, GError **error)
{
  stasis_job_attach (restore->job, restore->hold->folder);
  if (!stasis_fault ("restore-started", error) || !load (restore, error)
      || !stasis_fault ("restore-loaded", error) || !note_in_journal (restore, error))
    return FALSE;

  /* The mark comes first: a guest that ran without it could run twice. */
  restore->is_marked = restore->is_for_once;
  if (restore->is_for_once
      && !stasis_mark_resumed (restore->driver->paths, stasis_image_input_ours (restore->input),
                               error))
    return FALSE;
  return stasis_fault ("restore-marked", error)
         && stasis_start_finish (restore->hold, restore->monitor, should_run (restore), error);
}

/* Whoever recovers from our death in here may still let the guest run: the mark goes when QEMU has
 * gone. */
static void
undo (Restore *restore)
{
  const StasisProcess qemu = restore->hold->status->qemu;
  stasis_start_abandon (restore->hold);
  stasis_fault ("restore-undo", NULL);
  if (restore->is_marked && !stasis_process_is_alive (&qemu))
    stasis_mark_clear_resumed (restore->driver->paths, stasis_image_input_ours (restore->input));
}

static gboolean
run (Restore *restore, int fd_take, const char *path, const char *xml, GError **error)
{
  if (!ask_everybody (restore, fd_take, path, xml, error) || !prepare_instant (restore, error))
    return FALSE;

  const StasisStartRequest request = {
    .operation = "restore",
    .reason = "restored",
    .is_transient = !stasis_registry_has (restore->driver, restore->def->name),
    .is_incoming = TRUE,
    .memory = restore->instant.view >= 0 ? &restore->instant.memory : NULL,
  };
  g_autofree char *last = stasis_paths_last_job (restore->driver->paths, restore->def->name);
  stasis_job_begin (restore->job, last);
  stasis_job_set_phase (restore->job, "start QEMU");
  g_autoptr (GError) local = NULL;
  restore->monitor = stasis_start_qemu (restore->driver, restore->hold, restore->def, &request,
                                        stasis_job_cancellable (restore->job), &local);
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
  if (!is_damage || (restore->flags & STASIS_RESTORE_FORCE) == 0)
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
  if ((flags & STASIS_RESTORE_RUNNING) && (flags & STASIS_RESTORE_PAUSED))
    {
      stasis_fd_clear (&fd_take);
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a domain cannot be resumed both running and paused"));
      return NULL;
    }
  const guint when = flags
                     & (STASIS_RESTORE_VERIFY_FULL | STASIS_RESTORE_VERIFY_BACKGROUND
                        | STASIS_RESTORE_VERIFY_NONE);
  if ((when & (when - 1)) != 0)
    {
      stasis_fd_clear (&fd_take);
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("an image can be verified in one way only"));
      return NULL;
    }
  g_autoptr (StasisJob) job = stasis_job_new ("restore", progress, user_data, cancellable);
  g_auto (Restore) restore = { .driver = driver,
                               .flags = flags,
                               .job = job,
                               .instant = STASIS_INSTANT_INIT,
                               .is_managed = is_managed };
  GError *failure = NULL;
  if (run (&restore, fd_take, path, xml, &failure))
    return stasis_domain_new (driver, restore.def->name, restore.def->uuid);
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
  return restore_from (self, fd, name, xml, flags, /* is_managed= */ FALSE, progress, user_data,
                       cancellable, error);
}
