/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-io.c: the packets of a client
 *
 * Theory of operation
 *
 * One thread reads, and gives each reply to the call that waits for it, by its serial.  Who calls
 * writes.  What a job tells on its way goes to its call, too, so that the caller's thread tells it
 * on, and before its reply.  Nothing that comes is trusted: a packet that is none ends the
 * connection, and one that nobody waits for is passed over.  A server that has said nothing for a
 * while is asked whether it lives; one that does not answer has gone.
 */

#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "remote/client-port.h"
#include "util/fd.h"

#define READ_SIZE   65536u
#define POLL_MS     1000
#define SEND_MS     30000
#define N_PINGS_MAX 5u
/* Of one call, that nobody has looked at. */
#define PROGRESS_MAX      64u                 /* the oldest go */
#define PROGRESS_SIZE_MAX (64u * 1024)        /* octets of one */
#define SAID_SIZE_MAX     (16u * 1024 * 1024) /* octets of all the rest */
#define SAID_MAX \
  32768u /* two words on each of the most domains: whoever sends more is to be feared */

static void
send_keepalive (StasisClient *self, gint32 procedure)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_KEEPALIVE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = procedure,
    .type = STASIS_MESSAGE_EVENT,
  };
  GByteArray *message = stasis_message_begin (&header);
  stasis_message_end (message);
  stasis_client_send (self, message);
}

static void
take_reply (StasisClient *self, const StasisMessageHeader *header, const guint8 *payload,
            gsize length)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  StasisPending *pending = g_hash_table_lookup (self->pending, GUINT_TO_POINTER (header->serial));
  if (pending == NULL || pending->is_done || pending->procedure->program != header->program
      || pending->procedure->number != header->procedure)
    {
      g_debug ("%s: a reply that nobody waits for: %u", self->uri, header->serial);
      return;
    }
  pending->status = header->status;
  pending->payload = g_bytes_new (payload, length);
  pending->is_done = TRUE;
  g_cond_broadcast (&self->changed);
}

/* NULL is fine. */
void
stasis_client_news_free (gpointer data)
{
  StasisClientNews *news = data;
  if (news == NULL)
    return;
  g_free (news->text);
  g_free (news);
}

/* (nullable): the oldest of this kind, and how many there are. */
static GList *
find_oldest (const StasisPending *pending, gint32 event, guint *out_count)
{
  GList *oldest = NULL;
  *out_count = 0;
  for (GList *item = pending->news.tail; item != NULL; item = item->prev)
    if (((const StasisClientNews *) item->data)->event == event)
      {
        oldest = item;
        (*out_count)++;
      }
  return oldest;
}

/* Of how far a job is the newest counts; the rest is said once. */
static gboolean
make_room (StasisPending *pending, gint32 event, gsize length)
{
  guint count;
  if (event == STASIS_OWN_JOB_PROGRESS && length > PROGRESS_SIZE_MAX)
    return FALSE;
  if (event != STASIS_OWN_JOB_PROGRESS)
    return pending->news.length < SAID_MAX && pending->n_kept + length <= SAID_SIZE_MAX;
  GList *oldest = find_oldest (pending, event, &count);
  if (count < PROGRESS_MAX)
    return TRUE;
  stasis_client_news_free (oldest->data);
  g_queue_delete_link (&pending->news, oldest);
  return TRUE;
}

/* With the lock held. */
static void
add_news (StasisClient *self, guint32 serial, gint32 event, char **text)
{
  StasisPending *pending = g_hash_table_lookup (self->pending, GUINT_TO_POINTER (serial));
  if (pending == NULL || pending->is_done || !make_room (pending, event, strlen (*text)))
    return;
  StasisClientNews *news = g_new0 (StasisClientNews, 1);
  news->event = event;
  news->text = g_steal_pointer (text);
  pending->n_kept += event != STASIS_OWN_JOB_PROGRESS ? strlen (news->text) : 0;
  g_queue_push_tail (&pending->news, news);
  g_cond_broadcast (&self->changed);
}

/* Of a call of ours. */
static void
take_event (StasisClient *self, const StasisMessageHeader *header, const guint8 *payload,
            gsize length)
{
  const gint32 event = header->procedure;
  if (header->program != STASIS_PROGRAM_OWN
      || (event != STASIS_OWN_JOB_PROGRESS && event != STASIS_OWN_WARNING
          && event != STASIS_OWN_GUEST))
    return;
  StasisWireValue values[2];
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, payload, length);
  if (stasis_wire_decode (&in, STASIS_OWN_EVENT_LAYOUT, values))
    {
      g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
      add_news (self, values[0].u, event, &values[1].s);
    }
  stasis_wire_clear (STASIS_OWN_EVENT_LAYOUT, values);
}

static void
take_packet (StasisClient *self, const guint8 *octets, gsize size)
{
  StasisMessageHeader header;
  stasis_message_parse_header (octets + STASIS_MESSAGE_LENGTH_SIZE, &header);
  const guint8 *payload = octets + STASIS_MESSAGE_SIZE_MIN;
  const gsize length = size - STASIS_MESSAGE_SIZE_MIN;
  if (header.program == STASIS_PROGRAM_KEEPALIVE)
    {
      if (header.procedure == STASIS_KEEPALIVE_PING)
        send_keepalive (self, STASIS_KEEPALIVE_PONG);
    }
  else if (header.type == STASIS_MESSAGE_REPLY)
    take_reply (self, &header, payload, length);
  else if (header.type == STASIS_MESSAGE_EVENT)
    take_event (self, &header, payload, length);
  else if (header.type == STASIS_MESSAGE_STREAM)
    stasis_client_port_take (self, &header, payload, length);
  else
    g_debug ("%s: a packet of type %u that nobody waits for", self->uri, header.type);
}

/* All that is whole. */
gboolean
stasis_client_feed (StasisClient *self, const guint8 *octets, gsize length, const char **out_why)
{
  gsize position = 0;
  g_byte_array_append (self->in, octets, (guint) length);
  while (self->in->len - position >= STASIS_MESSAGE_LENGTH_SIZE)
    {
      const guint32 size = stasis_message_parse_size (self->in->data + position);
      if (size == 0)
        {
          *out_why = _ ("it sends what is no packet of the protocol");
          return FALSE;
        }
      if (self->in->len - position < size)
        break;
      take_packet (self, self->in->data + position, size);
      position += size;
    }
  if (position > 0)
    g_byte_array_remove_range (self->in, 0, (guint) position);
  return TRUE;
}

/* It is over. */
void
stasis_client_break (StasisClient *self, const char *why)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  if (self->why == NULL)
    self->why = g_strdup (why);
  if (self->stream.fd >= 0)
    shutdown (self->stream.fd, SHUT_RDWR);
  g_cond_broadcast (&self->changed);
}

/* FALSE where it takes nothing for too long. */
static gboolean
wait_for_room (int fd, gint64 deadline)
{
  const gint64 left = (deadline - g_get_monotonic_time ()) / 1000;
  struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
  return left > 0 && poll (&poll_fd, 1, (int) left) != 0;
}

/* (nullable): what went wrong. */
static const char *
write_all (int fd, const guint8 *octets, gsize length)
{
  const gint64 patience = SEND_MS * G_GINT64_CONSTANT (1000);
  gint64 deadline = g_get_monotonic_time () + patience;
  gsize done = 0;
  while (done < length)
    {
      const ssize_t n = send (fd, octets + done, length - done, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0)
        {
          done += (gsize) n;
          deadline = g_get_monotonic_time () + patience;
        }
      else if (n < 0 && errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)
        return g_strerror (errno);
      else if (n < 0 && errno != EINTR && !wait_for_room (fd, deadline))
        return _ ("it takes nothing of what is sent to it");
    }
  return NULL;
}

/* Write a packet. */
void
stasis_client_send (StasisClient *self, GByteArray *message_take)
{
  g_mutex_lock (&self->lock);
  const int fd = self->why == NULL ? self->stream.fd : -1;
  g_mutex_unlock (&self->lock);
  const char *why = NULL;
  g_mutex_lock (&self->send_lock);
  if (fd >= 0)
    why = write_all (fd, message_take->data, message_take->len);
  g_mutex_unlock (&self->send_lock);
  if (why != NULL)
    stasis_client_break (self, why);
  g_byte_array_unref (message_take);
}

/* (nullable): it does not live. */
static const char *
check_life (StasisClient *self)
{
  g_mutex_lock (&self->lock);
  const gint64 silence = g_get_monotonic_time () - self->last_input;
  const guint interval_s = self->stream.keepalive_s;
  const gint64 patience = (gint64) interval_s * (self->n_pings + 1) * G_USEC_PER_SEC;
  const gboolean is_due = self->has_keepalive && interval_s > 0 && silence >= patience;
  const gboolean is_dead = is_due && self->n_pings >= N_PINGS_MAX;
  if (is_due)
    self->n_pings++;
  g_mutex_unlock (&self->lock);
  if (is_dead)
    return _ ("it gives no sign of life");
  if (is_due)
    send_keepalive (self, STASIS_KEEPALIVE_PING);
  return NULL;
}

/* (nullable): why there is no more. */
static const char *
receive (StasisClient *self)
{
  static const char *const gone = N_ ("it has closed the connection");
  guint8 octets[READ_SIZE];
  const ssize_t done = recv (self->stream.fd, octets, sizeof octets, MSG_DONTWAIT);
  if (done == 0)
    return _ (gone);
  if (done < 0)
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? NULL : g_strerror (errno);
  g_mutex_lock (&self->lock);
  self->last_input = g_get_monotonic_time ();
  self->n_pings = 0;
  g_mutex_unlock (&self->lock);
  const char *why = NULL;
  stasis_client_feed (self, octets, (gsize) done, &why);
  return why;
}

/* Until it is over. */
gpointer
stasis_client_read (gpointer client)
{
  StasisClient *self = client;
  const char *why = NULL;
  while (why == NULL)
    {
      struct pollfd poll_fd = { .fd = self->stream.fd, .events = POLLIN };
      const int ready = poll (&poll_fd, 1, POLL_MS);
      if (ready > 0)
        why = receive (self);
      if (why == NULL)
        why = check_life (self);
    }
  char *(*explain) (gpointer reason) = self->stream.explain;
  g_autofree char *more = explain != NULL ? explain (self->stream.reason) : NULL;
  stasis_client_break (self, more != NULL ? more : why);
  return NULL;
}
