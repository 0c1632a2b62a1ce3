/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-limits.h: how fast a migration may be, and how long its guest may stand still
 */

#pragma once

#include <stasis/domain.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisMigrateLimit:
 * @STASIS_MIGRATE_LIMIT_SPEED: MiB that are sent in a second; 0: no limit
 * @STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED: the same, once the guest runs at the destination
 * @STASIS_MIGRATE_LIMIT_DOWNTIME: ms that the guest may stand still
 * @STASIS_MIGRATE_LIMIT_CACHE: octets of the cache of xbzrle, a power of two
 *
 * What can be changed while a migration goes on.
 */
typedef enum
{
  STASIS_MIGRATE_LIMIT_SPEED,
  STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED,
  STASIS_MIGRATE_LIMIT_DOWNTIME,
  STASIS_MIGRATE_LIMIT_CACHE,
} StasisMigrateLimit;

#define STASIS_MIGRATE_SPEED_MAX (G_GUINT64_CONSTANT (8796093022207)) /* MiB/s: as good as none */

gboolean stasis_domain_get_migrate_limit (StasisDomain *self, StasisMigrateLimit which,
                                          guint64 *out_value, GError **error);
gboolean stasis_domain_set_migrate_limit (StasisDomain *self, StasisMigrateLimit which,
                                          guint64 value, GError **error);

#pragma GCC visibility pop

G_END_DECLS
