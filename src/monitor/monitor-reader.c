/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-reader.c: the thread that reads what QEMU sends
 *
 * Theory of operation
 *
 * One thread for each connection polls the socket and an eventfd that tells it to leave.  It
 * feeds the octets to the parser, and under the lock hands replies to their callers and events to
 * the queue; it runs nobody's code and never waits for anything but those two descriptors, so
 * QEMU's output is always taken.
 *
 * The connection ends once, for one reason: QEMU hung up, or it sent what is not QMP.  All that
 * came before that is delivered first; then every caller gets the reason.
 */

#include "config.h"

#include "monitor/monitor-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "monitor/log-tail.h"
#include "monitor/qmp-parser.h"
#include "monitor/redact.h"
#include "util/fd.h"

#define BUFFER_SIZE (64u * 1024u)

/* One message for the debug log. */
void
stasis_monitor_trace (StasisMonitor *monitor, const char *direction, const StasisJson *message)
{
  /* Making the text costs more than reading the message: only for who wants it. */
  if (message == NULL || g_log_writer_default_would_drop (G_LOG_LEVEL_DEBUG, G_LOG_DOMAIN))
    return;

  g_autofree char *text = stasis_monitor_redact (message);
  g_debug ("monitor %d %s %s", monitor->socket, direction, text);
}

/* Locked: make the event descriptor readable exactly while there is something to fetch. */
void
stasis_monitor_update_event_fd (StasisMonitor *monitor)
{
  if (!stasis_event_queue_is_empty (&monitor->events) || monitor->fault != NULL)
    {
      /* Nonblocking: where the counter is full it is readable already. */
      eventfd_write (monitor->event_fd, 1);
      return;
    }
  eventfd_t count;
  eventfd_read (monitor->event_fd, &count);
}

/* End the connection, once, for this reason. */
void
stasis_monitor_fail (StasisMonitor *monitor, GError *fault_take)
{
  g_debug ("monitor %d: %s", monitor->socket, fault_take->message);
  g_mutex_lock (&monitor->lock);
  if (monitor->fault == NULL)
    monitor->fault = g_steal_pointer (&fault_take);
  stasis_monitor_update_event_fd (monitor);
  g_cond_broadcast (&monitor->changed);
  g_mutex_unlock (&monitor->lock);
  /* Who is writing wakes up too; QEMU learns that we are gone. */
  shutdown (monitor->socket, SHUT_RDWR);
  g_clear_error (&fault_take);
}

/* QEMU has ended. */
GError *
stasis_monitor_ended (const char *log_path, guint64 log_start)
{
  g_autofree char *tail = log_path != NULL ? stasis_log_tail (log_path, log_start) : g_strdup ("");
  if (*tail == '\0')
    return g_error_new_literal (STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED,
                                _ ("QEMU has ended or closed its monitor"));
  return g_error_new (STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED,
                      _ ("QEMU has ended or closed its monitor; the end of its log:\n%s"), tail);
}

static void
deliver_reply (StasisMonitor *monitor, StasisQmpMessage *message)
{
  StasisMonitorCall *call = g_hash_table_lookup (monitor->calls, &message->id);
  if (call == NULL || call->is_answered)
    {
      g_debug ("monitor %d: a reply that nobody waits for", monitor->socket);
      return;
    }
  call->is_answered = TRUE;
  call->is_error = message->kind == STASIS_QMP_ERROR;
  call->value = g_steal_pointer (&message->value);
}

static void
deliver_greeting (StasisMonitor *monitor, StasisQmpMessage *message)
{
  if (monitor->greeting == NULL)
    monitor->greeting = g_steal_pointer (&message->value);
}

static gboolean
is_stir (const StasisMonitorEvent *event)
{
  return g_str_equal (event->name, "RESUME") || g_str_equal (event->name, "WAKEUP")
         || g_str_equal (event->name, "RESET");
}

static void
deliver (StasisMonitor *monitor, StasisQmpMessage *message)
{
  stasis_monitor_trace (monitor, "<-",
                        message->event != NULL ? message->event->data : message->value);
  g_mutex_lock (&monitor->lock);
  switch (message->kind)
    {
    case STASIS_QMP_GREETING:
      deliver_greeting (monitor, message);
      break;
    case STASIS_QMP_RETURN:
    case STASIS_QMP_ERROR:
      deliver_reply (monitor, message);
      break;
    case STASIS_QMP_EVENT:
      g_debug ("monitor %d: event %s", monitor->socket, message->event->name);
      if (is_stir (message->event))
        monitor->n_stirs++;
      stasis_event_queue_push (&monitor->events, g_steal_pointer (&message->event), message->size);
      stasis_monitor_update_event_fd (monitor);
      break;
    }
  g_cond_broadcast (&monitor->changed);
  g_mutex_unlock (&monitor->lock);
}

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

/* TRUE while there may be more. */
static gboolean
take_octets (StasisMonitor *monitor, StasisQmpParser *parser, char *buffer)
{
  /* Without a place for them the kernel drops descriptors that QEMU may send. */
  const gssize n = recv (monitor->socket, buffer, BUFFER_SIZE, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return TRUE;
  if (n <= 0)
    {
      stasis_monitor_fail (monitor, stasis_monitor_ended (monitor->log_path, monitor->log_start));
      return FALSE;
    }

  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func (free_message);
  GError *fault = NULL;
  const gboolean ok = stasis_qmp_parser_feed (parser, buffer, (gsize) n, messages, &fault);
  for (guint i = 0; i < messages->len; i++)
    deliver (monitor, g_ptr_array_index (messages, i));
  if (!ok)
    stasis_monitor_fail (monitor, fault);
  return ok;
}

/* The thread. */
gpointer
stasis_monitor_reader_run (gpointer data)
{
  StasisMonitor *monitor = data;
  g_autoptr (StasisQmpParser) parser = stasis_qmp_parser_new (STASIS_QMP_LINE_MAX);
  g_autofree char *buffer = g_malloc (BUFFER_SIZE);
  struct pollfd fds[] = { { .fd = monitor->wake_fd, .events = POLLIN },
                          { .fd = monitor->socket, .events = POLLIN } };
  for (;;)
    {
      if (poll (fds, G_N_ELEMENTS (fds), -1) < 0 && errno != EINTR)
        {
          stasis_monitor_fail (monitor,
                               stasis_monitor_ended (monitor->log_path, monitor->log_start));
          return NULL;
        }
      if (fds[0].revents != 0)
        return NULL;
      if (fds[1].revents != 0 && !take_octets (monitor, parser, buffer))
        return NULL;
    }
}
