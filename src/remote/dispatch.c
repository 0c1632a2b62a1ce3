/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dispatch.c: from packets to calls, and from their results to packets
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/call-warning.h"
#include "remote/calls.h"
#include "remote/pipe.h"
#include "remote/server-private.h"
#include "remote/stream.h"
#include "util/fd.h"

/* Of one connection at once, so that it cannot take all threads: such a call waits a while, too,
 * where a domain's supervisor hangs. */
#define QUICK_MAX 4

#define NOT_OPEN _ ("the connection is not open")

/* What a client is told that something went wrong by. */
void
stasis_dispatch_send_error (StasisSession *session, const StasisMessageHeader *call,
                            StasisMessageType type, const GError *error)
{
  StasisMessageHeader header = *call;
  header.type = type;
  header.status = STASIS_MESSAGE_ERROR;
  GByteArray *message = stasis_message_begin (&header);
  stasis_remote_error_put (message, error);
  stasis_message_end (message);
  stasis_session_send (session, message);
}

static void
send_error (StasisSession *session, const StasisMessageHeader *call, const GError *error)
{
  stasis_dispatch_send_error (session, call, STASIS_MESSAGE_REPLY, error);
}

static void
refuse (StasisSession *session, const StasisMessageHeader *call, StasisRemoteError code,
        const char *message)
{
  const GError error = { STASIS_REMOTE_ERROR, (gint) code, (char *) message };
  send_error (session, call, &error);
}

/* What came of a call: its results, what a stream goes on from or a descriptor. */
static void
send_results (StasisTask *task, StasisCall *call)
{
  StasisMessageHeader header = task->header;
  header.type = call->reply_fd >= 0 ? STASIS_MESSAGE_REPLY_WITH_FDS : STASIS_MESSAGE_REPLY;
  header.status = STASIS_MESSAGE_OK;
  g_autoptr (GByteArray) message = stasis_message_begin (&header);
  if (call->reply_fd >= 0)
    stasis_xdr_put_u32 (message, 1);
  stasis_wire_encode (message, task->procedure->rets, call->rets);
  const gboolean fits = stasis_message_end (message);
  if (fits && call->stream_fd >= 0)
    stasis_stream_open (task->session, &task->header, stasis_fd_steal (&call->stream_fd),
                        g_steal_pointer (&message));
  else if (fits && call->reply_fd >= 0)
    stasis_session_send_fd (task->session, g_steal_pointer (&message),
                            stasis_fd_steal (&call->reply_fd));
  else if (fits)
    stasis_session_send (task->session, g_steal_pointer (&message));
  else
    refuse (task->session, &task->header, STASIS_REMOTE_ERROR_PROTOCOL,
            _ ("the result does not fit into a packet"));
}

/* Decode, call, encode. */
static void
carry_out (StasisTask *task)
{
  const StasisProcedure *procedure = task->procedure;
  StasisServer *server = task->session->server;
  StasisWireValue args[STASIS_WIRE_MEMBERS_MAX] = { 0 };
  StasisWireValue rets[STASIS_WIRE_MEMBERS_MAX] = { 0 };
  gsize length;
  const guint8 *octets = g_bytes_get_data (task->payload, &length);
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets, length);
  if (!stasis_wire_decode (&in, procedure->args, args))
    refuse (task->session, &task->header, STASIS_REMOTE_ERROR_PROTOCOL,
            _ ("Unable to decode message payload"));
  else
    {
      g_mutex_lock (&server->lock);
      g_autoptr (StasisDriver) driver = g_object_ref (server->driver);
      g_autofree char *save_format = g_strdup (server->save_format);
      g_mutex_unlock (&server->lock);
      StasisCall call = {
        .session = task->session,
        .driver = driver,
        .args = args,
        .rets = rets,
        .save_format = save_format,
        .stream_fd = -1,
        .serial = task->header.serial,
        .fds = task->fds,
        .reply_fd = -1,
        .header = &task->header,
      };
      g_autoptr (GError) error = NULL;
      const gboolean is_own = g_atomic_int_get (&task->session->is_own) != 0;
      if (is_own)
        stasis_call_warning_begin (task->session, task->header.serial);
      const gboolean ok = procedure->call (&call, &error);
      if (is_own)
        stasis_call_warning_end ();
      if (ok)
        send_results (task, &call);
      else
        send_error (task->session, &task->header, error);
      stasis_fd_clear (&call.stream_fd);
      stasis_fd_clear (&call.reply_fd);
    }
  stasis_wire_clear (procedure->args, args);
  stasis_wire_clear (procedure->rets, rets);
}

/* Before the first thread is told to go on: it waits for that. */
static gboolean
close_fds (StasisTask *task)
{
  if (task->fds == NULL)
    return FALSE;
  g_atomic_int_add (&task->session->n_call_fds, -(gint) task->fds->len);
  g_clear_pointer (&task->fds, g_array_unref);
  return TRUE;
}

/* It is over, or was never begun. */
void
stasis_task_free (gpointer data)
{
  StasisTask *task = data;
  close_fds (task);
  if (!task->procedure->is_quick)
    stasis_session_end_job (task->session, task->header.serial);
  g_bytes_unref (task->payload);
  stasis_session_unref (task->session);
  g_free (task);
}

static gboolean
go_on (gpointer data)
{
  stasis_session_go_on (data);
  return G_SOURCE_REMOVE;
}

static void
unref_session (gpointer data)
{
  stasis_session_unref (data);
}

/* On a thread of a pool. */
void
stasis_dispatch_run (gpointer data, gpointer user_data)
{
  StasisTask *task = data;
  StasisServer *server = user_data;
  StasisSession *session = task->session;
  carry_out (task);
  const gboolean had_fds = close_fds (task);

  g_mutex_lock (&session->lock);
  guint *count = task->procedure->is_quick ? &session->n_quick : &session->n_running;
  /* The first thread waits for room in that. */
  const gboolean was_full
      = task->procedure->is_quick || (gint) *count >= g_atomic_int_get (&server->max_requests);
  (*count)--;
  g_mutex_unlock (&session->lock);
  if (session->is_reader
      && stasis_readers_end (server->readers, session->uid, task->procedure->is_quick))
    stasis_server_wake_readers (server);
  if (was_full || had_fds)
    g_main_context_invoke_full (server->context, G_PRIORITY_DEFAULT, go_on,
                                stasis_session_ref (session), unref_session);
  stasis_task_free (task);
  g_atomic_int_dec_and_test (&server->n_calls);
}

/* All readers together have some of the threads. */
static gboolean
begin_reading (const StasisSession *session, gboolean is_quick)
{
  StasisServer *server = session->server;
  const guint threads
      = is_quick ? STASIS_QUICK_WORKERS : (guint) g_atomic_int_get (&server->max_workers);
  return !session->is_reader
         || stasis_readers_begin (server->readers, session->uid, is_quick, threads);
}

/* Have it run, where the limits allow it. */
gboolean
stasis_dispatch_push (StasisTask *task_take)
{
  StasisTask *task = task_take;
  StasisSession *session = task->session;
  StasisServer *server = session->server;
  const gboolean is_quick = task->procedure->is_quick;
  g_mutex_lock (&session->lock);
  guint *count = is_quick ? &session->n_quick : &session->n_running;
  const gint max = g_atomic_int_get (&server->max_requests);
  const gboolean is_allowed = (gint) *count < (is_quick ? MIN (max, QUICK_MAX) : max)
                              && begin_reading (session, is_quick);
  if (is_allowed)
    (*count)++;
  g_mutex_unlock (&session->lock);
  if (!is_allowed)
    return FALSE;
  g_atomic_int_inc (&server->n_calls);
  g_thread_pool_push (is_quick ? server->quick : server->workers, task, NULL);
  return TRUE;
}

static gboolean
check_access (StasisSession *session, const StasisMessageHeader *header,
              const StasisProcedure *procedure)
{
  g_mutex_lock (&session->lock);
  const gboolean is_open = session->is_open;
  const gboolean is_read_only = session->is_read_only;
  g_mutex_unlock (&session->lock);
  if (!is_open && procedure->access != STASIS_ACCESS_ANY)
    {
      const GError error = { STASIS_ERROR, STASIS_ERROR_QEMU, (char *) NOT_OPEN };
      send_error (session, header, &error);
      return FALSE;
    }
  if (!is_read_only || procedure->access != STASIS_ACCESS_WRITE)
    return TRUE;
  g_autofree char *message
      = g_strdup_printf (_ ("operation forbidden: read only access prevents %s"), procedure->name);
  refuse (session, header, STASIS_REMOTE_ERROR_DENIED, message);
  return FALSE;
}

static const StasisProcedure *
find (StasisSession *session, const StasisMessageHeader *header)
{
  g_autofree char *message = NULL;
  const StasisProcedure *procedure = NULL;
  if (!stasis_program_is_known (header->program) || header->version != STASIS_PROGRAM_VERSION)
    message
        = g_strdup_printf ("Cannot find program %u version %u", header->program, header->version);
  else
    {
      procedure = stasis_procedure_find (header->program, header->procedure);
      /* Clients know this text. */
      if (procedure == NULL)
        message = g_strdup_printf ("unknown procedure: %d", header->procedure);
    }
  if (message != NULL)
    refuse (session, header, STASIS_REMOTE_ERROR_UNKNOWN, message);
  return procedure;
}

/* Where an image goes through the connection it is read in any case. */
static void
refuse_more (StasisSession *session, const StasisMessageHeader *call)
{
  const GError error
      = { STASIS_ERROR, STASIS_ERROR_BUSY,
          _ ("too many calls wait on this connection, through which an image goes") };
  send_error (session, call, &error);
}

/* What opens the connection is done when the next packet is looked at.  What lets others end or go
 * on is never too much: whoever sends that awaits no reply, and would not send it again.  Neither
 * of them waits for anything. */
static gboolean
is_done_at_once (const StasisProcedure *procedure)
{
  return procedure->access == STASIS_ACCESS_ANY || procedure->call == stasis_call_own_cancel
         || procedure->call == stasis_call_own_stream_allow;
}

static void
call (StasisSession *session, const StasisMessageHeader *header, const guint8 *payload,
      gsize length, GArray *fds_take)
{
  g_autoptr (GArray) fds = fds_take;
  const StasisProcedure *procedure = find (session, header);
  if (procedure == NULL || !check_access (session, header, procedure))
    return;
  if (g_atomic_int_get (&session->server->is_stopping))
    {
      refuse (session, header, STASIS_REMOTE_ERROR_CLOSED, _ ("the server is about to end"));
      return;
    }
  const gboolean is_at_once = is_done_at_once (procedure);
  if (fds != NULL && !is_at_once && stasis_session_has_enough (session))
    {
      refuse_more (session, header);
      return;
    }
  StasisTask *task = g_new0 (StasisTask, 1);
  task->session = stasis_session_ref (session);
  task->procedure = procedure;
  task->header = *header;
  task->payload = g_bytes_new (payload, length);
  task->fds = g_steal_pointer (&fds);
  if (task->fds != NULL)
    g_atomic_int_add (&session->n_call_fds, (gint) task->fds->len);
  /* Before it waits for a thread, or for others: what cancels it may overtake it. */
  if (!procedure->is_quick)
    stasis_session_begin_job (session, header->serial);
  if (is_at_once)
    {
      carry_out (task);
      stasis_task_free (task);
    }
  else if (stasis_dispatch_push (task))
    return;
  else if (stasis_session_has_enough (session))
    {
      refuse_more (session, header);
      stasis_task_free (task);
    }
  else
    {
      g_queue_push_tail (&session->waiting, task);
      session->waiting_octets += length;
    }
}

static void
answer_ping (StasisSession *session)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_KEEPALIVE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = STASIS_KEEPALIVE_PONG,
    .type = STASIS_MESSAGE_EVENT,
  };
  GByteArray *message = stasis_message_begin (&header);
  stasis_message_end (message);
  stasis_session_send (session, message);
}

/* One packet. */
void
stasis_dispatch (StasisSession *session, const StasisMessageHeader *header, const guint8 *payload,
                 gsize length, GArray *fds_take)
{
  g_autoptr (GArray) fds = fds_take;
  if (header->program == STASIS_PROGRAM_KEEPALIVE)
    {
      if (header->type == STASIS_MESSAGE_EVENT && header->procedure == STASIS_KEEPALIVE_PING)
        answer_ping (session);
      return; /* an answer to ours counts like every packet */
    }
  switch (header->type)
    {
    case STASIS_MESSAGE_CALL:
    case STASIS_MESSAGE_CALL_WITH_FDS:
      call (session, header, payload, length, g_steal_pointer (&fds));
      break;
    case STASIS_MESSAGE_STREAM:
    case STASIS_MESSAGE_STREAM_HOLE:
      if (!stasis_pipe_take_packet (session, header, payload, length))
        stasis_stream_take_packet (session, header, payload, length);
      break;
    default:
      g_debug ("client %" G_GUINT64_FORMAT ": a packet of type %u that nobody waits for",
               session->number, header->type);
    }
}
