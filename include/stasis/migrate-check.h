/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-check.h: whether a guest could migrate, and all that stands against it
 */

#pragma once

#include <stasis/migrate.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisMigrateReason:
 * @what: what was looked at: "machine", "disk 'vda'"
 * @is_ok: nothing stands against the migration there
 * @text: (nullable): what is missing; where @is_ok: what is to be known of all the same
 *
 * One thing that was looked at before a migration.
 */
typedef struct
{
  char *what;
  gboolean is_ok;
  char *text;
} StasisMigrateReason;

void stasis_migrate_reason_free (StasisMigrateReason *self);

/* (transfer full) (element-type StasisMigrateReason): source and destination, nothing is moved. */
GPtrArray *stasis_domain_check_migrate (StasisDomain *self, StasisDriver *destination,
                                        StasisMigrateFlags flags,
                                        const StasisMigrateRequest *request,
                                        GCancellable *cancellable, GError **error);
/* (transfer full) (element-type StasisMigrateReason): the destination alone.  @xml, @cookie: from
 * Begin. */
GPtrArray *stasis_driver_check_migrate (StasisDriver *self, StasisMigrateFlags flags,
                                        const StasisMigrateRequest *request, const char *xml,
                                        GBytes *cookie, GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateReason, stasis_migrate_reason_free)

#pragma GCC visibility pop

G_END_DECLS
