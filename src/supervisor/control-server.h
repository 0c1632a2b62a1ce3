/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-server.h: the connections on a supervisor's control socket
 */

#pragma once

#include <gio/gio.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisControlServer StasisControlServer;

/* A connection; numbers are never used again. */
typedef guint64 StasisClientId;

/* All called in the default main context. */
typedef struct
{
  /* A request has come; it is answered with stasis_control_server_reply(), now or later.  The
   * client's next request waits for that. */
  void (*request) (StasisClientId client, const StasisJson *request, gpointer data);
  /* A connection has ended, from either side. */
  void (*closed) (StasisClientId client, gpointer data);
  /* TRUE where it stands for something even while it asks for nothing: its place is not needed for
   * another one. */
  gboolean (*is_kept) (StasisClientId client, gpointer data);
  /* TRUE where its request is answered only once something happens: it makes room like one that has
   * asked for nothing. */
  gboolean (*is_waiting) (StasisClientId client, gpointer data);
} StasisControlServerFuncs;

/* Listen on @folder's control.sock.  @funcs outlives it. */
StasisControlServer *stasis_control_server_new (const char *folder,
                                                const StasisControlServerFuncs *funcs,
                                                gpointer data, GError **error);

/* Answer.  A client that has gone meanwhile is fine.  @reply_take: consumed */
void stasis_control_server_reply (StasisControlServer *server, StasisClientId client,
                                  StasisJson *reply_take);

/* Say something that was not asked for; it stands behind the replies that have been given.  One who
 * does not take what he is told is dropped. */
void stasis_control_server_tell (StasisControlServer *server, StasisClientId client,
                                 const StasisJson *message);

/* The process at the other end when it connected, or 0. */
pid_t stasis_control_server_pid (StasisControlServer *server, StasisClientId client);

G_END_DECLS
