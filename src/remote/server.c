/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * server.c: listening, and the connections that have come
 */

#include "config.h"

#include "remote/server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>
#include <glib/gi18n-lib.h>

#include "remote/client-ops.h"
#include "remote/closer.h"
#include "remote/server-private.h"
#include "util/fd.h"

#define ACCEPTED_AT_ONCE 16u

typedef struct
{
  StasisServer *server; /* (borrowed) */
  int fd;               /* (owned) */
  gboolean is_read_only;
  gint64 uid;
  GSource *source; /* (owned) (nullable) */
} Listener;

static void
stop_listening (Listener *listener)
{
  if (listener->source == NULL)
    return;
  g_source_destroy (listener->source);
  g_clear_pointer (&listener->source, g_source_unref);
}

static void
listener_free (gpointer data)
{
  Listener *listener = data;
  stop_listening (listener);
  stasis_fd_clear (&listener->fd);
  g_free (listener);
}

/* The defaults. */
void
stasis_server_config_init (StasisServerConfig *config)
{
  *config = (StasisServerConfig){
    .max_clients = 1000,
    .max_workers = 64,
    .max_requests = 16,
    .keepalive_interval = 5,
    .keepalive_count = 5,
  };
}

static void
unref_session (gpointer session)
{
  stasis_session_unref (session);
}

static void look_whether_full (StasisServer *self);

static gboolean
on_tick (gpointer data)
{
  StasisServer *self = data;
  const gint64 now = g_get_monotonic_time ();
  /* From the end: one that is closed is removed. */
  for (guint i = self->sessions->len; i > 0; i--)
    stasis_session_tick (g_ptr_array_index (self->sessions, i - 1), now);
  if (self->is_full)
    look_whether_full (self);
  return G_SOURCE_CONTINUE;
}

/* A migration has one of them for as long as it takes, and its other daemon asks us meanwhile. */
static gint
count_workers (const StasisServerConfig *config)
{
  return (gint) MAX (config->max_workers, 2);
}

/* For the thread-default main context. */
StasisServer *
stasis_server_new (StasisDriver *driver, const StasisServerConfig *config)
{
  StasisServer *self = g_new0 (StasisServer, 1);
  stasis_client_register (); /* a guest may migrate from here to another server */
  g_mutex_init (&self->lock);
  self->context = g_main_context_ref_thread_default ();
  self->listeners = g_ptr_array_new_with_free_func (listener_free);
  self->sessions = g_ptr_array_new_with_free_func (unref_session);
  self->workers = g_thread_pool_new_full (stasis_dispatch_run, self, stasis_task_free,
                                          count_workers (config), FALSE, NULL);
  self->quick = g_thread_pool_new_full (stasis_dispatch_run, self, stasis_task_free,
                                        STASIS_QUICK_WORKERS, FALSE, NULL);
  self->reaper = stasis_reaper_new ();
  self->migratings = stasis_migratings_new ();
  self->readers = stasis_readers_new ();
  stasis_server_reload (self, driver, config);
  self->tick = g_timeout_source_new_seconds (1);
  g_source_set_callback (self->tick, on_tick, self, NULL);
  g_source_attach (self->tick, self->context);
  return self;
}

static gboolean on_connection (gint fd, GIOCondition condition, gpointer data);

static void
begin_listening (Listener *listener)
{
  if (listener->source != NULL)
    return;
  listener->source = g_unix_fd_source_new (listener->fd, G_IO_IN);
  g_source_set_callback (listener->source, G_SOURCE_FUNC (on_connection), listener, NULL);
  g_source_attach (listener->source, listener->server->context);
}

/* Whoever can reach the read-only socket does not take the last places of those who may do more. A
 * connection that is over keeps its place until it is closed. */
static gboolean
is_full_for (StasisServer *self, const Listener *listener)
{
  const guint readers_max = MAX (self->config.max_clients / 2, 1);
  return g_atomic_int_get (&self->is_stopping) || self->sessions->len >= self->config.max_clients
         || (listener->is_read_only
             && self->n_readers + stasis_closer_n_connections () >= readers_max);
}

/* Who is over the limit waits to be accepted. */
static void
look_whether_full (StasisServer *self)
{
  gboolean is_full = FALSE;
  for (guint i = 0; i < self->listeners->len; i++)
    {
      Listener *listener = g_ptr_array_index (self->listeners, i);
      if (is_full_for (self, listener))
        stop_listening (listener);
      else
        begin_listening (listener);
      is_full |= listener->source == NULL;
    }
  if (is_full && !self->is_full && !g_atomic_int_get (&self->is_stopping))
    g_message (_ ("no more connections: there are %1$u, %2$u of them read-only"),
               self->sessions->len, self->n_readers);
  self->is_full = is_full;
}

static gboolean
may_connect (const Listener *listener, int fd, struct ucred *peer)
{
  socklen_t length = sizeof *peer;
  if (getsockopt (fd, SOL_SOCKET, SO_PEERCRED, peer, &length) < 0)
    return FALSE;
  return listener->uid < 0 || peer->uid == 0 || peer->uid == (uid_t) listener->uid;
}

static void
add_session (Listener *listener, int fd_take)
{
  static guint64 last_number; /* the first thread's */
  StasisServer *self = listener->server;
  struct ucred peer = { 0 };
  stasis_autofd int fd = fd_take;
  if (!may_connect (listener, fd, &peer))
    {
      g_message (_ ("refused: a connection of user %u"), peer.uid);
      stasis_closer_hang_up (stasis_closer_owner (TRUE, peer.uid), &fd);
      return;
    }
  /* Else an urgent octet that is passed over has its descriptors closed by who reads. */
  setsockopt (fd, SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof (int));
  StasisSession *session = stasis_session_new (self, stasis_fd_steal (&fd), listener->is_read_only);
  session->number = ++last_number;
  session->is_reader = listener->is_read_only;
  self->n_readers += session->is_reader ? 1 : 0;
  session->uid = peer.uid;
  session->pid = peer.pid;
  g_debug ("client %" G_GUINT64_FORMAT ": process %d of user %u", session->number, peer.pid,
           peer.uid);
  g_ptr_array_add (self->sessions, session);
  stasis_session_attach (session);
}

static gboolean
on_connection (gint fd, GIOCondition condition, gpointer data)
{
  Listener *listener = data;
  StasisServer *self = listener->server;
  for (guint i = 0; i < ACCEPTED_AT_ONCE && !is_full_for (self, listener); i++)
    {
      const int accepted = accept4 (fd, NULL, NULL, SOCK_CLOEXEC);
      if (accepted < 0)
        {
          if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            {
              g_message (_ ("cannot accept a connection: %s"), g_strerror (errno));
              g_usleep (G_USEC_PER_SEC / 100); /* there may be no descriptors left for a while */
            }
          break;
        }
      add_session (listener, accepted);
    }
  look_whether_full (self);
  return G_SOURCE_CONTINUE;
}

/* Accept connections there. */
void
stasis_server_listen (StasisServer *self, int fd_take, gboolean is_read_only, gint64 uid)
{
  Listener *listener = g_new0 (Listener, 1);
  listener->server = self;
  listener->fd = fd_take;
  listener->is_read_only = is_read_only;
  listener->uid = uid;
  g_unix_set_fd_nonblocking (fd_take, TRUE, NULL);
  g_ptr_array_add (self->listeners, listener);
  begin_listening (listener);
}

/* From now on. */
void
stasis_server_reload (StasisServer *self, StasisDriver *driver, const StasisServerConfig *config)
{
  self->config = *config;
  g_atomic_int_set (&self->max_requests, (gint) config->max_requests);
  g_atomic_int_set (&self->max_workers, count_workers (config));
  g_thread_pool_set_max_threads (self->workers, count_workers (config), NULL);
  g_mutex_lock (&self->lock);
  g_set_object (&self->driver, driver);
  g_free (self->save_format);
  self->save_format = g_strdup (config->save_format);
  g_mutex_unlock (&self->lock);
  /* What waits may be within the limit now.  From the end: one that is closed is removed. */
  for (guint i = self->sessions->len; i > 0; i--)
    stasis_session_go_on (g_ptr_array_index (self->sessions, i - 1));
  look_whether_full (self);
}

/* It has been closed. */
void
stasis_server_forget (StasisServer *self, StasisSession *session)
{
  self->n_readers -= session->is_reader ? 1 : 0;
  stasis_readers_keep (self->readers, session->uid, session->kept, 0);
  session->kept = 0;
  g_ptr_array_remove_fast (self->sessions, session);
  if (self->is_full)
    look_whether_full (self);
}

/* From any thread: on the first one, but not here and now. */
static void
later (StasisServer *self, GSourceFunc function)
{
  g_autoptr (GSource) source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, self, NULL);
  g_source_attach (source, self->context);
}

/* One after the other, until the rest is little enough. */
static gboolean
relieve (gpointer data)
{
  StasisServer *self = data;
  uid_t uid;
  self->is_relieved = FALSE;
  while (stasis_readers_are_too_much (self->readers, &uid))
    {
      StasisSession *most = NULL;
      for (guint i = 0; i < self->sessions->len; i++)
        {
          StasisSession *session = g_ptr_array_index (self->sessions, i);
          if (session->uid == uid && session->kept > (most != NULL ? most->kept : 0))
            most = session;
        }
      g_return_val_if_fail (most != NULL, G_SOURCE_REMOVE);
      stasis_session_close (most, "readers have had too much kept for them, and it most of all");
    }
  return G_SOURCE_REMOVE;
}

/* So many octets. */
void
stasis_server_keep (StasisServer *self, StasisSession *session, gsize octets)
{
  uid_t uid;
  stasis_readers_keep (self->readers, session->uid, session->kept, octets);
  session->kept = octets;
  if (self->is_relieved || !stasis_readers_are_too_much (self->readers, &uid))
    return;
  self->is_relieved = TRUE;
  later (self, relieve);
}

static gint
compare_calls (gconstpointer a, gconstpointer b)
{
  const StasisSession *const *first = a, *const *second = b;
  StasisReaders *readers = (*first)->server->readers;
  const guint n_first = stasis_readers_n_calls (readers, (*first)->uid);
  const guint n_second = stasis_readers_n_calls (readers, (*second)->uid);
  return (n_first > n_second) - (n_first < n_second);
}

/* Those first of whose user the fewest are under way. */
static gboolean
go_on_readers (gpointer data)
{
  StasisServer *self = data;
  g_autoptr (GPtrArray) waiting = g_ptr_array_new_with_free_func (unref_session);
  for (guint i = 0; i < self->sessions->len; i++)
    {
      StasisSession *session = g_ptr_array_index (self->sessions, i);
      if (session->is_reader && session->waiting.length > 0)
        g_ptr_array_add (waiting, stasis_session_ref (session));
    }
  g_ptr_array_sort (waiting, compare_calls);
  for (guint i = 0; i < waiting->len; i++)
    stasis_session_go_on (g_ptr_array_index (waiting, i));
  return G_SOURCE_REMOVE;
}

/* A thread is theirs. */
void
stasis_server_wake_readers (StasisServer *self)
{
  later (self, go_on_readers);
}

guint
stasis_server_n_clients (StasisServer *self)
{
  return self->sessions->len;
}

guint
stasis_server_n_calls (StasisServer *self)
{
  return (guint) g_atomic_int_get (&self->n_calls);
}

/* Clients hear of what becomes of the domains. */
gboolean
stasis_server_watch (StasisServer *self, StasisDriver *driver, GError **error)
{
  if (self->picture == NULL)
    self->picture = stasis_picture_new (driver, self->context, stasis_server_tell, self, error);
  stasis_picture_serve (self->picture, driver);
  return self->picture != NULL;
}

/* No new connections, no new calls. */
void
stasis_server_stop (StasisServer *self)
{
  g_atomic_int_set (&self->is_stopping, TRUE);
  look_whether_full (self);
}

/* NULL is fine. */
void
stasis_server_free (StasisServer *self)
{
  if (self == NULL)
    return;
  stasis_server_stop (self);
  g_thread_pool_free (self->quick, FALSE, TRUE);
  g_thread_pool_free (self->workers, FALSE, TRUE);
  while (self->sessions->len > 0)
    stasis_session_close (g_ptr_array_index (self->sessions, 0), "the server ends");
  stasis_reaper_free (self->reaper);
  stasis_migratings_free (self->migratings);
  stasis_picture_serve (NULL, self->driver);
  stasis_picture_free (self->picture);
  /* What threads have left to do for the first one holds references. */
  while (g_main_context_iteration (self->context, FALSE))
    ;
  stasis_readers_free (self->readers);
  g_source_destroy (self->tick);
  g_source_unref (self->tick);
  g_ptr_array_unref (self->sessions);
  g_ptr_array_unref (self->listeners);
  g_main_context_unref (self->context);
  g_clear_object (&self->driver);
  g_free (self->save_format);
  g_mutex_clear (&self->lock);
  g_free (self);
}
