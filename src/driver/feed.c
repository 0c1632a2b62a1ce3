/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * feed.c: having QEMU load a stream that comes from us
 *
 * Theory of operation
 *
 * QEMU gets one end of a pair of sockets as its incoming migration; a second thread reads the
 * source (which verifies and decompresses) and writes what it gives into the other end.  The two
 * end apart: QEMU is done with the last octet of its own stream, the source only once its tail has
 * been checked; both must be before the guest may run.  Where one end fails the other one does,
 * too, and whoever failed first has the better reason: damage rather than QEMU's surprise at a
 * stream that ends early, QEMU's words rather than our broken pipe.
 */

#include "config.h"

#include "driver/feed.h"

#include <sys/socket.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migration-wait.h"
#include "driver/migration-end.h"
#include "driver/side-thread.h"
#include "image/error.h"
#include "image/qemu-stream.h"
#include "image/stream-tee.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

#define FD_NAME "stasis-feed"

typedef struct
{
  StasisStreamIn *in; /* (borrowed) */
  int fd;             /* (owned) our end */
  guint64 total;
  gboolean scan;
  StasisSideThread *side; /* (borrowed) */
} Feed;

static void
tell (guint64 done, gpointer data)
{
  const Feed *feed = data;
  stasis_side_thread_tell (done, feed->total, feed->side);
}

static void
tell_scanned (guint64 done, G_GNUC_UNUSED guint64 total, gpointer data)
{
  tell (done, data);
}

/* A stream that the scanner does not know is for QEMU to judge: the rest of it is only copied. */
static gboolean
scan_and_copy (Feed *feed, StasisStreamOut *out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisStreamIn) tee = stasis_stream_tee_new (feed->in, out, 0, tell_scanned, feed);
  g_autoptr (StasisQemuStreamInfo) info = stasis_qemu_stream_scan (tee, cancellable, &local);
  if (info != NULL)
    return TRUE;
  if (feed->in->has_failed
      || !g_error_matches (local, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_debug ("%s", local->message);
  return stasis_stream_copy (feed->in, out, tell, feed, cancellable, error);
}

/* On the second thread.  Closes our end, whatever happens: QEMU is to notice. */
static gboolean
feed_all (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  Feed *feed = data;
  feed->side = side;
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (feed->fd);
  const gboolean ok = feed->scan
                          ? scan_and_copy (feed, out, cancellable, error)
                          : stasis_stream_copy (feed->in, out, tell, feed, cancellable, error);
  stasis_side_thread_tell (feed->in->position, feed->total, side);
  stasis_fd_clear (&feed->fd);
  return ok;
}

/* Begin the migration at QEMU's end of the pair. */
static gboolean
begin (StasisMonitor *monitor, Feed *feed, GCancellable *cancellable, GError **error)
{
  const StasisMigrationCapability capabilities[] = { { "events", TRUE } };
  int ends[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
    return stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
  feed->fd = ends[0];
  stasis_autofd int theirs = ends[1];
  return stasis_monitor_migrate_set_capabilities (monitor, capabilities,
                                                  G_N_ELEMENTS (capabilities), cancellable, error)
         && stasis_monitor_getfd (monitor, FD_NAME, theirs, cancellable, error)
         && stasis_monitor_migrate_incoming (monitor, "fd:" FD_NAME, cancellable, error);
}

/* TRUE where this end failed only because QEMU was gone from the other. */
static gboolean
is_consequence (const GError *error)
{
  return g_error_matches (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
         || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* Which of two reasons to tell.  QEMU that is done although octets are left is damage of its own.
 */
static gboolean
decide (gboolean loaded, GError *load_error, GError *feed_error, GError **error)
{
  g_autoptr (GError) of_load = load_error;
  g_autoptr (GError) of_feed = feed_error;
  if (of_feed == NULL && loaded)
    return TRUE;
  if (loaded && g_error_matches (of_feed, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_IMAGE,
                 _ ("there is more behind the end of QEMU's stream"));
  else if (of_feed != NULL && (of_load == NULL || !is_consequence (of_feed)))
    g_propagate_error (error, g_steal_pointer (&of_feed));
  else
    g_propagate_error (error, g_steal_pointer (&of_load));
  return FALSE;
}

/* Let QEMU load the stream, and see the stream's end. */
gboolean
stasis_feed_run (StasisStreamIn *in, guint64 total, gboolean scan, StasisMonitor *monitor,
                 StasisJob *job, GError **error)
{
  Feed feed = { .in = in, .fd = -1, .total = total, .scan = scan };
  if (!begin (monitor, &feed, stasis_job_cancellable (job), error))
    {
      stasis_fd_clear (&feed.fd);
      return FALSE;
    }

  GError *load_error = NULL;
  GError *feed_error = NULL;
  g_autoptr (StasisSideThread) side = stasis_side_thread_start ("feed", feed_all, &feed, job);
  const gboolean loaded = stasis_migration_wait (monitor, job, 0, &load_error);
  /* A source that waits for more, in front of a QEMU that has given up, would wait for ever. */
  if (!loaded)
    stasis_side_thread_stop (side);
  stasis_side_thread_finish (side, &feed_error);
  return decide (loaded, load_error, feed_error, error)
         && stasis_migration_reset (monitor, NULL, error);
}
