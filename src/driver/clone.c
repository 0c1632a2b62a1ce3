/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * clone.c: several guests from one save image
 *
 * Theory of operation
 *
 * What clones have in common is done once: the image is opened, looked at and verified, qemu-img is
 * asked for what lies on top of the disks, and the view that QEMU reads (instant.c) is made.  All
 * names are taken before anything is started.  Then a few threads start one QEMU after the other,
 * each of which loads with its CPUs stopped.  Only when all have loaded are they let run, one after
 * the other: where one fails, no guest has run, and all are ended.
 *
 * A clone never writes to what the image's guest wrote to, so the image may be cloned, and
 * restored, again: no mark says "resumed".  Clones are transient: their disks end with them.
 */

#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/clone-def.h"
#include "driver/disk-writers.h"
#include "driver/disks.h"
#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/hook-begin.h"
#include "driver/job.h"
#include "driver/late-options.h"
#include "driver/marks.h"
#include "driver/quiesce.h"
#include "driver/registry.h"
#include "driver/restorable.h"
#include "driver/side-thread.h"
#include "driver/source.h"
#include "driver/start.h"
#include "image/verify.h"
#include "util/fault.h"

typedef struct
{
  StasisRestorable from;
  char *path;                /* (owned) of the image, absolute */
  StasisJob *job;            /* (borrowed) of all of it */
  StasisInstant instant;     /* for all of them */
  StasisOverlays *overlays;  /* (owned) */
  GPtrArray *all;            /* (owned) of Clone */
  struct stat seen;          /* the image, before it was verified or believed to be */
  gboolean is_verified_here; /* (guarded by lock) by us */
  char *why_not;             /* (owned) (nullable) (guarded by lock) why it could not be mapped */
  gint has_failed;           /* (atomic) one of them: no more are started */
  GMutex lock;
} Clones;

/* One of them; a thread of its own starts it. */
typedef struct
{
  Clones *clones;         /* (borrowed) */
  StasisDomainDef *def;   /* (owned) */
  char *folder;           /* (owned) (nullable) of its overlays */
  StasisHold *hold;       /* (owned) */
  StasisJob *job;         /* (owned) */
  StasisMonitor *monitor; /* (owned) (nullable) once it has loaded */
  GError *error;          /* (owned) (nullable) */
} Clone;

static void
clone_free (gpointer data)
{
  Clone *clone = data;
  stasis_monitor_close (clone->monitor);
  stasis_hold_release (clone->hold);
  stasis_job_free (clone->job);
  stasis_domain_def_free (clone->def);
  g_clear_error (&clone->error);
  g_free (clone->folder);
  g_free (clone);
}

static void
clones_init (Clones *clones)
{
  clones->all = g_ptr_array_new_with_free_func (clone_free);
  g_mutex_init (&clones->lock);
}

static void
clones_clear (Clones *clones)
{
  g_ptr_array_unref (clones->all);
  stasis_overlays_free (clones->overlays);
  stasis_instant_clear (&clones->instant);
  stasis_restorable_clear (&clones->from);
  g_free (clones->why_not);
  g_free (clones->path);
  g_mutex_clear (&clones->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clones, clones_clear)

/* One whose memory does not lie in place is loaded by way of its flat file only. */
static gboolean
is_in_place (const StasisImageInput *input)
{
  return stasis_image_input_is_file (input)
         && stasis_image_input_kind (input) == STASIS_IMAGE_KIND_STASIS
         && stasis_image_ram_map (stasis_image_input_ours (input)) != NULL;
}

static gboolean
check_kind (const Clones *clones, GError **error)
{
  const StasisImageInput *input = clones->from.input;
  g_autoptr (StasisQemuCaps) caps
      = stasis_driver_get_caps (clones->from.driver, clones->from.def->emulator, error);
  if (caps == NULL)
    return FALSE;
  if (is_in_place (input)
      || (!stasis_instant_is_from_within (caps) && stasis_image_input_is_file (input)
          && stasis_image_input_ours (input) != NULL))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("'%1$s' cannot be cloned: the memory lies in place in images of the kind '%2$s' "
                  "only, as QEMU 9.0 and newer write them ('image convert' makes one)"),
               stasis_image_input_name (input),
               stasis_image_kind_to_string (STASIS_IMAGE_KIND_STASIS));
  return FALSE;
}

/* The name is nobody's, and nobody else gets it before we are done. */
static StasisHold *
take_name (StasisDriver *driver, const char *name, GError **error)
{
  if (!stasis_paths_check_name (name, error))
    return NULL;
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, name, error);
  if (hold == NULL)
    return NULL;
  if (hold->status == NULL && !stasis_registry_has (driver, name))
    return g_steal_pointer (&hold);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_EXISTS,
               _ ("a domain '%s' is there already; no clone was started"), name);
  return NULL;
}

static gboolean
take_names (Clones *clones, const StasisCloneRequest *request, GError **error)
{
  for (guint i = 0; i < request->count; i++)
    {
      g_autofree char *name = request->count > 1 ? g_strdup_printf ("%s-%u", request->name, i + 1)
                                                 : g_strdup (request->name);
      g_autofree char *uuid = g_uuid_string_random ();
      StasisHold *hold = take_name (clones->from.driver, name, error);
      if (hold == NULL)
        return FALSE;
      Clone *clone = g_new0 (Clone, 1);
      clone->clones = clones;
      clone->hold = hold;
      clone->job = stasis_job_new ("clone", NULL, NULL, stasis_job_cancellable (clones->job));
      if (stasis_overlays_are_needed (clones->overlays))
        clone->folder = stasis_paths_clone (clones->from.driver->paths, uuid);
      clone->def = stasis_clone_def_new (clones->from.def, name, uuid, clone->folder);
      g_ptr_array_add (clones->all, clone);
    }
  return TRUE;
}

/* The disks are where the guest left them, and stay so. */
static gboolean
check_disks (const Clones *clones, GError **error)
{
  const StasisDomainDef *def = clones->from.def;
  return ((clones->from.flags & STASIS_RESTORE_FORCE) != 0
          || (stasis_disks_check (stasis_image_input_disks (clones->from.input), def, error)
              && stasis_restorable_check_bases (&clones->from, error)))
         && stasis_disk_writers_check (clones->from.driver, def, error);
}

static gboolean
ask_everybody (Clones *clones, const StasisCloneRequest *request, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (clones->job);
  stasis_job_set_phase (clones->job, "check");
  if (!stasis_restorable_open (&clones->from, -1, clones->path, request->xml, cancellable, error)
      || !check_kind (clones, error) || !stasis_clone_def_check (clones->from.def, error)
      || !check_disks (clones, error))
    return FALSE;
  stasis_overlays_sweep (clones->from.driver);
  clones->overlays = stasis_overlays_new (clones->from.def, cancellable, error);
  return clones->overlays != NULL && take_names (clones, request, error);
}

/* On a thread of its own. */
static gboolean
verify (StasisSideThread *side, gpointer image, GCancellable *cancellable, GError **error)
{
  return stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 0, stasis_side_thread_tell, side,
                              cancellable, error);
}

static void
note_verified (Clones *clones)
{
  clones->is_verified_here = TRUE;
  stasis_mark_verified_since (clones->from.driver->paths,
                              stasis_image_input_fd (clones->from.input), &clones->seen);
}

/* A plain stream is read once. */
static gboolean
throw_not_mapped (const Clones *clones, const char *why_not, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED, _ ("'%1$s' cannot be cloned: %2$s"),
               clones->path, why_not != NULL ? why_not : _ ("its memory is to be loaded"));
  return FALSE;
}

/* Once for all of them: before any, unless it may be done while they run. */
static gboolean
prepare_memory (Clones *clones, GError **error)
{
  stasis_job_set_phase (clones->job, "look at the memory");
  stasis_mark_begin (stasis_image_input_fd (clones->from.input), &clones->seen);
  if (!stasis_restorable_prepare_instant (&clones->from, &clones->instant, clones->job, error))
    return FALSE;
  if (clones->instant.view < 0 && !is_in_place (clones->from.input))
    return throw_not_mapped (clones, clones->instant.why_not, error);
  if (clones->instant.view >= 0)
    stasis_job_set_engine (clones->job, stasis_instant_describe (&clones->instant));
  clones->why_not = g_strdup (clones->instant.why_not);
  if (clones->instant.flat != NULL || clones->instant.memory.check != STASIS_MEMORY_CHECK_BEFORE
      || (clones->from.flags & STASIS_RESTORE_VERIFY_NONE) != 0)
    return TRUE;
  stasis_job_set_phase (clones->job, "verify");
  if (!stasis_side_thread_run ("verify", verify,
                               (gpointer) stasis_image_input_ours (clones->from.input), clones->job,
                               NULL, NULL, error))
    return FALSE;
  note_verified (clones);
  return TRUE;
}

/* A QEMU could not map what was to be verified later.  Then none can. */
static gboolean
give_up_mapping (Clones *clones, const char *why_not, GCancellable *cancellable, GError **error)
{
  if (clones->instant.flat != NULL)
    return throw_not_mapped (clones, why_not, error);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&clones->lock);
  if (clones->why_not == NULL)
    clones->why_not = g_strdup (why_not);
  if (clones->is_verified_here || (clones->from.flags & STASIS_RESTORE_VERIFY_NONE) != 0)
    return TRUE;
  if (!stasis_image_verify (stasis_image_input_ours (clones->from.input), STASIS_IMAGE_VERIFY_DEEP,
                            0, NULL, NULL, cancellable, error))
    return FALSE;
  note_verified (clones);
  return TRUE;
}

/* What was verified before it was loaded is so no more if somebody has written to it since. */
static gboolean
check_unchanged (const Clones *clones, GError **error)
{
  struct stat now;
  stasis_mark_begin (stasis_image_input_fd (clones->from.input), &now);
  if (now.st_size == clones->seen.st_size && now.st_ctim.tv_sec == clones->seen.st_ctim.tv_sec
      && now.st_ctim.tv_nsec == clones->seen.st_ctim.tv_nsec)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("'%s' was changed while it was loaded"), clones->path);
  return FALSE;
}

/* The saved state says how the links were. */
static gboolean
load (Clone *clone, int view, GError **error)
{
  const Clones *clones = clone->clones;
  const StasisSourceLoad source = {
    .input = clones->from.input,
    .view = view,
    .engine = view >= 0 ? stasis_instant_describe (&clones->instant) : NULL,
    .qemu = &clone->hold->status->qemu,
  };
  g_autofree char *step = g_strconcat ("clone-loaded-", clone->def->name, NULL);
  stasis_job_attach (clone->job, clone->hold->folder);
  stasis_job_set_phase (clone->job, "load");
  stasis_quiesce_note (clone->hold->status, clone->def,
                       stasis_image_input_ours (clones->from.input));
  return stasis_source_load (&source, clone->monitor, clone->job, error)
         && check_unchanged (clones, error)
         && stasis_late_options_links (clone->def, clone->monitor,
                                       stasis_job_cancellable (clone->job), error)
         && stasis_fault (step, error)
         && stasis_hook_begin_in_job (clone->hold, clone->def, "started", clone->job, error)
         && stasis_job_commit (clone->job, error);
}

/* Up to a guest that is loaded, and stands still. */
static gboolean
start (Clone *clone, GError **error)
{
  Clones *clones = clone->clones;
  StasisDriver *driver = clones->from.driver;
  GCancellable *cancellable = stasis_job_cancellable (clone->job);
  StasisMemoryImage memory = clones->instant.memory;
  const StasisStartClone origin = {
    .of = clones->from.def->name,
    .image = clones->path,
    .overlays = clones->overlays,
    .folder = clone->folder,
  };
  const StasisStartRequest request = {
    .operation = "clone",
    .job_id = stasis_job_id (clone->job),
    .reason = "restored",
    .is_transient = TRUE,
    .is_incoming = TRUE,
    .clone = &origin,
    .memory = clones->instant.view >= 0 ? &memory : NULL,
  };
  g_autofree char *last = stasis_paths_last_job (driver->paths, clone->def->name);
  stasis_job_begin (clone->job, last);
  clone->monitor
      = stasis_start_qemu (driver, clone->hold, clone->def, &request, cancellable, error);
  g_autofree char *refusal = memory.refusal;
  if (clone->monitor == NULL)
    return FALSE;
  const gboolean is_mapped = request.memory != NULL && refusal == NULL;
  return (refusal == NULL || give_up_mapping (clones, refusal, cancellable, error))
         && load (clone, is_mapped ? clones->instant.view : -1, error);
}

/* On one of several threads. */
static void
start_in_turn (gpointer data, gpointer user_data)
{
  Clone *clone = data;
  Clones *clones = clone->clones;
  if (g_atomic_int_get (&clones->has_failed)
      || g_cancellable_set_error_if_cancelled (stasis_job_cancellable (clone->job), &clone->error)
      || start (clone, &clone->error))
    return;
  g_atomic_int_set (&clones->has_failed, TRUE);
}

/* The one to blame. */
static gboolean
find_failure (const Clones *clones, GError **error)
{
  for (guint i = 0; i < clones->all->len; i++)
    {
      const Clone *clone = g_ptr_array_index (clones->all, i);
      if (clone->error == NULL)
        continue;
      g_propagate_prefixed_error (error, g_error_copy (clone->error), _ ("clone '%s': "),
                                  clone->def->name);
      return TRUE;
    }
  return FALSE;
}

/* As many at once as there are processors. */
static gboolean
start_all (Clones *clones, GError **error)
{
  stasis_job_set_phase (clones->job, "start");
  const guint n_threads = MIN (clones->all->len, g_get_num_processors ());
  GThreadPool *pool
      = g_thread_pool_new (start_in_turn, NULL, (gint) n_threads, /* exclusive= */ FALSE, error);
  if (pool == NULL)
    return FALSE;
  for (guint i = 0; i < clones->all->len; i++)
    g_thread_pool_push (pool, g_ptr_array_index (clones->all, i), NULL);
  g_thread_pool_free (pool, /* immediate= */ FALSE, /* wait= */ TRUE);
  return !find_failure (clones, error);
}

static gboolean
let_all_run (Clones *clones, GError **error)
{
  const gboolean run = stasis_restorable_should_run (&clones->from);
  for (guint i = 0; i < clones->all->len; i++)
    {
      Clone *clone = g_ptr_array_index (clones->all, i);
      stasis_start_finish (clone->hold, clone->monitor, run, &clone->error);
      if (find_failure (clones, error))
        return FALSE;
    }
  return TRUE;
}

/* Nothing is left of any. */
static void
undo (Clones *clones, const GError *error)
{
  for (guint i = 0; i < clones->all->len; i++)
    {
      Clone *clone = g_ptr_array_index (clones->all, i);
      stasis_job_end (clone->job, clone->error != NULL ? clone->error : error);
      if (clone->hold->status != NULL)
        stasis_start_abandon (clone->hold);
      g_autofree char *last = stasis_paths_last_job (clones->from.driver->paths, clone->def->name);
      unlink (last);
    }
}

static gboolean
run (Clones *clones, const StasisCloneRequest *request, GError **error)
{
  if (!ask_everybody (clones, request, error) || !prepare_memory (clones, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  if (!start_all (clones, &local) || !let_all_run (clones, &local))
    {
      undo (clones, local);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  for (guint i = 0; i < clones->all->len; i++)
    stasis_job_end (((Clone *) g_ptr_array_index (clones->all, i))->job, NULL);
  return TRUE;
}

static void
free_domain (gpointer domain)
{
  g_object_unref (domain);
}

static StasisClones *
report (const Clones *clones)
{
  g_autoptr (GPtrArray) warnings = stasis_clone_def_warnings (clones->from.def);
  if (clones->why_not != NULL)
    g_ptr_array_add (warnings,
                     g_strdup_printf (_ ("each clone has memory of its own, which was loaded: %s"),
                                      clones->why_not));
  g_ptr_array_add (warnings, NULL);
  StasisClones *self = g_new0 (StasisClones, 1);
  self->domains = g_ptr_array_new_with_free_func (free_domain);
  self->warnings = g_strdupv ((char **) warnings->pdata);
  for (guint i = 0; i < clones->all->len; i++)
    {
      const StasisDomainDef *def = ((Clone *) g_ptr_array_index (clones->all, i))->def;
      g_ptr_array_add (self->domains,
                       stasis_domain_new (clones->from.driver, def->name, def->uuid));
    }
  return self;
}

/**
 * stasis_clones_free:
 * @self: (nullable): what stasis_driver_clone() returned
 *
 * Forgets it; the domains run on.
 */
void
stasis_clones_free (StasisClones *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->domains);
  g_strfreev (self->warnings);
  g_free (self);
}

/* They share it. */
static StasisRestoreFlags
with_flat_file (StasisRestoreFlags flags)
{
  return (flags & STASIS_RESTORE_PARALLEL) != 0 ? flags : flags | STASIS_RESTORE_FLAT;
}

/**
 * stasis_driver_clone:
 * @self: a driver
 * @request: of what, and how many
 * @progress: (nullable) (scope call): told how it goes
 * @user_data: for @progress
 * @cancellable: (nullable): cancels all of it; nothing is left then
 * @error: return location
 *
 * Starts transient domains that go on where the image's guest was saved, each with a name, UUID and
 * generation ID of its own, and overlays of its own over the disks that the guest may write to,
 * which are removed when the clone ends; not when it is saved.  Memory is mapped from the image, or
 * from a flat file that is made of it, so that its pages are shared.  What stands against it is an
 * error before anything is started, and where one of several fails, nothing is left of any
 * (%STASIS_ERROR_EXISTS: a name is taken). Blocks; may be called on any thread.
 *
 * Returns: (transfer full): the clones
 */
StasisClones *
stasis_driver_clone (StasisDriver *self, const StasisCloneRequest *request,
                     StasisProgressFunc progress, gpointer user_data, GCancellable *cancellable,
                     GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->clone (self, request, progress, user_data, cancellable, error);

  if (!stasis_restorable_check_flags (request->flags, error))
    return NULL;
  if (request->count < 1 || request->count > STASIS_CLONES_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("between 1 and %1$u clones can be started at once, not %2$u"),
                   STASIS_CLONES_MAX, request->count);
      return NULL;
    }
  g_autoptr (StasisJob) job = stasis_job_new ("clone", progress, user_data, cancellable);
  g_auto (Clones) clones = {
    .from = { .driver = self, .flags = with_flat_file (request->flags) },
    .path = g_canonicalize_filename (request->path, NULL),
    .job = job,
    .instant = STASIS_INSTANT_INIT,
  };
  clones_init (&clones);
  g_autoptr (GError) local = NULL;
  const gboolean ok = run (&clones, request, &local);
  stasis_job_end (job, local);
  if (ok)
    return report (&clones);
  g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/**
 * stasis_domain_get_clone_of:
 * @self: a domain
 * @out_image: (out) (optional) (nullable) (transfer full): the image that it was started from
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the name of the domain that it is a clone of; %NULL without
 *   an error where it is none, or does not run
 */
char *
stasis_domain_get_clone_of (StasisDomain *self, char **out_image, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_clone_of (self, out_image, error);

  if (out_image != NULL)
    *out_image = NULL;
  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error) || status == NULL)
    return NULL;
  if (out_image != NULL)
    *out_image = g_strdup (status->clone_image);
  return g_strdup (status->clone_of);
}
