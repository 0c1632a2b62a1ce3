/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror.c: the disks of a guest are copied to another host while it runs
 *
 * Theory of operation
 *
 * The destination exports each disk by NBD (migrate-in-disks.c); here it is opened as a block node
 * and a mirror job copies into it, all of the disk or its topmost file.  A mirror that is "ready"
 * has everything but what was written just now, and keeps up with that.  Once the guest stands
 * still a mirror that is cancelled without force copies the rest, and ends well: then the copy is
 * the disk, and the guest's own disk is as it was.  So until the destination has the guest nothing
 * is lost by giving up: the guest never writes to a copy.
 *
 * A destination that answers no more is waited for by QEMU itself where it stops the guest, and it
 * hears nothing then.  So its connections are looked for before anything is copied, and can be
 * broken off from outside (migrate-mirror-ways.c).
 *
 * A mirror that fails is not to end by itself, but to stop: in the moment in which QEMU stops the
 * guest, and flushes all disks, it would leave its filter over the disk for good (seen with 7.2,
 * whose bdrv_next() then drops the reference of another node), and nothing could be copied again.
 *
 * What was begun is ended by the names of its disks (migrate-mirror-drop.c).
 */

#include "config.h"

#include "driver/migrate-mirror.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-address.h"
#include "driver/migrate-disk.h"
#include "driver/migrate-mirror-drop.h"
#include "driver/migrate-mirror-ways.h"
#include "monitor/commands-block.h"
#include "monitor/commands-jobs.h"
#include "monitor/commands-nbd.h"
#include "monitor/commands-query.h"
#include "monitor/error.h"
#include "util/fault.h"

#define OPEN_S     10 /* for the destination to answer */
#define SLICE_MS   200
#define STALL_US   (60 * G_USEC_PER_SEC) /* without an octet, while the guest stands still */
#define CONCLUDED  "concluded"
#define PENDING    "pending"
#define HOST_LOCAL "localhost"

typedef struct
{
  char *name;   /* (owned) of the job, and of the node that it writes to */
  char *target; /* (owned) */
  char *node;   /* (owned) the disk in QEMU */
  char *export; /* (owned) */
  gboolean detects_zeroes;
} Mirror;

struct _StasisMigrateMirrors
{
  StasisMirrorRequest how;       /* its watch, monitor and cancellable are borrowed */
  char *tls_hostname;            /* (owned) (nullable) */
  StasisMigrateAddress *address; /* (owned) */
  GPtrArray *mirrors;            /* (owned) of Mirror */
  guint64 speed;                 /* as QEMU was told */
};

static void
mirror_free (gpointer data)
{
  Mirror *mirror = data;
  g_free (mirror->name);
  g_free (mirror->target);
  g_free (mirror->node);
  g_free (mirror->export);
  g_free (mirror);
}

void
stasis_migrate_mirrors_free (StasisMigrateMirrors *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->address, stasis_migrate_address_free);
  g_free (self->tls_hostname);
  g_ptr_array_unref (self->mirrors);
  g_free (self);
}

static const char *
find_export (const StasisMigratePrepare *prepare, const char *target)
{
  for (guint i = 0; i < prepare->exports->len; i++)
    {
      const StasisMigrateExport *export = g_ptr_array_index (prepare->exports, i);
      if (g_str_equal (export->target, target))
        return export->name;
    }
  return NULL;
}

static gboolean
add (StasisMigrateMirrors *self, const char *target, const GPtrArray *blocks, GError **error)
{
  const StasisMirrorRequest *how = &self->how;
  const char *export = find_export (how->prepare, target);
  const char *node = stasis_migrate_disk_node (how->def, target, blocks);
  if (export == NULL || node == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   export == NULL ? _ ("disk '%s': the destination does not say where to copy it")
                                  : _ ("disk '%s': QEMU does not tell which block node it is"),
                   target);
      return FALSE;
    }
  Mirror *mirror = g_new0 (Mirror, 1);
  mirror->name = stasis_migrate_mirror_name (target);
  mirror->target = g_strdup (target);
  mirror->node = g_strdup (node);
  mirror->export = g_strdup (export);
  mirror->detects_zeroes
      = how->detect_zeroes != NULL && g_strv_contains (how->detect_zeroes, target);
  g_ptr_array_add (self->mirrors, mirror);
  return TRUE;
}

StasisMigrateMirrors *
stasis_migrate_mirrors_new (const StasisMirrorRequest *request, GError **error)
{
  g_autoptr (StasisMigrateMirrors) self = g_new0 (StasisMigrateMirrors, 1);
  self->how = *request;
  self->speed = request->speed;
  self->tls_hostname = g_strdup (request->tls_hostname);
  self->how.tls_hostname = self->tls_hostname;
  self->mirrors = g_ptr_array_new_with_free_func (mirror_free);
  if (request->prepare->nbd == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("the destination does not say where to copy disks to"));
      return NULL;
    }
  self->address = stasis_migrate_address_parse (request->prepare->nbd, error);
  g_autoptr (GPtrArray) blocks
      = self->address != NULL
            ? stasis_monitor_query_block (request->monitor, request->cancellable, error)
            : NULL;
  if (blocks == NULL)
    return NULL;
  for (gsize i = 0; request->copied[i] != NULL; i++)
    if (!add (self, request->copied[i], blocks, error))
      return NULL;
  return g_steal_pointer (&self);
}

/* In QEMU's words. */
static gboolean
prefix_disk (const Mirror *mirror, GError **error)
{
  g_prefix_error (error, _ ("disk '%s': "), mirror->target);
  return FALSE;
}

static gboolean
connect_one (StasisMigrateMirrors *self, const Mirror *mirror, GError **error)
{
  const StasisMirrorRequest *how = &self->how;
  const StasisMigrateAddress *address = self->address;
  g_autofree char *port = g_strdup_printf ("%u", address->port);
  const char *host = address->host != NULL ? address->host : HOST_LOCAL;
  const StasisNbdClient client = {
    .node = mirror->name,
    .address = address->path != NULL
                   ? (StasisQemuAddress){ STASIS_QEMU_ADDRESS_UNIX, address->path, NULL }
                   : (StasisQemuAddress){ STASIS_QEMU_ADDRESS_INET, host, port },
    .name = mirror->export,
    .tls_creds = how->tls_creds,
    .tls_hostname = how->tls_hostname,
    .open_s = OPEN_S,
    .detects_zeroes = mirror->detects_zeroes,
  };
  return stasis_monitor_nbd_client_add (how->monitor, &client, how->cancellable, error)
         || prefix_disk (mirror, error);
}

/* The guest's memory may go another way, so a kernel that hides QEMU's sockets from us does not
 * keep it here. */
static gboolean
tune_ways (StasisMigrateMirrors *self, GHashTable *before, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (self->address->path != NULL)
    return TRUE;
  char **peers = before != NULL
                     ? stasis_mirror_ways_tune (self->how.qemu, before, self->address->port, &local)
                     : NULL;
  if (peers != NULL)
    return self->how.connected (peers, self->how.data, error);
  g_message (_ ("the connections by which disks are copied cannot be watched over: %s"),
             local != NULL ? local->message : "");
  return TRUE;
}

static gboolean
connect_all (StasisMigrateMirrors *self, GError **error)
{
  g_autoptr (GHashTable) before = stasis_mirror_ways_list (self->how.qemu, NULL);
  for (guint i = 0; i < self->mirrors->len; i++)
    if (!connect_one (self, g_ptr_array_index (self->mirrors, i), error))
      return FALSE;
  return tune_ways (self, before, error);
}

static gboolean
start_one (StasisMigrateMirrors *self, const Mirror *mirror, GError **error)
{
  const StasisMirrorRequest *how = &self->how;
  const StasisMirror job = {
    .job = mirror->name,
    .device = mirror->node,
    .target = mirror->name,
    .sync = how->sync,
    .copy_mode = how->copy_mode,
    .on_source_error = STASIS_MIRROR_STOP,
    .on_target_error = STASIS_MIRROR_STOP,
    .speed = self->speed,
  };
  return stasis_monitor_mirror_start (how->monitor, &job, how->cancellable, error)
         || prefix_disk (mirror, error);
}

static const StasisBlockJob *
find_job (const GPtrArray *jobs, const char *name)
{
  for (guint i = 0; i < jobs->len; i++)
    {
      const StasisBlockJob *job = g_ptr_array_index (jobs, i);
      if (g_strcmp0 (job->id, name) == 0)
        return job;
    }
  return NULL;
}

static gboolean
throw_ended (const Mirror *mirror, const char *why, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
               _ ("disk '%1$s' is not copied any more: %2$s"), mirror->target,
               why != NULL ? why : _ ("somebody has ended that"));
  return FALSE;
}

/* NULL: it has not. */
static const char *
why_stopped (const StasisBlockJob *job)
{
  if (g_str_equal (job->io_status, "ok"))
    return NULL;
  return g_str_equal (job->io_status, "nospace")
             ? g_strerror (ENOSPC)
             : _ ("it, its copy, or the way to that has failed");
}

gboolean
stasis_migrate_mirrors_look (StasisMigrateMirrors *self, StasisMirrorProgress *out_progress,
                             GError **error)
{
  g_autoptr (GPtrArray) jobs
      = stasis_monitor_query_block_jobs (self->how.monitor, self->how.cancellable, error);
  if (jobs == NULL)
    return FALSE;
  *out_progress = (StasisMirrorProgress){ .are_ready = TRUE };
  for (guint i = 0; i < self->mirrors->len; i++)
    {
      const Mirror *mirror = g_ptr_array_index (self->mirrors, i);
      const StasisBlockJob *job = find_job (jobs, mirror->name);
      if (job == NULL)
        return throw_ended (mirror, NULL, error);
      if (g_str_equal (job->status, CONCLUDED) || g_str_equal (job->status, "aborting")
          || job->error != NULL)
        return throw_ended (mirror, job->error, error);
      if (why_stopped (job) != NULL)
        return throw_ended (mirror, why_stopped (job), error);
      out_progress->current += job->current;
      out_progress->total += job->total;
      out_progress->are_ready &= job->is_ready;
    }
  return TRUE;
}

static gboolean
await_ready (StasisMigrateMirrors *self, GError **error)
{
  for (;;)
    {
      StasisMirrorProgress progress = { 0 };
      if (!stasis_migrate_mirrors_look (self, &progress, error)
          || !self->how.watch (&progress, self->how.data, error))
        return FALSE;
      if (progress.are_ready)
        return TRUE;
    }
}

gboolean
stasis_migrate_mirrors_start (StasisMigrateMirrors *self, GError **error)
{
  if (!connect_all (self, error))
    return FALSE;
  for (guint i = 0; i < self->mirrors->len; i++)
    if (!start_one (self, g_ptr_array_index (self->mirrors, i), error))
      return FALSE;
  return stasis_fault ("migrate-out-mirrors", error) && await_ready (self, error)
         && stasis_fault ("migrate-out-mirrored", error);
}

gboolean
stasis_migrate_mirrors_limit (StasisMigrateMirrors *self, guint64 speed, GError **error)
{
  if (speed == self->speed)
    return TRUE;
  self->speed = speed;
  for (guint i = 0; i < self->mirrors->len; i++)
    {
      const Mirror *mirror = g_ptr_array_index (self->mirrors, i);
      if (!stasis_monitor_block_job_set_speed (self->how.monitor, mirror->name, speed,
                                               self->how.cancellable, error))
        return prefix_disk (mirror, error);
    }
  return TRUE;
}

/* What is left is little, and the guest waits for it: without a limit. */
gboolean
stasis_migrate_mirrors_finish (StasisMigrateMirrors *self, GError **error)
{
  StasisMirrorProgress progress = { 0 };
  if (!stasis_migrate_mirrors_look (self, &progress, error)
      || !stasis_migrate_mirrors_limit (self, 0, error))
    return FALSE;
  for (guint i = 0; i < self->mirrors->len; i++)
    {
      const Mirror *mirror = g_ptr_array_index (self->mirrors, i);
      if (!stasis_monitor_block_job_cancel (self->how.monitor, mirror->name, /* force= */ FALSE,
                                            self->how.cancellable, error))
        return prefix_disk (mirror, error);
    }
  return stasis_fault ("migrate-out-mirrors-ending", error);
}

/* Octets that one of them has copied. */
static gboolean
query_current (StasisMigrateMirrors *self, const Mirror *mirror, guint64 *out_current,
               GError **error)
{
  g_autoptr (GPtrArray) jobs
      = stasis_monitor_query_block_jobs (self->how.monitor, self->how.cancellable, error);
  const StasisBlockJob *job = jobs != NULL ? find_job (jobs, mirror->name) : NULL;
  *out_current = job != NULL ? job->current : 0;
  if (job != NULL && why_stopped (job) != NULL)
    return throw_ended (mirror, why_stopped (job), error);
  return jobs != NULL;
}

static gboolean
await_status (StasisMigrateMirrors *self, const Mirror *mirror, const char *status, GError **error)
{
  guint64 last = 0;
  gint64 since_us = g_get_monotonic_time ();
  for (;;)
    {
      g_autoptr (GError) local = NULL;
      guint64 current = 0;
      if (stasis_monitor_job_wait (self->how.monitor, mirror->name, status, SLICE_MS, &local))
        return TRUE;
      if (!g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT))
        return throw_ended (mirror, local->message, error);
      if (g_cancellable_set_error_if_cancelled (self->how.cancellable, error)
          || !query_current (self, mirror, &current, error))
        return FALSE;
      if (current != last)
        since_us = g_get_monotonic_time ();
      last = current;
      if (g_get_monotonic_time () - since_us > STALL_US)
        return throw_ended (mirror, _ ("the destination takes nothing"), error);
    }
}

/* The copy has all, and the destination's QEMU has said so: an orderly end of the connection would
 * only have QEMU wait for one that may answer no more. */
static gboolean
close_one (StasisMigrateMirrors *self, const Mirror *mirror, GError **error)
{
  StasisMonitor *monitor = self->how.monitor;
  if (!stasis_monitor_job_finalize (monitor, mirror->name, NULL, error))
    return prefix_disk (mirror, error);
  if (!await_status (self, mirror, CONCLUDED, error))
    return FALSE;
  return (stasis_monitor_nbd_client_yank (monitor, mirror->name, NULL, error)
          && stasis_monitor_blockdev_del (monitor, mirror->name, NULL, error))
         || prefix_disk (mirror, error);
}

/* None is closed before all have come so far: for that QEMU may wait for what others have under
 * way. */
gboolean
stasis_migrate_mirrors_await (StasisMigrateMirrors *self, GError **error)
{
  for (guint i = 0; i < self->mirrors->len; i++)
    if (!await_status (self, g_ptr_array_index (self->mirrors, i), PENDING, error))
      return FALSE;
  for (guint i = 0; i < self->mirrors->len; i++)
    if (!close_one (self, g_ptr_array_index (self->mirrors, i), error))
      return FALSE;
  return stasis_fault ("migrate-out-copied", error);
}
