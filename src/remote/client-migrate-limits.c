/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-migrate-limits.c: the limits of migrations whose source is a server
 *
 * By libvirt's calls, of every server.
 */

#include "config.h"

#include "remote/client-ops.h"

#define REMOTE STASIS_PROGRAM_REMOTE

static const struct
{
  const char *get;
  const char *set;
  guint32 flags;
} calls[] = {
  [STASIS_MIGRATE_LIMIT_SPEED]
  = { "domain-migrate-get-max-speed", "domain-migrate-set-max-speed", 0 },
  [STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED]
  = { "domain-migrate-get-max-speed", "domain-migrate-set-max-speed", 0x1u },
  [STASIS_MIGRATE_LIMIT_DOWNTIME]
  = { "domain-migrate-get-max-downtime", "domain-migrate-set-max-downtime", 0 },
  [STASIS_MIGRATE_LIMIT_CACHE]
  = { "domain-migrate-get-compression-cache", "domain-migrate-set-compression-cache", 0 },
};

static gboolean
get_limit (StasisDomain *self, StasisMigrateLimit which, guint64 *out_value, GError **error)
{
  g_return_val_if_fail ((guint) which < G_N_ELEMENTS (calls), FALSE);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[] = { { .domain = &domain }, { .u = calls[which].flags } };
  StasisWireValue rets[1] = { { 0 } };
  if (!stasis_client_call (stasis_client_of (self), REMOTE, calls[which].get, args, rets, error))
    return FALSE;
  *out_value = rets[0].ul;
  return TRUE;
}

static gboolean
set_limit (StasisDomain *self, StasisMigrateLimit which, guint64 value, GError **error)
{
  g_return_val_if_fail ((guint) which < G_N_ELEMENTS (calls), FALSE);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisWireValue args[]
      = { { .domain = &domain }, { .ul = value }, { .u = calls[which].flags } };
  return stasis_client_call (stasis_client_of (self), REMOTE, calls[which].set, args, NULL, error);
}

/* Limits of migrations. */
void
stasis_client_fill_migrate_limits (StasisDriverOps *ops)
{
  ops->get_migrate_limit = get_limit;
  ops->set_migrate_limit = set_limit;
}
