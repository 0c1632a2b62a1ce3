/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pump.c: the thread that moves octets between a channel and a descriptor of ours
 *
 * Theory of operation
 *
 *   our side --socket pair--> up ----channel----> the other host
 *            <--------------- down <-------------
 *
 * There is one buffer for each direction, which is filled when it is empty and then emptied, so who
 * does not read stops who writes to him: the socket pair and the channel's window are all that is
 * in between.  A round does what can be done; when there is nothing, the thread waits for the
 * sockets.
 *
 * Two things of libssh2's shape this.  It has one packet in its hand: while that is not sent, only
 * the very call that made it may be repeated (`blocked`).  And it takes packets from the socket
 * whenever it is asked anything, so the standard error is read in each round also when `down` is
 * full: what arrives is kept by libssh2, at most a window of it, and the words that let us send on
 * come through.
 *
 * An end of our side is sent as EOF, one of the other side shuts ours down for writing; the pump
 * ends when both have ended, when ours is closed (what it has written until then is still
 * delivered), when the channel is closed, when the connection is lost, or when the host gives no
 * sign of life. Why is said before our end is closed.
 */

#include "config.h"

#include "transport/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/reason.h"
#include "transport/text.h"
#include "util/fd.h"

#define BUFFER_SIZE  (128u * 1024) /* octets */
#define ERRORS_MAX   4096u         /* octets of standard error that are kept */
#define KEEPALIVE_S  15u
#define SILENCE      4u /* times that without a sign of life */
#define FLUSH_S      10 /* for what was written before our side was closed */
#define CLOSE_S      2  /* for the other side to say that it has closed, too */
#define LAST_WORDS_S 1  /* between the end of what it writes and its exit status */

typedef struct
{
  guint8 *octets; /* (owned) */
  gsize begin;    /* of what is not yet passed on */
  gsize end;
} Buffer;

/* The call of libssh2's that has to be repeated before any other. */
typedef enum
{
  BLOCKED_NOT,
  BLOCKED_WRITE,
  BLOCKED_READ,
  BLOCKED_ERRORS,
  BLOCKED_EOF,
} Blocked;

/* All pumps of the process. */
static GMutex lock;
static GCond has_ended;
static guint n_running;     /* (guarded by lock) */
static gint is_leaving;     /* (atomic) the process exits */
static pid_t owner;         /* (guarded by lock) the process whose they are */
static int leaving_pipe[2]; /* readable once it does; made with the first pump, and stays */

typedef struct
{
  StasisSshSession *session; /* (owned) */
  LIBSSH2_CHANNEL *channel;  /* (owned) */
  StasisSshReason *reason;   /* (owned) (nullable) */
  int fd;                    /* (owned) our end of the pair */
  gint64 silence_us;         /* without a sign of life is the end */
  gint64 ping_us;            /* after that a sign is asked for */
  gint64 pinged;             /* when that was; monotonic time */
  Buffer up;
  Buffer down;
  GString *errors; /* (owned) standard error there */
  Blocked blocked;
  gint64 flush_until;    /* our side is closed: 0, or when patience ends */
  gint64 shut_at;        /* the other side writes nothing more: 0, or when ours is told */
  gboolean is_up_over;   /* our side writes nothing more */
  gboolean is_eof_sent;  /* and the other one knows */
  gboolean is_down_over; /* the other side writes nothing more */
  gboolean is_shut;      /* and ours knows */
  gboolean is_over;
} Pump;

static gboolean
is_empty (const Buffer *buffer)
{
  return buffer->begin == buffer->end;
}

/* The connection does not work any more. */
static void
lose (Pump *self)
{
  g_autofree char *words = stasis_ssh_session_words (self->session);
  stasis_ssh_reason_set_take (
      self->reason,
      g_strdup_printf (_ ("the connection to %1$s is lost: %2$s"), self->session->name, words));
  self->is_over = TRUE;
}

/* What libssh2 returned: FALSE where that call can do nothing now. */
static gboolean
judge (Pump *self, ssize_t rc, Blocked call)
{
  self->blocked = BLOCKED_NOT;
  if (rc > 0)
    return TRUE;
  if (rc == LIBSSH2_ERROR_EAGAIN)
    {
      if (libssh2_session_block_directions (self->session->session)
          & LIBSSH2_SESSION_BLOCK_OUTBOUND)
        self->blocked = call;
    }
  else if (rc < 0 && rc != LIBSSH2_ERROR_CHANNEL_CLOSED && rc != LIBSSH2_ERROR_CHANNEL_EOF_SENT)
    lose (self);
  return FALSE;
}

static gboolean
may (const Pump *self, Blocked call)
{
  return !self->is_over && (self->blocked == BLOCKED_NOT || self->blocked == call);
}

/* Our side is closed: what it has written is still delivered, as long as that goes. */
static void
close_local (Pump *self)
{
  if (self->flush_until == 0)
    self->flush_until = g_get_monotonic_time () + FLUSH_S * G_USEC_PER_SEC;
}

/* Our side to `up`. */
static gboolean
fill_up (Pump *self)
{
  if (self->is_up_over || !is_empty (&self->up))
    return FALSE;
  const ssize_t n = recv (self->fd, self->up.octets, BUFFER_SIZE, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;
  self->is_up_over = n <= 0;
  self->up.begin = 0;
  self->up.end = n > 0 ? (gsize) n : 0;
  return TRUE;
}

/* `up` to the channel, and the end of it. */
static gboolean
empty_up (Pump *self)
{
  if (!is_empty (&self->up) && may (self, BLOCKED_WRITE))
    {
      const ssize_t n
          = libssh2_channel_write (self->channel, (const char *) self->up.octets + self->up.begin,
                                   self->up.end - self->up.begin);
      if (n > 0)
        self->up.begin += (gsize) n;
      if (judge (self, n, BLOCKED_WRITE))
        return TRUE;
      if (n == LIBSSH2_ERROR_CHANNEL_CLOSED || n == LIBSSH2_ERROR_CHANNEL_EOF_SENT)
        self->up.begin = self->up.end; /* nobody wants it */
      return FALSE;
    }
  if (is_empty (&self->up) && self->is_up_over && !self->is_eof_sent && may (self, BLOCKED_EOF))
    {
      const int rc = libssh2_channel_send_eof (self->channel);
      judge (self, rc, BLOCKED_EOF);
      self->is_eof_sent = rc != LIBSSH2_ERROR_EAGAIN;
      return self->is_eof_sent;
    }
  return FALSE;
}

/* What is said there for people. */
static gboolean
read_errors (Pump *self)
{
  char octets[1024];
  if (!may (self, BLOCKED_ERRORS))
    return FALSE;
  const ssize_t n = libssh2_channel_read_stderr (self->channel, octets, sizeof octets);
  if (n > 0 && self->errors->len < ERRORS_MAX)
    g_string_append_len (self->errors, octets, n);
  return judge (self, n, BLOCKED_ERRORS);
}

/* The channel to `down`. */
static gboolean
fill_down (Pump *self)
{
  if (self->is_down_over || !is_empty (&self->down) || !may (self, BLOCKED_READ))
    return FALSE;
  const ssize_t n = libssh2_channel_read (self->channel, (char *) self->down.octets, BUFFER_SIZE);
  if (judge (self, n, BLOCKED_READ))
    {
      self->down.begin = 0;
      self->down.end = (gsize) n;
      return TRUE;
    }
  self->is_down_over = !self->is_over && libssh2_channel_eof (self->channel) == 1;
  return self->is_down_over;
}

/* `down` to our side, and the end of it. */
static gboolean
empty_down (Pump *self)
{
  if (!is_empty (&self->down))
    {
      const ssize_t n = send (self->fd, self->down.octets + self->down.begin,
                              self->down.end - self->down.begin, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return FALSE;
      if (n < 0)
        close_local (self);
      /* Where nobody reads any more it is thrown away, so that the other side is not held up. */
      self->down.begin = n > 0 ? self->down.begin + (gsize) n : self->down.end;
      return TRUE;
    }
  return FALSE;
}

/* The other side has ended, and ours has all of it.  Before ours is told, the reason has to be
 * there, and with it what the host says last, the exit status: so that is waited for, but not for
 * ever, since a side may well write nothing more and go on reading. */
static void
end_down (Pump *self)
{
  if (!self->is_down_over || !is_empty (&self->down) || self->is_over)
    return;
  const gint64 now = g_get_monotonic_time ();
  if (self->blocked == BLOCKED_NOT)
    {
      const int rc = libssh2_channel_wait_closed (self->channel);
      judge (self, rc, BLOCKED_ERRORS);
      self->is_over |= rc == 0;
    }
  if (self->shut_at == 0)
    self->shut_at = now + LAST_WORDS_S * G_USEC_PER_SEC;
  if (!self->is_over && !self->is_shut && now >= self->shut_at)
    {
      self->is_shut = TRUE;
      shutdown (self->fd, SHUT_WR);
    }
}

/* Ask for a sign of life where there was none for a while, and give up where none comes. */
static void
keep_alive (Pump *self)
{
  const gint64 now = g_get_monotonic_time ();
  if (now - self->session->heard > self->silence_us)
    {
      stasis_ssh_reason_set_take (self->reason,
                                  g_strdup_printf (_ ("%1$s has given no sign of life for %2$u s"),
                                                   self->session->name,
                                                   (guint) (self->silence_us / G_USEC_PER_SEC)));
      self->is_over = TRUE;
      return;
    }
  struct pollfd writable = { .fd = self->session->fd, .events = POLLOUT };
  const gint64 last = MAX (self->session->heard, self->pinged);
  if (now - last < self->ping_us || self->blocked != BLOCKED_NOT)
    return;
  self->pinged = now;
  /* What is small enough for the socket is sent at once, so nothing has to be repeated. */
  int next;
  if (poll (&writable, 1, 0) == 1 && libssh2_keepalive_send (self->session->session, &next) != 0)
    lose (self);
}

static int
wait_ms (const Pump *self)
{
  const gint64 now = g_get_monotonic_time ();
  const gint64 last = MAX (self->session->heard, self->pinged);
  gint64 until = self->session->heard + self->silence_us;
  if (self->blocked == BLOCKED_NOT)
    until = MIN (until, last + self->ping_us);
  if (self->flush_until != 0)
    until = MIN (until, self->flush_until);
  if (self->shut_at != 0 && !self->is_shut)
    until = MIN (until, self->shut_at);
  return (int) CLAMP ((until - now) / 1000 + 1, 1, 60 * 1000);
}

/* Until something can be done. */
static void
await (Pump *self)
{
  struct pollfd fds[3] = { { .fd = self->session->fd },
                           { .fd = self->fd },
                           { .fd = leaving_pipe[0], .events = POLLIN } };
  fds[0].events = self->blocked != BLOCKED_NOT ? POLLOUT : POLLIN;
  if (!self->is_up_over && is_empty (&self->up))
    fds[1].events |= POLLIN;
  if (!is_empty (&self->down))
    fds[1].events |= POLLOUT;
  if (self->flush_until != 0)
    fds[1].fd = fds[2].fd = -1; /* they would always be ready */
  if (poll (fds, G_N_ELEMENTS (fds), wait_ms (self)) < 0 && errno != EINTR)
    self->is_over = TRUE;
  if ((fds[1].revents & (POLLHUP | POLLERR)) != 0)
    close_local (self);
  if (g_atomic_int_get (&is_leaving) && self->flush_until == 0)
    {
      close_local (self);
      shutdown (self->fd, SHUT_RD); /* what is in it can still be read */
    }
}

static void
run (Pump *self)
{
  while (!self->is_over)
    {
      self->session->budget = STASIS_SSH_BUDGET;
      gboolean is_busy = fill_up (self);
      is_busy |= empty_up (self);
      is_busy |= read_errors (self);
      is_busy |= fill_down (self);
      is_busy |= empty_down (self);
      end_down (self);
      if (self->flush_until != 0
          && (self->is_eof_sent || g_get_monotonic_time () >= self->flush_until))
        self->is_over = TRUE;
      if (!self->is_over)
        keep_alive (self);
      if (!is_busy && !self->is_over)
        await (self);
    }
}

/* What there is to be said of the command's end. */
static void
explain (Pump *self)
{
  char *signal_name = NULL;
  char octets[1024];
  ssize_t n;
  while (self->errors->len < ERRORS_MAX
         && (n = libssh2_channel_read_stderr (self->channel, octets, sizeof octets)) > 0)
    g_string_append_len (self->errors, octets, n);
  g_autofree char *words = stasis_ssh_one_line (self->errors->str, (gssize) self->errors->len);
  const int status = libssh2_channel_get_exit_status (self->channel);
  libssh2_channel_get_exit_signal (self->channel, &signal_name, NULL, NULL, NULL, NULL, NULL);
  g_autofree char *by = stasis_ssh_one_line (signal_name, -1);
  if (signal_name != NULL)
    libssh2_free (self->session->session, signal_name);
  if (*by != '\0')
    stasis_ssh_reason_set_take (
        self->reason, g_strdup_printf (_ ("%1$s: the command there was ended by signal %2$s: %3$s"),
                                       self->session->name, by, words));
  else if (status != 0)
    stasis_ssh_reason_set_take (
        self->reason, g_strdup_printf (_ ("%1$s: the command there ended with status %2$d: %3$s"),
                                       self->session->name, status, words));
  else if (*words != '\0')
    stasis_ssh_reason_set_take (self->reason,
                                g_strdup_printf ("%s: %s", self->session->name, words));
}

/* Let the other side know, and hear its last words; not for long. */
static void
close_channel (Pump *self)
{
  int rc = 0;
  stasis_ssh_session_step (self->session, CLOSE_S);
  if (self->blocked != BLOCKED_NOT)
    return;
  while ((rc = libssh2_channel_close (self->channel)) == LIBSSH2_ERROR_EAGAIN)
    if (!stasis_ssh_session_wait (self->session, "", NULL))
      return;
}

static void
pump_free (Pump *self)
{
  stasis_fd_clear (&self->fd);
  stasis_ssh_session_free (self->session);
  stasis_ssh_reason_unref (self->reason);
  g_string_free (self->errors, TRUE);
  g_free (self->up.octets);
  g_free (self->down.octets);
  g_free (self);
}

/* What our side has written and nobody takes must not turn its end into an error. */
static void
drain (const Pump *self)
{
  guint8 octets[4096];
  shutdown (self->fd, SHUT_RDWR);
  while (recv (self->fd, octets, sizeof octets, MSG_DONTWAIT) > 0)
    continue;
}

static void
leave (void)
{
  g_mutex_lock (&lock);
  n_running--;
  g_cond_broadcast (&has_ended);
  g_mutex_unlock (&lock);
}

/* All of libssh2's work is done before the other end can know that it is over. */
static gpointer
pump_main (gpointer data)
{
  Pump *self = data;
  run (self);
  explain (self);
  close_channel (self);
  stasis_ssh_session_free (g_steal_pointer (&self->session));
  drain (self);
  pump_free (self);
  leave ();
  return NULL;
}

/* The process exits: libraries below libssh2 clean up next. */
static void
on_exit_wait (void)
{
  if (getpid () != owner)
    return; /* a child has none of our threads */
  g_atomic_int_set (&is_leaving, 1);
  stasis_fd_clear (&leaving_pipe[1]);
  const gint64 until = g_get_monotonic_time () + (FLUSH_S + CLOSE_S) * G_USEC_PER_SEC;
  g_mutex_lock (&lock);
  while (n_running > 0 && g_cond_wait_until (&has_ended, &lock, until))
    continue;
  g_mutex_unlock (&lock);
}

/* Count it.  The first one comes after libssh2's libraries have registered what they do at the end,
 * so ours is done before. */
static gboolean
enter (GError **error)
{
  static gboolean is_ready; /* (guarded by lock) */
  gboolean is_in = TRUE;
  g_mutex_lock (&lock);
  if (!is_ready)
    is_ready = is_in = pipe2 (leaving_pipe, O_CLOEXEC) == 0 && atexit (on_exit_wait) == 0;
  n_running += is_in ? 1 : 0;
  owner = getpid ();
  g_mutex_unlock (&lock);
  return is_in || stasis_throw_errno (error, "pipe");
}

/* A pair, and the thread. */
int
stasis_ssh_pump_start (StasisSshSession *session_take, LIBSSH2_CHANNEL *channel_take,
                       GError **error)
{
  int fds[2];
  g_autoptr (StasisSshSession) session = session_take;
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    {
      stasis_throw_errno (error, "socketpair");
      return -1;
    }
  const StasisSshTarget *target = session->target;
  const guint keepalive_s = target->keepalive_s != 0 ? target->keepalive_s : KEEPALIVE_S;
  Pump *self = g_new0 (Pump, 1);
  self->session = g_steal_pointer (&session);
  self->channel = channel_take;
  self->reason = target->reason != NULL ? stasis_ssh_reason_ref (target->reason) : NULL;
  self->fd = fds[0];
  self->ping_us = (gint64) keepalive_s * G_USEC_PER_SEC;
  self->silence_us = self->ping_us * SILENCE;
  self->session->heard = g_get_monotonic_time ();
  self->session->target = NULL;
  self->session->cancellable = NULL;
  libssh2_keepalive_config (self->session->session, 1, 1);
  self->errors = g_string_new (NULL);
  self->up.octets = g_malloc (BUFFER_SIZE);
  self->down.octets = g_malloc (BUFFER_SIZE);
  const gboolean is_in = enter (error);
  GThread *thread = is_in ? g_thread_try_new ("stasis-ssh", pump_main, self, error) : NULL;
  if (thread == NULL)
    {
      if (is_in)
        leave ();
      pump_free (self);
      stasis_fd_clear (&fds[1]);
      return -1;
    }
  g_thread_unref (thread);
  return fds[1];
}
