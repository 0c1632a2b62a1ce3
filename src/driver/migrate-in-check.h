/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-check.h: all that stands against a migration to here
 */

#pragma once

#include <stasis/migrate-check.h>

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* (transfer full): as Prepare looks at it, and more of it.  NULL where it cannot be looked at. */
GPtrArray *stasis_migrate_in_check (StasisDriver *driver, StasisMigrateFlags flags,
                                    const StasisMigrateRequest *request, const char *xml,
                                    GBytes *cookie, GCancellable *cancellable, GError **error);

/* Could a QEMU of user @uid wait for single pages of its guest (migrate-in-userfault.c)?
 * @root: "" but in tests, where it stands in front of /dev and /proc */
gboolean stasis_migrate_in_check_userfault (const char *root, guint32 uid, GError **error);

G_END_DECLS
