/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-console.c: the host's side of a guest's console that is on a server
 *
 * Theory of operation
 *
 * Whoever opens it gets one end of a pair of sockets.  Of the other end one thread reads, and sends
 * what is typed; another one writes there what the stream brings.  A stasisd is told how much there
 * is room for, as octets are taken: the guest waits for who reads its console, and nobody else
 * does. A libvirtd sends as much as the connection takes: client-port.h says what becomes of that.
 * When the one who opened it closes his end the stream is finished: what he has written until then
 * was sent before.
 */

#include "config.h"

#include "remote/client-console.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "remote/client-port.h"
#include "util/fd.h"

#define KEPT_MAX  (1024u * 1024)
#define READ_SIZE 65536u

typedef struct
{
  StasisClient *client; /* (borrowed) */
  StasisClientPort port;
  int fd;            /* (owned) our end */
  GThread *reader;   /* (owned) of what is typed */
  GThread *writer;   /* (owned) of what the guest says */
  guint64 n_said;    /* (writer's) octets that were taken here */
  guint64 n_allowed; /* (writer's) that the server may send in all, as it was told */
} Console;

/* It is told anew once half of the room is free. */
static void
allow_more (Console *self)
{
  if (!self->client->is_own || self->n_said + KEPT_MAX - self->n_allowed < KEPT_MAX / 2)
    return;
  self->n_allowed = self->n_said + KEPT_MAX;
  const StasisWireValue args[] = { { .u = self->port.serial }, { .ul = self->n_allowed } };
  stasis_client_call_aside (self->client, STASIS_PROGRAM_OWN, "stream-allow", args);
}

/* (transfer full) (nullable): what has come; none where no more will. */
static GByteArray *
await_octets (Console *self)
{
  StasisClient *client = self->client;
  StasisClientPort *port = &self->port;
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&client->lock);
  while (port->in->len == 0 && !port->is_closed && !port->is_empty && !port->has_ended
         && client->why == NULL)
    g_cond_wait (&client->changed, &client->lock);
  if (port->in->len == 0 || port->is_closed)
    return NULL;
  GByteArray *octets = port->in;
  port->in = g_byte_array_new ();
  g_cond_broadcast (&client->changed);
  return octets;
}

/* An end that is none of the guest's. */
static void
tell_why (Console *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->client->lock);
  const char *why = self->port.error != NULL ? self->port.error->message : self->client->why;
  if (why != NULL && !self->port.is_closed && !self->port.is_empty)
    g_log ("stasis-driver", G_LOG_LEVEL_WARNING, _ ("the console of '%1$s' is lost: %2$s"),
           self->client->uri, why);
}

static gboolean
write_all (int fd, const GByteArray *octets)
{
  for (gsize done = 0; done < octets->len;)
    {
      const gssize n
          = TEMP_FAILURE_RETRY (send (fd, octets->data + done, octets->len - done, MSG_NOSIGNAL));
      if (n < 0)
        return FALSE;
      done += (gsize) n;
    }
  return TRUE;
}

static gpointer
write_said (gpointer data)
{
  Console *self = data;
  GByteArray *octets;
  gboolean ok = TRUE;
  allow_more (self);
  while (ok && (octets = await_octets (self)) != NULL)
    {
      ok = write_all (self->fd, octets);
      self->n_said += octets->len;
      allow_more (self);
      g_byte_array_unref (octets);
    }
  tell_why (self);
  shutdown (self->fd, SHUT_WR);
  return NULL;
}

static void
console_free (Console *self)
{
  stasis_client_port_clear (&self->port);
  stasis_fd_clear (&self->fd);
  g_free (self);
}

/* Both threads have nothing left to do but this.  Nobody waits for the one that is in here but the
 * next one to end, or the client. */
static void
leave (Console *self)
{
  StasisClient *client = self->client;
  g_thread_join (self->writer);
  g_mutex_lock (&client->lock);
  g_ptr_array_remove_fast (client->consoles, self);
  GThread *before = client->last_console;
  client->last_console = self->reader;
  g_cond_broadcast (&client->changed);
  g_mutex_unlock (&client->lock);
  console_free (self);
  if (before != NULL)
    g_thread_join (before);
}

/* Until the other end is closed. */
static gpointer
send_typed (gpointer data)
{
  Console *self = data;
  guint8 octets[READ_SIZE];
  gssize n;
  while ((n = TEMP_FAILURE_RETRY (read (self->fd, octets, sizeof octets))) > 0)
    stasis_client_port_send (self->client, &self->port, STASIS_MESSAGE_CONTINUE, octets, (gsize) n);
  stasis_client_port_send (self->client, &self->port, STASIS_MESSAGE_OK, NULL, 0);
  g_mutex_lock (&self->client->lock);
  stasis_client_port_close (self->client, &self->port);
  g_mutex_unlock (&self->client->lock);
  leave (self);
  return NULL;
}

/* Of a call that has succeeded.  It may have ended before anybody else is at it again. */
static void
begin (Console *self)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->client->lock);
  g_ptr_array_add (self->client->consoles, self);
  self->writer = g_thread_new ("console-out", write_said, self);
  self->reader = g_thread_new ("console-in", send_typed, self);
}

/* The stream, and a socket that leads there. */
int
stasis_client_console_open (StasisClient *client, const StasisWireValue *args, GError **error)
{
  int pair[2];
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a pair of sockets"));
      return -1;
    }
  stasis_autofd int end = pair[0];
  Console *self = g_new0 (Console, 1);
  self->client = client;
  self->fd = pair[1];
  stasis_client_port_init (&self->port, KEPT_MAX, /* is_patient= */ TRUE);
  const StasisClientJob job = { .port = &self->port };
  if (stasis_client_call_job (client, STASIS_PROGRAM_REMOTE, "domain-open-console", args, NULL,
                              &job, error))
    {
      begin (self);
      return stasis_fd_steal (&end);
    }
  g_mutex_lock (&client->lock);
  stasis_client_port_close (client, &self->port);
  g_mutex_unlock (&client->lock);
  console_free (self);
  return -1;
}

/* What was written to them before is sent. */
void
stasis_client_consoles_end (StasisClient *client)
{
  g_mutex_lock (&client->lock);
  for (guint i = 0; i < client->consoles->len; i++)
    shutdown (((const Console *) g_ptr_array_index (client->consoles, i))->fd, SHUT_RDWR);
  while (client->consoles->len > 0)
    g_cond_wait (&client->changed, &client->lock);
  GThread *last = g_steal_pointer (&client->last_console);
  g_mutex_unlock (&client->lock);
  if (last != NULL)
    g_thread_join (last);
}
