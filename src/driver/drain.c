/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * drain.c: taking the stream that QEMU writes
 *
 * Theory of operation
 *
 * QEMU gets one end of a pair of sockets to migrate to, and a second thread writes what comes out
 * of the other to the sink (which compresses, cuts into records, knows pipes).  Sockets rather than
 * a pipe: QEMU can shut its end down when the migration is cancelled, even while it waits for room.
 * Where the sink fails, its end is closed, QEMU's migration fails of that, and the sink's reason is
 * the one to tell.
 */

#include "config.h"

#include "driver/drain.h"

#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#include "driver/migration-wait.h"
#include "driver/side-thread.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

typedef struct
{
  StasisStreamOut *out; /* (borrowed) */
  int fd;               /* (owned) our end */
} Drain;

/* On the second thread.  Closes our end, whatever happens: QEMU is to notice.  The progress is the
 * job's own, from QEMU, which knows how much is left. */
static gboolean
drain_all (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  Drain *drain = data;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (drain->fd);
  const gboolean ok = stasis_stream_copy (in, drain->out, NULL, NULL, cancellable, error);
  stasis_fd_clear (&drain->fd);
  return ok;
}

/* Hand over QEMU's end of the pair. */
static gboolean
begin (StasisMonitor *monitor, const char *fd_name, Drain *drain, GCancellable *cancellable,
       GError **error)
{
  int ends[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
  drain->fd = ends[0];
  stasis_autofd int theirs = ends[1];
  return stasis_monitor_getfd (monitor, fd_name, theirs, cancellable, error);
}

/* Let QEMU send its state away, and write it to @out. */
gboolean
stasis_drain_run (StasisStreamOut *out, const char *fd_name, StasisMonitor *monitor,
                  StasisJobPoll poll, gpointer poll_data, StasisJob *job, GError **error)
{
  Drain drain = { .out = out, .fd = -1 };
  GCancellable *cancellable = stasis_job_cancellable (job);
  if (!begin (monitor, fd_name, &drain, cancellable, error))
    {
      stasis_fd_clear (&drain.fd);
      return FALSE;
    }

  g_autofree char *uri = g_strconcat ("fd:", fd_name, NULL);
  g_autoptr (GError) of_qemu = NULL;
  g_autoptr (StasisSideThread) side = stasis_side_thread_start ("drain", drain_all, &drain, job);
  stasis_job_set_poll (job, poll, poll_data);
  const gboolean sent = stasis_monitor_migrate (monitor, uri, cancellable, &of_qemu)
                        && stasis_migration_wait (monitor, job, 0, &of_qemu);
  if (sent)
    return stasis_side_thread_finish (side, error);

  /* QEMU may have heard of the sink's failure before we do. */
  g_autoptr (GError) of_sink = NULL;
  stasis_side_thread_stop (side);
  stasis_side_thread_finish (side, &of_sink);
  const gboolean is_sinks
      = of_sink != NULL && !g_error_matches (of_sink, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_propagate_error (error, is_sinks ? g_steal_pointer (&of_sink) : g_steal_pointer (&of_qemu));
  return FALSE;
}
