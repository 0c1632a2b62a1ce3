/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-disks.c: the disks that are copied here, while their guest is waited for
 *
 * Theory of operation
 *
 * QEMU, which has the disks open already, exports them by NBD: one server, at a socket that listens
 * when it gets it, so that the port is known.  An export is called by 128 random bits.  NBD's own
 * list of exports tells that to whoever connects, so this keeps out only who does not look; what
 * keeps out the others, once the source has come, is that the server takes no more connections than
 * there are disks, and the source has one for each.  Who may come between Prepare and that can hold
 * up the migration, and write to copies that are nobody's disks yet.  The network has to be
 * trusted, or it is encrypted: then who has no certificate is not let in.
 *
 * A guest does not get a disk that is exported for writing: the server ends before it may run.
 */

#include "config.h"

#include "driver/migrate-in-private.h"

#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/bound-sockets.h"
#include "driver/migrate-disk.h"
#include "driver/migrate-token.h"
#include "driver/migrate-volume.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-nbd.h"
#include "monitor/commands-query.h"
#include "monitor/commands-tls.h"
#include "util/fault.h"
#include "util/fd.h"

#define FD_NAME     "stasis-disks"
#define SOCKET_MODE 0666 /* QEMU at the source has a user of its own: the folder says who may */

static gboolean
throw_needs_uri (GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("memory comes in by a unix socket: --disks-uri says where disks do"));
  return FALSE;
}

/* What was asked for; else beside the memory, at another port. */
static gboolean
find_place (const StasisMigrateIn *in, const StasisMigrateRequest *request,
            StasisMigratePlace *place, GError **error)
{
  const char *text = request != NULL ? request->disks_uri : NULL;
  if (text == NULL)
    {
      if (!stasis_migrate_place_find (in, request, place, error))
        return FALSE;
      if (place->bound->path != NULL)
        return throw_needs_uri (error);
      place->bound->port = request != NULL ? (guint16) request->disks_port : 0;
      return TRUE;
    }
  g_autoptr (StasisMigrateAddress) uri = stasis_migrate_address_parse (text, error);
  if (uri == NULL)
    return FALSE;
  place->bound = g_new0 (StasisMigrateAddress, 1);
  place->bound->path = g_strdup (uri->path);
  place->bound->host = uri->path == NULL ? g_strdup (request->listen_address) : NULL;
  place->bound->port = uri->port;
  place->host = g_strdup (uri->host);
  return TRUE;
}

/* Whoever clears away the domain removes it. */
static gboolean
open_to_all (const StasisMigrateIn *in, const char *path, GError **error)
{
  if (chmod (path, SOCKET_MODE) < 0)
    return stasis_throw_errno (error, "'%s'", path);
  stasis_bound_sockets_note (in->hold->status->sockets, path);
  return stasis_hold_write (in->hold, error);
}

static gboolean
start_server (StasisMigrateIn *in, const StasisMigrateAddress *address,
              StasisMigrateAddress **out_bound, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (in->job);
  const StasisNbdServer server = {
    .address = { STASIS_QEMU_ADDRESS_FD, FD_NAME, NULL },
    .connections_max = in->volumes->len,
    .tls_creds = (in->flags & STASIS_MIGRATE_TLS) != 0 ? STASIS_TLS_MIGRATION : NULL,
  };
  stasis_autofd int fd = stasis_migrate_listen_only (address, out_bound, error);
  return fd >= 0 && (address->path == NULL || open_to_all (in, address->path, error))
         && stasis_monitor_getfd (in->monitor, FD_NAME, fd, cancellable, error)
         && stasis_monitor_nbd_server_start (in->monitor, &server, cancellable, error);
}

static gboolean
export_one (StasisMigrateIn *in, const StasisMigrateVolume *volume, const GPtrArray *blocks,
            GError **error)
{
  const char *node = stasis_migrate_disk_node (in->def, volume->target, blocks);
  g_autofree char *name = stasis_migrate_token_new (error);
  if (name == NULL)
    return FALSE;
  if (node == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_QEMU,
                   _ ("disk '%s': QEMU does not tell which block node it is"), volume->target);
      return FALSE;
    }
  g_autofree char *id = g_strconcat ("stasis-copy-", volume->target, NULL);
  const StasisNbdExport export = { id, node, name, TRUE };
  if (!stasis_monitor_nbd_export_add (in->monitor, &export, stasis_job_cancellable (in->job),
                                      error))
    {
      g_prefix_error (error, _ ("disk '%1$s' ('%2$s'): "), volume->target, volume->path);
      return FALSE;
    }
  g_hash_table_insert (in->exports, g_strdup (volume->target), g_steal_pointer (&name));
  return TRUE;
}

gboolean
stasis_migrate_in_export (StasisMigrateIn *in, const StasisMigrateRequest *request, GError **error)
{
  if (in->volumes == NULL || in->volumes->len == 0)
    return TRUE;
  g_auto (StasisMigratePlace) place = { 0 };
  g_autoptr (StasisMigrateAddress) bound = NULL;
  g_autoptr (GPtrArray) blocks
      = stasis_monitor_query_block (in->monitor, stasis_job_cancellable (in->job), error);
  if (blocks == NULL || !find_place (in, request, &place, error)
      || !start_server (in, place.bound, &bound, error))
    return FALSE;
  in->exports = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < in->volumes->len; i++)
    if (!export_one (in, g_ptr_array_index (in->volumes, i), blocks, error))
      return FALSE;
  in->nbd = stasis_migrate_place_tell (&place, bound);
  in->nbd_path = g_strdup (place.bound->path);
  return stasis_fault ("migrate-in-exported", error);
}

void
stasis_migrate_in_tell_exports (const StasisMigrateIn *in, StasisMigratePrepare *prepare)
{
  GHashTableIter iter;
  gpointer target;
  gpointer name;
  if (in->exports == NULL)
    return;
  prepare->nbd = g_strdup (in->nbd);
  g_hash_table_iter_init (&iter, in->exports);
  while (g_hash_table_iter_next (&iter, &target, &name))
    {
      StasisMigrateExport *export = stasis_migrate_prepare_add_export (prepare);
      export->target = g_strdup (target);
      export->name = g_strdup (name);
    }
}

gboolean
stasis_migrate_in_unexport (StasisMigrateIn *in, GError **error)
{
  if (in->exports == NULL)
    return TRUE;
  if (!stasis_monitor_nbd_server_stop (in->monitor, stasis_job_cancellable (in->job), error))
    return FALSE;
  if (in->nbd_path != NULL)
    unlink (in->nbd_path);
  g_clear_pointer (&in->exports, g_hash_table_unref);
  return stasis_fault ("migrate-in-unexported", error);
}
