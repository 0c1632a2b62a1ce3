/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ssh-session.c: a connection to an ssh server: what all steps to a stream have in common
 *
 * libssh2 never waits here: what would, returns LIBSSH2_ERROR_EAGAIN, and we wait for the socket,
 * the end of the step's time, or the cancellable, whichever comes first.
 */

#include "config.h"

#include "transport/ssh-session.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#ifdef HAVE_LIBCRYPTO
#include <openssl/crypto.h>
#endif

#include "transport/host-key.h"
#include "transport/secret-memory.h"
#include "transport/text.h"
#include "util/fd.h"

#define CONNECT_S   30u /* for each address */
#define HANDSHAKE_S 30u

/* libssh2 takes all its callbacks as one type. */
typedef union
{
  ssize_t (*receive) (libssh2_socket_t, void *, size_t, int, void **);
  void (*farewell) (LIBSSH2_SESSION *, int, const char *, int, const char *, int, void **);
#ifdef HAVE_LIBSSH2_SESSION_CALLBACK_SET2
  libssh2_cb_generic *any;
#else
  void *any;
#endif
} Callback;

static void
set_callback (LIBSSH2_SESSION *session, int kind, Callback callback)
{
#ifdef HAVE_LIBSSH2_SESSION_CALLBACK_SET2
  libssh2_session_callback_set2 (session, kind, callback.any);
#else
  libssh2_session_callback_set (session, kind, callback.any);
#endif
}

/* As libssh2's own, and notes the time; who floods us shall not keep us from looking at the clock.
 */
static ssize_t
on_receive (libssh2_socket_t fd, void *buffer, size_t length, int flags, void **abstract)
{
  StasisSshSession *self = *abstract;
  if (self->budget == 0)
    return -EAGAIN;
  const ssize_t n = recv (fd, buffer, MIN (length, self->budget), flags);
  if (n < 0)
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
  self->budget -= (gsize) n;
  self->heard = g_get_monotonic_time ();
  return n;
}

static void
on_farewell (LIBSSH2_SESSION *session, int code, const char *message, int length,
             const char *language, int language_length, void **abstract)
{
  StasisSshSession *self = *abstract;
  g_free (self->farewell);
  self->farewell = stasis_ssh_one_line (message, MAX (length, 0));
}

/* Nothing is cleared away when the process ends: threads of connections may still be at work then
 * (OpenSSL frees what they use). */
static gpointer
init_once (gpointer data)
{
#ifdef HAVE_LIBCRYPTO
  OPENSSL_init_crypto (OPENSSL_INIT_NO_ATEXIT, NULL);
#endif
  return GINT_TO_POINTER (libssh2_init (0));
}

/* Not safe for threads, as its manual says. */
static gboolean
init_library (GError **error)
{
  static GOnce once = G_ONCE_INIT;
  if (g_once (&once, init_once, NULL) == NULL)
    return TRUE;
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("libssh2 does not start"));
  return FALSE;
}

/* A TCP connection to the host: its addresses are tried in turn. */
static int
connect_host (StasisSshSession *self, GError **error)
{
  const guint port = self->target->port != 0 ? self->target->port : 22;
  g_autoptr (GSocketClient) client = g_socket_client_new ();
  g_socket_client_set_enable_proxy (client, FALSE);
  g_socket_client_set_timeout (client, CONNECT_S);
  g_autoptr (GSocketConnectable) address
      = g_network_address_new (self->target->host, (guint16) port);
  g_autoptr (GSocketConnection) connection
      = g_socket_client_connect (client, address, self->cancellable, error);
  if (connection == NULL)
    {
      g_prefix_error (error, _ ("cannot connect to %1$s: "), self->name);
      return -1;
    }
  stasis_autofd int fd
      = fcntl (g_socket_get_fd (g_socket_connection_get_socket (connection)), F_DUPFD_CLOEXEC, 0);
  if (fd < 0 || fcntl (fd, F_SETFL, O_NONBLOCK) != 0)
    {
      stasis_throw_errno (error, _ ("cannot connect to %1$s"), self->name);
      return -1;
    }
  const int one = 1;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return stasis_fd_steal (&fd);
}

static gboolean
shake_hands (StasisSshSession *self, GError **error)
{
  int rc;
  stasis_ssh_session_step (self, HANDSHAKE_S);
  while ((rc = libssh2_session_handshake (self->session, self->fd)) == LIBSSH2_ERROR_EAGAIN)
    if (!stasis_ssh_session_wait (self, _ ("the handshake"), error))
      return FALSE;
  if (rc == 0)
    return TRUE;
  stasis_ssh_session_throw (self, STASIS_SSH_ERROR_CONNECT, _ ("no ssh connection"), error);
  return FALSE;
}

/* Connect and shake hands. */
StasisSshSession *
stasis_ssh_session_open (const StasisSshTarget *target, GCancellable *cancellable, GError **error)
{
  if (!init_library (error))
    return NULL;
  g_autoptr (StasisSshSession) self = g_new0 (StasisSshSession, 1);
  self->target = target;
  self->cancellable = cancellable;
  self->fd = -1;
  self->budget = STASIS_SSH_BUDGET;
  self->name = target->port == 0 || target->port == 22
                   ? g_strdup_printf ("'%s'", target->host)
                   : g_strdup_printf (_ ("'%1$s' port %2$u"), target->host, target->port);
  self->fd = connect_host (self, error);
  if (self->fd < 0)
    return NULL;
  self->session = libssh2_session_init_ex (stasis_secret_alloc, stasis_secret_free,
                                           stasis_secret_realloc, self);
  if (self->session == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("libssh2 makes no session"));
      return NULL;
    }
  libssh2_session_set_blocking (self->session, 0);
  set_callback (self->session, LIBSSH2_CALLBACK_RECV, (Callback){ .receive = on_receive });
  set_callback (self->session, LIBSSH2_CALLBACK_DISCONNECT, (Callback){ .farewell = on_farewell });
  if (!stasis_ssh_host_key_prefer (self, error) || !shake_hands (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* Say farewell, if that can be done at once, and close.  NULL is fine. */
void
stasis_ssh_session_free (StasisSshSession *self)
{
  if (self == NULL)
    return;
  if (self->session != NULL)
    {
      libssh2_session_disconnect (self->session, "done");
      /* So that nothing is waited for. */
      shutdown (self->fd, SHUT_RDWR);
      for (guint i = 0; libssh2_session_free (self->session) == LIBSSH2_ERROR_EAGAIN && i < 100;
           i++)
        g_debug ("libssh2 waits for a socket that is closed");
    }
  stasis_fd_clear (&self->fd);
  g_free (self->farewell);
  g_free (self->name);
  g_free (self);
}

/* Until then. */
void
stasis_ssh_session_step (StasisSshSession *self, guint seconds)
{
  self->deadline = g_get_monotonic_time () + (gint64) seconds * G_USEC_PER_SEC;
}

/* Also for descriptors that are not the host's. */
gboolean
stasis_ssh_session_wait_fd (StasisSshSession *self, int fd, short events, const char *step,
                            GError **error)
{
  GPollFD cancelled;
  self->budget = STASIS_SSH_BUDGET;
  struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = -1, .events = POLLIN } };
  const gboolean is_cancellable
      = self->cancellable != NULL && g_cancellable_make_pollfd (self->cancellable, &cancelled);
  if (is_cancellable)
    fds[1].fd = cancelled.fd;
  int n;
  do
    {
      const gint64 left_ms = (self->deadline - g_get_monotonic_time () + 999) / 1000;
      n = poll (fds, 2, (int) CLAMP (left_ms, 0, G_MAXINT));
    }
  while (n < 0 && errno == EINTR);
  if (is_cancellable)
    g_cancellable_release_fd (self->cancellable);
  if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
    return FALSE;
  /* Who always has something to say is not to be heard for ever. */
  if (n > 0 && g_get_monotonic_time () < self->deadline)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _ ("%1$s: %2$s takes too long"), self->name,
               step);
  return FALSE;
}

/* For whatever libssh2 waits for. */
gboolean
stasis_ssh_session_wait (StasisSshSession *self, const char *step, GError **error)
{
  const int directions = libssh2_session_block_directions (self->session);
  short events = 0;
  if (directions & LIBSSH2_SESSION_BLOCK_INBOUND)
    events |= POLLIN;
  if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
    events |= POLLOUT;
  return stasis_ssh_session_wait_fd (self, self->fd, events != 0 ? events : POLLIN, step, error);
}

/* It said so, or its last octets have come, whether or not they are read. */
gboolean
stasis_ssh_session_is_over (const StasisSshSession *self)
{
  struct pollfd host = { .fd = self->fd, .events = POLLRDHUP };
  return self->farewell != NULL || poll (&host, 1, 0) > 0;
}

/* The host's own words come first. */
char *
stasis_ssh_session_words (StasisSshSession *self)
{
  if (self->farewell != NULL && *self->farewell != '\0')
    return g_strdup (self->farewell);
  char *message = NULL;
  int length = 0;
  libssh2_session_last_error (self->session, &message, &length, 0);
  return stasis_ssh_one_line (message, length);
}

/* NAME: what: words. */
void
stasis_ssh_session_throw (StasisSshSession *self, StasisSshError code, const char *what,
                          GError **error)
{
  g_autofree char *words = stasis_ssh_session_words (self);
  g_set_error (error, STASIS_SSH_ERROR, code, "%s: %s: %s", self->name, what, words);
}
