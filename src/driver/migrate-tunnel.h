/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tunnel.h: a migration's octets through the way by which a daemon is reached
 */

#pragma once

#include "driver/migrate-address.h"

G_BEGIN_DECLS

/* What leads there. */
typedef struct
{
  int fd; /* (owned) */
  /* (nullable): (transfer full) (nullable) why the stream has ended. */
  char *(*explain) (gpointer reason);
  void (*free_reason) (gpointer reason);
  void (*give_up) (gpointer reason); /* (nullable): nobody wants it any more */
  gpointer reason;                   /* (owned) (nullable) */
} StasisTunnel;

/* One whose descriptor was not taken is given up. */
void stasis_tunnel_clear (StasisTunnel *tunnel);

/* A stream to the socket at @path on the host that has the daemon of @uri, by the same way as that
 * daemon is reached. */
typedef gboolean (*StasisTunnelOpener) (const char *uri, const char *path, StasisTunnel *out_tunnel,
                                        GCancellable *cancellable, GError **error);

/* Who knows such ways: src/remote, once, before the first of them is asked for.  Nobody, as in a
 * supervisor: then there are none. */
void stasis_migrate_tunnel_set_opener (StasisTunnelOpener open);

/* (transfer full): where the socket is for us that is at @place ("unix:///PATH") for the daemon of
 * @peer: the same where that is on this host, else "tunnel:URI/PATH".  @peer (nullable): not known,
 * an error. */
char *stasis_migrate_tunnel_through (const char *peer, const char *place,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* To log in takes longer than to connect: @timeout_ms, or more. */
int stasis_migrate_tunnel_patience (const StasisMigrateAddress *address, int timeout_ms);

/* @address has a @via.  The descriptor does not block. */
gboolean stasis_migrate_tunnel_connect (const StasisMigrateAddress *address, gint64 deadline_us,
                                        StasisTunnel *out_tunnel, GCancellable *cancellable,
                                        GError **error);

/* Add to @error, of a stream that has ended, why it has. */
void stasis_migrate_tunnel_explain (const StasisTunnel *tunnel, GError **error);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisTunnel, stasis_tunnel_clear)

G_END_DECLS
