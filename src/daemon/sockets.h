/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sockets.h: where clients come in
 */

#pragma once

#include "daemon/daemon-config.h"
#include "remote/default-socket.h"

G_BEGIN_DECLS

typedef struct
{
  char *path;            /* (owned) (nullable) of the socket that may change things, where it is
                            ours; the other has a suffix */
  gboolean is_activated; /* they were handed over by systemd, which keeps them */
} StasisDaemonSockets;

/* (transfer full): where the daemon of these folders listens unless it is told otherwise; @folder
 * (nullable) is that of its configuration. */
char *stasis_daemon_sockets_path (const StasisPaths *paths, const char *folder);

/* Listen on those that systemd hands over (sd_listen_fds(3)), or else at @path and beside it: a
 * folder that is missing is made.  @uid: who may connect besides root, or -1: whoever the modes
 * let. */
gboolean stasis_daemon_sockets_open (StasisDaemonSockets *self, const char *path,
                                     const StasisDaemonConfig *config, StasisServer *server,
                                     gint64 uid, GError **error);
/* Their names go. */
void stasis_daemon_sockets_close (StasisDaemonSockets *self);

G_END_DECLS
