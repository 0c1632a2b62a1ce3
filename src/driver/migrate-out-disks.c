/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-out-disks.c: the disks that a guest takes along to another host
 *
 * Theory of operation
 *
 * Begin chooses them and tells the destination what they are.  In Perform they are copied before
 * memory is sent, for that is done fastest when there is no other traffic, and has to be done again
 * for as long as it takes: until each copy is as its disk, but for what was written just now.  From
 * then on they keep up.  In `pre-switchover` the guest stands still: there the copies become
 * complete, and the destination is disconnected, all before the journal says HANDED.  Those are
 * steps 1 to 3 of external devices (devices.h); undoing is for the journal, which names the disks.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/devices.h"
#include "driver/migrate-out-private.h"
#include "driver/migrate-tls.h"
#include "monitor/commands-migrate.h"
#include "monitor/commands-tls.h"
#include "util/fault.h"

#define STORAGE (STASIS_MIGRATE_COPY_STORAGE_ALL | STASIS_MIGRATE_COPY_STORAGE_INC)
#define MIB     (G_GUINT64_CONSTANT (1024) * 1024)

static const StasisDiskDef *
find_disk (const StasisDomainDef *def, const char *target)
{
  for (guint i = 0; i < def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (def->disks, i);
      if (g_strcmp0 (disk->target, target) == 0)
        return disk;
    }
  return NULL;
}

/* Those that were named have to be copied. */
static gboolean
check_named (const StasisMigrateOut *out, char **named, GError **error)
{
  for (gsize i = 0; named[i] != NULL; i++)
    {
      const StasisDiskDef *disk = find_disk (out->def, named[i]);
      const char *reason
          = disk == NULL ? _ ("the domain has no such disk") : stasis_migrate_disk_why_not (disk);
      if (reason == NULL)
        continue;
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("--migrate-disks: disk '%1$s' cannot be copied: %2$s"), named[i], reason);
      return FALSE;
    }
  return TRUE;
}

gboolean
stasis_migrate_out_choose_disks (StasisMigrateOut *out, const StasisMigrateRequest *request,
                                 GError **error)
{
  char **named = request != NULL ? request->disks : NULL;
  if ((out->flags & STORAGE) == 0)
    return TRUE;
  if (named != NULL && !check_named (out, named, error))
    return FALSE;
  g_autoptr (GStrvBuilder) copied = g_strv_builder_new ();
  gsize n = 0;
  for (guint i = 0; i < out->def->disks->len; i++)
    {
      const StasisDiskDef *disk = g_ptr_array_index (out->def->disks, i);
      if (stasis_migrate_disk_why_not (disk) != NULL
          || (named != NULL && !g_strv_contains ((const char *const *) named, disk->target)))
        continue;
      g_strv_builder_add (copied, disk->target);
      n++;
    }
  if (n > 0)
    out->copied = g_strv_builder_end (copied);
  return TRUE;
}

gboolean
stasis_migrate_out_describe_copy (const StasisMigrateOut *out, StasisMigrateDisk *disk,
                                  GError **error)
{
  disk->is_copied
      = out->copied != NULL && g_strv_contains ((const char *const *) out->copied, disk->target);
  return !disk->is_copied || (out->flags & STASIS_MIGRATE_COPY_STORAGE_INC) == 0
         || stasis_migrate_disk_add_backing (disk, error);
}

static void
note (StasisMigrateOut *out, const StasisMirrorProgress *progress)
{
  StasisJobStats *stats = stasis_job_stats (out->job);
  stats->disk_total = progress->total;
  stats->disk_processed = MIN (progress->current, progress->total);
  stats->disk_remaining = progress->total - stats->disk_processed;
  stasis_job_update (out->job);
}

/* The migration's limit may be changed while it goes on. */
static gboolean
follow_limit (StasisMigrateOut *out, GError **error)
{
  g_autoptr (StasisJson) parameters = stasis_monitor_query_migrate_parameters (
      out->monitor, stasis_job_cancellable (out->job), error);
  if (parameters == NULL)
    return FALSE;
  const guint64 limit = stasis_json_uint (stasis_json_get (parameters, "max-bandwidth"), 0);
  return stasis_migrate_mirrors_limit (out->mirrors, limit, error);
}

/* While memory is not sent yet: the guest may stop by itself all the same. */
static gboolean
watch (const StasisMirrorProgress *progress, gpointer data, GError **error)
{
  StasisMigrateOut *out = data;
  note (out, progress);
  return follow_limit (out, error) && stasis_migrate_out_doze (out, error);
}

/* On disk, before QEMU can wait for them. */
static gboolean
note_connected (char **peers_take, gpointer data, GError **error)
{
  const StasisMigrateOut *out = data;
  StasisMigrateJournal *migration = out->hold->status->journal.migration;
  g_strfreev (migration->copies_to);
  migration->copies_to = peers_take;
  return stasis_hold_write (out->hold, error);
}

static StasisDeviceRequest
make_request (const StasisMigrateOut *out)
{
  return (StasisDeviceRequest){
    .operation = STASIS_DEVICE_MIGRATE,
    .is_live = (out->flags & STASIS_MIGRATE_LIVE) != 0,
    .def = out->def,
    .monitor = out->monitor,
    .mirrors = out->mirrors,
  };
}

/* Whom the destination's certificate is to name.  @out_name: (transfer full); without TLS it stays
 * as it is. */
static gboolean
find_certified (const StasisMigrateOut *out, const StasisMigratePrepare *prepare,
                const StasisMigrateRequest *request, char **out_name, GError **error)
{
  g_autoptr (StasisJson) names = stasis_json_new_object ();
  if ((out->flags & STASIS_MIGRATE_TLS) == 0 || prepare->nbd == NULL)
    return TRUE;
  if (request != NULL && request->tls_destination != NULL)
    stasis_json_set_string (names, "tls-hostname", request->tls_destination);
  if (!stasis_migrate_tls_name (names, prepare->nbd, error))
    return FALSE;
  *out_name = g_strdup (stasis_json_string (stasis_json_get (names, "tls-hostname"), NULL));
  return TRUE;
}

gboolean
stasis_migrate_out_copy_disks (StasisMigrateOut *out, const StasisMigratePrepare *prepare,
                               const StasisMigrateRequest *request, GError **error)
{
  g_autofree char *certified = NULL;
  if (out->copied == NULL)
    return TRUE;
  if (!find_certified (out, prepare, request, &certified, error))
    return FALSE;
  const StasisMirrorRequest how = {
    .def = out->def,
    .copied = (const char *const *) out->copied,
    .prepare = prepare,
    .monitor = out->monitor,
    .qemu = &out->hold->status->qemu,
    .sync
    = (out->flags & STASIS_MIGRATE_COPY_STORAGE_INC) != 0 ? STASIS_MIRROR_TOP : STASIS_MIRROR_FULL,
    .copy_mode = (out->flags & STASIS_MIGRATE_SYNC_WRITES) != 0 ? STASIS_MIRROR_WRITE_BLOCKING
                                                                : STASIS_MIRROR_BACKGROUND,
    .detect_zeroes = request != NULL ? (const char *const *) request->disks_detect_zeroes : NULL,
    .speed = request != NULL ? request->bandwidth * MIB : 0,
    .tls_creds = certified != NULL ? STASIS_TLS_MIGRATION : NULL,
    .tls_hostname = certified,
    .cancellable = stasis_job_cancellable (out->job),
    .connected = note_connected,
    .watch = watch,
    .data = out,
  };
  stasis_job_set_phase (out->job, "copy disks");
  out->mirrors = stasis_migrate_mirrors_new (&how, error);
  if (out->mirrors == NULL)
    return FALSE;
  const StasisDeviceRequest step = make_request (out);
  return stasis_devices_prepare (&step, error);
}

gboolean
stasis_migrate_out_look_at_disks (StasisMigrateOut *out, GError **error)
{
  StasisMirrorProgress progress = { 0 };
  if (out->mirrors == NULL)
    return TRUE;
  if (!stasis_migrate_mirrors_look (out->mirrors, &progress, error))
    return FALSE;
  note (out, &progress);
  return follow_limit (out, error);
}

gboolean
stasis_migrate_out_finish_disks (StasisMigrateOut *out, GError **error)
{
  const StasisDeviceRequest step = make_request (out);
  if (out->mirrors == NULL)
    return TRUE;
  if (!stasis_devices_transfer (&step, error) || !stasis_devices_sync (&step, error))
    return FALSE;
  g_clear_pointer (&out->mirrors, stasis_migrate_mirrors_free); /* they are over */
  StasisJobStats *stats = stasis_job_stats (out->job);
  stats->disk_processed = stats->disk_total;
  stats->disk_remaining = 0;
  stasis_job_update (out->job);
  return TRUE;
}
