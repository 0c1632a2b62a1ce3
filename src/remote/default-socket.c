/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * default-socket.c: where a stasisd is found of which nobody has said more
 */

#include "config.h"

#include "remote/default-socket.h"

#define FOLDER "stasisd"

/* The host's is at a place of its own, all others are beside the domains that they run. */
char *
stasis_default_socket (const StasisPaths *paths)
{
  const char *root = g_getenv ("STASIS_STATE_DIR");
  const gboolean is_host = paths->is_system && (root == NULL || *root == '\0');
  return g_build_filename (is_host ? "/run" : paths->run, FOLDER, STASIS_DAEMON_SOCKET, NULL);
}
