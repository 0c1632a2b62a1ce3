/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-request.c: what of a migration is chosen, as a value
 */

#include "config.h"

#include <stasis/migrate.h>

/**
 * stasis_migrate_request_new:
 *
 * Returns: (transfer full): one in which nothing is chosen
 */
StasisMigrateRequest *
stasis_migrate_request_new (void)
{
  StasisMigrateRequest *self = g_new0 (StasisMigrateRequest, 1);
  self->comp_mt_level = STASIS_MIGRATE_UNSET;
  self->comp_mt_threads = STASIS_MIGRATE_UNSET;
  self->comp_mt_dthreads = STASIS_MIGRATE_UNSET;
  self->zlib_level = STASIS_MIGRATE_UNSET;
  self->zstd_level = STASIS_MIGRATE_UNSET;
  self->auto_converge_initial = STASIS_MIGRATE_UNSET;
  self->auto_converge_increment = STASIS_MIGRATE_UNSET;
  self->parallel_connections = STASIS_MIGRATE_UNSET;
  return self;
}

/**
 * stasis_migrate_request_copy:
 * @self: a request
 *
 * Returns: (transfer full): the same, with strings of its own
 */
StasisMigrateRequest *
stasis_migrate_request_copy (const StasisMigrateRequest *self)
{
  StasisMigrateRequest *copy = g_new (StasisMigrateRequest, 1);
  *copy = *self;
  copy->uri = g_strdup (self->uri);
  copy->dname = g_strdup (self->dname);
  copy->xml = g_strdup (self->xml);
  copy->persistent_xml = g_strdup (self->persistent_xml);
  copy->graphics_uri = g_strdup (self->graphics_uri);
  copy->listen_address = g_strdup (self->listen_address);
  copy->disks = g_strdupv (self->disks);
  copy->disks_detect_zeroes = g_strdupv (self->disks_detect_zeroes);
  copy->disks_uri = g_strdup (self->disks_uri);
  copy->compression = g_strdupv (self->compression);
  copy->tls_destination = g_strdup (self->tls_destination);
  return copy;
}

/**
 * stasis_migrate_request_free:
 * @self: (nullable): a request
 */
void
stasis_migrate_request_free (StasisMigrateRequest *self)
{
  if (self == NULL)
    return;

  g_free (self->uri);
  g_free (self->dname);
  g_free (self->xml);
  g_free (self->persistent_xml);
  g_free (self->graphics_uri);
  g_free (self->listen_address);
  g_strfreev (self->disks);
  g_strfreev (self->disks_detect_zeroes);
  g_free (self->disks_uri);
  g_strfreev (self->compression);
  g_free (self->tls_destination);
  g_free (self);
}
