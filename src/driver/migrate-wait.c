/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-wait.c: waiting for sockets, with a deadline
 */

#include "config.h"

#include "driver/migrate-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#include "driver/migrate-channel.h"
#include "util/fd.h"

#define KEEP_IDLE_S     10
#define KEEP_INTERVAL_S 5
#define KEEP_COUNT      4
#define USER_TIMEOUT_MS 30000 /* what was sent is not acknowledged: the other host is gone */

/* With the cancellable's own descriptor behind the others. */
gboolean
stasis_channel_poll (struct pollfd *fds, guint n_fds, gint64 deadline_us, GCancellable *cancellable,
                     GError **error)
{
  const int cancelled = g_cancellable_get_fd (cancellable);
  fds[n_fds] = (struct pollfd){ .fd = cancelled, .events = POLLIN };
  int n = 0;
  do
    {
      const gint64 left_us = deadline_us - g_get_monotonic_time ();
      const gint64 left_ms = CLAMP ((left_us + 999) / 1000, 0, G_MAXINT);
      n = poll (fds, n_fds + 1, deadline_us < 0 ? -1 : (int) left_ms);
    }
  while (n < 0 && errno == EINTR);
  const int saved = errno;
  if (cancelled >= 0)
    g_cancellable_release_fd (cancellable);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  errno = saved;
  if (n > 0)
    return TRUE;
  if (n < 0)
    return stasis_throw_errno (error, _ ("cannot wait for a socket"));
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("no answer in time"));
  return FALSE;
}

static gboolean
wait_one (int fd, short events, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
  struct pollfd fds[2] = { { .fd = fd, .events = events } };
  return stasis_channel_poll (fds, 1, deadline_us, cancellable, error);
}

gboolean
stasis_channel_send (int fd, const void *octets, gsize size, gint64 deadline_us,
                     GCancellable *cancellable, GError **error)
{
  const guint8 *next = octets;
  while (size > 0)
    {
      const ssize_t n = send (fd, next, size, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN && errno != EINTR)
        return stasis_throw_errno (error, _ ("cannot write to the other side"));
      if (n < 0 && errno == EAGAIN && !wait_one (fd, POLLOUT, deadline_us, cancellable, error))
        return FALSE;
      if (n > 0)
        {
          next += n;
          size -= (gsize) n;
        }
    }
  return TRUE;
}

gboolean
stasis_channel_receive (int fd, void *octets, gsize size, gint64 deadline_us,
                        GCancellable *cancellable, GError **error)
{
  guint8 *next = octets;
  while (size > 0)
    {
      const ssize_t n = recv (fd, next, size, MSG_DONTWAIT);
      if (n == 0)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED,
                               _ ("the other side has closed the connection"));
          return FALSE;
        }
      if (n < 0 && errno != EAGAIN && errno != EINTR)
        return stasis_throw_errno (error, _ ("cannot read from the other side"));
      if (n < 0 && errno == EAGAIN && !wait_one (fd, POLLIN, deadline_us, cancellable, error))
        return FALSE;
      if (n > 0)
        {
          next += n;
          size -= (gsize) n;
        }
    }
  return TRUE;
}

static void
set_option (int fd, int level, int option, int value)
{
  if (setsockopt (fd, level, option, &value, sizeof value) < 0)
    g_debug ("setsockopt %d/%d: %s", level, option, g_strerror (errno));
}

void
stasis_channel_tune (int fd)
{
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  if (getsockopt (fd, SOL_SOCKET, SO_DOMAIN, &family, &size) < 0
      || (family != AF_INET && family != AF_INET6))
    return;
  set_option (fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option (fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option (fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
  set_option (fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
  set_option (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

/* QEMU takes a descriptor as it is. */
gboolean
stasis_channel_set_blocking (int fd, gboolean is_blocking, GError **error)
{
  const int flags = fcntl (fd, F_GETFL);
  if (flags >= 0
      && fcntl (fd, F_SETFL, is_blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) == 0)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot change a socket"));
}
