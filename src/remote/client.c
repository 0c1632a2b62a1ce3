/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client.c: a connection to a stasisd, or to a libvirtd
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/client-console.h"
#include "remote/client-port.h"
#include "util/fd.h"

#define OPEN_US           (30 * G_USEC_PER_SEC) /* for each call that opens it */
#define CLOSE_US          (2 * G_USEC_PER_SEC)
#define AUTH_NONE         0
#define FEATURE_KEEPALIVE 10
#define OPEN_READ_ONLY    0x1u

/* Without a thread that reads. */
StasisClient *
stasis_client_new (const StasisClientStream *stream_take, const char *uri)
{
  StasisClient *self = g_new0 (StasisClient, 1);
  self->uri = g_strdup (uri);
  self->stream = *stream_take;
  self->in = g_byte_array_new ();
  self->pending = g_hash_table_new (NULL, NULL);
  self->ports = g_hash_table_new (NULL, NULL);
  self->consoles = g_ptr_array_new ();
  self->last_input = g_get_monotonic_time ();
  g_mutex_init (&self->send_lock);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  return self;
}

const char *
stasis_client_uri (const StasisClient *self)
{
  return self->uri;
}

gboolean
stasis_client_is_own (const StasisClient *self)
{
  return self->is_own;
}

/* An error of the wire is one of the library for those outside. */
static void
make_public (const StasisClient *self, const char *name, GError *error_take, GError **error)
{
  g_autoptr (GError) local = error_take;
  if (local->domain != STASIS_REMOTE_ERROR)
    g_propagate_error (error, g_steal_pointer (&local));
  else if (local->code == STASIS_REMOTE_ERROR_UNKNOWN)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, _ ("'%1$s' knows no '%2$s': %3$s"),
                 self->uri, name, local->message);
  else if (local->code == STASIS_REMOTE_ERROR_ARGUMENT)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED, local->message);
  else if (local->code == STASIS_REMOTE_ERROR_FINISHED)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, local->message);
  else if (local->code == STASIS_REMOTE_ERROR_DENIED)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED, local->message);
  else if (local->code == STASIS_REMOTE_ERROR_CLOSED)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED, "'%1$s': %2$s", self->uri,
                 local->message);
  else
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, "'%1$s': %2$s", self->uri,
                 local->message);
}

/* What it consists of; FALSE where it is an error, or none of both. */
static gboolean
decode (StasisClient *self, const StasisPending *pending, StasisWireValue *rets, GError **error)
{
  const StasisProcedure *procedure = pending->procedure;
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  gsize length;
  const guint8 *octets = g_bytes_get_data (pending->payload, &length);
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets, length);
  if (pending->status != STASIS_MESSAGE_OK)
    {
      make_public (self, procedure->name, stasis_remote_error_get (&in), error);
      return FALSE;
    }
  const gboolean ok
      = stasis_wire_decode (&in, procedure->rets, values) && stasis_xdr_left (&in) == 0;
  if (ok && rets != NULL)
    memcpy (rets, values, strlen (procedure->rets) * sizeof *rets);
  else
    stasis_wire_clear (procedure->rets, values);
  if (!ok)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                 _ ("'%1$s': its answer to '%2$s' cannot be read"), self->uri, procedure->name);
  return ok;
}

static gboolean
call (StasisClient *self, const StasisProcedure *procedure, const StasisWireValue *args,
      StasisWireValue *rets, gint64 deadline, const StasisClientJob *job, GError **error)
{
  StasisPending pending = { .procedure = procedure };
  g_queue_init (&pending.news);
  g_mutex_lock (&self->lock);
  pending.serial = ++self->last_serial;
  g_hash_table_insert (self->pending, GUINT_TO_POINTER (pending.serial), &pending);
  if (job != NULL && job->port != NULL)
    {
      job->port->serial = pending.serial;
      job->port->procedure = procedure;
      g_hash_table_insert (self->ports, GUINT_TO_POINTER (pending.serial), job->port);
    }
  g_cond_broadcast (&self->changed); /* for who does not read, as nobody waits for anything */
  g_mutex_unlock (&self->lock);

  const StasisMessageHeader header = {
    .program = procedure->program,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = procedure->number,
    .type = STASIS_MESSAGE_CALL,
    .serial = pending.serial,
  };
  g_autoptr (GByteArray) message = stasis_message_begin (&header);
  stasis_wire_encode (message, procedure->args, args);
  if (stasis_message_end (message))
    stasis_client_send (self, g_steal_pointer (&message));
  else
    {
      g_mutex_lock (&self->lock);
      g_hash_table_remove (self->pending, GUINT_TO_POINTER (pending.serial));
      g_mutex_unlock (&self->lock);
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("the arguments of '%s' do not fit into a packet"), procedure->name);
      return FALSE;
    }
  const gboolean ok = stasis_client_wait (self, &pending, deadline, job, error)
                      && decode (self, &pending, rets, error);
  g_queue_clear_full (&pending.news, stasis_client_news_free);
  g_clear_pointer (&pending.payload, g_bytes_unref);
  return ok;
}

static const StasisProcedure *
find (guint32 program, const char *name)
{
  const StasisProcedure *procedure = stasis_procedure_by_name (program, name);
  g_assert (procedure != NULL);
  return procedure;
}

/* Call a procedure. */
gboolean
stasis_client_call (StasisClient *self, guint32 program, const char *name,
                    const StasisWireValue *args, StasisWireValue *rets, GError **error)
{
  return call (self, find (program, name), args, rets, 0, NULL, error);
}

/* A long one. */
gboolean
stasis_client_call_job (StasisClient *self, guint32 program, const char *name,
                        const StasisWireValue *args, StasisWireValue *rets,
                        const StasisClientJob *job, GError **error)
{
  return call (self, find (program, name), args, rets, 0, job, error);
}

/* One whose reply nobody waits for: it is passed over. */
void
stasis_client_call_aside (StasisClient *self, guint32 program, const char *name,
                          const StasisWireValue *args)
{
  const StasisProcedure *procedure = find (program, name);
  g_mutex_lock (&self->lock);
  const StasisMessageHeader header = {
    .program = program,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = procedure->number,
    .type = STASIS_MESSAGE_CALL,
    .serial = ++self->last_serial,
  };
  g_mutex_unlock (&self->lock);
  GByteArray *message = stasis_message_begin (&header);
  stasis_wire_encode (message, procedure->args, args);
  stasis_message_end (message);
  stasis_client_send (self, message);
}

/* What a call returned. */
void
stasis_client_clear (guint32 program, const char *name, StasisWireValue *rets)
{
  stasis_wire_clear (find (program, name)->rets, rets);
}

/* Has it our own program? */
gboolean
stasis_client_need_own (const StasisClient *self, const char *what, GError **error)
{
  if (self->is_own)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("%1$s is not possible: '%2$s' is no stasisd"), what, self->uri);
  return FALSE;
}

/* One of those that open the connection: nobody waits for them for ever. */
static gboolean
call_soon (StasisClient *self, guint32 program, const char *name, const StasisWireValue *args,
           StasisWireValue *rets, GError **error)
{
  const gint64 deadline = g_get_monotonic_time () + OPEN_US;
  return call (self, find (program, name), args, rets, deadline, NULL, error);
}

static gboolean
check_auth (StasisClient *self, GError **error)
{
  StasisWireValue rets[1];
  if (!call_soon (self, STASIS_PROGRAM_REMOTE, "auth-list", NULL, rets, error))
    return FALSE;
  gboolean ok = rets[0].numbers->len == 0;
  for (guint i = 0; i < rets[0].numbers->len; i++)
    ok |= g_array_index (rets[0].numbers, gint32, i) == AUTH_NONE;
  stasis_client_clear (STASIS_PROGRAM_REMOTE, "auth-list", rets);
  if (!ok)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                 _ ("'%s' wants to know who asks, in a way that is not supported"), self->uri);
  return ok;
}

/* A server that answers is asked for signs of life from now on. */
static gboolean
begin_keepalive (StasisClient *self, GError **error)
{
  const StasisWireValue args[] = { { .i = FEATURE_KEEPALIVE } };
  StasisWireValue rets[1] = { { 0 } };
  if (!call_soon (self, STASIS_PROGRAM_REMOTE, "connect-supports-feature", args, rets, error))
    return FALSE;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  self->has_keepalive = rets[0].i != 0;
  return TRUE;
}

/* Every server of libvirt's answers, with an error. */
static gboolean
ask_for_own (StasisClient *self, GError **error)
{
  g_autoptr (GError) local = NULL;
  StasisWireValue rets[1] = { { 0 } };
  if (call_soon (self, STASIS_PROGRAM_OWN, "get-version", NULL, rets, &local))
    {
      self->is_own = rets[0].u >= STASIS_OWN_VERSION;
      return TRUE;
    }
  if (local->domain == STASIS_ERROR)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
shake_hands (StasisClient *self, GError **error)
{
  const char *name = self->stream.is_session ? "qemu:///session" : "qemu:///system";
  const StasisWireValue args[]
      = { { .s = (char *) name }, { .u = self->stream.is_read_only ? OPEN_READ_ONLY : 0 } };
  return check_auth (self, error) && begin_keepalive (self, error)
         && call_soon (self, STASIS_PROGRAM_REMOTE, "connect-open", args, NULL, error)
         && ask_for_own (self, error);
}

/* Open it. */
StasisClient *
stasis_client_open (const StasisClientStream *stream_take, const char *uri,
                    GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisClient) self = stasis_client_new (stream_take, uri);
  self->reader = g_thread_new ("stasis-client", stasis_client_read, self);
  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !shake_hands (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

static gboolean
is_over (StasisClient *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  return self->why != NULL;
}

/* Close it. */
void
stasis_client_free (StasisClient *self)
{
  if (self == NULL)
    return;
  stasis_client_consoles_end (self);
  if (self->reader != NULL)
    {
      if (!is_over (self))
        call (self, find (STASIS_PROGRAM_REMOTE, "connect-close"), NULL, NULL,
              g_get_monotonic_time () + CLOSE_US, NULL, NULL);
      stasis_client_break (self, _ ("it was closed here"));
      g_thread_join (self->reader);
    }
  stasis_fd_clear (&self->stream.fd);
  if (self->stream.reason != NULL)
    self->stream.free_reason (self->stream.reason);
  g_hash_table_unref (self->pending);
  g_hash_table_unref (self->ports);
  g_ptr_array_unref (self->consoles);
  g_byte_array_unref (self->in);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->send_lock);
  g_free (self->why);
  g_free (self->uri);
  g_free (self);
}
