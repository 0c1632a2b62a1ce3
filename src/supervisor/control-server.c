/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * control-server.c: the connections on a supervisor's control socket
 *
 * Theory of operation
 *
 * Lines of JSON, one reply to each request, and what somebody wants to be told of as it happens
 * (docs/supervisor.md).  A client may be anything that
 * runs as our user, so it is held to limits: the length of a request, the time to send one and to
 * take its reply, the number of clients.  Where all places are taken, the client that has asked for
 * nothing for longest makes room, so that connections which somebody forgot lock nobody out; the
 * owner of a job keeps its place.  Nothing is read from a client whose reply is not yet
 * made and taken, so none can make us keep more than one request and one reply for it.
 *
 * Reading and writing go on in the main loop and never block it.
 */

#include "config.h"

#include "supervisor/control-server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define CONTROL_FILE "control.sock"
#define CLIENTS_MAX  32u
#define REQUEST_MAX  (64u * 1024u) /* octets */
#define HALF_WAY_S   10u           /* for a request to be complete, for a reply to be taken */
#define CHUNK        4096u

struct _StasisControlServer
{
  int fd; /* (owned) listens */
  const StasisControlServerFuncs *funcs;
  gpointer data;
  GHashTable *clients; /* (owned) of Client, by id */
  StasisClientId last_id;
};

typedef struct
{
  StasisClientId id;
  StasisControlServer *server;
  int fd; /* (owned) */
  pid_t pid;
  GString *in;       /* (owned) octets of requests not yet handled */
  GString *out;      /* (owned) octets of the reply not yet taken */
  gboolean is_asked; /* a request is being worked on */
  gboolean is_last;  /* close once the reply is taken */
  guint source;      /* for reading or writing, or 0 */
  guint deadline;    /* timeout while something is half-way, or 0 */
  gint64 idle_us;    /* since when it is idle, if it is */
} Client;

static void rearm (Client *client);

static void
client_free (gpointer data)
{
  Client *client = data;
  g_clear_handle_id (&client->source, g_source_remove);
  g_clear_handle_id (&client->deadline, g_source_remove);
  stasis_fd_clear (&client->fd);
  g_string_free (client->in, TRUE);
  g_string_free (client->out, TRUE);
  g_free (client);
}

/* The client is freed. */
static void
drop (Client *client)
{
  StasisControlServer *server = client->server;
  const StasisClientId id = client->id;
  g_hash_table_remove (server->clients, &id);
  server->funcs->closed (id, server->data);
}

static gboolean
on_deadline (gpointer data)
{
  Client *client = data;
  client->deadline = 0;
  g_debug ("process %d took too long with a request", (int) client->pid);
  drop (client);
  return G_SOURCE_REMOVE;
}

/* A deadline is for one request or one reply, and is not moved by octets that come drop by drop:
 * it starts where there was none. */
static void
set_deadline (Client *client)
{
  const gboolean is_half_way = client->out->len > 0 || (client->in->len > 0 && !client->is_asked);
  if (!is_half_way)
    g_clear_handle_id (&client->deadline, g_source_remove);
  else if (client->deadline == 0)
    client->deadline = g_timeout_add_seconds (HALF_WAY_S, on_deadline, client);
}

/* A refusal that the server itself has to give. */
static void
refuse (Client *client, const char *message)
{
  g_autoptr (StasisJson) reply = stasis_json_new_object ();
  stasis_json_set_boolean (reply, "ok", FALSE);
  stasis_json_set_string (reply, "code", "request");
  stasis_json_set_string (reply, "error", message);
  g_autofree char *text = stasis_json_to_string (reply);
  g_string_append (client->out, text);
  g_string_append_c (client->out, '\n');
}

/* A request is complete, and its turn has come. */
static gboolean
has_request (const Client *client)
{
  return !client->is_asked && client->in->len > 0
         && memchr (client->in->str, '\n', client->in->len) != NULL;
}

/* Hand on the first request if it is complete. */
static void
next_request (Client *client)
{
  const char *end = memchr (client->in->str, '\n', client->in->len);
  if (end == NULL)
    {
      if (client->in->len <= REQUEST_MAX)
        return;
      refuse (client, _ ("the request is too long"));
      client->is_last = TRUE;
      return;
    }

  g_clear_handle_id (&client->deadline, g_source_remove);
  g_autoptr (GError) error = NULL;
  const gsize length = (gsize) (end - client->in->str);
  g_autoptr (StasisJson) request = stasis_json_parse (client->in->str, (gssize) length, &error);
  g_string_erase (client->in, 0, (gssize) length + 1);
  if (request == NULL)
    {
      refuse (client, error->message);
      return;
    }
  client->is_asked = TRUE;
  client->server->funcs->request (client->id, request, client->server->data);
}

/* Write what can be written.  FALSE where the client has gone. */
static gboolean
flush (Client *client)
{
  while (client->out->len > 0)
    {
      const gssize n
          = send (client->fd, client->out->str, client->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        return TRUE;
      if (n < 0)
        return FALSE;
      g_string_erase (client->out, 0, n);
    }
  g_clear_handle_id (&client->deadline, g_source_remove);
  return !client->is_last;
}

/* Read a chunk.  FALSE where the client has gone. */
static gboolean
fill (Client *client)
{
  char octets[CHUNK];
  const gssize n = recv (client->fd, octets, sizeof octets, MSG_DONTWAIT);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  g_string_append_len (client->in, octets, n);
  return n > 0;
}

static gboolean
on_ready (gint fd, GIOCondition condition, gpointer data)
{
  Client *client = data;
  client->source = 0;
  /* While a request is worked on nothing is read. */
  const gboolean lives = client->out->len > 0
                             ? flush (client)
                             : has_request (client) || (!client->is_asked && fill (client));
  if (!lives)
    {
      drop (client);
      return G_SOURCE_REMOVE;
    }
  if (client->out->len == 0 && !client->is_asked)
    next_request (client);
  rearm (client);
  return G_SOURCE_REMOVE;
}

/* Wait for what the client needs next. */
static void
rearm (Client *client)
{
  set_deadline (client);
  g_clear_handle_id (&client->source, g_source_remove);
  GIOCondition condition = G_IO_IN;
  if (client->out->len > 0 || has_request (client))
    condition = G_IO_OUT;
  else if (client->is_asked)
    condition = G_IO_HUP;
  client->source = g_unix_fd_add (client->fd, condition, on_ready, client);
}

/* Answer. */
void
stasis_control_server_reply (StasisControlServer *server, StasisClientId id, StasisJson *reply_take)
{
  g_autoptr (StasisJson) reply = reply_take;
  Client *client = g_hash_table_lookup (server->clients, &id);
  if (client == NULL || !client->is_asked)
    return;
  g_autofree char *text = stasis_json_to_string (reply);
  g_string_append (client->out, text);
  g_string_append_c (client->out, '\n');
  client->is_asked = FALSE;
  client->idle_us = g_get_monotonic_time ();
  rearm (client);
}

/* Now, as far as it fits into the socket. */
void
stasis_control_server_tell (StasisControlServer *server, StasisClientId id,
                            const StasisJson *message)
{
  Client *client = g_hash_table_lookup (server->clients, &id);
  if (client == NULL || client->is_last)
    return;
  g_autofree char *text = stasis_json_to_string (message);
  g_string_append (client->out, text);
  g_string_append_c (client->out, '\n');
  /* One that has gone, or takes nothing, is dropped when its turn comes. */
  flush (client);
  client->is_last = client->out->len > REQUEST_MAX;
  rearm (client);
}

/* The process at the other end. */
pid_t
stasis_control_server_pid (StasisControlServer *server, StasisClientId id)
{
  const Client *client = g_hash_table_lookup (server->clients, &id);
  return client != NULL ? client->pid : 0;
}

/* Our own user's processes and root's. */
static gboolean
is_allowed (int fd, pid_t *out_pid)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    return FALSE;
  *out_pid = peer.pid;
  return peer.uid == geteuid () || peer.uid == 0;
}

/* A request that has come, although we have not read it yet. */
static gboolean
has_asked (const Client *client)
{
  char octet;
  return client->is_asked || client->in->len > 0
         || recv (client->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Between two requests, and nobody would miss it. */
static gboolean
is_idle (const Client *client)
{
  const StasisControlServer *server = client->server;
  if (server->funcs->is_waiting (client->id, server->data))
    return TRUE;
  return !has_asked (client) && client->out->len == 0
         && !server->funcs->is_kept (client->id, server->data);
}

/* It has closed its end, although we have not seen to that yet. */
static gboolean
has_gone (const Client *client)
{
  char octet;
  return recv (client->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Drop one that has gone, or else the client that has been idle for longest.  FALSE where none is.
 */
static gboolean
make_room (StasisControlServer *server)
{
  Client *oldest = NULL;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, server->clients);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      Client *client = value;
      if (!is_idle (client))
        continue;
      const gboolean is_gone = has_gone (client);
      if (is_gone || oldest == NULL || client->idle_us < oldest->idle_us)
        oldest = client;
      if (is_gone)
        break;
    }
  if (oldest == NULL)
    return FALSE;
  g_debug ("process %d makes room for another one", (int) oldest->pid);
  drop (oldest);
  return TRUE;
}

static void
add_client (StasisControlServer *server, int fd_take, pid_t pid)
{
  Client *client = g_new0 (Client, 1);
  client->id = ++server->last_id;
  client->server = server;
  client->fd = fd_take;
  client->pid = pid;
  client->idle_us = g_get_monotonic_time ();
  client->in = g_string_new (NULL);
  client->out = g_string_new (NULL);
  if (g_hash_table_size (server->clients) >= CLIENTS_MAX && !make_room (server))
    {
      /* Without a place: what does not fit into the socket at once is not said. */
      refuse (client, _ ("too many connections"));
      flush (client);
      client_free (client);
      return;
    }
  g_hash_table_insert (server->clients, &client->id, client);
  rearm (client);
}

static gboolean
on_connection (gint fd, GIOCondition condition, gpointer data)
{
  StasisControlServer *server = data;
  stasis_autofd int connection = accept4 (fd, NULL, NULL, SOCK_CLOEXEC);
  pid_t pid = 0;
  if (connection >= 0 && is_allowed (connection, &pid))
    add_client (server, stasis_fd_steal (&connection), pid);
  return G_SOURCE_CONTINUE;
}

/* Listen. */
StasisControlServer *
stasis_control_server_new (const char *folder, const StasisControlServerFuncs *funcs, gpointer data,
                           GError **error)
{
  g_autofree char *path = g_build_filename (folder, CONTROL_FILE, NULL);
  const int fd = stasis_unix_listen (path, (int) CLIENTS_MAX, error);
  if (fd < 0)
    return NULL;

  StasisControlServer *server = g_new0 (StasisControlServer, 1);
  server->fd = fd;
  server->funcs = funcs;
  server->data = data;
  server->clients = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, client_free);
  g_unix_set_fd_nonblocking (fd, TRUE, NULL);
  g_unix_fd_add (fd, G_IO_IN, on_connection, server);
  return server;
}
