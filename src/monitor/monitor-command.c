/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * monitor-command.c: run a command and wait for its reply
 *
 * Theory of operation
 *
 * A caller claims the socket's writing side (is_sending), writes its line without the lock, gives
 * the side back and waits for the reply with its id; meanwhile others may write theirs.  Only
 * commands with descriptors exclude each other until they are answered: QEMU keeps the
 * descriptors of the last message that brought some, and how far it reads ahead of the command
 * that it runs is its own affair.
 */

#include "config.h"

#include "monitor/monitor-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

typedef struct
{
  StasisJson *arguments; /* (owned) (nullable) */
  const int *fds;        /* (borrowed) */
  guint n_fds;
} Load;

/* What ends every wait but the thing waited for.  Locked. */
static gboolean
may_wait (StasisMonitor *monitor, const StasisMonitorCall *call, GError **error)
{
  if (monitor->fault != NULL)
    {
      g_propagate_error (error, g_error_copy (monitor->fault));
      g_prefix_error (error, "%s: ", call->command);
      return FALSE;
    }
  return !g_cancellable_set_error_if_cancelled (call->cancellable, error);
}

static gboolean
throw_timeout (const StasisMonitorCall *call, GError **error)
{
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT,
               _ ("QEMU did not answer the command '%1$s' within %2$" G_GINT64_FORMAT " ms"),
               call->command, call->timeout_ms);
  return FALSE;
}

/* Locked: wait until it is our turn to write, and be registered. */
static gboolean
claim_sender (StasisMonitor *monitor, StasisMonitorCall *call, guint n_fds, GError **error)
{
  gboolean is_late = FALSE;
  for (;;)
    {
      if (!may_wait (monitor, call, error))
        return FALSE;
      if (!monitor->is_sending && (n_fds == 0 || !monitor->is_passing_fds))
        break;
      if (is_late)
        return throw_timeout (call, error);
      is_late = !stasis_monitor_wait_changed (monitor, call->deadline_us);
    }

  monitor->is_sending = TRUE;
  if (n_fds > 0)
    monitor->is_passing_fds = TRUE;
  call->id = ++monitor->last_id;
  g_hash_table_insert (monitor->calls, &call->id, call);
  return TRUE;
}

/* Locked: wait for the reply.  It wins over everything that happens at the same time. */
static gboolean
wait_reply (StasisMonitor *monitor, const StasisMonitorCall *call, GError **error)
{
  gboolean is_late = FALSE;
  while (!call->is_answered)
    {
      if (!may_wait (monitor, call, error))
        return FALSE;
      if (is_late)
        return throw_timeout (call, error);
      is_late = !stasis_monitor_wait_changed (monitor, call->deadline_us);
    }
  return TRUE;
}

/* The command as a line, with its id. */
static char *
make_line (StasisMonitor *monitor, const StasisMonitorCall *call, const Load *load)
{
  g_autofree char *id = g_strdup_printf ("stasis-%" G_GUINT64_FORMAT, call->id);
  g_autoptr (StasisJson) message = stasis_json_new_object ();
  stasis_json_set_string (message, "execute", call->command);
  if (load->arguments != NULL)
    stasis_json_set (message, "arguments", stasis_json_ref (load->arguments));
  stasis_json_set_string (message, "id", id);
  stasis_monitor_trace (monitor, "->", message);

  g_autofree char *text = stasis_json_to_string (message);
  return g_strconcat (text, "\n", NULL);
}

/* QEMU would answer a line that is not UTF-8 without our id: refuse it here. */
static gboolean
send_line (StasisMonitor *monitor, const StasisMonitorCall *call, const Load *load, GError **error)
{
  g_autofree char *line = make_line (monitor, call, load);
  if (!g_utf8_validate (line, -1, NULL))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _ ("an argument of the command '%s' is not UTF-8"), call->command);
      return FALSE;
    }
  return stasis_monitor_send (monitor, call, line, strlen (line), load->fds, load->n_fds, error);
}

static gboolean
run_call (StasisMonitor *monitor, StasisMonitorCall *call, const Load *load, GError **error)
{
  g_mutex_lock (&monitor->lock);
  if (!claim_sender (monitor, call, load->n_fds, error))
    {
      g_mutex_unlock (&monitor->lock);
      return FALSE;
    }
  g_mutex_unlock (&monitor->lock);

  gboolean ok = send_line (monitor, call, load, error);

  g_mutex_lock (&monitor->lock);
  monitor->is_sending = FALSE;
  g_cond_broadcast (&monitor->changed);
  if (ok)
    ok = wait_reply (monitor, call, error);
  g_hash_table_remove (monitor->calls, &call->id);
  if (load->n_fds > 0)
    {
      monitor->is_passing_fds = FALSE;
      g_cond_broadcast (&monitor->changed);
    }
  g_mutex_unlock (&monitor->lock);
  return ok;
}

/* QEMU's own words; its class where that says more. */
static gboolean
throw_qmp_error (const StasisMonitorCall *call, GError **error)
{
  const char *class = stasis_json_string (stasis_json_get (call->value, "class"), "GenericError");
  const char *desc
      = stasis_json_string (stasis_json_get (call->value, "desc"), _ ("no reason given"));
  const StasisMonitorError code = g_str_equal (class, "CommandNotFound")
                                      ? STASIS_MONITOR_ERROR_UNSUPPORTED
                                      : STASIS_MONITOR_ERROR_COMMAND;
  if (g_str_equal (class, "GenericError"))
    g_set_error (error, STASIS_MONITOR_ERROR, code, _ ("QEMU: %1$s: %2$s"), call->command, desc);
  else
    g_set_error (error, STASIS_MONITOR_ERROR, code, _ ("QEMU: %1$s: %2$s (%3$s)"), call->command,
                 desc, class);
  return FALSE;
}

/* Run a command and wait for its reply. */
gboolean
stasis_monitor_command (StasisMonitor *monitor, const char *command, StasisJson *arguments_take,
                        const int *fds, guint n_fds, gint64 timeout_ms, StasisJson **out_return,
                        GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) arguments = arguments_take;
  g_return_val_if_fail (monitor != NULL && command != NULL, FALSE);
  g_return_val_if_fail (n_fds <= STASIS_MONITOR_FDS_MAX, FALSE);

  const Load load = { .arguments = arguments, .fds = fds, .n_fds = n_fds };
  StasisMonitorCall call = {
    .command = command,
    .deadline_us = stasis_monitor_deadline (timeout_ms),
    .timeout_ms = timeout_ms,
    .cancellable = cancellable,
  };
  const gulong handler = stasis_monitor_enter (monitor, cancellable);
  const gboolean ok = run_call (monitor, &call, &load, error);
  stasis_monitor_leave (monitor, cancellable, handler);

  g_autoptr (StasisJson) value = call.value;
  if (!ok)
    return FALSE;
  if (call.is_error)
    return throw_qmp_error (&call, error);
  if (out_return != NULL)
    *out_return = g_steal_pointer (&value);
  return TRUE;
}
