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
 *
 * A job's updates come while its guest may stand still, so a supervisor that hangs or is stopped
 * must not hold them up: an update waits a moment for its reply, and if that has not come, it is
 * owed.  While it is owed nothing more is sent and nothing is waited for; the reply is taken when
 * an update finds it there.  So the supervisor costs a moment for each reply that it does give,
 * and one for the last that it does not.
 *
 * A job that the supervisor did not take, because it has another, is offered anew with each update,
 * until it is taken; for that reply nothing is waited for at all.
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
#define TIMEOUT_MS   5000
#define MOMENT_MS    50            /* for the reply to an update */
#define END_MS       500           /* for a reply that is owed, once the guest goes on */
#define REPLY_MAX    (64u * 1024u) /* octets */

struct _StasisControl
{
  char *path;             /* (owned) of the socket */
  char *name;             /* (owned) the domain's, for messages */
  int fd;                 /* (owned) or -1 after a failure */
  char *operation;        /* (owned) (nullable) the job of this connection */
  char *job_id;           /* (owned) (nullable) likewise */
  gboolean is_background; /* that job is */
  GString *line;          /* (owned) of the reply that is coming */
  gboolean is_begun;      /* the supervisor has taken the job */
  gboolean owes_begin;    /* what is owed is that */
  gboolean is_owed;       /* the reply to the last update has not come yet */
  gboolean knows_ids;     /* said who answered to job-begin last */
};

/* NULL is fine. */
void
stasis_control_free (StasisControl *control)
{
  if (control == NULL)
    return;

  stasis_fd_clear (&control->fd);
  g_string_free (control->line, TRUE);
  g_free (control->path);
  g_free (control->name);
  g_free (control->operation);
  g_free (control->job_id);
  g_free (control);
}

static gboolean
prefix_dead (const StasisControl *control, GError **error)
{
  g_prefix_error (error, _ ("the supervisor of domain '%s' does not answer: "), control->name);
  return FALSE;
}

/* Not connected. */
StasisControl *
stasis_control_new (const char *folder)
{
  StasisControl *control = g_new0 (StasisControl, 1);
  control->line = g_string_new (NULL);
  control->path = g_build_filename (folder, CONTROL_FILE, NULL);
  control->name = g_path_get_basename (folder);
  control->fd = -1;
  return control;
}

/* Connect to the supervisor. */
StasisControl *
stasis_control_open (const char *folder, GError **error)
{
  g_autoptr (StasisControl) control = stasis_control_new (folder);
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

typedef struct
{
  gint64 end_us;
  int length_ms;
} Deadline;

static Deadline
deadline_in (int length_ms)
{
  return (Deadline){ g_get_monotonic_time () + (gint64) length_ms * 1000, length_ms };
}

/* Wait until the socket is ready for @events. */
static gboolean
wait_ready (int fd, short events, const Deadline *deadline, GError **error)
{
  for (;;)
    {
      const gint64 left = deadline->end_us - g_get_monotonic_time ();
      struct pollfd one = { .fd = fd, .events = events };
      const int n = poll (&one, 1, left > 0 ? (int) ((left + 999) / 1000) : 0);
      if (n > 0)
        return TRUE;
      if (n < 0 && errno != EINTR)
        return stasis_throw_errno (error, _ ("cannot wait"));
      if (n == 0)
        break;
    }
  /* Tests add these up. */
  g_debug ("waited %d ms for a supervisor in vain", deadline->length_ms);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("nothing came within %d ms"),
               deadline->length_ms);
  return FALSE;
}

static gboolean
send_line (int fd, const StasisJson *request, const Deadline *deadline, GError **error)
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
      else if (!wait_ready (fd, POLLOUT, deadline, error))
        return FALSE;
    }
  return TRUE;
}

/* Read what there is of the reply.  *@out_reply: NULL until all of it has come.  Nothing may follow
 * its line: we asked for nothing more. */
static gboolean
receive_some (StasisControl *control, StasisJson **out_reply, GError **error)
{
  char octets[4096];
  const gssize n = recv (control->fd, octets, sizeof octets, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return TRUE;
  if (n < 0)
    return stasis_throw_errno (error, _ ("cannot receive"));
  if (n == 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("it closed the connection"));
      return FALSE;
    }
  g_string_append_len (control->line, octets, n);
  if (octets[n - 1] == '\n')
    {
      *out_reply = stasis_json_parse (control->line->str, (gssize) control->line->len, error);
      g_string_truncate (control->line, 0);
      return *out_reply != NULL;
    }
  if (control->line->len <= REPLY_MAX)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                       _ ("its reply is too long"));
  return FALSE;
}

static StasisJson *
receive (StasisControl *control, const Deadline *deadline, GError **error)
{
  StasisJson *reply = NULL;
  while (reply == NULL)
    if (!wait_ready (control->fd, POLLIN, deadline, error)
        || !receive_some (control, &reply, error))
      return NULL;
  return reply;
}

static void
hang_up (StasisControl *control)
{
  stasis_fd_clear (&control->fd);
  g_string_truncate (control->line, 0);
  control->is_begun = FALSE;
  control->owes_begin = FALSE;
  control->is_owed = FALSE;
}

static StasisJson *
exchange (StasisControl *control, const StasisJson *request, GError **error)
{
  if (control->fd < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the connection is closed"));
      return NULL;
    }
  const Deadline deadline = deadline_in (TIMEOUT_MS);
  if (!send_line (control->fd, request, &deadline, error))
    return NULL;
  return receive (control, &deadline, error);
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

/* (transfer full) (nullable): what comes to a request, a refusal too. */
static StasisJson *
ask_anything (StasisControl *control, const StasisJson *request, GError **error)
{
  StasisJson *reply = exchange (control, request, error);
  if (reply == NULL)
    {
      hang_up (control);
      prefix_dead (control, error);
    }
  return reply;
}

/* One request, one reply.  @out_reply: (nullable) (transfer full) */
static gboolean
ask (StasisControl *control, const StasisJson *request, StasisJson **out_reply, GError **error)
{
  g_autoptr (StasisJson) reply = ask_anything (control, request, error);
  if (reply == NULL)
    return FALSE;
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

gint64
stasis_control_get_qemu (StasisControl *control, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("state");
  g_autoptr (StasisJson) reply = NULL;
  return ask (control, request, &reply, error)
             ? stasis_json_int (stasis_json_get (reply, "qemu-pid"), 0)
             : 0;
}

/* Return once the supervisor has seen all that QEMU did until now. */
gboolean
stasis_control_sync (StasisControl *control, GError **error)
{
  return ask_plain (control, "sync", error);
}

static StasisJson *
begin_request (const char *operation, const char *id, gboolean is_background)
{
  StasisJson *request = new_request ("job-begin");
  stasis_json_set_string (request, "operation", operation);
  if (id != NULL)
    stasis_json_set_string (request, "id", id);
  stasis_json_set_boolean (request, "background", is_background);
  stasis_json_set_int (request, "pid", getpid ());
  return request;
}

/* Whether the job was taken. */
static gboolean
hear_begin (StasisControl *control, const StasisJson *reply)
{
  control->is_begun = stasis_json_boolean (stasis_json_get (reply, "ok"), FALSE);
  control->knows_ids = stasis_json_boolean (stasis_json_get (reply, "id"), FALSE);
  return control->is_begun;
}

/* Take the reply that is owed, if it comes within @wait_ms; it may say that the job shall end. */
static gboolean
take_owed (StasisControl *control, int wait_ms, gboolean *out_abort, GError **error)
{
  const Deadline deadline = deadline_in (wait_ms);
  g_autoptr (StasisJson) reply = NULL;
  while (reply == NULL)
    {
      g_autoptr (GError) local = NULL;
      if (wait_ms > 0 && !wait_ready (control->fd, POLLIN, &deadline, &local))
        {
          if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
            return TRUE;
          g_propagate_error (error, g_steal_pointer (&local));
        }
      if (local != NULL || !receive_some (control, &reply, error))
        {
          hang_up (control);
          return prefix_dead (control, error);
        }
      if (wait_ms == 0)
        break;
    }
  if (reply == NULL)
    return TRUE;
  control->is_owed = FALSE;
  if (control->owes_begin)
    {
      control->owes_begin = FALSE;
      hear_begin (control, reply);
      return TRUE;
    }
  if (!stasis_json_boolean (stasis_json_get (reply, "ok"), FALSE))
    return throw_refusal (control, reply, error);
  *out_abort = *out_abort || stasis_json_boolean (stasis_json_get (reply, "abort"), FALSE);
  return TRUE;
}

/* Before a request whose reply is waited for. */
static gboolean
settle_owed (StasisControl *control, GError **error)
{
  gboolean is_aborted = FALSE;
  if (control->is_owed && !take_owed (control, END_MS, &is_aborted, error))
    return FALSE;
  if (!control->is_owed)
    return TRUE;
  /* It sees the end of the connection when it goes on. */
  hang_up (control);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("nothing came"));
  return prefix_dead (control, error);
}

/* This process begins a job, or goes on with the same one in another way. */
gboolean
stasis_control_job_begin (StasisControl *control, const char *operation, const char *id,
                          gboolean is_background, GError **error)
{
  g_autofree char *old = control->operation;
  g_autofree char *old_id = control->job_id;
  control->operation = g_strdup (operation);
  control->job_id = g_strdup (id);
  control->is_background = is_background;
  control->is_begun = FALSE;
  g_autoptr (StasisJson) request = begin_request (operation, id, is_background);
  if (!settle_owed (control, error))
    return FALSE;
  g_autoptr (StasisJson) reply = ask_anything (control, request, error);
  return reply != NULL && (hear_begin (control, reply) || throw_refusal (control, reply, error));
}

/* Send without waiting for more than a moment: the reply is taken within @wait_ms, or later. */
static gboolean
post (StasisControl *control, const StasisJson *request, int wait_ms, gboolean *out_abort,
      GError **error)
{
  const Deadline deadline = deadline_in (MOMENT_MS);
  if (!send_line (control->fd, request, &deadline, error))
    {
      hang_up (control);
      return prefix_dead (control, error);
    }
  control->is_owed = TRUE;
  return take_owed (control, wait_ms, out_abort, error);
}

/* The supervisor that knew of the job has gone: tell the one that may have come.  Or it had another
 * job until now. */
static gboolean
begin_again (StasisControl *control, gboolean *out_abort, GError **error)
{
  if (control->is_begun || control->operation == NULL)
    return TRUE;
  const gboolean is_new = control->fd < 0;
  if (is_new)
    control->fd = stasis_unix_connect_now (control->path, error);
  if (control->fd < 0)
    return prefix_dead (control, error);
  g_autoptr (StasisJson) request
      = begin_request (control->operation, control->job_id, control->is_background);
  control->owes_begin = TRUE;
  return post (control, request, is_new ? MOMENT_MS : 0, out_abort, error);
}

static StasisJson *
stats_request (const char *what, const StasisJobStats *stats)
{
  StasisJson *request = new_request (what);
  stasis_json_set (request, "stats", stasis_job_stats_to_json (stats));
  return request;
}

/* How the job stands; *@out_abort: somebody wants it to end.  Where the supervisor is silent this
 * is not told to it. */
gboolean
stasis_control_job_update (StasisControl *control, const StasisJobStats *stats, gboolean *out_abort,
                           GError **error)
{
  *out_abort = FALSE;
  if (control->is_owed && !take_owed (control, 0, out_abort, error))
    return FALSE;
  if (!control->is_owed && !begin_again (control, out_abort, error))
    return FALSE;
  if (control->is_owed || (control->operation != NULL && !control->is_begun))
    return TRUE;
  g_autoptr (StasisJson) request = stats_request ("job-stats", stats);
  if (control->fd >= 0)
    return post (control, request, MOMENT_MS, out_abort, error);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, _ ("the connection is closed"));
  return prefix_dead (control, error);
}

/* The job has ended, one way or the other. */
gboolean
stasis_control_job_end (StasisControl *control, const StasisJobStats *stats, GError **error)
{
  gboolean is_aborted = FALSE;
  if (!settle_owed (control, error) || !begin_again (control, &is_aborted, error)
      || !settle_owed (control, error))
    return FALSE;
  g_autoptr (StasisJson) request = stats_request ("job-end", stats);
  if (!ask (control, request, NULL, error))
    return FALSE;
  g_clear_pointer (&control->operation, g_free);
  return TRUE;
}

gboolean
stasis_control_knows_ids (const StasisControl *control)
{
  return control->knows_ids;
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

/* Those who watch hear of it. */
gboolean
stasis_control_device_added (StasisControl *control, const char *alias, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("device-added");
  stasis_json_set_string (request, "alias", alias);
  return ask (control, request, NULL, error);
}

/* The guest is to restart when it has shut down. */
gboolean
stasis_control_reboot (StasisControl *control, GError **error)
{
  return ask_plain (control, "reboot", error);
}

/* As long as its state is sent. */
gboolean
stasis_control_migrate_stand (StasisControl *control, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("migrate-limits");
  stasis_json_set_boolean (request, "stand", TRUE);
  return ask (control, request, NULL, error);
}

/* How fast a migration may be, how long its guest may stand still ... */
gboolean
stasis_control_migrate_limit (StasisControl *control, const char *parameter, gint64 value,
                              guint64 *out_value, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("migrate-limits");
  g_autoptr (StasisJson) reply = NULL;
  if (value >= 0)
    stasis_json_set_int (request, parameter, value);
  if (!ask (control, request, &reply, error))
    return FALSE;
  if (out_value != NULL)
    *out_value = stasis_json_uint (stasis_json_get (reply, parameter), 0);
  return TRUE;
}

/* The guest is to go on at its destination before all of it is there. */
gboolean
stasis_control_migrate_postcopy (StasisControl *control, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("migrate-limits");
  stasis_json_set_int (request, "start-postcopy", 1);
  return ask (control, request, NULL, error);
}

/* Its connection is to break. */
gboolean
stasis_control_migrate_pause (StasisControl *control, GError **error)
{
  g_autoptr (StasisJson) request = new_request ("migrate-limits");
  stasis_json_set_int (request, "pause-postcopy", 1);
  return ask (control, request, NULL, error);
}
