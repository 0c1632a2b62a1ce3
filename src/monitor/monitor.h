/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor.h: a QMP connection to one QEMU
 *
 * Every call blocks, may be cancelled and may be made from any thread, several at once.
 * Timeouts are in milliseconds from the call; -1 means no limit.
 */

#pragma once

#include <gio/gio.h>

#include "monitor/error.h"
#include "monitor/event.h"
#include "util/json.h"

G_BEGIN_DECLS

#define STASIS_MONITOR_FDS_MAX    8u    /* descriptors with one command */
#define STASIS_MONITOR_EVENTS_MAX 4096u /* queued; see STASIS_MONITOR_EVENTS_LOST */

typedef struct _StasisMonitor StasisMonitor;

/* What QEMU said of itself in its greeting.  For messages and records; never decide by it. */
typedef struct
{
  guint major;
  guint minor;
  guint micro;
  char *package; /* (owned) the distribution's suffix, may be empty */
} StasisMonitorVersion;

/* Take the greeting and negotiate capabilities on a connected unix stream socket.
 * @socket_take: consumed, on failure too
 * @log_path: (nullable): QEMU's log, whose end goes into the error when QEMU has died
 * @log_start: the size that it had when this QEMU was started */
StasisMonitor *stasis_monitor_open (int socket_take, const char *log_path, guint64 log_start,
                                    gint64 timeout_ms, GCancellable *cancellable,
                                    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full): QEMU has ended, with the last lines of its log where there are any: what waiters
 * get, for those who could not even connect. */
GError *stasis_monitor_ended (const char *log_path, guint64 log_start) G_GNUC_WARN_UNUSED_RESULT;

/* Fail every waiter with STASIS_MONITOR_ERROR_CLOSED, wait until they have left, free all.
 * QEMU runs on and can be connected to again.  NULL is fine. */
void stasis_monitor_close (StasisMonitor *monitor);

/* Run a command and wait for its reply.
 * @arguments_take: (nullable): consumed
 * @fds: (nullable): borrowed; QEMU gets duplicates
 * @out_return: (nullable) (transfer full): what it returned
 * Fails with STASIS_MONITOR_ERROR_COMMAND and QEMU's words, _UNSUPPORTED, _TIMEOUT, _CLOSED (with
 * the end of QEMU's log), _PROTOCOL, or G_IO_ERROR_CANCELLED.  After a timeout or cancellation
 * QEMU may still carry the command out; its late reply is dropped. */
gboolean stasis_monitor_command (StasisMonitor *monitor, const char *command,
                                 StasisJson *arguments_take, const int *fds, guint n_fds,
                                 gint64 timeout_ms, StasisJson **out_return,
                                 GCancellable *cancellable, GError **error);

/* Wait for the next event.  TRUE with *@out_event NULL when the time is over.  Events that came
 * before the connection failed are still handed out, then its error is returned.  Each event is
 * handed out once: a connection has one consumer of events. */
gboolean stasis_monitor_wait_event (StasisMonitor *monitor, gint64 timeout_ms,
                                    StasisMonitorEvent **out_event, GCancellable *cancellable,
                                    GError **error);

/* The next event if there is one (transfer full), else NULL.  Never blocks. */
StasisMonitorEvent *stasis_monitor_pop_event (StasisMonitor *monitor) G_GNUC_WARN_UNUSED_RESULT;

/* A descriptor (borrowed) that polls readable while an event is queued, and for good once the
 * connection has failed.  Only poll it. */
int stasis_monitor_event_fd (const StasisMonitor *monitor);

/* How often the guest was let run, woken or reset since the connection was opened, by whomever.
 * Counted as QEMU's messages come in, whether the events were taken or lost: what happened before
 * QEMU answered a command is in it when that command returns. */
guint stasis_monitor_stirs (StasisMonitor *monitor);

/* TRUE once the connection has failed; events may still be queued. */
gboolean stasis_monitor_is_closed (StasisMonitor *monitor);

const StasisMonitorVersion *stasis_monitor_version (const StasisMonitor *monitor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMonitor, stasis_monitor_close)

G_END_DECLS
