/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-pipe.c: an image between a descriptor here and a call on a server
 *
 * A thread moves the octets while the caller waits for the reply.  Whatever it cannot write, or
 * read, ends the job on the server, and is what the caller hears.  Where that is within the end of
 * an image the server knows whether its reader may have enough of it (pipe.c), and says so.
 */

#include "config.h"

#include "remote/client-pipe.h"

#include <signal.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "driver/save-place.h"
#include "remote/client-port.h"
#include "remote/pipe.h"

#define PIECE (64u * 1024)

typedef struct
{
  StasisClient *client; /* (borrowed) */
  StasisClientPort port;
  GCancellable *stop;     /* (owned) the reply is there */
  StasisSaveSink *sink;   /* (borrowed) (nullable) of an image that comes here */
  gboolean has_reader;    /* who has to have all of it, or a disk */
  StasisStreamIn *source; /* (owned) (nullable) of one that goes there */
  GError *error;          /* (owned) (nullable) of the thread */
} Pipe;

static void
pipe_clear (Pipe *self)
{
  stasis_client_port_clear (&self->port);
  stasis_stream_in_free (self->source);
  g_clear_object (&self->stop);
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Pipe, pipe_clear)

static void
send_count (Pipe *self, StasisMessageStatus status, guint64 count)
{
  const StasisWireValue values[] = { { .ul = count } };
  g_autoptr (GByteArray) payload = g_byte_array_new ();
  stasis_wire_encode (payload, "U", values);
  stasis_client_port_send (self->client, &self->port, status, payload->data, payload->len);
}

static gboolean
is_over (const Pipe *self)
{
  return self->port.is_closed || self->client->why != NULL;
}

/* (transfer full) (nullable): octets that have come, or none where the server asks whether the
 * reader has all of them; FALSE: it is over. */
static gboolean
await_news (Pipe *self, GByteArray **out_octets)
{
  StasisClientPort *port = &self->port;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->client->lock);
  while (port->in->len == 0 && !port->is_empty && !is_over (self))
    g_cond_wait (&self->client->changed, &self->client->lock);
  if (is_over (self))
    return FALSE;
  *out_octets = NULL;
  if (port->in->len > 0)
    {
      *out_octets = port->in;
      port->in = g_byte_array_new ();
    }
  else
    port->is_empty = FALSE;
  return TRUE;
}

/* What the server hears of it; FALSE where it failed. */
static gboolean
write_piece (Pipe *self, GByteArray *octets_take, guint64 *count)
{
  g_autoptr (GByteArray) octets = octets_take;
  StasisSaveSink *sink = self->sink;
  if (octets == NULL)
    {
      if (self->has_reader && !stasis_save_sink_await_reader (sink, self->stop, NULL, &self->error))
        return FALSE;
      send_count (self, STASIS_MESSAGE_OK, *count);
      return TRUE;
    }
  if (!stasis_stream_out_write (stasis_save_sink_stream (sink), octets->data, octets->len,
                                self->stop, &self->error))
    return FALSE;
  *count += octets->len;
  send_count (self, STASIS_MESSAGE_CONTINUE, *count);
  return TRUE;
}

static gpointer
write_image (gpointer data)
{
  Pipe *self = data;
  GByteArray *octets;
  guint64 count = 0;
  sigset_t signals; /* a reader that has gone is an error, and no reason to die */
  sigemptyset (&signals);
  sigaddset (&signals, SIGPIPE);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  while (await_news (self, &octets))
    if (!write_piece (self, octets, &count))
      {
        stasis_client_port_send (self->client, &self->port, STASIS_MESSAGE_ERROR, NULL, 0);
        break;
      }
  return NULL;
}

/* How many octets may be sent, once the call has come there; none where it is over. */
static gsize
await_window (Pipe *self, guint64 sent)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->client->lock);
  while (!is_over (self) && !self->port.is_empty)
    g_cond_wait (&self->client->changed, &self->client->lock);
  while (!is_over (self) && sent - self->port.n_taken >= STASIS_PIPE_WINDOW)
    g_cond_wait (&self->client->changed, &self->client->lock);
  return is_over (self) ? 0 : MIN (PIECE, STASIS_PIPE_WINDOW - (sent - self->port.n_taken));
}

static gpointer
read_image (gpointer data)
{
  Pipe *self = data;
  g_autofree guint8 *octets = g_malloc (PIECE);
  guint64 sent = 0;
  gsize room;
  gssize n = 1;
  while (n > 0 && (room = await_window (self, sent)) > 0)
    {
      n = stasis_stream_in_read (self->source, octets, room, self->stop, &self->error);
      if (n > 0)
        stasis_client_port_send (self->client, &self->port, STASIS_MESSAGE_CONTINUE, octets,
                                 (gsize) n);
      sent += (guint64) MAX (n, 0);
    }
  if (n <= 0)
    stasis_client_port_send (self->client, &self->port,
                             n == 0 ? STASIS_MESSAGE_OK : STASIS_MESSAGE_ERROR, NULL, 0);
  return NULL;
}

/* What went wrong here is why it went wrong there, unless somebody has to decide. */
static void
blame (Pipe *self, GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  const gboolean is_ours = self->error != NULL
                           && !g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                           && failure->domain == G_IO_ERROR;
  g_propagate_error (error, is_ours ? g_steal_pointer (&self->error) : g_steal_pointer (&failure));
}

/* The call, with its thread beside it. */
static gboolean
run (Pipe *self, const char *name, const StasisWireValue *args, StasisWireValue *rets,
     const StasisClientJob *job, GThreadFunc func, GError **error)
{
  StasisClientJob with_port = *job;
  with_port.port = &self->port;
  self->stop = g_cancellable_new ();
  GThread *thread = g_thread_new ("pipe", func, self);
  GError *failure = NULL;
  const gboolean ok = stasis_client_call_job (self->client, STASIS_PROGRAM_OWN, name, args, rets,
                                              &with_port, &failure);
  g_cancellable_cancel (self->stop);
  g_mutex_lock (&self->client->lock);
  stasis_client_port_close (self->client, &self->port);
  g_mutex_unlock (&self->client->lock);
  g_thread_join (thread);
  if (!ok)
    blame (self, failure, error);
  return ok;
}

/* From there. */
gboolean
stasis_client_pipe_out (StasisClient *client, const char *name, const StasisWireValue *args, int fd,
                        const char *fd_name, const StasisClientJob *job, GError **error)
{
  g_autoptr (StasisSavePlace) place = stasis_save_place_new (NULL, fd, fd_name, error);
  if (place == NULL || !stasis_save_place_begin (place, 0, error))
    return FALSE;
  g_auto (Pipe) self = { .client = client, .sink = place->sink, .has_reader = TRUE };
  stasis_client_port_init (&self.port, STASIS_PIPE_WINDOW, /* is_patient= */ FALSE);
  return run (&self, name, args, NULL, job, write_image, error);
}

/* The same, wherever it goes. */
gboolean
stasis_client_pipe_out_plain (StasisClient *client, const char *name, const StasisWireValue *args,
                              StasisWireValue *rets, int fd, const StasisClientJob *job,
                              GError **error)
{
  struct stat st;
  g_autoptr (StasisSaveSink) sink = stasis_save_sink_new (fd, 0);
  g_auto (Pipe) self = { .client = client, .sink = sink };
  self.has_reader = fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  stasis_client_port_init (&self.port, STASIS_PIPE_WINDOW, /* is_patient= */ FALSE);
  return run (&self, name, args, rets, job, write_image, error);
}

/* To there. */
gboolean
stasis_client_pipe_in (StasisClient *client, const char *name, const StasisWireValue *args,
                       StasisWireValue *rets, int fd, const StasisClientJob *job, GError **error)
{
  g_auto (Pipe) self = { .client = client };
  self.source = stasis_stream_in_new_pipe (fd);
  stasis_client_port_init (&self.port, 0, /* is_patient= */ FALSE);
  return run (&self, name, args, rets, job, read_image, error);
}
