/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-private.h: what the files of the transport share
 */

#pragma once

#include "monitor/event-queue.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* One command on its way; lives on the stack of its caller. */
typedef struct
{
  const char *command; /* (borrowed) */
  guint64 id;
  gint64 deadline_us;        /* monotonic; -1: none */
  gint64 timeout_ms;         /* the same as it was asked for, for messages */
  GCancellable *cancellable; /* (borrowed) (nullable) */
  gboolean is_answered;      /* (guarded by lock), so are the next two */
  gboolean is_error;
  StasisJson *value; /* (owned) (nullable) */
} StasisMonitorCall;

struct _StasisMonitor
{
  int socket;                   /* (owned) nonblocking */
  int wake_fd;                  /* (owned) an eventfd that makes the reader leave */
  int event_fd;                 /* (owned) an eventfd, see stasis_monitor_event_fd */
  char *log_path;               /* (owned) (nullable) */
  guint64 log_start;            /* where this QEMU's part of it begins */
  GThread *reader;              /* (owned) */
  StasisMonitorVersion version; /* constant once open */

  GMutex lock;
  GCond changed;           /* anything below has changed */
  GHashTable *calls;       /* (guarded by lock) (owned) id -> StasisMonitorCall (borrowed) */
  guint64 last_id;         /* (guarded by lock) and all the rest */
  guint n_users;           /* callers inside */
  gboolean is_sending;     /* somebody writes to the socket */
  gboolean is_passing_fds; /* a command with descriptors is unanswered */
  gboolean is_closing;
  StasisJson *greeting; /* (owned) (nullable) until open has taken it */
  StasisEventQueue events;
  guint n_stirs; /* events after which the guest is not as it was, see stasis_monitor_stirs */
  GError *fault; /* (owned) (nullable) why the connection is no more; set once */
};

/* monitor.c: a caller is inside between enter and leave; @cancellable wakes its waits. */
gulong stasis_monitor_enter (StasisMonitor *monitor, GCancellable *cancellable);
void stasis_monitor_leave (StasisMonitor *monitor, GCancellable *cancellable, gulong handler);

/* monitor.c: wait, locked, until something has changed; FALSE when the deadline is over. */
gboolean stasis_monitor_wait_changed (StasisMonitor *monitor, gint64 deadline_us);

/* monitor.c: the deadline of a timeout in ms. */
gint64 stasis_monitor_deadline (gint64 timeout_ms);

/* monitor-reader.c: the thread. */
gpointer stasis_monitor_reader_run (gpointer monitor);

/* monitor-reader.c: end the connection, once, for this reason. */
void stasis_monitor_fail (StasisMonitor *monitor, GError *fault_take);

/* monitor-reader.c, locked: make the event descriptor tell the truth. */
void stasis_monitor_update_event_fd (StasisMonitor *monitor);

/* monitor-send.c: write the whole line.  A peer that has gone is no failure here: the reader
 * sees it too, and tells why. */
gboolean stasis_monitor_send (StasisMonitor *monitor, const StasisMonitorCall *call,
                              const char *line, gsize length, const int *fds, guint n_fds,
                              GError **error);

/* monitor-reader.c: one message for the debug log. */
void stasis_monitor_trace (StasisMonitor *monitor, const char *direction,
                           const StasisJson *message);

G_END_DECLS
