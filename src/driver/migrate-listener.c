/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-listener.c: waiting for a migration's source
 *
 * Theory of operation
 *
 * Anybody may connect to a port.  So all connections are read from at the same time, none beyond
 * its hello (migrate-channel.c), and each has five seconds for that; one whose hello is wrong is
 * closed. There is room for 64.  Where it is full the oldest one goes of that address which has
 * most of them: somebody who fills it drops his own.
 *
 * Where this process has no descriptor left for somebody who comes, the kernel says again and again
 * that he is there: the port is left alone for a moment then.
 */

#include "config.h"

#include "driver/migrate-channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-token.h"
#include "driver/migrate-wait.h"
#include "util/fd.h"

#define BACKLOG      1024
#define PENDING_MAX  64u
#define HELLO_US     (5 * G_USEC_PER_SEC)
#define ACCEPT_BURST 64u /* before those that are there are read from */
#define REST_US      (G_USEC_PER_SEC / 5)

/* Somebody who has not said all of his hello. */
typedef struct
{
  int fd; /* (owned) */
  gint64 deadline_us;
  struct in6_addr from; /* all zero: by a unix socket */
  char hello[STASIS_HELLO_SIZE];
  gsize have;
} Pending;

struct _StasisMigrateListener
{
  StasisMigrateAddress *address; /* (owned) */
  char *token;                   /* (owned) (nullable) */
  int fd;                        /* (owned) */
  GArray *pending;               /* (owned) of Pending, the oldest first */
  gint64 rest_until_us;          /* nobody can be taken before (monotonic); 0: somebody can */
};

static void
pending_clear (gpointer data)
{
  Pending *pending = data;
  stasis_fd_clear (&pending->fd);
}

const StasisMigrateAddress *
stasis_migrate_listener_get_address (const StasisMigrateListener *listener)
{
  return listener->address;
}

void
stasis_migrate_listener_free (StasisMigrateListener *listener)
{
  if (listener == NULL)
    return;
  if (listener->address->path != NULL && listener->fd >= 0)
    unlink (listener->address->path);
  stasis_fd_clear (&listener->fd);
  g_array_unref (listener->pending);
  stasis_migrate_address_free (listener->address);
  g_free (listener->token);
  g_free (listener);
}

/* All of this host: both families by one socket, where there are both. */
static int
make_socket (GInetAddress *inet, int *out_family)
{
  *out_family = inet != NULL && g_inet_address_get_family (inet) == G_SOCKET_FAMILY_IPV4 ? AF_INET
                                                                                         : AF_INET6;
  int fd = socket (*out_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0 && inet == NULL && errno == EAFNOSUPPORT)
    {
      *out_family = AF_INET;
      fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    }
  const int on = 1;
  const int off = 0;
  if (fd >= 0)
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd >= 0 && *out_family == AF_INET6)
    setsockopt (fd, IPPROTO_IPV6, IPV6_V6ONLY, inet == NULL ? &off : &on, sizeof on);
  return fd;
}

static gboolean
bind_port (int fd, GInetAddress *inet, int family, guint port, GError **error)
{
  g_autoptr (GInetAddress) any
      = inet != NULL ? g_object_ref (inet)
                     : g_inet_address_new_any (family == AF_INET ? G_SOCKET_FAMILY_IPV4
                                                                 : G_SOCKET_FAMILY_IPV6);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (any, (guint16) port);
  struct sockaddr_storage native;
  if (!g_socket_address_to_native (address, &native, sizeof native, error))
    return FALSE;
  const socklen_t size = (socklen_t) g_socket_address_get_native_size (address);
  return (bind (fd, (const struct sockaddr *) &native, size) == 0 && listen (fd, BACKLOG) == 0)
         || stasis_throw_errno (error, _ ("cannot listen on port %u"), port);
}

/* From a place by chance: migrations that come at once do not all try the same ones. */
static gboolean
listen_port (StasisMigrateListener *self, GInetAddress *inet, GError **error)
{
  const guint n = STASIS_MIGRATE_PORT_LAST - STASIS_MIGRATE_PORT_FIRST + 1;
  const guint first = g_random_int_range (0, (gint32) n);
  const guint tries = self->address->port != 0 ? 1 : n;
  for (guint i = 0; i < tries; i++)
    {
      const guint port = self->address->port != 0 ? self->address->port
                                                  : STASIS_MIGRATE_PORT_FIRST + (first + i) % n;
      int family = AF_UNSPEC;
      stasis_autofd int fd = make_socket (inet, &family);
      g_autoptr (GError) local = NULL;
      if (fd < 0)
        return stasis_throw_errno (error, _ ("cannot make a socket"));
      if (bind_port (fd, inet, family, port, &local))
        {
          self->fd = stasis_fd_steal (&fd);
          self->address->port = (guint16) port;
          return TRUE;
        }
      if (tries > 1 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
        continue;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
               _ ("all ports from %1$u to %2$u are taken"), STASIS_MIGRATE_PORT_FIRST,
               STASIS_MIGRATE_PORT_LAST);
  return FALSE;
}

static gboolean
open_listener (StasisMigrateListener *self, GError **error)
{
  if (self->address->path != NULL)
    {
      self->fd = stasis_unix_listen (self->address->path, BACKLOG, error);
      return self->fd >= 0 && stasis_channel_set_blocking (self->fd, FALSE, error);
    }
  if (self->address->host == NULL)
    return listen_port (self, NULL, error);
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  GList *found = g_resolver_lookup_by_name (resolver, self->address->host, NULL, error);
  const gboolean ok = found != NULL && listen_port (self, found->data, error);
  g_resolver_free_addresses (found);
  return ok;
}

StasisMigrateListener *
stasis_migrate_listen (const StasisMigrateAddress *address, const char *token, GError **error)
{
  g_return_val_if_fail (token == NULL || stasis_migrate_token_is_valid (token), NULL);
  g_autoptr (StasisMigrateListener) self = g_new0 (StasisMigrateListener, 1);
  self->fd = -1;
  self->token = g_strdup (token);
  self->address = g_new0 (StasisMigrateAddress, 1);
  *self->address = (StasisMigrateAddress){ .path = g_strdup (address->path),
                                           .host = g_strdup (address->host),
                                           .port = address->port };
  self->pending = g_array_new (FALSE, FALSE, sizeof (Pending));
  g_array_set_clear_func (self->pending, pending_clear);
  if (open_listener (self, error))
    return g_steal_pointer (&self);
  g_autofree char *shown = stasis_migrate_address_to_string (address);
  g_prefix_error (error, _ ("no migration can come in at '%s': "), shown);
  return NULL;
}

int
stasis_migrate_listen_only (const StasisMigrateAddress *address, StasisMigrateAddress **out_bound,
                            GError **error)
{
  g_autoptr (StasisMigrateListener) self = stasis_migrate_listen (address, NULL, error);
  if (self == NULL)
    return -1;
  *out_bound = g_memdup2 (self->address, sizeof *self->address);
  (*out_bound)->path = g_strdup (self->address->path);
  (*out_bound)->host = g_strdup (self->address->host);
  return stasis_fd_steal (&self->fd);
}

static struct in6_addr
peer_of (const struct sockaddr_storage *peer)
{
  struct in6_addr from = { 0 };
  if (peer->ss_family == AF_INET6)
    from = ((const struct sockaddr_in6 *) peer)->sin6_addr;
  else if (peer->ss_family == AF_INET)
    memcpy (from.s6_addr + 12, &((const struct sockaddr_in *) peer)->sin_addr, 4);
  return from;
}

static guint
count_from (const StasisMigrateListener *self, const struct in6_addr *from)
{
  guint n = 0;
  for (guint i = 0; i < self->pending->len; i++)
    n += memcmp (&g_array_index (self->pending, Pending, i).from, from, sizeof *from) == 0;
  return n;
}

static void
make_room (StasisMigrateListener *self)
{
  guint victim = 0;
  guint most = 0;
  if (self->pending->len < PENDING_MAX)
    return;
  for (guint i = 0; i < self->pending->len; i++)
    {
      const guint n = count_from (self, &g_array_index (self->pending, Pending, i).from);
      if (n > most)
        {
          most = n;
          victim = i;
        }
    }
  g_array_remove_index (self->pending, victim);
}

/* He stays where he is, in the kernel's queue. */
static gboolean
lacks_means (int code)
{
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

static void
take_new (StasisMigrateListener *self)
{
  if (g_get_monotonic_time () < self->rest_until_us)
    return;
  self->rest_until_us = 0;
  for (guint i = 0; i < ACCEPT_BURST; i++)
    {
      struct sockaddr_storage peer = { 0 };
      socklen_t size = sizeof peer;
      const int fd
          = accept4 (self->fd, (struct sockaddr *) &peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0 && lacks_means (errno))
        self->rest_until_us = g_get_monotonic_time () + REST_US;
      if (fd < 0)
        return;
      make_room (self);
      const Pending one = { .fd = fd,
                            .deadline_us = g_get_monotonic_time () + HELLO_US,
                            .from = peer_of (&peer) };
      g_array_append_val (self->pending, one);
    }
}

typedef enum
{
  HEARD_PART,
  HEARD_WRONG,
  HEARD_RIGHT,
} Heard;

static Heard
hear (const StasisMigrateListener *self, Pending *one, StasisChannelPurpose *out_purpose,
      char *out_token)
{
  const ssize_t n = recv (one->fd, one->hello + one->have, sizeof one->hello - one->have, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return one->deadline_us < g_get_monotonic_time () ? HEARD_WRONG : HEARD_PART;
  if (n <= 0)
    return HEARD_WRONG;
  one->have += (gsize) n;
  if (one->have < sizeof one->hello)
    return one->deadline_us < g_get_monotonic_time () ? HEARD_WRONG : HEARD_PART;
  return stasis_migrate_hello_read (one->hello, self->token, out_purpose, out_token) ? HEARD_RIGHT
                                                                                     : HEARD_WRONG;
}

/* He can take these few octets, or has gone. */
static gboolean
welcome (int fd)
{
  return send (fd, STASIS_HELLO_OK, STASIS_HELLO_OK_SIZE, MSG_NOSIGNAL | MSG_DONTWAIT)
             == (ssize_t) STASIS_HELLO_OK_SIZE
         && stasis_channel_set_blocking (fd, TRUE, NULL);
}

/* The first whose hello is right, or -1. */
static int
hear_all (StasisMigrateListener *self, StasisChannelPurpose *out_purpose, char *out_token)
{
  for (guint i = 0; i < self->pending->len;)
    {
      Pending *one = &g_array_index (self->pending, Pending, i);
      const Heard heard = hear (self, one, out_purpose, out_token);
      if (heard == HEARD_PART)
        {
          i++;
          continue;
        }
      stasis_autofd int fd = stasis_fd_steal (&one->fd);
      g_array_remove_index (self->pending, i);
      if (heard == HEARD_RIGHT && welcome (fd))
        {
          stasis_channel_tune (fd);
          return stasis_fd_steal (&fd);
        }
    }
  return -1;
}

/* Until there is something to do: a hello that is not said in time is, too. */
static gboolean
await (const StasisMigrateListener *self, gint64 deadline_us, GCancellable *cancellable,
       GError **error)
{
  const gboolean rests = self->rest_until_us != 0;
  struct pollfd fds[PENDING_MAX + 2] = { { .fd = rests ? -1 : self->fd, .events = POLLIN } };
  gint64 until_us = deadline_us;
  if (rests)
    until_us = until_us < 0 ? self->rest_until_us : MIN (until_us, self->rest_until_us);
  for (guint i = 0; i < self->pending->len; i++)
    {
      const Pending *one = &g_array_index (self->pending, Pending, i);
      fds[i + 1] = (struct pollfd){ .fd = one->fd, .events = POLLIN };
      until_us = until_us < 0 ? one->deadline_us : MIN (until_us, one->deadline_us);
    }
  g_autoptr (GError) local = NULL;
  /* Where there is always somebody new, poll() alone would never see the end of it. */
  if (deadline_us >= 0 && g_get_monotonic_time () >= deadline_us)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("nobody has come in time"));
      return FALSE;
    }
  if (stasis_channel_poll (fds, self->pending->len + 1, until_us, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return TRUE; /* the next look tells whose time is over */
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

int
stasis_migrate_listener_accept (StasisMigrateListener *self, int timeout_ms,
                                StasisChannelPurpose *out_purpose, char *out_token,
                                GCancellable *cancellable, GError **error)
{
  const gint64 deadline_us
      = timeout_ms < 0 ? -1 : g_get_monotonic_time () + timeout_ms * G_GINT64_CONSTANT (1000);
  StasisChannelPurpose purpose = STASIS_CHANNEL_DATA;
  char token[STASIS_MIGRATE_TOKEN_SIZE + 1];
  for (;;)
    {
      take_new (self);
      const int fd = hear_all (self, &purpose, token);
      if (fd >= 0)
        {
          *out_purpose = purpose;
          if (out_token != NULL)
            memcpy (out_token, token, sizeof token);
          return fd;
        }
      if (!await (self, deadline_us, cancellable, error))
        {
          g_autofree char *shown = stasis_migrate_address_to_string (self->address);
          g_prefix_error (error, _ ("waiting for a migration at '%s': "), shown);
          return -1;
        }
    }
}
