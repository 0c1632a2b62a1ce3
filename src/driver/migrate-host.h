/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-host.h: which host, and which state directory of it
 */

#pragma once

#include "driver/migrate-cookie.h"
#include "driver/paths.h"

G_BEGIN_DECLS

/* Of this one, into an empty @host. */
void stasis_migrate_host_fill (StasisMigrateHost *host, const StasisPaths *paths);

/* Free what is in it. */
void stasis_migrate_host_clear (StasisMigrateHost *host);

/* TRUE where both are the same kernel: files and processes of one are those of the other. */
gboolean stasis_migrate_host_is_same (const StasisMigrateHost *a, const StasisMigrateHost *b);

/* Refuse where both are the same driver: a domain would migrate onto itself. */
gboolean stasis_migrate_host_check_other (const StasisMigrateHost *source,
                                          const StasisMigrateHost *dest, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisMigrateHost, stasis_migrate_host_clear)

G_END_DECLS
