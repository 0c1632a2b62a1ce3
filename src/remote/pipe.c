/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipe.c: an image between a client of ours and the call that writes or reads it
 */

#include "config.h"

#include "remote/pipe.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define PIECE (64u * 1024)
#define LOOK_US \
  (50 * G_TIME_SPAN_MILLISECOND) /* between two looks whether the call is cancelled \
                                  */

struct _StasisPipe
{
  StasisSession *session; /* (borrowed): of the call */
  StasisMessageHeader header;
  GCancellable *cancellable; /* (borrowed) (nullable) of the call */
  gboolean is_out;
  int fd;          /* (owned) our end */
  int driver_fd;   /* (owned) or -1 */
  GThread *thread; /* (owned) */

  GMutex lock; /* guards the rest; taken after that of the session */
  GCond changed;
  gboolean is_over;   /* nobody waits any more */
  gboolean is_lost;   /* the client has gone */
  gboolean is_unread; /* its own reader has gone, and has not got all that was sent */
  guint64 n_sent;     /* octets that are sent to it */
  guint64 n_gone;     /* that this is done with */
  guint64 n_taken;    /* that it has taken, or that the driver has */
  guint64 n_asked;    /* of which it was asked whether its reader has them */
  guint64 n_read;     /* of which it has said so */
  GByteArray *in;     /* (owned) for the driver */
  gboolean is_whole;  /* no more comes, from either */
};

static void
send_packet (StasisPipe *self, const guint8 *octets, gsize length)
{
  StasisMessageHeader header = self->header;
  header.type = STASIS_MESSAGE_STREAM;
  header.status = STASIS_MESSAGE_CONTINUE;
  GByteArray *message = stasis_message_begin (&header);
  if (length > 0)
    g_byte_array_append (message, octets, (guint) length);
  stasis_message_end (message);
  stasis_session_send (self->session, message);
}

static void
send_count (StasisPipe *self, guint64 count)
{
  const StasisWireValue values[] = { { .ul = count } };
  g_autoptr (GByteArray) payload = g_byte_array_new ();
  stasis_wire_encode (payload, "U", values);
  send_packet (self, payload->data, payload->len);
}

/* How many octets may be sent; none where nothing is to be sent any more. */
static gsize
await_window (StasisPipe *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  while (!self->is_over && !self->is_lost && self->n_sent - self->n_taken >= STASIS_PIPE_WINDOW)
    g_cond_wait (&self->changed, &self->lock);
  if (self->is_over || self->is_lost)
    return 0;
  return MIN (PIECE, STASIS_PIPE_WINDOW - (self->n_sent - self->n_taken));
}

/* What the driver writes. */
static gpointer
send_image (gpointer data)
{
  StasisPipe *self = data;
  guint8 octets[PIECE];
  gsize room;
  gssize n;
  gboolean is_there = TRUE;
  while ((room = await_window (self)) > 0
         && (n = TEMP_FAILURE_RETRY (recv (self->fd, octets, room, 0))) > 0)
    {
      g_mutex_lock (&self->lock);
      is_there = !self->is_lost;
      self->n_sent += is_there ? (guint64) n : 0;
      g_mutex_unlock (&self->lock);
      if (!is_there)
        break;
      send_packet (self, octets, (gsize) n);
      g_mutex_lock (&self->lock);
      self->n_gone = self->n_sent;
      g_mutex_unlock (&self->lock);
    }
  g_mutex_lock (&self->lock);
  self->is_whole = room > 0 && is_there;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  return NULL;
}

/* (transfer full) (nullable): what the driver is to read; none where no more comes. */
static GByteArray *
await_octets (StasisPipe *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  while (!self->is_over && !self->is_lost && !self->is_whole && self->in->len == 0)
    g_cond_wait (&self->changed, &self->lock);
  if (self->is_over || self->is_lost || self->in->len == 0)
    return NULL;
  GByteArray *octets = self->in;
  self->in = g_byte_array_new ();
  return octets;
}

static gboolean
deliver (StasisPipe *self, const GByteArray *octets)
{
  for (gsize done = 0; done < octets->len;)
    {
      const gsize size = MIN (octets->len - done, PIECE);
      const gssize n
          = TEMP_FAILURE_RETRY (send (self->fd, octets->data + done, size, MSG_NOSIGNAL));
      if (n < 0)
        return FALSE;
      done += (gsize) n;
      g_mutex_lock (&self->lock);
      self->n_taken += (guint64) n;
      const guint64 count = self->n_taken;
      g_mutex_unlock (&self->lock);
      send_count (self, count);
    }
  return TRUE;
}

/* What it reads.  Where it reads no more the reply is about to come. */
static gpointer
receive_image (gpointer data)
{
  StasisPipe *self = data;
  GByteArray *octets;
  gboolean ok = TRUE;
  while (ok && (octets = await_octets (self)) != NULL)
    {
      ok = deliver (self, octets);
      g_byte_array_unref (octets);
    }
  shutdown (self->fd, SHUT_WR);
  return NULL;
}

/* With the lock held, or before anybody knows of it: the driver sees that nobody is there.  What it
 * reads may look whole where it is cut, and it may be long before it writes, so it is told to end.
 */
static void
hang_up (StasisPipe *self)
{
  shutdown (self->fd, SHUT_RDWR);
  if (self->cancellable != NULL && !self->is_whole)
    g_cancellable_cancel (self->cancellable);
  g_cond_broadcast (&self->changed);
}

/* Serials are the client's choice: two calls of one would take each other's packets. */
static gboolean
enlist (StasisPipe *self, GError **error)
{
  StasisSession *session = self->session;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  const gpointer serial = GUINT_TO_POINTER (self->header.serial);
  self->is_lost = session->fd < 0;
  if (self->is_lost)
    hang_up (self);
  if (!g_hash_table_contains (session->pipes, serial))
    {
      g_atomic_int_inc (&session->n_pipes);
      return g_hash_table_insert (session->pipes, serial, self);
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("there is an image under way in a call of the serial %u"), self->header.serial);
  return FALSE;
}

/* For one call. */
StasisPipe *
stasis_pipe_new (StasisSession *session, const StasisMessageHeader *call, gboolean is_out,
                 GCancellable *cancellable, GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
      return NULL;
    }
  StasisPipe *self = g_new0 (StasisPipe, 1);
  self->session = session;
  self->header = *call;
  self->cancellable = cancellable;
  self->is_out = is_out;
  self->fd = pair[0];
  self->driver_fd = pair[1];
  self->in = g_byte_array_new ();
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  if (!enlist (self, error))
    {
      stasis_pipe_free (self);
      return NULL;
    }
  stasis_session_wake (session); /* it may not be read, as too many calls wait */
  if (!is_out)
    send_packet (self, NULL, 0); /* now there is a place for what it sends */
  self->thread = g_thread_new ("pipe", is_out ? send_image : receive_image, self);
  return self;
}

/* From now on the caller's. */
int
stasis_pipe_steal_fd (StasisPipe *self)
{
  return stasis_fd_steal (&self->driver_fd);
}

/* The end of an image is written once its reader has all before it: whatever was sent since may be
 * enough for it, if the client has passed it on before it went, or if some may be missing. */
static gboolean
throw_lost (const StasisPipe *self, gboolean may_lack_some, GError **error)
{
  if (self->n_sent <= self->n_read || (self->is_unread && !may_lack_some))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE,
                         _ ("the reader has gone away and left the end of the image"));
  else if (self->is_unread)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                         _ ("the reader has gone away within the end of the image"));
  else
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                         _ ("the client has gone before it said that its reader has the image"));
  return FALSE;
}

/* A StasisSaveReader. */
static gboolean
look (gpointer data, guint64 octets, gboolean may_lack_some, gboolean *out_taken, GError **error)
{
  StasisPipe *self = data;
  g_mutex_lock (&self->lock);
  *out_taken = self->n_read >= octets;
  const gboolean ok = *out_taken || (!self->is_unread && !self->is_lost)
                      || throw_lost (self, may_lack_some, error);
  const gboolean is_due = ok && self->n_gone >= octets && self->n_asked < octets;
  if (is_due)
    self->n_asked = octets;
  g_mutex_unlock (&self->lock);
  if (is_due)
    send_packet (self, NULL, 0);
  return ok;
}

/* It looks at the client's reader. */
StasisSaveReader
stasis_pipe_reader (StasisPipe *self)
{
  return (StasisSaveReader){ .look = look, .data = self };
}

/* With the lock held: until the driver has written all, and @count, which grows, is that.  No event
 * tells that the call is cancelled. */
static gboolean
await_count (StasisPipe *self, const guint64 *count, GError **error)
{
  while (!self->is_whole || *count < self->n_sent)
    {
      if (self->is_unread || self->is_lost)
        return throw_lost (self, /* may_lack_some= */ FALSE, error);
      if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
        return FALSE;
      g_cond_wait_until (&self->changed, &self->lock, g_get_monotonic_time () + LOOK_US);
    }
  return TRUE;
}

/* All of it. */
gboolean
stasis_pipe_await_end (StasisPipe *self, GError **error)
{
  g_mutex_lock (&self->lock);
  const gboolean is_sent = await_count (self, &self->n_gone, error);
  self->n_asked = self->n_sent;
  g_mutex_unlock (&self->lock);
  if (!is_sent)
    return FALSE;
  send_packet (self, NULL, 0);
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  return await_count (self, &self->n_read, error);
}

/* NULL is fine. */
void
stasis_pipe_free (StasisPipe *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->session->lock);
  const gpointer serial = GUINT_TO_POINTER (self->header.serial);
  if (g_hash_table_lookup (self->session->pipes, serial) == self)
    {
      g_atomic_int_add (&self->session->n_pipes, -1);
      g_hash_table_remove (self->session->pipes, serial);
    }
  g_mutex_unlock (&self->session->lock);
  g_mutex_lock (&self->lock);
  self->is_over = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  shutdown (self->fd, SHUT_RDWR);
  if (self->thread != NULL)
    g_thread_join (self->thread);
  stasis_fd_clear (&self->fd);
  stasis_fd_clear (&self->driver_fd);
  g_byte_array_unref (self->in);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* What the client says of an image that it gets. */
static void
take_count (StasisPipe *self, const StasisMessageHeader *header, const guint8 *payload,
            gsize length)
{
  StasisWireValue count[1];
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, payload, length);
  if (!stasis_wire_decode (&in, "U", count) || count[0].ul > self->n_sent)
    return;
  self->n_taken = MAX (self->n_taken, count[0].ul);
  if (header->status == STASIS_MESSAGE_OK && count[0].ul <= self->n_asked)
    self->n_read = MAX (self->n_read, count[0].ul);
}

/* What it sends of one. */
static void
take_octets (StasisPipe *self, const guint8 *payload, gsize length)
{
  if (self->is_whole || self->in->len + length > STASIS_PIPE_WINDOW)
    {
      self->is_lost = TRUE;
      hang_up (self);
    }
  else
    g_byte_array_append (self->in, payload, (guint) length);
}

/* The reply may be under way already: then it is none of a pipe. */
gboolean
stasis_pipe_take_packet (StasisSession *session, const StasisMessageHeader *header,
                         const guint8 *payload, gsize length)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  StasisPipe *self = g_hash_table_lookup (session->pipes, GUINT_TO_POINTER (header->serial));
  if (self == NULL || self->header.program != header->program
      || self->header.procedure != header->procedure)
    return FALSE;
  g_mutex_lock (&self->lock);
  if (header->status == STASIS_MESSAGE_ERROR)
    {
      self->is_unread = TRUE;
      hang_up (self);
    }
  else if (self->is_out)
    take_count (self, header, payload, length);
  else if (header->status == STASIS_MESSAGE_OK)
    self->is_whole = TRUE;
  else
    take_octets (self, payload, length);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  return TRUE;
}

/* On the first thread. */
void
stasis_pipes_break (StasisSession *session)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&session->lock);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, session->pipes);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      StasisPipe *self = value;
      g_mutex_lock (&self->lock);
      self->is_lost = TRUE;
      hang_up (self);
      g_mutex_unlock (&self->lock);
    }
}
