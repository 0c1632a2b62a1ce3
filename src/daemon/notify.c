/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.c: telling the service manager how we are
 *
 * A datagram to the socket that NOTIFY_SOCKET names; sd_notify(3) promises that this stays so.
 */

#include "config.h"

#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/fd.h"

/* Tell it. */
void
stasis_daemon_notify (const char *state)
{
  const char *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  if (path == NULL || (*path != '/' && *path != '@') || strlen (path) >= sizeof address.sun_path)
    return;
  memcpy (address.sun_path, path, strlen (path) + 1);
  if (*path == '@') /* abstract */
    address.sun_path[0] = '\0';
  const socklen_t length = (socklen_t) (offsetof (struct sockaddr_un, sun_path) + strlen (path));
  stasis_autofd int fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0
      || sendto (fd, state, strlen (state), MSG_NOSIGNAL, (const struct sockaddr *) &address,
                 length)
             < 0)
    g_debug ("the service manager cannot be told: %s", g_strerror (errno));
}
