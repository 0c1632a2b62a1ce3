/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-channel.c: connecting to a migration's destination
 *
 * Theory of operation
 *
 * Who connects sends a hello of fixed size: magic and version, the migration's token, the purpose:
 *
 *   "stasis-migrate/1 " 32 hexadecimal digits " " "data" or "ask " "\n"
 *
 * and who accepts answers "ok\n" (migrate-listener.c), or closes.  Nothing is read beyond these
 * octets, so what follows is QEMU's alone.  The token is compared in a time that does not tell how
 * far it is right.  It is no encryption: whoever can read the network can read it.
 */

#include "config.h"

#include "driver/migrate-channel.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-token.h"
#include "driver/migrate-tunnel.h"
#include "driver/migrate-wait.h"
#include "util/fd.h"

#define MAGIC        "stasis-migrate/1 "
#define MAGIC_SIZE   (sizeof MAGIC - 1)
#define PURPOSE_SIZE 4u

G_STATIC_ASSERT (MAGIC_SIZE + STASIS_MIGRATE_TOKEN_SIZE + 1 + PURPOSE_SIZE + 1
                 == STASIS_HELLO_SIZE);

static const char *const purposes[] = { "data", "ask " };

void
stasis_migrate_hello_write (const char *token, StasisChannelPurpose purpose, char *out_hello)
{
  g_return_if_fail (stasis_migrate_token_is_valid (token));
  g_autofree char *text = g_strconcat (MAGIC, token, " ", purposes[purpose], "\n", NULL);
  memcpy (out_hello, text, STASIS_HELLO_SIZE);
}

gboolean
stasis_migrate_hello_read (const char *hello, const char *token, StasisChannelPurpose *out_purpose,
                           char *out_token)
{
  char own[STASIS_MIGRATE_TOKEN_SIZE + 1] = { 0 };
  memcpy (own, hello + MAGIC_SIZE, STASIS_MIGRATE_TOKEN_SIZE);
  const char *expected = token != NULL ? token : own;
  if (!stasis_migrate_token_is_valid (expected) || !stasis_migrate_token_is_valid (own))
    return FALSE;
  for (guint i = 0; i < STASIS_CHANNEL_N_PURPOSES; i++)
    {
      char right[STASIS_HELLO_SIZE];
      stasis_migrate_hello_write (expected, (StasisChannelPurpose) i, right);
      if (!stasis_migrate_token_equal (hello, right, sizeof right))
        continue;
      *out_purpose = (StasisChannelPurpose) i;
      memcpy (out_token, own, sizeof own);
      return TRUE;
    }
  return FALSE;
}

typedef struct
{
  GMainLoop *loop;
  GList *addresses; /* (owned) of GInetAddress */
  GError *error;
  gboolean is_late;
} Lookup;

static void
on_found (GObject *resolver, GAsyncResult *result, gpointer data)
{
  Lookup *lookup = data;
  lookup->addresses
      = g_resolver_lookup_by_name_finish (G_RESOLVER (resolver), result, &lookup->error);
  g_main_loop_quit (lookup->loop);
}

typedef struct
{
  Lookup *lookup;
  GCancellable *both;
} Deadline;

static gboolean
on_deadline (gpointer data)
{
  Deadline *deadline = data;
  deadline->lookup->is_late = TRUE;
  g_cancellable_cancel (deadline->both);
  return G_SOURCE_REMOVE;
}

static void
on_cancelled (GCancellable *cancellable, gpointer both)
{
  g_cancellable_cancel (both);
}

/* (transfer full): a resolver takes as long as it likes, unless it is cancelled. */
static GList *
look_up (const char *host, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GCancellable) both = g_cancellable_new ();
  g_autoptr (GResolver) resolver = g_resolver_get_default ();
  Lookup lookup = { .loop = loop };
  Deadline deadline = { &lookup, both };
  const gint64 left_us = MAX (deadline_us - g_get_monotonic_time (), 0);
  g_autoptr (GSource) timer = g_timeout_source_new ((guint) (left_us / 1000));
  g_source_set_callback (timer, on_deadline, &deadline, NULL);
  g_source_attach (timer, context);
  const gulong id = cancellable != NULL
                        ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), both, NULL)
                        : 0;
  g_main_context_push_thread_default (context);
  g_resolver_lookup_by_name_async (resolver, host, both, on_found, &lookup);
  g_main_loop_run (loop);
  g_main_context_pop_thread_default (context);
  g_cancellable_disconnect (cancellable, id);
  g_source_destroy (timer);
  if (lookup.addresses == NULL && lookup.is_late
      && g_error_matches (lookup.error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_error (&lookup.error);
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("'%s' cannot be looked up in time"),
                   host);
    }
  else if (lookup.addresses == NULL)
    g_propagate_error (error, lookup.error);
  return lookup.addresses;
}

static gboolean
await_connection (int fd, gint64 deadline_us, GCancellable *cancellable, GError **error)
{
  struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT } };
  int code = 0;
  socklen_t size = sizeof code;
  if (!stasis_channel_poll (fds, 1, deadline_us, cancellable, error))
    return FALSE;
  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
    code = errno;
  if (code == 0)
    return TRUE;
  errno = code;
  return stasis_throw_errno (error, _ ("cannot connect"));
}

static int
connect_inet (GInetAddress *inet, guint16 port, gint64 deadline_us, GCancellable *cancellable,
              GError **error)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (inet, port);
  struct sockaddr_storage native;
  const gssize size = g_socket_address_get_native_size (address);
  if (!g_socket_address_to_native (address, &native, sizeof native, error))
    return -1;
  stasis_autofd int fd
      = socket (native.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot make a socket"));
      return -1;
    }
  stasis_channel_tune (fd);
  if (connect (fd, (const struct sockaddr *) &native, (socklen_t) size) < 0 && errno != EINPROGRESS)
    {
      stasis_throw_errno (error, _ ("cannot connect"));
      return -1;
    }
  return await_connection (fd, deadline_us, cancellable, error) ? stasis_fd_steal (&fd) : -1;
}

/* A name may have several, of which the first that takes us is right. */
static int
connect_tcp (const StasisMigrateAddress *address, gint64 deadline_us, GCancellable *cancellable,
             GError **error)
{
  g_autoptr (GError) last = NULL;
  GList *found = look_up (address->host, deadline_us, cancellable, error);
  int fd = -1;
  for (const GList *one = found; one != NULL && fd < 0; one = one->next)
    {
      /* One that does not answer leaves time for the next. */
      const gint64 now_us = g_get_monotonic_time ();
      const gint64 share_us = one->next != NULL ? (deadline_us - now_us) / 2 : deadline_us - now_us;
      g_clear_error (&last);
      fd = connect_inet (one->data, address->port, now_us + share_us, cancellable, &last);
      if (g_error_matches (last, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        break;
    }
  if (fd < 0 && found != NULL)
    g_propagate_error (error, g_steal_pointer (&last));
  g_resolver_free_addresses (found);
  return fd;
}

static gboolean
say_hello (int fd, const char *token, StasisChannelPurpose purpose, gint64 deadline_us,
           GCancellable *cancellable, GError **error)
{
  char hello[STASIS_HELLO_SIZE];
  char answer[STASIS_HELLO_OK_SIZE];
  stasis_migrate_hello_write (token, purpose, hello);
  g_autoptr (GError) local = NULL;
  if (stasis_channel_send (fd, hello, sizeof hello, deadline_us, cancellable, &local)
      && stasis_channel_receive (fd, answer, sizeof answer, deadline_us, cancellable, &local))
    {
      if (memcmp (answer, STASIS_HELLO_OK, sizeof answer) == 0)
        return TRUE;
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                           _ ("who listens there is no destination of a migration"));
      return FALSE;
    }
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CONNECTION_CLOSED))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED,
                         _ ("it does not know this migration"));
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static int
connect_any (const StasisMigrateAddress *address, gint64 deadline_us, GCancellable *cancellable,
             GError **error)
{
  if (address->path != NULL)
    return stasis_unix_connect_now (address->path, error);
  if (address->host != NULL && address->port != 0)
    return connect_tcp (address, deadline_us, cancellable, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                       _ ("it names no host and port"));
  return -1;
}

static int
connect_by_tunnel (const StasisMigrateAddress *address, const char *token,
                   StasisChannelPurpose purpose, int timeout_ms, GCancellable *cancellable,
                   GError **error)
{
  const gint64 deadline_us
      = g_get_monotonic_time ()
        + stasis_migrate_tunnel_patience (address, timeout_ms) * G_GINT64_CONSTANT (1000);
  g_auto (StasisTunnel) tunnel = { .fd = -1 };
  if (stasis_migrate_tunnel_connect (address, deadline_us, &tunnel, cancellable, error))
    {
      if (say_hello (tunnel.fd, token, purpose, deadline_us, cancellable, error)
          && stasis_channel_set_blocking (tunnel.fd, TRUE, error))
        return stasis_fd_steal (&tunnel.fd);
      stasis_migrate_tunnel_explain (&tunnel, error);
    }
  g_prefix_error (error, _ ("tunnel to '%s': "), address->path);
  return -1;
}

int
stasis_migrate_connect (const StasisMigrateAddress *address, const char *token,
                        StasisChannelPurpose purpose, int timeout_ms, GCancellable *cancellable,
                        GError **error)
{
  if (address->via != NULL)
    return connect_by_tunnel (address, token, purpose, timeout_ms, cancellable, error);
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_GINT64_CONSTANT (1000);
  g_autofree char *shown = stasis_migrate_address_to_string (address);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  stasis_autofd int fd = connect_any (address, deadline_us, cancellable, error);
  if (fd >= 0 && say_hello (fd, token, purpose, deadline_us, cancellable, error)
      && stasis_channel_set_blocking (fd, TRUE, error))
    return stasis_fd_steal (&fd);
  g_prefix_error (error, _ ("migration to '%s': "), shown);
  return -1;
}
