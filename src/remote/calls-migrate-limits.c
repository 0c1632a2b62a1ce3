/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-migrate-limits.c: how fast a migration may be, and how long its guest may stand still
 */

#include "config.h"

#include "remote/calls.h"

/* libvirt's virDomainMigrateMaxSpeedFlags. */
#define SPEED_POSTCOPY 0x1u

/* Flags that choose nothing are refused. */
static gboolean
find_limit (guint32 flags, StasisMigrateLimit plain, StasisMigrateLimit *out_which, GError **error)
{
  static const StasisFlagPair pairs[] = { { SPEED_POSTCOPY, SPEED_POSTCOPY } };
  const guint n_pairs = plain == STASIS_MIGRATE_LIMIT_SPEED ? G_N_ELEMENTS (pairs) : 0;
  guint32 known;
  if (!stasis_call_translate_flags (flags, pairs, n_pairs, &known, error))
    return FALSE;
  *out_which = (known & SPEED_POSTCOPY) != 0 ? STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED : plain;
  return TRUE;
}

static gboolean
get (StasisCall *call, StasisMigrateLimit plain, GError **error)
{
  StasisMigrateLimit which;
  if (!find_limit (call->args[1].u, plain, &which, error))
    return FALSE;
  guint64 value = 0;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_get_migrate_limit (domain, which, &value, error))
    return FALSE;
  call->rets[0].ul = value;
  return TRUE;
}

static gboolean
set (StasisCall *call, StasisMigrateLimit plain, GError **error)
{
  StasisMigrateLimit which;
  if (!find_limit (call->args[2].u, plain, &which, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_set_migrate_limit (domain, which, call->args[1].ul, error);
}

/* In ms. */
gboolean
stasis_call_domain_migrate_set_max_downtime (StasisCall *call, GError **error)
{
  return set (call, STASIS_MIGRATE_LIMIT_DOWNTIME, error);
}

/* In ms. */
gboolean
stasis_call_domain_migrate_get_max_downtime (StasisCall *call, GError **error)
{
  return get (call, STASIS_MIGRATE_LIMIT_DOWNTIME, error);
}

/* In MiB/s. */
gboolean
stasis_call_domain_migrate_set_max_speed (StasisCall *call, GError **error)
{
  return set (call, STASIS_MIGRATE_LIMIT_SPEED, error);
}

/* In MiB/s. */
gboolean
stasis_call_domain_migrate_get_max_speed (StasisCall *call, GError **error)
{
  return get (call, STASIS_MIGRATE_LIMIT_SPEED, error);
}

/* In octets. */
gboolean
stasis_call_domain_migrate_set_compression_cache (StasisCall *call, GError **error)
{
  return set (call, STASIS_MIGRATE_LIMIT_CACHE, error);
}

/* In octets. */
gboolean
stasis_call_domain_migrate_get_compression_cache (StasisCall *call, GError **error)
{
  return get (call, STASIS_MIGRATE_LIMIT_CACHE, error);
}
