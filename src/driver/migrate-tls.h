/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tls.h: a migration that QEMU encrypts by itself
 */

#pragma once

#include "driver/hold.h"
#include "driver/host-config.h"

G_BEGIN_DECLS

/* (transfer full): the folder of this host's certificates: what @config says, else libvirt's. */
char *stasis_migrate_tls_folder (const StasisHostConfig *config);

/* Are there those that a server, or a client, needs?  Whether they are of use QEMU says.  Errors as
 * of stasis_migrate_tls_begin(). */
gboolean stasis_migrate_tls_check (const StasisHostConfig *config, gboolean is_server,
                                   GError **error);

/* Give QEMU this host's certificates, those of a server or of a client, and add to @parameters, of
 * migration, that it is to use them.  STASIS_ERROR_INVALID_STATE names a file that is missing or
 * cannot be read.  stasis_migration_reset() takes them back.
 * @hold: of a domain that runs, or waits */
gboolean stasis_migrate_tls_begin (StasisMonitor *monitor, const StasisHold *hold,
                                   const StasisHostConfig *config, gboolean is_server,
                                   StasisJson *parameters, GCancellable *cancellable,
                                   GError **error);

/* The source: where nobody has chosen whom the destination's certificate has to name, it is the
 * host of @place. */
gboolean stasis_migrate_tls_name (StasisJson *parameters, const char *place, GError **error);

G_END_DECLS
