/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c: other processes, told apart from later ones with the same pid
 */

#include "config.h"

#include "util/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

/* Fields after the command's closing parenthesis, which may itself hold any octets. */
static gboolean
parse_stat (const char *text, gboolean *out_is_alive, guint64 *out_start_time)
{
  const char *after = strrchr (text, ')');
  if (after == NULL)
    return FALSE;

  /* state is field 3, num_threads field 20, starttime field 22 (proc(5)). */
  g_auto (GStrv) fields = g_strsplit (after + 1, " ", 22);
  if (g_strv_length (fields) < 21)
    return FALSE;
  /* The first thread of a process that is killed may be a zombie while others still let go of
   * memory and files. */
  const gboolean is_ended = fields[1][0] == 'Z' && g_ascii_strtoull (fields[18], NULL, 10) <= 1;
  *out_is_alive = !is_ended && fields[1][0] != 'X';
  *out_start_time = g_ascii_strtoull (fields[20], NULL, 10);
  return TRUE;
}

/* Look up a living process. */
gboolean
stasis_process_lookup (pid_t pid, StasisProcess *out_process)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;
  if (pid <= 0 || !g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;

  gboolean is_alive = FALSE;
  guint64 start_time = 0;
  if (!parse_stat (text, &is_alive, &start_time) || !is_alive)
    return FALSE;

  out_process->pid = pid;
  out_process->start_time = start_time;
  return TRUE;
}

/* TRUE while this very process lives. */
gboolean
stasis_process_is_alive (const StasisProcess *process)
{
  StasisProcess now;
  return stasis_process_lookup (process->pid, &now) && now.start_time == process->start_time;
}

/* A pidfd of this very process. */
int
stasis_process_open (const StasisProcess *process, GError **error)
{
  stasis_autofd int fd = (int) syscall (SYS_pidfd_open, process->pid, 0);
  if (fd < 0 && errno != ESRCH)
    {
      stasis_throw_errno (error, _ ("cannot open process %d"), (int) process->pid);
      return -1;
    }
  /* Checked with the pidfd in hand: the pid cannot change its owner any more. */
  if (fd < 0 || !stasis_process_is_alive (process))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("process %d has ended"),
                   (int) process->pid);
      return -1;
    }
  return stasis_fd_steal (&fd);
}

/* Wait until a pidfd's process has ended. */
gboolean
stasis_process_wait (int pidfd, int timeout_ms)
{
  const gint64 deadline = g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  for (;;)
    {
      int left = -1;
      if (timeout_ms >= 0)
        left = (int) MAX (0, (deadline - g_get_monotonic_time () + 999) / 1000);
      struct pollfd poll_fd = { .fd = pidfd, .events = POLLIN };
      const int n = poll (&poll_fd, 1, left);
      if (n > 0)
        return (poll_fd.revents & POLLIN) != 0;
      if (n == 0)
        return FALSE;
      if (errno != EINTR)
        return FALSE;
    }
}

/* SIGTERM, @grace_ms for it to end, then SIGKILL and wait. */
gboolean
stasis_process_end (int pidfd, int grace_ms)
{
  if (syscall (SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) == 0
      && stasis_process_wait (pidfd, grace_ms))
    return TRUE;
  if (syscall (SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
    return FALSE;
  /* Uninterruptible I/O may hold a killed process for a while: not for ever. */
  return stasis_process_wait (pidfd, 30000);
}
