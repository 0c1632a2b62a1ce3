/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-wait.h: waiting for sockets, with a deadline
 */

#pragma once

#include <gio/gio.h>
#include <poll.h>

G_BEGIN_DECLS

#define STASIS_HELLO_OK      "ok\n"
#define STASIS_HELLO_OK_SIZE 3u

/* Until one of @fds, of which there is room for one more, is ready.
 * @deadline_us: monotonic; -1: none */
gboolean stasis_channel_poll (struct pollfd *fds, guint n_fds, gint64 deadline_us,
                              GCancellable *cancellable, GError **error);

/* What a stream of QEMU's needs of a connection by TCP; others are left alone. */
void stasis_channel_tune (int fd);

gboolean stasis_channel_set_blocking (int fd, gboolean is_blocking, GError **error);

G_END_DECLS
