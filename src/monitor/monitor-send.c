/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-send.c: write a command to QEMU
 *
 * QEMU takes commands when it pleases, octet by octet: a QEMU that is stopped takes none, and
 * the socket fills up.  So nothing here blocks for longer than the caller's deadline, and a
 * cancelled caller leaves.  If it leaves in the middle of a line the stream is spoilt, and the
 * connection ends: the next command would be read as the rest of this one.
 */

#include "config.h"

#include "monitor/monitor-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

/* Wait until the socket takes octets.  A socket that was hung up counts: sending will tell. */
static gboolean
wait_writable (const StasisMonitor *monitor, const StasisMonitorCall *call, GError **error)
{
  int left_ms = -1;
  if (call->deadline_us >= 0)
    left_ms = (int) CLAMP ((call->deadline_us - g_get_monotonic_time () + 999) / 1000, 0, G_MAXINT);

  GPollFD cancel = { .fd = -1 };
  if (call->cancellable != NULL)
    g_cancellable_make_pollfd (call->cancellable, &cancel);
  struct pollfd fds[]
      = { { .fd = monitor->socket, .events = POLLOUT }, { .fd = cancel.fd, .events = POLLIN } };
  const int n = poll (fds, G_N_ELEMENTS (fds), left_ms);
  const int code = errno;
  if (cancel.fd >= 0)
    g_cancellable_release_fd (call->cancellable);

  if (g_cancellable_set_error_if_cancelled (call->cancellable, error))
    return FALSE;
  if (n < 0 && code != EINTR)
    {
      errno = code;
      return stasis_throw_errno (error, _ ("cannot wait for QEMU's monitor"));
    }
  if (n == 0)
    {
      g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT,
                   _ ("QEMU did not take the command '%1$s' within %2$" G_GINT64_FORMAT " ms"),
                   call->command, call->timeout_ms);
      return FALSE;
    }
  return TRUE;
}

static gssize
send_some (int socket, const char *octets, gsize count, const int *fds, guint n_fds)
{
  union
  {
    char octets[CMSG_SPACE (sizeof (int) * STASIS_MONITOR_FDS_MAX)];
    struct cmsghdr align;
  } control = { 0 };
  struct iovec iov = { (char *) octets, count };
  struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
  if (n_fds > 0)
    {
      msg.msg_control = control.octets;
      msg.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
      struct cmsghdr *cmsg = CMSG_FIRSTHDR (&msg);
      cmsg->cmsg_level = SOL_SOCKET;
      cmsg->cmsg_type = SCM_RIGHTS;
      cmsg->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
      memcpy (CMSG_DATA (cmsg), fds, sizeof (int) * n_fds);
    }
  return sendmsg (socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
fail_cut_line (StasisMonitor *monitor, const StasisMonitorCall *call)
{
  stasis_monitor_fail (monitor, g_error_new (STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED,
                                             _ ("only a part of the command '%s' could be sent"),
                                             call->command));
}

/* Write the whole line, the descriptors with its first octet. */
gboolean
stasis_monitor_send (StasisMonitor *monitor, const StasisMonitorCall *call, const char *line,
                     gsize length, const int *fds, guint n_fds, GError **error)
{
  gsize done = 0;
  while (done < length)
    {
      const gssize n
          = send_some (monitor->socket, line + done, length - done, fds, done == 0 ? n_fds : 0);
      if (n >= 0)
        {
          done += (gsize) n;
          continue;
        }
      if (errno == EINTR)
        continue;
      if (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN)
        return TRUE;

      const gboolean ok
          = errno == EAGAIN
                ? wait_writable (monitor, call, error)
                : stasis_throw_errno (error, _ ("cannot send the command '%s'"), call->command);
      if (!ok && done > 0)
        fail_cut_line (monitor, call);
      if (!ok)
        return FALSE;
    }
  return TRUE;
}
