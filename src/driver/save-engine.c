/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-engine.c: having QEMU write the state of a paused guest into our file
 *
 * Theory of operation
 *
 * QEMU writes by itself, with no helper in between: by the capability mapped-ram (QEMU >= 9)
 * page by page in place, with several threads and past the page cache where it can; else as one
 * stream.  It gets descriptors, never a name.  A file: URI that names an fd set looks for a
 * descriptor of exactly the access mode it wants, O_WRONLY, and with direct I/O for a second
 * one with O_DIRECT; a stream goes to a descriptor with a position, from `getfd`.
 * Where the stream is to be compressed, cut into records or sent on, it comes through us (drain.c).
 *
 * What a QEMU can do is asked of the running one, never inferred from its version.
 *
 * Before 9.0 QEMU forgets to tell an emulated processor (TCG) that it begins to look for writes
 * anew (cpu_physical_memory_sync_dirty_bitmap): what that has written to since it looked last it
 * may write to again unseen.  So only the first pass over the memory of a guest that runs can be
 * relied on, and the guest is stopped after it: with a downtime limit of 0 QEMU does not look
 * before it has stopped it.  KVM counts by itself.
 */

#include "config.h"

#include "driver/save-engine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/background.h"
#include "driver/drain.h"
#include "driver/memory-check.h"
#include "driver/migration-wait.h"
#include "driver/recover.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-query.h"
#include "util/fault.h"
#include "util/fd.h"

/* Without a page cache in between a disk wants some writes at a time, however few processors. */
#define CHANNELS_DIRECT 4u
#define CHANNELS_MAX    8u
#define PASSES_MAX      10u /* over the memory of a guest that runs */
#define SYNCS_ONE_PASS  2u  /* at the beginning, and once the guest has been stopped */

/* NULL is fine. */
void
stasis_save_engine_free (StasisSaveEngine *engine)
{
  if (engine == NULL)
    return;

  stasis_capture_free (engine->capture);
  g_free (engine->why_not_capture);
  g_free (engine->description);
  g_free (engine);
}

/* Another description of the same file, with its own position and flags; -1 on failure. */
static int
reopen (int fd, int flags, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
  return stasis_fd_open (path, flags, 0, error);
}

static gboolean
can_direct_io (StasisMonitor *monitor, int fd, GCancellable *cancellable)
{
  g_autoptr (StasisJson) parameters
      = stasis_monitor_query_migrate_parameters (monitor, cancellable, NULL);
  if (parameters == NULL || stasis_json_get (parameters, "direct-io") == NULL)
    return FALSE;
  stasis_autofd int probe = reopen (fd, O_WRONLY | O_DIRECT, NULL);
  return probe >= 0;
}

static void
describe_mapped (StasisSaveEngine *engine)
{
  if (engine->capture != NULL)
    engine->description = stasis_capture_describe (engine->capture);
  else if (engine->is_snapshot)
    engine->description = g_strdup (_ ("mapped-ram, background snapshot: QEMU writes what the "
                                       "memory was, while the guest runs on"));
  else if (engine->is_live)
    engine->description = g_strdup (_ ("mapped-ram, precopy: QEMU writes while the guest runs"));
  else if (engine->direct_io)
    engine->description = g_strdup_printf (_ ("mapped-ram, multifd with %u channels, direct I/O"),
                                           engine->n_channels);
  else if (engine->multifd)
    engine->description = g_strdup_printf (
        _ ("mapped-ram, multifd with %u channels; no direct I/O here"), engine->n_channels);
  else
    engine->description = g_strdup (_ ("mapped-ram; this QEMU has no multifd"));
}

static StasisSaveEngine *
new_stream (StasisSaveWay way, const char *description)
{
  StasisSaveEngine *engine = g_new0 (StasisSaveEngine, 1);
  engine->way = way;
  engine->description = g_strdup (description);
  return engine;
}

static StasisCapture *
try_capture (const StasisSaveGuest *guest, StasisMonitor *monitor, GCancellable *cancellable,
             GError **error)
{
  const StasisStatus *status = guest->status;
  StasisCaptureGuest what = {
    .qemu = &status->qemu,
    .ram_blocks = guest->ram_blocks,
    .is_live = guest->is_live,
    .is_patient = guest->is_patient,
    .release_disks = guest->release_disks,
    .chain = guest->chain,
    .is_chain_mapped = guest->is_chain_mapped,
    .is_tracked = stasis_tracked_is_on (status->tracked),
    .is_chain_tracked = guest->is_chain_tracked,
    .keep_track = guest->keep_track,
  };
  if (stasis_status_is_on_image (status))
    {
      const int fd = stasis_memory_check_open_image (status, error);
      what.base_take = fd >= 0 ? stasis_image_open_fd (fd, status->memory_image, error) : NULL;
      if (what.base_take == NULL)
        return NULL;
    }
  return stasis_capture_new (&what, monitor, cancellable, error);
}

/* The image of a background snapshot is of the moment in which it begins.  So it is for a guest
 * that goes on: of one that ends with its image all that it did meanwhile would be lost. */
static gboolean
try_background (const StasisSaveGuest *guest, StasisMonitor *monitor, GCancellable *cancellable,
                GError **error)
{
  if (guest->status->memory_image == NULL)
    return stasis_background_probe (monitor, &guest->status->qemu, guest->ram_blocks, cancellable,
                                    error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("the memory is mapped from an image"));
  return FALSE;
}

/* What QEMU does while the guest runs, and why not better.  @why_not_snapshot: (nullable) */
static void
describe_live (StasisSaveEngine *engine, const char *why_not_snapshot)
{
  g_free (g_steal_pointer (&engine->description));
  describe_mapped (engine);
  GString *text = g_string_new (engine->description);
  g_string_append_printf (text, _ ("; not from outside: %s"), engine->why_not_capture);
  if (why_not_snapshot != NULL)
    g_string_append_printf (text, _ ("; not as a background snapshot: %s"), why_not_snapshot);
  g_free (engine->description);
  engine->description = g_string_free (text, FALSE);
}

/* QEMU could not begin it. */
void
stasis_save_engine_give_up_snapshot (StasisSaveEngine *engine, const GError *why)
{
  engine->is_snapshot = FALSE;
  describe_live (engine, why->message);
}

/* Memory that is mapped from an image is not for QEMU to read, and a live save that we do ourselves
 * pauses the guest for less; QEMU does what we cannot. */
static gboolean
choose_writer (StasisSaveEngine *engine, const StasisSaveGuest *guest, StasisMonitor *monitor,
               GCancellable *cancellable, GError **out_error)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) no_snapshot = NULL;
  if (stasis_status_is_on_image (guest->status) || guest->is_live || guest->chain != NULL)
    engine->capture = try_capture (guest, monitor, cancellable, &error);
  engine->is_live = guest->is_live;
  /* Its threads take more of a pause than they save. */
  engine->multifd = engine->multifd && (!engine->is_live || engine->capture != NULL);
  engine->direct_io = engine->direct_io && (engine->multifd || engine->capture != NULL);
  describe_mapped (engine);
  if (error == NULL)
    return TRUE;
  /* QEMU knows nothing of a base. */
  if (guest->chain != NULL)
    {
      g_propagate_prefixed_error (out_error, g_steal_pointer (&error),
                                  _ ("an incremental save is not possible here: "));
      return FALSE;
    }
  if (!engine->is_live)
    {
      g_autofree char *plain = engine->description;
      engine->description
          = g_strdup_printf (_ ("%1$s; QEMU reads all of the memory, which is mapped from an "
                                "image: %2$s"),
                             plain, error->message);
      return TRUE;
    }
  engine->why_not_capture = g_strdup (error->message);
  if (guest->was_running && !guest->release_disks)
    engine->is_snapshot = try_background (guest, monitor, cancellable, &no_snapshot);
  describe_live (engine, no_snapshot != NULL ? no_snapshot->message : NULL);
  return TRUE;
}

/* One that is as old as that. */
static StasisSaveEngine *
choose_plain (const StasisSaveGuest *guest, StasisMonitor *monitor, GCancellable *cancellable,
              GError **error)
{
  if (!guest->is_live)
    return new_stream (STASIS_SAVE_WAY_PLAIN, _ ("plain stream: this QEMU has no mapped-ram"));
  gboolean is_kvm = FALSE;
  if (!stasis_monitor_query_kvm (monitor, &is_kvm, cancellable, error))
    return NULL;
  StasisSaveEngine *engine = new_stream (
      STASIS_SAVE_WAY_PLAIN,
      is_kvm ? _ ("plain stream, precopy: this QEMU has no mapped-ram")
             : _ ("plain stream, precopy in one pass: this QEMU has no mapped-ram, and loses "
                  "track of what an emulated processor writes in another"));
  engine->is_live = TRUE;
  engine->is_one_pass = !is_kvm;
  return engine;
}

/* Choose by what the running QEMU offers. */
StasisSaveEngine *
stasis_save_engine_choose (StasisMonitor *monitor, StasisSaveWay way, int fd,
                           const StasisSaveGuest *guest, GCancellable *cancellable, GError **error)
{
  if (way == STASIS_SAVE_WAY_PLAIN)
    return new_stream (way, _ ("plain stream, written by QEMU"));
  if (way == STASIS_SAVE_WAY_THROUGH)
    return new_stream (way, _ ("plain stream, through this process"));
  g_autoptr (GHashTable) offers
      = stasis_monitor_query_migrate_capabilities (monitor, cancellable, error);
  if (offers == NULL)
    return NULL;
  if (!g_hash_table_contains (offers, "mapped-ram"))
    {
      if (way == STASIS_SAVE_WAY_BEST)
        return choose_plain (guest, monitor, cancellable, error);
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("this QEMU cannot write such an image: it has no mapped-ram (QEMU 9.0 and "
                      "newer)"));
      return NULL;
    }

  StasisSaveEngine *engine = g_new0 (StasisSaveEngine, 1);
  engine->way = STASIS_SAVE_WAY_MAPPED;
  engine->multifd = g_hash_table_contains (offers, "multifd");
  engine->direct_io = engine->multifd && can_direct_io (monitor, fd, cancellable);
  engine->n_channels
      = CLAMP (g_get_num_processors (), engine->direct_io ? CHANNELS_DIRECT : 1, CHANNELS_MAX);
  if (choose_writer (engine, guest, monitor, cancellable, error))
    return engine;
  stasis_save_engine_free (engine);
  return NULL;
}

/* The engine's capabilities by QEMU's names. */
GStrv
stasis_save_engine_capabilities (const StasisSaveEngine *engine)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  if (engine->way == STASIS_SAVE_WAY_MAPPED)
    g_strv_builder_add (builder, "mapped-ram");
  if (engine->multifd)
    g_strv_builder_add (builder, "multifd");
  return g_strv_builder_end (builder);
}

static gboolean
pass_one (StasisMonitor *monitor, int fd, int flags, gint64 *set, GCancellable *cancellable,
          GError **error)
{
  stasis_autofd int own = reopen (fd, flags, error);
  return own >= 0
         && stasis_monitor_add_fd (monitor, *set, own, STASIS_SAVE_FD_NAME, set, NULL, cancellable,
                                   error);
}

/* Give QEMU the descriptors it will write to. */
gboolean
stasis_save_engine_pass (const StasisSaveEngine *engine, StasisMonitor *monitor,
                         const StasisSaveBody *body, StasisJournal *journal,
                         GCancellable *cancellable, GError **error)
{
  if (engine->capture != NULL)
    return stasis_capture_pass (engine->capture, monitor, STASIS_SAVE_FD_NAME, &journal->fdset,
                                cancellable, error);
  if (engine->way == STASIS_SAVE_WAY_MAPPED)
    {
      gint64 set = STASIS_FDSET_NEW;
      if (!pass_one (monitor, body->fd, O_WRONLY, &set, cancellable, error))
        return FALSE;
      journal->fdset = set;
      return !engine->direct_io
             || pass_one (monitor, body->fd, O_WRONLY | O_DIRECT, &set, cancellable, error);
    }

  stasis_autofd int own = reopen (body->fd, O_WRONLY, error);
  if (own < 0)
    return FALSE;
  if (lseek (own, (off_t) body->offset, SEEK_SET) < 0)
    return stasis_throw_errno (error, _ ("cannot seek in the image"));
  return stasis_monitor_getfd (monitor, STASIS_SAVE_FD_NAME, own, cancellable, error);
}

/* Tell QEMU how it is to write. */
gboolean
stasis_save_engine_configure (const StasisSaveEngine *engine, StasisMonitor *monitor,
                              GCancellable *cancellable, GError **error)
{
  StasisMigrationCapability capabilities[5] = { { "events", TRUE } };
  guint n = 1;
  if (engine->way == STASIS_SAVE_WAY_MAPPED)
    capabilities[n++] = (StasisMigrationCapability){ "mapped-ram", TRUE };
  if (engine->multifd)
    capabilities[n++] = (StasisMigrationCapability){ "multifd", TRUE };
  if (engine->waits_for_us)
    capabilities[n++] = (StasisMigrationCapability){ "pause-before-switchover", TRUE };
  if (engine->is_snapshot)
    capabilities[n++] = (StasisMigrationCapability){ "background-snapshot", TRUE };
  if (!stasis_monitor_migrate_set_capabilities (monitor, capabilities, n, cancellable, error))
    return FALSE;

  StasisJson *parameters = stasis_json_new_object ();
  /* The default of 128 MiB/s is for networks. */
  stasis_json_set_int (parameters, "max-bandwidth", 0);
  if (engine->is_one_pass)
    stasis_json_set_int (parameters, "downtime-limit", 0);
  if (engine->multifd)
    stasis_json_set_int (parameters, "multifd-channels", engine->n_channels);
  if (engine->direct_io)
    stasis_json_set_boolean (parameters, "direct-io", TRUE);
  return stasis_monitor_migrate_set_parameters (monitor, parameters, cancellable, error);
}

/* Have QEMU begin to write to the descriptors that it was given. */
gboolean
stasis_save_engine_begin (const StasisSaveEngine *engine, StasisMonitor *monitor,
                          const StasisSaveBody *body, const StasisJournal *journal,
                          GCancellable *cancellable, GError **error)
{
  g_autofree char *uri = NULL;
  if (engine->way == STASIS_SAVE_WAY_MAPPED)
    uri = g_strdup_printf ("file:/dev/fdset/%" G_GINT64_FORMAT ",offset=%" G_GUINT64_FORMAT,
                           journal->fdset, body->offset);
  else
    uri = g_strdup ("fd:" STASIS_SAVE_FD_NAME);
  return stasis_fault ("save-configured", error)
         && stasis_monitor_migrate (monitor, uri, cancellable, error);
}

/* Write the state and wait until it is done. */
gboolean
stasis_save_engine_run (const StasisSaveEngine *engine, StasisMonitor *monitor,
                        const StasisSaveBody *body, const StasisJournal *journal, StasisJob *job,
                        GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  if (!stasis_save_engine_configure (engine, monitor, cancellable, error))
    return FALSE;
  if (engine->way == STASIS_SAVE_WAY_THROUGH)
    return stasis_drain_run (body->sink, STASIS_SAVE_FD_NAME, monitor, body->poll, body->poll_data,
                             job, error);
  return stasis_save_engine_begin (engine, monitor, body, journal, cancellable, error)
         && stasis_migration_wait (monitor, job, engine->is_live ? PASSES_MAX : 0, error);
}

/* Somebody may have given it another downtime limit meanwhile. */
gboolean
stasis_save_engine_check_passes (const StasisSaveEngine *engine, const StasisMigrationInfo *info,
                                 GError **error)
{
  if (!engine->is_one_pass || info->dirty_sync_count <= SYNCS_ONE_PASS)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("QEMU went over the memory %1$" G_GUINT64_FORMAT
                  " times while the guest ran, and may have missed what it wrote: its downtime "
                  "limit was changed meanwhile"),
               info->dirty_sync_count - 1);
  return FALSE;
}

/* Until QEMU has stopped the guest, and waits. */
gboolean
stasis_save_engine_run_to_pause (const StasisSaveEngine *engine, StasisMonitor *monitor,
                                 const StasisSaveBody *body, const StasisJournal *journal,
                                 StasisJob *job, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (job);
  return stasis_save_engine_configure (engine, monitor, cancellable, error)
         && stasis_save_engine_begin (engine, monitor, body, journal, cancellable, error)
         && stasis_migration_wait_for (monitor, job, STASIS_MIGRATION_PRE_SWITCHOVER, PASSES_MAX,
                                       error);
}

/* And to the end. */
gboolean
stasis_save_engine_run_on (StasisMonitor *monitor, StasisJob *job, GError **error)
{
  return stasis_monitor_migrate_continue (monitor, STASIS_MIGRATION_PRE_SWITCHOVER, NULL, error)
         && stasis_migration_wait (monitor, job, 0, error);
}
