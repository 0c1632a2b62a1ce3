/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control.c: talk to the supervisor of a running domain
 *
 * Theory of operation
 *
 * One request, one reply, a line of JSON each (docs/supervisor.md), with one deadline for both.
 * After a failure in the middle nobody knows which reply would come next, so the connection is
 * closed; only a job's updates open a new one, for the supervisor may have been replaced while
 * the job goes on.
 */

#include "config.h"

#include "driver/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/job-stats-json.h"
#include "util/fd.h"
#include "util/json.h"

#define CONTROL_FILE "control.sock"
#define TIMEOUT_US   (5 * G_USEC_PER_SEC)
#define REPLY_MAX    (64u * 1024u) /* octets */

struct _StasisControl
{
  char *path;      /* (owned) of the socket */
  char *name;      /* (owned) the domain's, for messages */
  int fd;          /* (owned) or -1 after a failure */
  char *operation; /* (owned) (nullable) the job begun on it */
};

/* NULL is fine. */
void
stasis_control_free (StasisControl *control)
{
  if (control == NULL)
    return;

  stasis_fd_clear (&control->fd);
  g_free (control->path);
  g_free (control->name);
  g_free (control->operation);
  g_free (control);
}

static gboolean
prefix_dead (const StasisControl *control, GError **error)
{
  g_prefix_error (error, _ ("the supervisor of domain '%s' does not answer: "), control->name);
  return FALSE;
}

/* Connect to the supervisor. */
StasisControl *
stasis_control_open (const char *folder, GError **error)
{
  g_autoptr (StasisControl) control = g_new0 (StasisControl, 1);
  control->path = g_build_filename (folder, CONTROL_FILE, NULL);
  control->name = g_path_get_basename (folder);
  control->fd = stasis_unix_connect (control->path, error);
  if (control->fd < 0)
    {
      prefix_dead (control, error);
      return NULL;
    }
  return g_steal_pointer (&control);
}

/* The supervisor's pid: of who listens. */
gint64
stasis_control_get_pid (const StasisControl *control)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  if (control->fd < 0 || getsockopt (control->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return 0;
  return peer.pid;
}

/* Wait until the socket is ready for @events. */
static gboolean
wait_ready (int fd, short events, gint64 deadline_us, GError **error)
{
  for (;;)
    {
      const gint64 left = deadline_us - g_get_monotonic_time ();
      struct pollfd one = { .fd = fd, .events = events };
      const int n = poll (&one, 1, left > 0 ? (int) ((left + 999) / 1000) : 0);
      if (n > 0)
        return TRUE;
      if (n < 0 && errno != EINTR)
        return stasis_throw_errno (error, _ ("cannot wait"));
      if (n == 0)
        break;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("nothing came within %d s"),
               (int) (TIMEOUT_US / G_USEC_PER_SEC));
  return FALSE;
}

static gboolean
send_line (int fd, const StasisJson *request, gint64 deadline_us, GError **error)
{
  g_autofree char *text = stasis_json_to_string (request);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  const gsize size = strlen (line);
  gsize done = 0;
  while (done < size)
    {
      const gssize n = send (fd, line + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n >= 0)
        done += (gsize) n;
      else if (errno != EAGAIN && errno != EINTR)
        return stasis_throw_errno (error, _ ("cannot send"));
      else if (!wait_ready (fd, POLLOUT, deadline_us, error))
        return FALSE;
    }
  return TRUE;
}

/* Nothing may follow the reply's line: we asked for nothing more. */
static char *
receive_line (int fd, gint64 deadline_us, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  char octets[4096];
  while (line->len <= REPLY_MAX)
    {
      if (!wait_ready (fd, POLLIN, deadline_us, error))
        return NULL;
      const gssize n = recv (fd, octets, sizeof octets, MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        continue;
      if (n < 0)
        {
          stasis_throw_errno (error, _ ("cannot receive"));
          return NULL;
        }
      if (n == 0)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED,
                               _ ("it closed the connection"));
          return NULL;
        }
      g_string_append_len (line, octets, n);
      if (octets[n - 1] == '\n')
        return g_string_free (g_steal_pointer (&line), FALSE);
    }
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                       _ ("its reply is too long"));
  return NULL;
}

static StasisJson *
exchange (StasisControl *control, const StasisJson *request, GError **error)
{
  if (control->fd < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the connection is closed"));
      return NULL;
    }
  const gint64 deadline_us = g_get_monotonic_time () + TIMEOUT_US;
  if (!send_line (control->fd, request, deadline_us, error))
    return NULL;
  g_autofree char *line = receive_line (control->fd, deadline_us, error);
  return line != NULL ? stasis_json_parse (line, -1, error) : NULL;
}

/* What the supervisor refuses has a code that says what it is to the caller. */
static gboolean
throw_refusal (const StasisControl *control, const StasisJson *reply, GError **error)
{
  const char *code = stasis_json_string (stasis_json_get (reply, "code"), "");
  const char *message = stasis_json_string (stasis_json_get (reply, "error"), _ ("no reason"));
  StasisError number = STASIS_ERROR_FAILED;
  if (g_str_equal (code, "busy"))
    number = STASIS_ERROR_BUSY;
  else if (g_str_equal (code, "state"))
    number = STASIS_ERROR_INVALID_STATE;
  else if (g_str_equal (code, "qemu"))
    number = STASIS_ERROR_QEMU;
  g_set_error (error, STASIS_ERROR, number, _ ("domain '%1$s': %2$s"), control->name, message);
  return FALSE;
}

/* One request, one reply.  @out_reply: (nullable) (transfer full) */
static gboolean
ask (StasisControl *control, const StasisJson *request, StasisJson **out_reply, GError **error)
{
  g_autoptr (StasisJson) reply = exchange (control, request, error);
  if (reply == NULL)
    {
      stasis_fd_clear (&control->fd);
      return prefix_dead (control, error);
    }
  if (!stasis_json_boolean (stasis_json_get (reply, "ok"), FALSE))
    return throw_refusal (control, reply, error);
  if (out_reply != NULL)
    *out_reply = g_steal_pointer (&reply);
  return TRUE;
}

static StasisJson *
new_request (const char *what)
{
  StasisJson *request = stasis_json_new_object ();
  stasis_json_set_string (request, "do", what);
  return request;
}

static gboolean
ask_plain (StasisControl *control, const char *what, GError **error)
{
  g_autoptr (StasisJson) request = new_request (what);
  return ask (control, request, NULL, error);
}

/* The domain's state and why. */
gboolean
stasis_control_get_state (StasisControl *control, StasisDomainState *out_state, char **out_reason,
                          GError **error)
{
  g_autoptr (StasisJson) request = new_request ("state");
  g_autoptr (StasisJson) reply = NULL;
  gint64 state = 0;
  const char *reason = NULL;
  if (!ask (control, request, &reply, error)
      || !stasis_json_need_int (reply, "state", &state, error)
      || !stasis_json_need_string (reply, "reason", &reason, error))
    return FALSE;
  *out_state = (StasisDomainState) CLAMP (state, STASIS_DOMAIN_NOSTATE, STASIS_DOMAIN_PMSUSPENDED);
  if (out_reason != NULL)
    *out_reason = g_strdup (reason);
  return TRUE;
}

/* Return once the supervisor has seen all that QEMU did until now. */
gboolean
stasis_control_sync (StasisControl *control, GError **error)
{
  return ask_plain (control, "sync", error);
}

/* This process begins a job. */
gboolean
stasis_control_job_begin (StasisControl *control, const char *operation, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("job-begin");
  stasis_json_set_string (request, "operation", operation);
  stasis_json_set_int (request, "pid", getpid ());
  if (!ask (control, request, NULL, error))
    return FALSE;
  g_autofree char *old = control->operation;
  control->operation = g_strdup (operation);
  return TRUE;
}

/* The supervisor that knew of the job has gone: tell the one that may have come. */
static gboolean
begin_again (StasisControl *control, GError **error)
{
  if (control->fd >= 0 || control->operation == NULL)
    return TRUE;
  control->fd = stasis_unix_connect (control->path, error);
  if (control->fd < 0)
    return prefix_dead (control, error);
  g_autofree char *operation = g_strdup (control->operation);
  return stasis_control_job_begin (control, operation, error);
}

static gboolean
tell_stats (StasisControl *control, const char *what, const StasisJobStats *stats,
            gboolean *out_abort, GError **error)
{
  if (!begin_again (control, error))
    return FALSE;
  g_autoptr (StasisJson) request = new_request (what);
  stasis_json_set (request, "stats", stasis_job_stats_to_json (stats));
  g_autoptr (StasisJson) reply = NULL;
  if (!ask (control, request, &reply, error))
    return FALSE;
  if (out_abort != NULL)
    *out_abort = stasis_json_boolean (stasis_json_get (reply, "abort"), FALSE);
  return TRUE;
}

/* How the job stands; *@out_abort: somebody wants it to end. */
gboolean
stasis_control_job_update (StasisControl *control, const StasisJobStats *stats, gboolean *out_abort,
                           GError **error)
{
  return tell_stats (control, "job-stats", stats, out_abort, error);
}

/* The job has ended, one way or the other. */
gboolean
stasis_control_job_end (StasisControl *control, const StasisJobStats *stats, GError **error)
{
  if (!tell_stats (control, "job-end", stats, NULL, error))
    return FALSE;
  g_clear_pointer (&control->operation, g_free);
  return TRUE;
}

/* The job that goes on. */
StasisJobStats *
stasis_control_get_job (StasisControl *control, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("job-info");
  g_autoptr (StasisJson) reply = NULL;
  if (!ask (control, request, &reply, error))
    return NULL;
  const StasisJson *job = stasis_json_get (reply, "job");
  return job != NULL ? stasis_job_stats_from_json (job, error) : stasis_job_stats_new ();
}

/* Its owner sees it with its next update. */
gboolean
stasis_control_abort_job (StasisControl *control, GError **error)
{
  return ask_plain (control, "abort", error);
}

/* The guest is to restart when it has shut down. */
gboolean
stasis_control_reboot (StasisControl *control, GError **error)
{
  return ask_plain (control, "reboot", error);
}
