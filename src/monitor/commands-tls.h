/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-tls.h: certificates for QEMU's connections
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* The object of a migration that we have begun. */
#define STASIS_TLS_MIGRATION "stasis-migration"

/* A folder with ca-cert.pem and server-cert.pem, server-key.pem, or client-cert.pem, client-key.pem
 * (a client may do without), which QEMU has to be able to read. */
typedef struct
{
  const char *id; /* of the object */
  const char *folder;
  gboolean is_server;
  gboolean verify_peer; /* a server asks for a certificate; a client should always look at it */
} StasisTlsCreds;

/* QEMU reads and checks them now. */
gboolean stasis_monitor_tls_creds_add (StasisMonitor *monitor, const StasisTlsCreds *creds,
                                       GCancellable *cancellable, GError **error);
/* An error while something uses it. */
gboolean stasis_monitor_object_del (StasisMonitor *monitor, const char *id,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
