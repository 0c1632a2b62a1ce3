/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-io.c: one connection: its packets in, its packets out, its end
 *
 * Theory of operation
 *
 * Only the first thread reads and closes.  Any thread may send: what the socket does not take at
 * once is kept and sent by the first thread, as the other end takes it.  An end that takes nothing
 * is not served any more from some octets on, and given up later.
 */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "remote/descriptors.h"
#include "remote/pipe.h"
#include "remote/server-private.h"
#include "remote/stream.h"
#include "util/fd.h"

#define READ_SIZE        65536u
#define PACKETS_AT_ONCE  32u                 /* until others have their turn */
#define SIZE_MAX_CLOSED  65536u              /* of a packet before CONNECT_OPEN */
#define SIZE_MAX_READERS (4u * 1024 * 1024)  /* of one of a client that may only read */
#define OUT_HIGH         (4u * 1024 * 1024)  /* not read from before that is taken */
#define OUT_MAX          (96u * 1024 * 1024) /* given up: three of the longest packets */
#define OUT_FDS_HIGH     16u                 /* likewise, descriptors */
#define CALL_FDS_HIGH    64  /* that its calls have, until some of them have ended */
#define WAITING_MAX      64u /* calls */
#define JOINED_MAX       65536u
#define OPEN_US          (60 * G_USEC_PER_SEC)

/* Octets that are sent, and a descriptor with the first of them. */
typedef struct
{
  GByteArray *octets; /* (owned) */
  int fd;             /* (owned) or -1 */
} Outgoing;

static void
clear_callback (gpointer callback)
{
  g_free (((StasisCallback *) callback)->name);
}

/* Not attached yet. */
StasisSession *
stasis_session_new (StasisServer *server, int fd_take, gboolean is_read_only)
{
  StasisSession *self = g_new0 (StasisSession, 1);
  g_atomic_ref_count_init (&self->refs);
  self->server = server;
  self->fd = fd_take;
  self->is_read_only = is_read_only;
  self->in = g_byte_array_new ();
  self->arrivals = stasis_arrivals_new ();
  self->began = self->last_input = g_get_monotonic_time ();
  self->callbacks = g_array_new (FALSE, FALSE, sizeof (StasisCallback));
  g_array_set_clear_func (self->callbacks, clear_callback);
  self->mortals = g_array_new (FALSE, FALSE, sizeof (StasisMortal));
  self->streams = stasis_streams_new ();
  self->jobs = g_hash_table_new_full (NULL, NULL, NULL, g_object_unref);
  self->pipes = g_hash_table_new (NULL, NULL);
  g_queue_init (&self->waiting);
  g_queue_init (&self->out);
  g_mutex_init (&self->lock);
  return self;
}

/* One more owner. */
StasisSession *
stasis_session_ref (StasisSession *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
outgoing_free (gpointer data)
{
  Outgoing *outgoing = data;
  stasis_fd_clear (&outgoing->fd);
  g_byte_array_unref (outgoing->octets);
  g_free (outgoing);
}

/* One less. */
void
stasis_session_unref (StasisSession *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  stasis_fd_clear (&self->fd);
  g_byte_array_unref (self->in);
  g_array_unref (self->arrivals);
  g_array_unref (self->callbacks);
  g_array_unref (self->mortals);
  g_ptr_array_unref (self->streams);
  g_hash_table_unref (self->jobs);
  g_hash_table_unref (self->pipes);
  g_queue_clear_full (&self->out, outgoing_free);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static ssize_t
send_some (StasisSession *self, const Outgoing *outgoing)
{
  const guint8 *octets = outgoing->octets->data + self->out_done;
  const gsize length = outgoing->octets->len - self->out_done;
  return outgoing->fd >= 0 ? stasis_descriptors_send (self->fd, octets, length, outgoing->fd)
                           : send (self->fd, octets, length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* As much as it takes; FALSE where the other end is gone. */
static gboolean
flush (StasisSession *self)
{
  Outgoing *outgoing;
  while ((outgoing = g_queue_peek_head (&self->out)) != NULL)
    {
      const ssize_t done = send_some (self, outgoing);
      if (done < 0 && errno == EINTR)
        continue;
      if (done < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK;
      self->out_done += (gsize) done;
      self->out_octets -= (gsize) done;
      self->out_fds -= outgoing->fd >= 0 ? 1 : 0;
      stasis_fd_clear (&outgoing->fd);
      if (self->out_done < outgoing->octets->len)
        continue;
      self->out_done = 0;
      outgoing_free (g_queue_pop_head (&self->out));
    }
  return TRUE;
}

/* No more descriptors are taken before some are closed, and nobody knows whether one comes.  Those
 * who may do more are believed that they send none as long as they have not. */
static gboolean
waits_for_closer (const StasisSession *self)
{
  return (self->is_reader || self->has_sent_fds)
         && stasis_closer_is_full (stasis_session_closer (self));
}

/* No more calls, or none with descriptors. */
gboolean
stasis_session_has_enough (const StasisSession *self)
{
  return self->waiting.length >= WAITING_MAX
         || g_atomic_int_get (&self->n_call_fds) >= CALL_FDS_HIGH;
}

/* It has said more than is taken for now.  An image has to get through all the same: what waits may
 * wait for the call that it is of. */
static gboolean
is_at_limit (const StasisSession *self)
{
  return (stasis_session_has_enough (self) && g_atomic_int_get (&self->n_pipes) == 0)
         || waits_for_closer (self) || (self->is_reader && self->waiting_octets >= SIZE_MAX_READERS)
         || stasis_streams_are_full (self);
}

/* With the lock held: it takes too little of what is sent to it. */
static gboolean
is_behind (const StasisSession *self)
{
  return self->out_octets > OUT_HIGH || self->out_fds >= OUT_FDS_HIGH;
}

static gboolean on_ready (gint fd, GIOCondition condition, gpointer data);

/* The first thread watches for what is of use. */
static void
watch (StasisSession *self)
{
  g_mutex_lock (&self->lock);
  const int fd = self->fd;
  const gboolean has_out = !g_queue_is_empty (&self->out);
  const gsize kept = self->in->len + self->waiting_octets + self->out_octets
                     + (gsize) self->callbacks->len * sizeof (StasisCallback);
  self->is_held_by_closer = waits_for_closer (self);
  self->is_held = self->is_due || is_behind (self) || is_at_limit (self);
  g_mutex_unlock (&self->lock);
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_clear_pointer (&self->source, g_source_unref);
    }
  if (fd < 0)
    return;
  if (self->is_reader)
    stasis_server_keep (self->server, self, kept);
  self->source = g_unix_fd_source_new (fd, G_IO_HUP | G_IO_ERR | (self->is_held ? 0 : G_IO_IN)
                                               | (has_out ? G_IO_OUT : 0));
  g_source_set_callback (self->source, G_SOURCE_FUNC (on_ready), self, NULL);
  g_source_attach (self->source, self->server->context);
}

/* From now on it is read. */
void
stasis_session_attach (StasisSession *self)
{
  watch (self);
}

/* It is over.  Calls that are under way go on; nobody hears of them. */
void
stasis_session_close (StasisSession *self, const char *why)
{
  g_mutex_lock (&self->lock);
  const gboolean was_open = self->fd >= 0;
  stasis_closer_hang_up (stasis_session_closer (self), &self->fd);
  g_queue_clear_full (&self->out, outgoing_free);
  self->out_octets = 0;
  self->out_fds = 0;
  g_array_set_size (self->callbacks, 0);
  g_autoptr (GArray) mortals = self->mortals;
  self->mortals = g_array_new (FALSE, FALSE, sizeof (StasisMortal));
  g_mutex_unlock (&self->lock);
  if (!was_open)
    return;
  g_debug ("client %" G_GUINT64_FORMAT " is closed: %s", self->number, why);
  watch (self);
  stasis_pipes_break (self);
  stasis_reaper_end (self->server->reaper, self->server->driver, mortals);
  stasis_reaper_abandon (self->server->reaper,
                         stasis_migratings_leave (self->server->migratings, self->number));
  g_queue_clear_full (&self->waiting, stasis_task_free);
  stasis_arrivals_clear (self->arrivals);
  self->waiting_octets = 0;
  g_ptr_array_set_size (self->streams, 0);
  stasis_server_forget (self->server, self);
}

static void
unref (gpointer data)
{
  stasis_session_unref (data);
}

/* On the first thread, but not here and now: it may end the connection, of which the caller may
 * have more to say. */
static void
later (StasisSession *self, GSourceFunc function)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, stasis_session_ref (self), unref);
  g_source_attach (source, self->server->context);
}

static gboolean
watch_again (gpointer data)
{
  StasisSession *self = data;
  g_mutex_lock (&self->lock);
  const gboolean is_too_much = self->out_octets > OUT_MAX;
  self->is_looked_at = FALSE;
  g_mutex_unlock (&self->lock);
  if (is_too_much)
    stasis_session_close (self, "it takes nothing of what is sent to it");
  else
    watch (self);
  return G_SOURCE_REMOVE;
}

/* Many small ones cost little more than their octets; nothing is put behind a descriptor's. */
static void
queue (StasisSession *self, GByteArray *octets_take, int fd_take)
{
  Outgoing *last = g_queue_peek_tail (&self->out);
  self->out_octets += octets_take->len;
  self->out_fds += fd_take >= 0 ? 1 : 0;
  if (last != NULL && last->fd < 0 && fd_take < 0
      && last->octets->len + octets_take->len <= JOINED_MAX)
    {
      g_byte_array_append (last->octets, octets_take->data, octets_take->len);
      g_byte_array_unref (octets_take);
      return;
    }
  Outgoing *outgoing = g_new0 (Outgoing, 1);
  outgoing->octets = octets_take;
  outgoing->fd = fd_take;
  g_queue_push_tail (&self->out, outgoing);
}

/* From any thread. */
void
stasis_session_send (StasisSession *self, GByteArray *message_take)
{
  stasis_session_send_fd (self, message_take, -1);
}

/* From any thread; both at once, that nothing comes between them. */
void
stasis_session_send_fd (StasisSession *self, GByteArray *message_take, int fd_take)
{
  static const guint8 octet = 0;
  stasis_autofd int fd = fd_take;
  g_mutex_lock (&self->lock);
  if (self->fd < 0)
    {
      g_mutex_unlock (&self->lock);
      g_byte_array_unref (message_take);
      return;
    }
  const gboolean was_empty = g_queue_is_empty (&self->out);
  queue (self, message_take, -1);
  if (fd >= 0)
    queue (self, g_byte_array_append (g_byte_array_new (), &octet, 1), stasis_fd_steal (&fd));
  /* An end that is gone is seen by who reads it. */
  if (was_empty && !flush (self))
    g_debug ("client %" G_GUINT64_FORMAT " cannot be written to", self->number);
  const gboolean is_news = !self->is_looked_at && !g_queue_is_empty (&self->out);
  self->is_looked_at |= is_news;
  g_mutex_unlock (&self->lock);
  if (is_news)
    later (self, watch_again);
}

static gsize
size_max (StasisSession *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  if (!self->is_open)
    return SIZE_MAX_CLOSED;
  return self->is_read_only ? SIZE_MAX_READERS : STASIS_MESSAGE_SIZE_MAX;
}

/* The next packet of what has come; FALSE where it is not whole yet, or is none (*out_why). */
static gboolean
take_packet (StasisSession *self, gsize *position, const char **out_why)
{
  const guint8 *octets = self->in->data + *position;
  const gsize left = self->in->len - *position;
  if (left < STASIS_MESSAGE_LENGTH_SIZE)
    return FALSE;
  const guint32 size = stasis_message_parse_size (octets);
  if (size == 0 || size > size_max (self))
    {
      *out_why = "a packet has a length that is not allowed";
      return FALSE;
    }
  if (left < size)
    return FALSE;
  StasisMessageHeader header;
  stasis_message_parse_header (octets + STASIS_MESSAGE_LENGTH_SIZE, &header);
  const guint8 *payload = octets + STASIS_MESSAGE_SIZE_MIN;
  gsize length = size - STASIS_MESSAGE_SIZE_MIN;
  guint n_fds = 0;
  if (header.type == STASIS_MESSAGE_CALL_WITH_FDS)
    {
      if (!stasis_message_parse_fds (payload, length, &n_fds))
        {
          *out_why = "a packet has more descriptors than are allowed";
          return FALSE;
        }
      payload += STASIS_MESSAGE_FDS_SIZE;
      length -= STASIS_MESSAGE_FDS_SIZE;
    }
  if (left < size + n_fds)
    return FALSE;
  GArray *fds;
  if (!stasis_arrivals_take (self->arrivals, self->in_before + *position + size, n_fds, &fds))
    {
      *out_why = "its descriptors are not those that its packets have";
      return FALSE;
    }
  *position += size + n_fds;
  stasis_dispatch (self, &header, payload, length, fds);
  return TRUE;
}

/* Whether it is for us to take its next packet. */
static gboolean
may_take (StasisSession *self)
{
  g_mutex_lock (&self->lock);
  const gboolean is_taking = self->fd >= 0 && !is_behind (self);
  g_mutex_unlock (&self->lock);
  return is_taking && !is_at_limit (self);
}

static gboolean
on_due (gpointer data)
{
  StasisSession *self = data;
  self->is_due = FALSE;
  stasis_session_go_on (self);
  return G_SOURCE_REMOVE;
}

/* An array keeps the room that it once had: that of a long packet is not kept beside short ones. */
static void
forget_taken (StasisSession *self, gsize length)
{
  if (length > READ_SIZE && self->in->len - length <= READ_SIZE)
    {
      g_autoptr (GByteArray) old = self->in;
      self->in = g_byte_array_new ();
      g_byte_array_append (self->in, old->data + length, old->len - (guint) length);
    }
  else if (length > 0)
    g_byte_array_remove_range (self->in, 0, (guint) length);
}

/* All that is whole, as far as it is anybody's turn. */
static void
take_packets (StasisSession *self)
{
  const char *why = NULL;
  gsize position = 0;
  guint count = 0;
  if (self->is_due)
    return;
  while (count < PACKETS_AT_ONCE && may_take (self) && take_packet (self, &position, &why))
    count++;
  forget_taken (self, position);
  self->in_before += position;
  if (why != NULL)
    stasis_session_close (self, why);
  else if (count == PACKETS_AT_ONCE)
    {
      /* After the others: what is left in our hands makes no descriptor ready. */
      self->is_due = TRUE;
      later (self, on_due);
    }
}

static void
note_life (StasisSession *self, gint64 now)
{
  self->last_input = now;
  self->n_pings = 0;
}

/* Of one who can only read no procedure takes any: there they take nobody's place. */
static gboolean
keep_descriptor (StasisSession *self, int fd_take, const char **out_why)
{
  self->has_sent_fds = TRUE;
  if (self->is_reader)
    stasis_closer_take (stasis_session_closer (self), stasis_fd_steal (&fd_take));
  if (stasis_arrivals_add (self->arrivals, fd_take, self->in_before + self->in->len))
    return TRUE;
  *out_why = "more descriptors have come than a packet has";
  return FALSE;
}

/* FALSE where there is no more. */
static gboolean
receive (StasisSession *self, GIOCondition condition, const char **out_why)
{
  if (waits_for_closer (self))
    {
      *out_why = (condition & (G_IO_HUP | G_IO_ERR)) != 0 ? "it has left" : NULL;
      return FALSE;
    }
  const guint before = self->in->len;
  g_byte_array_set_size (self->in, before + READ_SIZE);
  int descriptor;
  const ssize_t done = stasis_descriptors_receive (self->fd, self->in->data + before, READ_SIZE,
                                                   stasis_session_closer (self), &descriptor);
  const int number = errno;
  g_byte_array_set_size (self->in, before + (guint) MAX (done, 0));
  if (done > 0)
    {
      note_life (self, g_get_monotonic_time ());
      return descriptor < 0 || keep_descriptor (self, descriptor, out_why);
    }
  if (done < 0 && (number == EAGAIN || number == EWOULDBLOCK || number == EINTR))
    return TRUE;
  *out_why = done == 0 ? "it has left" : g_strerror (number);
  return FALSE;
}

static gboolean
on_ready (gint fd, GIOCondition condition, gpointer data)
{
  StasisSession *self = stasis_session_ref (data);
  const char *why = NULL;
  if ((condition & G_IO_OUT) != 0)
    {
      g_mutex_lock (&self->lock);
      const gboolean ok = flush (self);
      g_mutex_unlock (&self->lock);
      if (!ok)
        why = "it has left";
      /* It has made room by reading. */
      note_life (self, g_get_monotonic_time ());
    }
  if (why == NULL && (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)) != 0
      && receive (self, condition, &why))
    take_packets (self);
  if (why != NULL)
    stasis_session_close (self, why);
  else
    stasis_session_go_on (self);
  stasis_session_unref (self);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_wake (gpointer data)
{
  stasis_session_go_on (data);
  return G_SOURCE_REMOVE;
}

/* From any thread. */
void
stasis_session_wake (StasisSession *self)
{
  later (self, on_wake);
}

/* What waited runs as far as it may, and more is read. */
void
stasis_session_go_on (StasisSession *self)
{
  stasis_session_ref (self); /* a packet that is none closes it */
  GList *next;
  for (GList *item = self->waiting.head; item != NULL; item = next)
    {
      next = item->next;
      /* Once it runs it is not ours. */
      const gsize octets = g_bytes_get_size (((StasisTask *) item->data)->payload);
      if (!stasis_dispatch_push (item->data))
        continue;
      g_queue_delete_link (&self->waiting, item);
      self->waiting_octets -= octets;
    }
  if (self->in->len > 0)
    take_packets (self);
  stasis_streams_go_on (self);
  watch (self);
  stasis_session_unref (self);
}

static void
ping (StasisSession *self)
{
  const StasisMessageHeader header = {
    .program = STASIS_PROGRAM_KEEPALIVE,
    .version = STASIS_PROGRAM_VERSION,
    .procedure = STASIS_KEEPALIVE_PING,
    .type = STASIS_MESSAGE_EVENT,
  };
  GByteArray *message = stasis_message_begin (&header);
  stasis_message_end (message);
  self->n_pings++;
  stasis_session_send (self, message);
}

/* Where one held up the connection it goes on, which may be its end. */
static void
tick_streams (StasisSession *self, gint64 now)
{
  const gboolean was_full = stasis_streams_are_full (self);
  stasis_streams_tick (self, now);
  if (was_full && !stasis_streams_are_full (self))
    stasis_session_go_on (self);
}

/* Whether it still lives, and wants anything. */
void
stasis_session_tick (StasisSession *self, gint64 now)
{
  const StasisServerConfig *config = &self->server->config;
  g_mutex_lock (&self->lock);
  const gboolean is_open = self->is_open;
  const gboolean is_asked = self->has_keepalive && config->keepalive_interval > 0;
  g_mutex_unlock (&self->lock);
  /* While its calls wait, or its streams, we do not listen. */
  if (is_at_limit (self))
    note_life (self, now);
  const gint64 silence = now - self->last_input;
  const gint64 patience
      = (gint64) config->keepalive_interval * (self->n_pings + 1) * G_USEC_PER_SEC;
  if (!is_open && now - self->began > OPEN_US)
    stasis_session_close (self, "it has not opened the connection");
  else if (is_asked && silence >= patience && self->n_pings >= config->keepalive_count)
    stasis_session_close (self, "it gives no sign of life");
  else if (is_asked && silence >= patience)
    ping (self);
  else if (self->is_held_by_closer && !waits_for_closer (self))
    stasis_session_go_on (self);
  else if (self->streams->len > 0)
    tick_streams (self, now);
}
