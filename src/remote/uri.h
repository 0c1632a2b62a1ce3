/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * uri.h: where a server is, and how to get there
 *
 *   SCHEME+unix:///PATH[?socket=FILE]
 *   SCHEME+ssh://[USER@]HOST[:PORT]/PATH[?socket=FILE&keyfile=FILE&known_hosts=FILE&no_verify=1]
 *   SCHEME+tcp://HOST[:PORT]/PATH
 *
 * SCHEME is "stasis" or "qemu" (which alone is "qemu+unix"), PATH "system" or "session"; all take
 * keepalive=SECONDS.
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_REMOTE_UNIX,
  STASIS_REMOTE_SSH,
  STASIS_REMOTE_TCP,
} StasisRemoteTransport;

typedef struct
{
  StasisRemoteTransport transport;
  gboolean is_session; /* of a user, not the system's */
  char *user;          /* (owned) (nullable) */
  char *host;          /* (owned) (nullable) for unix sockets; without brackets */
  guint port;          /* 0: the transport's own */
  char *socket;        /* (owned) (nullable): the default; absolute */
  char *keyfile;       /* (owned) (nullable) */
  char *known_hosts;   /* (owned) (nullable) */
  gboolean no_verify;  /* of the host's key */
  guint keepalive_s;   /* how long the server may be silent until it is asked; 0: for ever */
} StasisRemoteUri;

#define STASIS_REMOTE_KEEPALIVE_S 5u

/* STASIS_ERROR_INVALID_ARGUMENT says what is wrong with it. */
StasisRemoteUri *stasis_remote_uri_parse (const char *text, GError **error);
void stasis_remote_uri_free (StasisRemoteUri *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisRemoteUri, stasis_remote_uri_free)

G_END_DECLS
