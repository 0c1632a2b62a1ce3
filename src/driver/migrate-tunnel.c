/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-tunnel.c: a migration's octets through the way by which a daemon is reached
 *
 * Theory of operation
 *
 * The destination of a tunnelled migration listens at a unix socket only.  A source on another host
 * comes to it as it comes to the daemon: by ssh, with the same host, port, user and keys, but to
 * that socket.  It is a connection of its own, beside the one that carries the calls: each has a
 * thread for its ciphers, an answer does not wait behind QEMU's octets, and signs of life come
 * through.
 *
 * Only the source itself makes an address of this kind, of its peer's URI and the path that the
 * destination has told it.  What comes from elsewhere is never parsed as one: nobody else says whom
 * we log in at.
 */

#include "config.h"

#include "driver/migrate-tunnel.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-wait.h"
#include "util/fd.h"

#define LEAST_MS 20000

static StasisTunnelOpener opener; /* set once, before it is used */

void
stasis_migrate_tunnel_set_opener (StasisTunnelOpener open)
{
  opener = open;
}

/* It is cancelled at a time, or with another one. */
typedef struct
{
  GMutex lock;
  GCond ended;
  gboolean is_over;
  gboolean is_late;
  gint64 deadline_us;
  GCancellable *both;
} Limit;

static gpointer
watch_limit (gpointer data)
{
  Limit *limit = data;
  g_mutex_lock (&limit->lock);
  while (!limit->is_over && !limit->is_late)
    limit->is_late = !g_cond_wait_until (&limit->ended, &limit->lock, limit->deadline_us);
  const gboolean is_late = limit->is_late && !limit->is_over;
  g_mutex_unlock (&limit->lock);
  if (is_late)
    g_cancellable_cancel (limit->both);
  return NULL;
}

static void
on_cancelled (GCancellable *cancellable, gpointer both)
{
  g_cancellable_cancel (both);
}

static gboolean
open_in_time (const StasisMigrateAddress *address, Limit *limit, StasisTunnel *out_tunnel,
              GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_mutex_init (&limit->lock);
  g_cond_init (&limit->ended);
  const gulong id
      = cancellable != NULL
            ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), limit->both, NULL)
            : 0;
  GThread *thread = g_thread_new ("tunnel-limit", watch_limit, limit);
  const gboolean ok = opener (address->via, address->path, out_tunnel, limit->both, &local);
  g_mutex_lock (&limit->lock);
  limit->is_over = TRUE;
  g_cond_signal (&limit->ended);
  g_mutex_unlock (&limit->lock);
  g_thread_join (thread);
  g_cancellable_disconnect (cancellable, id);
  g_mutex_clear (&limit->lock);
  g_cond_clear (&limit->ended);
  if (!ok && limit->is_late && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      && !g_cancellable_is_cancelled (cancellable))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("'%s': nobody answers in time"),
                 address->via);
  else if (!ok)
    g_propagate_error (error, g_steal_pointer (&local));
  return ok;
}

gboolean
stasis_migrate_tunnel_connect (const StasisMigrateAddress *address, gint64 deadline_us,
                               StasisTunnel *out_tunnel, GCancellable *cancellable, GError **error)
{
  if (opener == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("this process cannot go to another host"));
      return FALSE;
    }
  g_autoptr (GCancellable) both = g_cancellable_new ();
  g_auto (StasisTunnel) tunnel = { .fd = -1 };
  Limit limit = { .deadline_us = deadline_us, .both = both };
  if (!open_in_time (address, &limit, &tunnel, cancellable, error)
      || !stasis_channel_set_blocking (tunnel.fd, FALSE, error))
    return FALSE;
  *out_tunnel = tunnel;
  tunnel = (StasisTunnel){ .fd = -1 };
  return TRUE;
}

int
stasis_migrate_tunnel_patience (const StasisMigrateAddress *address, int timeout_ms)
{
  return address->via != NULL ? MAX (timeout_ms, LEAST_MS) : timeout_ms;
}

void
stasis_migrate_tunnel_explain (const StasisTunnel *tunnel, GError **error)
{
  /* Who was cancelled does not wait for last words. */
  if (tunnel->reason == NULL || g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_autofree char *why = tunnel->explain (tunnel->reason);
  if (why != NULL)
    g_prefix_error (error, "%s; ", why);
}

void
stasis_tunnel_clear (StasisTunnel *tunnel)
{
  if (tunnel->fd >= 0 && tunnel->give_up != NULL)
    tunnel->give_up (tunnel->reason);
  stasis_fd_clear (&tunnel->fd);
  if (tunnel->reason != NULL)
    tunnel->free_reason (g_steal_pointer (&tunnel->reason));
}

/* As stasis_driver_uri_kind() sees it. */
static gboolean
is_elsewhere (const char *uri)
{
  const char *end = strchr (uri, ':');
  const char *plus = end != NULL ? memchr (uri, '+', (gsize) (end - uri)) : NULL;
  return plus != NULL && !g_str_has_prefix (plus, "+unix:");
}

char *
stasis_migrate_tunnel_through (const char *peer, const char *place, GError **error)
{
  g_autoptr (StasisMigrateAddress) address = stasis_migrate_address_parse (place, error);
  if (address == NULL)
    return NULL;
  if (address->path == NULL || peer == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("a tunnel leads to a socket of a destination whose URI is known, not to "
                      "'%s'"),
                   place);
      return NULL;
    }
  address->via = is_elsewhere (peer) ? g_strdup (peer) : NULL;
  return stasis_migrate_address_to_string (address);
}
