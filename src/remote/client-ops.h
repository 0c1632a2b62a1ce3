/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-ops.h: the operations of a driver that is a connection
 *
 * Each of these fills the slots that its file has functions for.
 */

#pragma once

#include "driver/migrate-tunnel.h"
#include "driver/ops.h"
#include "remote/client.h"

G_BEGIN_DECLS

void stasis_client_fill_agent (StasisDriverOps *ops);
void stasis_client_fill_device (StasisDriverOps *ops);
void stasis_client_fill_domain (StasisDriverOps *ops);
void stasis_client_fill_driver (StasisDriverOps *ops);
void stasis_client_fill_guests (StasisDriverOps *ops);
void stasis_client_fill_handover (StasisDriverOps *ops);
void stasis_client_fill_image (StasisDriverOps *ops);
void stasis_client_fill_migrate (StasisDriverOps *ops);
void stasis_client_fill_migrate_check (StasisDriverOps *ops);
void stasis_client_fill_migrate_limits (StasisDriverOps *ops);
void stasis_client_fill_save (StasisDriverOps *ops);

/* The driver can open what is elsewhere from now on; before its first use. */
void stasis_client_register (void);

/* client-reach.c: a stream to the server of a URI. */
gboolean stasis_client_reach (const char *uri, StasisOpenFlags flags, const StasisDriverAsk *ask,
                              StasisClientStream *out_stream, GCancellable *cancellable,
                              GError **error);

/* client-reach.c: a stream to another socket of that server's host: a StasisTunnelOpener. */
gboolean stasis_client_tunnel (const char *uri, const char *path, StasisTunnel *out_tunnel,
                               GCancellable *cancellable, GError **error);

/* (transfer none) */
StasisClient *stasis_client_of_driver (StasisDriver *driver);
StasisClient *stasis_client_of (StasisDomain *domain);
/* As an argument; its name is borrowed. */
StasisWireDomain stasis_client_describe (StasisDomain *domain);
/* (transfer full): a domain of @driver; an error where it makes no sense. */
StasisDomain *stasis_client_domain (StasisDriver *driver, const StasisWireDomain *wire,
                                    GError **error);
/* (transfer full) (nullable): the result of a call that is one domain. */
StasisDomain *stasis_client_call_for_domain (StasisDriver *driver, guint32 program,
                                             const char *name, const StasisWireValue *args,
                                             const StasisClientJob *job, GError **error);

G_END_DECLS
