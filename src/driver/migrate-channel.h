/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-channel.h: connections from a migration's source to its destination
 */

#pragma once

#include "driver/migrate-address.h"

G_BEGIN_DECLS

/* What a connection is for. */
typedef enum
{
  STASIS_CHANNEL_DATA, /* QEMU's stream: hand it to QEMU */
  STASIS_CHANNEL_ASK,  /* migrate-door.h */
  STASIS_CHANNEL_N_PURPOSES,
} StasisChannelPurpose;

/* The first octets of a connection: who connects says which migration he means, and what for. */
#define STASIS_HELLO_SIZE 55u /* octets */

/* @out_hello: STASIS_HELLO_SIZE octets, no NUL */
void stasis_migrate_hello_write (const char *token, StasisChannelPurpose purpose, char *out_hello);
/* FALSE where it is none.
 * @token: (nullable): the only one that is welcome
 * @out_token: STASIS_MIGRATE_TOKEN_SIZE + 1 octets */
gboolean stasis_migrate_hello_read (const char *hello, const char *token,
                                    StasisChannelPurpose *out_purpose, char *out_token);

/* A blocking descriptor, once the other side has taken the hello, or -1.  It closes on exec.
 * @timeout_ms: for all of it; then G_IO_ERROR_TIMED_OUT */
int stasis_migrate_connect (const StasisMigrateAddress *address, const char *token,
                            StasisChannelPurpose purpose, int timeout_ms, GCancellable *cancellable,
                            GError **error);

typedef struct _StasisMigrateListener StasisMigrateListener;

/* Listen.  Port 0 takes a free one of the range.
 * @token: (nullable): the only migration that is let in; NULL: any
 * The socket of a unix path is removed by stasis_migrate_listener_free(). */
StasisMigrateListener *stasis_migrate_listen (const StasisMigrateAddress *address,
                                              const char *token,
                                              GError **error) G_GNUC_WARN_UNUSED_RESULT;
void stasis_migrate_listener_free (StasisMigrateListener *listener);

/* A socket that listens there, for somebody else to serve, or -1.  It closes on exec.
 * @out_bound: (transfer full): with the port that it got */
int stasis_migrate_listen_only (const StasisMigrateAddress *address,
                                StasisMigrateAddress **out_bound, GError **error);

/* With the port that it got (borrowed). */
const StasisMigrateAddress *
stasis_migrate_listener_get_address (const StasisMigrateListener *listener);

/* The next one whose hello is right: a blocking descriptor, or -1.  Others are dropped, and hold up
 * nobody.  For one thread at a time.
 * @timeout_ms: then G_IO_ERROR_TIMED_OUT; -1: none
 * @out_token: (nullable): STASIS_MIGRATE_TOKEN_SIZE + 1 octets */
int stasis_migrate_listener_accept (StasisMigrateListener *listener, int timeout_ms,
                                    StasisChannelPurpose *out_purpose, char *out_token,
                                    GCancellable *cancellable, GError **error);

/* For those who go on with such a connection: all of @size octets by @deadline_us (monotonic). */
gboolean stasis_channel_send (int fd, const void *octets, gsize size, gint64 deadline_us,
                              GCancellable *cancellable, GError **error);
gboolean stasis_channel_receive (int fd, void *octets, gsize size, gint64 deadline_us,
                                 GCancellable *cancellable, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMigrateListener, stasis_migrate_listener_free)

G_END_DECLS
