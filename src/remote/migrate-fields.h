/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-fields.h: what of a migration is chosen, in libvirt's typed parameters
 */

#pragma once

#include <stasis/migrate.h>

#include "remote/wire.h"

G_BEGIN_DECLS

#define STASIS_MIGRATE_FLAGS (((guint) STASIS_MIGRATE_ZEROCOPY << 1) - 1)

/* (transfer full): STASIS_REMOTE_ERROR_ARGUMENT for what is not known, and
 * STASIS_ERROR_INVALID_ARGUMENT for what is of another kind, or stands there twice. */
StasisMigrateRequest *stasis_migrate_fields_parse (const GPtrArray *params, GError **error);

/* (transfer full): what is chosen, and no more.
 * @name: (nullable): what the domain is called at the destination
 * @xml: (nullable): its definition there
 * @is_own: to a server of ours, which knows some that libvirt has not */
GPtrArray *stasis_migrate_fields_make (const StasisMigrateRequest *request, const char *name,
                                       const char *xml, gboolean is_own);

G_END_DECLS
