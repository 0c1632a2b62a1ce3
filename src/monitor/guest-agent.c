/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-agent.c: talk to the QEMU guest agent inside a guest
 *
 * Theory of operation
 *
 * A conversation is one thread's: it sends a line, and reads until the answer is there.  There are
 * no events and no second caller, so nothing else has to read meanwhile.  The socket is polled with
 * the deadline and the cancellable, and never read or written to without.
 *
 * Before each conversation an octet 0xff is sent, which has the agent drop the half of a line that
 * an earlier client may have left, and `guest-sync-delimited` (agent-parser.c).
 */

#include "config.h"

#include "monitor/guest-agent.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#include "monitor/agent-parser.h"
#include "monitor/error.h"
#include "util/fd.h"

#define BUFFER_SIZE 16384u
#define COMMAND_MS  20000 /* for what only has to be looked up or set */
#define WORDS_MAX   200   /* characters of what the agent says of a failure */

#define FREEZE "guest-fsfreeze-freeze"
#define THAW   "guest-fsfreeze-thaw"

struct _StasisAgent
{
  int socket;                /* (owned) */
  gint64 sync_id;            /* of this conversation */
  StasisAgentParser *parser; /* (owned) */
  GPtrArray *answers;        /* (owned) of StasisQmpMessage: taken by nobody yet */
};

/* When it has to be over, and who may end it earlier. */
typedef struct
{
  gint64 deadline_us;
  GCancellable *cancellable; /* (borrowed) (nullable) */
} Patience;

static Patience
patience_for (gint64 timeout_ms, GCancellable *cancellable)
{
  return (Patience){ g_get_monotonic_time () + timeout_ms * 1000, cancellable };
}

static void
free_message (gpointer message)
{
  stasis_qmp_message_free (message);
}

static StasisAgent *
new_agent (int socket_take)
{
  StasisAgent *agent = g_new0 (StasisAgent, 1);
  agent->socket = socket_take;
  /* A double holds it exactly, which is what some agents read it into. */
  agent->sync_id = ((gint64) g_random_int () << 20 | (g_random_int () >> 12)) + 1;
  agent->parser = stasis_agent_parser_new (agent->sync_id);
  agent->answers = g_ptr_array_new_with_free_func (free_message);
  return agent;
}

/* End the conversation. */
void
stasis_agent_close (StasisAgent *agent)
{
  if (agent == NULL)
    return;

  stasis_fd_clear (&agent->socket);
  stasis_agent_parser_free (agent->parser);
  g_ptr_array_unref (agent->answers);
  g_free (agent);
}

static gboolean
throw_silent (GError **error)
{
  g_set_error_literal (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_TIMEOUT,
                       _ ("the guest agent does not answer"));
  return FALSE;
}

/* Wait until the socket can be read or written.  Who sends without end is not waited for longer. */
static gboolean
wait_for (const StasisAgent *agent, short events, const Patience *patience, GError **error)
{
  const gint64 left_us = patience->deadline_us - g_get_monotonic_time ();
  if (left_us <= 0)
    return throw_silent (error);
  struct pollfd fds[]
      = { { .fd = agent->socket, .events = events },
          { .fd = g_cancellable_get_fd (patience->cancellable), .events = POLLIN } };
  const int n = poll (fds, G_N_ELEMENTS (fds), (int) ((left_us + 999) / 1000));
  const int code = errno;
  if (fds[1].fd >= 0)
    g_cancellable_release_fd (patience->cancellable);

  if (g_cancellable_set_error_if_cancelled (patience->cancellable, error))
    return FALSE;
  errno = code;
  if (n < 0 && code != EINTR)
    return stasis_throw_errno (error, _ ("cannot wait for the guest agent"));
  return n != 0 || throw_silent (error);
}

static gboolean
throw_closed (GError **error)
{
  g_set_error_literal (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_CLOSED,
                       _ ("QEMU has closed the channel of the guest agent"));
  return FALSE;
}

static gboolean
send_text (const StasisAgent *agent, const char *text, gsize length, const Patience *patience,
           GError **error)
{
  while (length > 0)
    {
      if (!wait_for (agent, POLLOUT, patience, error))
        return FALSE;
      const gssize n = send (agent->socket, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno != EINTR && errno != EAGAIN)
        return throw_closed (error);
      text += MAX (n, 0);
      length -= (gsize) MAX (n, 0);
    }
  return TRUE;
}

/* Take what is there. */
static gboolean
receive (StasisAgent *agent, const Patience *patience, GError **error)
{
  char buffer[BUFFER_SIZE];
  if (!wait_for (agent, POLLIN, patience, error))
    return FALSE;
  const gssize n = recv (agent->socket, buffer, sizeof buffer, MSG_DONTWAIT);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return TRUE;
  if (n <= 0)
    return throw_closed (error);
  return stasis_agent_parser_feed (agent->parser, buffer, (gsize) n, agent->answers, error);
}

static void
append_line (GString *text, const char *command, StasisJson *arguments_take)
{
  g_autoptr (StasisJson) message = stasis_json_new_object ();
  stasis_json_set_string (message, "execute", command);
  if (arguments_take != NULL)
    stasis_json_set (message, "arguments", arguments_take);
  g_autofree char *line = stasis_json_to_string (message);
  g_debug ("guest agent: -> %s", line);
  g_string_append (text, line);
  g_string_append_c (text, '\n');
}

static void
append_sync (GString *text, gint64 sync_id)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_int (arguments, "id", sync_id);
  g_string_append_c (text, (char) STASIS_AGENT_SENTINEL);
  append_line (text, "guest-sync-delimited", arguments);
}

static gboolean
await_sync (StasisAgent *agent, const Patience *patience, GError **error)
{
  while (!stasis_agent_parser_is_synced (agent->parser))
    if (!receive (agent, patience, error))
      return FALSE;
  return TRUE;
}

/* Begin a conversation. */
StasisAgent *
stasis_agent_open (int socket_take, gint64 timeout_ms, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisAgent) agent = new_agent (socket_take);
  g_autoptr (GString) text = g_string_new (NULL);
  append_sync (text, agent->sync_id);
  const Patience patience = patience_for (timeout_ms, cancellable);
  if (!send_text (agent, text->str, text->len, &patience, error)
      || !await_sync (agent, &patience, error))
    return NULL;
  return g_steal_pointer (&agent);
}

/* What the guest says, for a terminal: a line of limited length. */
static char *
tame (const char *words)
{
  GString *text = g_string_new (NULL);
  guint n = 0;
  for (const char *at = words; *at != '\0' && n < WORDS_MAX; at = g_utf8_next_char (at), n++)
    {
      const gunichar c = g_utf8_get_char (at);
      g_string_append_unichar (text, g_unichar_isprint (c) ? c : '?');
    }
  return g_string_free (text, FALSE);
}

static gboolean
throw_answer (const char *command, const StasisJson *answer, GError **error)
{
  const char *class = stasis_json_string (stasis_json_get (answer, "class"), "");
  g_autofree char *desc = tame (stasis_json_string (stasis_json_get (answer, "desc"), ""));
  const gboolean is_unknown = g_str_equal (class, "CommandNotFound");
  g_set_error (error, STASIS_MONITOR_ERROR,
               is_unknown ? STASIS_MONITOR_ERROR_UNSUPPORTED : STASIS_MONITOR_ERROR_COMMAND,
               _ ("guest agent: %1$s: %2$s"), command, desc);
  return FALSE;
}

static gboolean
throw_strange (const char *command, GError **error)
{
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_PROTOCOL,
               _ ("guest agent: %1$s: the answer has another form"), command);
  return FALSE;
}

/* The answers come in the order of the commands. */
static gboolean
await_answer (StasisAgent *agent, const char *command, StasisJson **out_return,
              const Patience *patience, GError **error)
{
  while (agent->answers->len == 0)
    if (!receive (agent, patience, error))
      {
        g_prefix_error (error, "%s: ", command);
        return FALSE;
      }
  g_autoptr (StasisQmpMessage) answer = g_ptr_array_steal_index (agent->answers, 0);
  if (answer->kind == STASIS_QMP_ERROR)
    return throw_answer (command, answer->value, error);
  if (out_return != NULL)
    *out_return = g_steal_pointer (&answer->value);
  return TRUE;
}

/* Any command. */
gboolean
stasis_agent_command (StasisAgent *agent, const char *command, StasisJson *arguments_take,
                      gint64 timeout_ms, StasisJson **out_return, GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  append_line (text, command, arguments_take);
  const Patience patience = patience_for (timeout_ms, cancellable);
  return send_text (agent, text->str, text->len, &patience, error)
         && await_answer (agent, command, out_return, &patience, error);
}

static gboolean
to_int (const char *command, const StasisJson *value, gint64 max, gint64 *out_value, GError **error)
{
  const gint64 number = stasis_json_int (value, -1);
  if (number < 0 || number > max)
    return throw_strange (command, error);
  *out_value = number;
  return TRUE;
}

static gboolean
run_count (StasisAgent *agent, const char *command, guint *out_count, gint64 timeout_ms,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) value = NULL;
  gint64 count = 0;
  if (!stasis_agent_command (agent, command, NULL, timeout_ms, &value, cancellable, error)
      || !to_int (command, value, G_MAXINT, &count, error))
    return FALSE;
  *out_count = (guint) count;
  return TRUE;
}

/* Whether it is there. */
gboolean
stasis_agent_ping (StasisAgent *agent, GCancellable *cancellable, GError **error)
{
  return stasis_agent_command (agent, "guest-ping", NULL, COMMAND_MS, NULL, cancellable, error);
}

/* What it is, and can do. */
StasisJson *
stasis_agent_info (StasisAgent *agent, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) value = NULL;
  if (!stasis_agent_command (agent, "guest-info", NULL, COMMAND_MS, &value, cancellable, error))
    return NULL;
  if (stasis_json_kind (value) == STASIS_JSON_OBJECT)
    return g_steal_pointer (&value);
  throw_strange ("guest-info", error);
  return NULL;
}

/* TRUE where @info lists @command, and enabled. */
gboolean
stasis_agent_info_has (const StasisJson *info, const char *command)
{
  const StasisJson *list = stasis_json_get (info, "supported_commands");
  if (list == NULL || stasis_json_kind (list) != STASIS_JSON_ARRAY)
    return FALSE;
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *one = stasis_json_array_get (list, i);
      if (g_str_equal (stasis_json_string (stasis_json_get (one, "name"), ""), command))
        return stasis_json_boolean (stasis_json_get (one, "enabled"), FALSE);
    }
  return FALSE;
}

/* Whether the agent has frozen the guest's file systems. */
gboolean
stasis_agent_fs_status (StasisAgent *agent, gboolean *out_is_frozen, GCancellable *cancellable,
                        GError **error)
{
  static const char command[] = "guest-fsfreeze-status";
  g_autoptr (StasisJson) value = NULL;
  if (!stasis_agent_command (agent, command, NULL, COMMAND_MS, &value, cancellable, error))
    return FALSE;
  const char *word = stasis_json_string (value, NULL);
  if (g_strcmp0 (word, "frozen") != 0 && g_strcmp0 (word, "thawed") != 0)
    return throw_strange (command, error);
  *out_is_frozen = g_str_equal (word, "frozen");
  return TRUE;
}

/* Freeze the guest's file systems; how many. */
gboolean
stasis_agent_fs_freeze (StasisAgent *agent, guint *out_count, GCancellable *cancellable,
                        GError **error)
{
  return run_count (agent, FREEZE, out_count, STASIS_AGENT_FREEZE_MS, cancellable, error);
}

/* Thaw them; how many. */
gboolean
stasis_agent_fs_thaw (StasisAgent *agent, guint *out_count, GCancellable *cancellable,
                      GError **error)
{
  return run_count (agent, THAW, out_count, STASIS_AGENT_FREEZE_MS, cancellable, error);
}

/* Thaw, whether the agent is in step with us or not. */
gboolean
stasis_agent_thaw (int socket_take, gint64 sync_ms, guint *out_count, GError **error)
{
  g_autoptr (StasisAgent) agent = new_agent (socket_take);
  g_autoptr (GString) text = g_string_new (NULL);
  append_sync (text, agent->sync_id);
  append_line (text, THAW, NULL);
  Patience patience = patience_for (sync_ms, NULL);
  if (!send_text (agent, text->str, text->len, &patience, error)
      || !await_sync (agent, &patience, error))
    return FALSE;

  /* It is there, and at it. */
  patience = patience_for (STASIS_AGENT_FREEZE_MS, NULL);
  g_autoptr (StasisJson) value = NULL;
  gint64 count = 0;
  if (!await_answer (agent, THAW, &value, &patience, error)
      || !to_int (THAW, value, G_MAXINT, &count, error))
    return FALSE;
  if (out_count != NULL)
    *out_count = (guint) count;
  return TRUE;
}

/* The guest's clock. */
gboolean
stasis_agent_get_time (StasisAgent *agent, gint64 *out_ns, GCancellable *cancellable,
                       GError **error)
{
  static const char command[] = "guest-get-time";
  g_autoptr (StasisJson) value = NULL;
  return stasis_agent_command (agent, command, NULL, COMMAND_MS, &value, cancellable, error)
         && to_int (command, value, G_MAXINT64, out_ns, error);
}

static gboolean
set_time (StasisAgent *agent, StasisJson *arguments_take, GCancellable *cancellable, GError **error)
{
  return stasis_agent_command (agent, "guest-set-time", arguments_take, COMMAND_MS, NULL,
                               cancellable, error);
}

/* Set it. */
gboolean
stasis_agent_set_time (StasisAgent *agent, gint64 ns, GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_int (arguments, "time", ns);
  return set_time (agent, arguments, cancellable, error);
}

/* Set it from the guest's hardware clock. */
gboolean
stasis_agent_set_time_from_rtc (StasisAgent *agent, GCancellable *cancellable, GError **error)
{
  return set_time (agent, NULL, cancellable, error);
}
