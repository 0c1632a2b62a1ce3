/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c: octets between a client and a descriptor of this host
 */

#include "config.h"

#include "remote/stream.h"

#include <errno.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define STREAMS_MAX 32u            /* of a connection */
#define READ_SIZE   65536u         /* octets of the descriptor in a packet */
#define IN_HIGH     (256u * 1024)  /* kept for the descriptor: nothing is read from the client */
#define OUT_HIGH    (1024u * 1024) /* that the client has not taken: the descriptor is not read */
/* Less than a client waits for a sign of life, which it gets none of while it is not read. */
#define STUCK_US (20 * G_USEC_PER_SEC)

typedef struct
{
  StasisSession *session; /* (borrowed): has us */
  StasisMessageHeader header;
  int fd;          /* (owned) */
  GSource *source; /* (owned) (nullable) */
  GIOCondition watched;
  GByteArray *in;       /* (owned) for the descriptor */
  gint64 progress;      /* when it took some of that, or had all */
  guint64 n_sent;       /* octets that came from the descriptor */
  guint64 n_allowed;    /* of those, in all; G_MAXUINT64: the client has said nothing of it */
  gboolean has_ended;   /* nothing more comes from the descriptor, as the client knows */
  gboolean is_finished; /* the client sends no more, and waits to hear that all has arrived */
} Stream;

static void
unwatch (Stream *self)
{
  self->watched = 0;
  if (self->source == NULL)
    return;
  g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
}

static void
stream_free (gpointer data)
{
  Stream *self = data;
  unwatch (self);
  stasis_fd_clear (&self->fd);
  g_byte_array_unref (self->in);
  g_free (self);
}

/* Of a connection. */
GPtrArray *
stasis_streams_new (void)
{
  return g_ptr_array_new_with_free_func (stream_free);
}

static void
send_packet (const Stream *self, StasisMessageStatus status, const guint8 *octets, gsize length)
{
  StasisMessageHeader header = self->header;
  header.type = STASIS_MESSAGE_STREAM;
  header.status = status;
  GByteArray *message = stasis_message_begin (&header);
  if (length > 0)
    g_byte_array_append (message, octets, (guint) length);
  stasis_message_end (message);
  stasis_session_send (self->session, message);
}

static void
end (Stream *self)
{
  g_ptr_array_remove_fast (self->session->streams, self);
}

/* The client hears why. */
static void
fail (Stream *self, const GError *error)
{
  stasis_dispatch_send_error (self->session, &self->header, STASIS_MESSAGE_STREAM, error);
  end (self);
}

static void
fail_with (Stream *self, const char *message)
{
  const GError error = { STASIS_ERROR, STASIS_ERROR_FAILED, (char *) message };
  fail (self, &error);
}

static gboolean on_ready (gint fd, GIOCondition condition, gpointer data);

/* Only for what is of use: a descriptor whose other end has gone is ready all the time. */
static void
watch (Stream *self)
{
  g_mutex_lock (&self->session->lock);
  const gboolean is_taken = self->session->out_octets <= OUT_HIGH;
  g_mutex_unlock (&self->session->lock);
  const gboolean is_wanted = is_taken && !self->has_ended && self->n_sent < self->n_allowed;
  const GIOCondition wanted = (is_wanted ? G_IO_IN : 0) | (self->in->len > 0 ? G_IO_OUT : 0);
  if (wanted == self->watched)
    return;
  unwatch (self);
  if (wanted == 0)
    return;
  self->watched = wanted;
  self->source = g_unix_fd_source_new (self->fd, wanted);
  g_source_set_callback (self->source, G_SOURCE_FUNC (on_ready), self, NULL);
  g_source_attach (self->source, self->session->server->context);
}

/* No more comes. */
static void
tell_end (Stream *self)
{
  self->has_ended = TRUE;
  send_packet (self, STASIS_MESSAGE_CONTINUE, NULL, 0);
}

/* From the descriptor; a terminal that is gone is its end.  FALSE where the stream is over. */
static gboolean
receive (Stream *self)
{
  guint8 octets[READ_SIZE];
  const ssize_t done = read (self->fd, octets, MIN (sizeof octets, self->n_allowed - self->n_sent));
  if (done > 0)
    {
      self->n_sent += (guint64) done;
      send_packet (self, STASIS_MESSAGE_CONTINUE, octets, (gsize) done);
    }
  else if (done == 0 || errno == EIO || errno == ECONNRESET)
    tell_end (self);
  else if (errno != EAGAIN && errno != EINTR)
    {
      g_autoptr (GError) error = NULL;
      stasis_throw_errno (&error, _ ("cannot read from the other end of the stream"));
      fail (self, error);
      return FALSE;
    }
  return TRUE;
}

/* To the descriptor, as much as it takes; FALSE where the stream is over. */
static gboolean
deliver (Stream *self)
{
  gsize position = 0;
  while (position < self->in->len)
    {
      const ssize_t done = write (self->fd, self->in->data + position, self->in->len - position);
      if (done < 0 && errno == EINTR)
        continue;
      if (done < 0 && errno != EAGAIN)
        {
          g_autoptr (GError) error = NULL;
          stasis_throw_errno (&error, _ ("cannot write to the other end of the stream"));
          fail (self, error);
          return FALSE;
        }
      if (done <= 0)
        break;
      position += (gsize) done;
    }
  if (position > 0 || self->in->len == 0)
    self->progress = g_get_monotonic_time ();
  if (position > 0)
    g_byte_array_remove_range (self->in, 0, (guint) position);
  if (!self->is_finished || self->in->len > 0)
    return TRUE;
  send_packet (self, STASIS_MESSAGE_OK, NULL, 0);
  end (self);
  return FALSE;
}

/* What follows may end the connection, and with it this stream. */
static gboolean
on_ready (gint fd, GIOCondition condition, gpointer data)
{
  Stream *self = data;
  StasisSession *session = stasis_session_ref (self->session);
  const gboolean was_full = stasis_streams_are_full (session);
  gboolean lives = TRUE;
  if ((self->watched & G_IO_OUT) != 0)
    lives = deliver (self);
  if (lives && (self->watched & G_IO_IN) != 0 && (condition & ~G_IO_OUT) != 0)
    lives = receive (self);
  if (lives)
    watch (self);
  if (was_full && !stasis_streams_are_full (session))
    stasis_session_go_on (session);
  stasis_session_unref (session);
  return G_SOURCE_CONTINUE;
}

static void
refuse (StasisSession *session, const StasisMessageHeader *call)
{
  g_autofree char *text
      = g_strdup_printf (_ ("too many streams on this connection: there are %u"), STREAMS_MAX);
  const GError error = { STASIS_ERROR, STASIS_ERROR_BUSY, text };
  stasis_dispatch_send_error (session, call, STASIS_MESSAGE_REPLY, &error);
}

typedef struct
{
  StasisSession *session; /* (owned) */
  StasisMessageHeader header;
  int fd;            /* (owned) */
  GByteArray *reply; /* (owned) (nullable) */
} Opening;

static void
opening_free (gpointer data)
{
  Opening *opening = data;
  stasis_fd_clear (&opening->fd);
  g_clear_pointer (&opening->reply, g_byte_array_unref);
  stasis_session_unref (opening->session);
  g_free (opening);
}

static gboolean
is_closed (StasisSession *session)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  return session->fd < 0;
}

/* The client may have gone meanwhile.  The reply is sent here, so that nothing of the stream comes
 * before it, and no answer to it before there is a stream. */
static gboolean
begin (gpointer data)
{
  Opening *opening = data;
  StasisSession *session = opening->session;
  if (is_closed (session))
    return G_SOURCE_REMOVE;
  if (session->streams->len >= STREAMS_MAX)
    {
      refuse (session, &opening->header);
      return G_SOURCE_REMOVE;
    }
  Stream *stream = g_new0 (Stream, 1);
  stream->session = session;
  stream->header = opening->header;
  stream->fd = stasis_fd_steal (&opening->fd);
  stream->in = g_byte_array_new ();
  stream->progress = g_get_monotonic_time ();
  stream->n_allowed = G_MAXUINT64;
  g_unix_set_fd_nonblocking (stream->fd, TRUE, NULL);
  g_ptr_array_add (session->streams, stream);
  stasis_session_send (session, g_steal_pointer (&opening->reply));
  watch (stream);
  return G_SOURCE_REMOVE;
}

/* From any thread. */
void
stasis_stream_open (StasisSession *session, const StasisMessageHeader *call, int fd_take,
                    GByteArray *reply_take)
{
  Opening *opening = g_new0 (Opening, 1);
  opening->session = stasis_session_ref (session);
  opening->header = *call;
  opening->fd = fd_take;
  opening->reply = reply_take;
  g_main_context_invoke_full (session->server->context, G_PRIORITY_DEFAULT, begin, opening,
                              opening_free);
}

static Stream *
find (const StasisSession *session, const StasisMessageHeader *header)
{
  for (guint i = 0; i < session->streams->len; i++)
    {
      Stream *stream = g_ptr_array_index (session->streams, i);
      if (stream->header.serial == header->serial && stream->header.program == header->program
          && stream->header.procedure == header->procedure)
        return stream;
    }
  return NULL;
}

/* What comes after its end has nowhere to go. */
static void
take_octets (Stream *self, const guint8 *octets, gsize length)
{
  if (self->has_ended || length == 0)
    return;
  if (self->is_finished)
    {
      fail_with (self, _ ("octets came behind the end of the stream"));
      return;
    }
  g_byte_array_append (self->in, octets, (guint) length);
  if (deliver (self))
    watch (self);
}

static void
finish (Stream *self)
{
  self->is_finished = TRUE;
  if (self->has_ended)
    g_byte_array_set_size (self->in, 0);
  if (deliver (self))
    watch (self);
}

/* From the client. */
void
stasis_stream_take_packet (StasisSession *session, const StasisMessageHeader *header,
                           const guint8 *payload, gsize length)
{
  Stream *stream = find (session, header);
  if (stream == NULL)
    g_debug ("client %" G_GUINT64_FORMAT ": a packet of a stream that there is not",
             session->number);
  else if (header->status == STASIS_MESSAGE_ERROR)
    {
      send_packet (stream, STASIS_MESSAGE_OK, NULL, 0);
      end (stream);
    }
  else if (header->type == STASIS_MESSAGE_STREAM_HOLE)
    fail_with (stream, _ ("this stream has no holes"));
  else if (header->status == STASIS_MESSAGE_CONTINUE)
    take_octets (stream, payload, length);
  else if (header->status == STASIS_MESSAGE_OK)
    finish (stream);
  else
    fail_with (stream, _ ("a packet of the stream has an unknown status"));
}

typedef struct
{
  StasisSession *session; /* (owned) */
  guint32 serial;
  guint64 count;
} Allowance;

static void
allowance_free (gpointer data)
{
  Allowance *self = data;
  stasis_session_unref (self->session);
  g_free (self);
}

/* The first number is a limit where there was none; two that overtake each other are the higher. */
static gboolean
allow (gpointer data)
{
  const Allowance *self = data;
  for (guint i = 0; i < self->session->streams->len; i++)
    {
      Stream *stream = g_ptr_array_index (self->session->streams, i);
      if (stream->header.serial != self->serial)
        continue;
      const guint64 before = stream->n_allowed == G_MAXUINT64 ? stream->n_sent : stream->n_allowed;
      stream->n_allowed = MAX (before, self->count);
      watch (stream);
    }
  return G_SOURCE_REMOVE;
}

/* From any thread. */
void
stasis_stream_allow (StasisSession *session, guint32 serial, guint64 count)
{
  Allowance *allowance = g_new0 (Allowance, 1);
  allowance->session = stasis_session_ref (session);
  allowance->serial = serial;
  allowance->count = count;
  g_main_context_invoke_full (session->server->context, G_PRIORITY_DEFAULT, allow, allowance,
                              allowance_free);
}

static gboolean
is_full (const Stream *self)
{
  return self->in->len > IN_HIGH;
}

/* One is enough. */
gboolean
stasis_streams_are_full (const StasisSession *session)
{
  for (guint i = 0; i < session->streams->len; i++)
    if (is_full (g_ptr_array_index (session->streams, i)))
      return TRUE;
  return FALSE;
}

/* There is room for what comes from the descriptors. */
void
stasis_streams_go_on (StasisSession *session)
{
  for (guint i = 0; i < session->streams->len; i++)
    watch (g_ptr_array_index (session->streams, i));
}

/* A connection is not held up for ever by who takes nothing. */
void
stasis_streams_tick (StasisSession *session, gint64 now)
{
  /* From the end: one that is over is removed. */
  for (guint i = session->streams->len; i > 0; i--)
    {
      Stream *stream = g_ptr_array_index (session->streams, i - 1);
      if ((is_full (stream) || stream->is_finished) && now - stream->progress > STUCK_US)
        fail_with (stream, _ ("nobody takes what is sent into the stream"));
    }
}
