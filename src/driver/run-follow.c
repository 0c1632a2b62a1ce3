/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-follow.c: hearing what becomes of a running domain
 *
 * Theory of operation
 *
 * The supervisor numbers what happens, and tells who stays of each thing as it happens: it stands
 * in our socket before whoever did it hears that it is done (docs/supervisor.md, `watch`).  One of
 * an earlier version answers once something has come after a number; of it one question always
 * stands, and nobody can say that we know all.
 *
 * After a job, or a recovery, a supervisor may know less than QEMU does until somebody asks; so we
 * ask then, and know nothing for certain until the answer is there.
 *
 * A supervisor that ends is looked for again: there will be another one, or the run is over and
 * whoever follows it frees us.
 */

#include "config.h"

#include "driver/run-follow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/ready-set.h"

#define CONTROL_FILE "control.sock"
#define RETRY_MIN_MS 20u
#define RETRY_MAX_MS 1000u
#define REPLY_MAX    (1024u * 1024)
#define CHUNK        4096u

struct _StasisRunFollow
{
  char *path; /* (owned) of the socket */
  int set;    /* (borrowed: outlives us) */
  StasisReady ready;
  StasisRunFollowFunc func;
  gpointer data;
  int fd;              /* (owned) or -1 */
  gint64 pid;          /* of the other end */
  gint64 last_pid;     /* the same, of the last one that there was; or 0 */
  GString *in;         /* (owned) */
  gint64 after;        /* the last number that we know of; -1: none */
  gboolean is_watched; /* it has answered to `watch` */
  gboolean stays;      /* it tells by itself */
  guint n_asked;       /* for the state, without an answer yet */
  gboolean has_state;  /* it knows, too */
  guint retry_ms;
  gint64 due_us; /* when to connect, or 0 */
};

static void
on_ready (gpointer data)
{
  stasis_run_follow_flush (data);
}

/* A child that has yet to execute its program has a copy of the descriptor: closing it does not
 * take it out of the set. */
static void
leave (StasisRunFollow *self)
{
  if (self->fd >= 0)
    stasis_ready_set_remove (self->set, self->fd);
  stasis_fd_clear (&self->fd);
}

/* It may not be there yet, or not be there any more. */
static void
give_up (StasisRunFollow *self)
{
  leave (self);
  g_string_truncate (self->in, 0);
  self->pid = 0;
  self->is_watched = self->stays = self->has_state = FALSE;
  self->n_asked = 0;
  self->due_us = g_get_monotonic_time () + (gint64) self->retry_ms * 1000;
  self->retry_ms = MIN (2 * self->retry_ms, RETRY_MAX_MS);
}

static gboolean
send_text (const StasisRunFollow *self, const char *text)
{
  const gssize length = (gssize) strlen (text);
  return send (self->fd, text, (gsize) length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

static gboolean
ask_watch (const StasisRunFollow *self)
{
  g_autofree char *text
      = self->after < 0
            ? g_strdup ("{\"do\":\"watch\",\"stay\":true}\n")
            : g_strdup_printf ("{\"do\":\"watch\",\"stay\":true,\"after\":%" G_GINT64_FORMAT "}\n",
                               self->after);
  return send_text (self, text);
}

static gboolean
ask_state (StasisRunFollow *self)
{
  self->n_asked++;
  return send_text (self, "{\"do\":\"state\"}\n");
}

static gboolean
take_events (StasisRunFollow *self, const StasisJson *message)
{
  const StasisJson *events = stasis_json_get (message, "events");
  const gint64 number = stasis_json_int (stasis_json_get (message, "number"), -1);
  if (events == NULL || number < 0)
    return FALSE;
  const StasisFollowKind kind = self->after < 0 ? STASIS_FOLLOW_PRESENT : STASIS_FOLLOW_NEWS;
  self->after = number;
  self->retry_ms = RETRY_MIN_MS;
  for (guint i = 0; i < stasis_json_array_length (events); i++)
    self->func (stasis_json_array_get (events, i), kind, self->data);
  return TRUE;
}

/* Where QEMU does not answer the supervisor, nobody knows. */
static gboolean
take_state (StasisRunFollow *self, const StasisJson *reply)
{
  if (self->n_asked == 0)
    return FALSE;
  self->n_asked--;
  self->has_state = stasis_json_boolean (stasis_json_get (reply, "ok"), FALSE);
  if (self->has_state)
    self->func (reply, STASIS_FOLLOW_STATE, self->data);
  return TRUE;
}

/* FALSE where it makes no sense. */
static gboolean
take_line (StasisRunFollow *self, const char *line, gsize length)
{
  g_autoptr (StasisJson) message = stasis_json_parse (line, (gssize) length, NULL);
  if (message == NULL)
    return FALSE;
  const gboolean is_reply = stasis_json_get (message, "ok") != NULL;
  if (is_reply && self->is_watched && self->stays)
    return take_state (self, message);
  if (!take_events (self, message))
    return FALSE;
  if (!is_reply)
    return TRUE;
  self->is_watched = TRUE;
  self->stays = stasis_json_boolean (stasis_json_get (message, "stay"), FALSE);
  return self->stays ? ask_state (self) : ask_watch (self);
}

/* FALSE where the connection is of no use any more. */
static gboolean
take_lines (StasisRunFollow *self)
{
  gsize done = 0;
  const char *end;
  while ((end = memchr (self->in->str + done, '\n', self->in->len - done)) != NULL)
    {
      const gsize length = (gsize) (end - self->in->str) - done;
      if (!take_line (self, self->in->str + done, length))
        return FALSE;
      if (self->fd < 0) /* it was given up meanwhile */
        return TRUE;
      done += length + 1;
    }
  g_string_erase (self->in, 0, (gssize) done);
  return self->in->len <= REPLY_MAX;
}

/* Take what has come already. */
void
stasis_run_follow_flush (StasisRunFollow *self)
{
  char octets[CHUNK];
  while (self->fd >= 0)
    {
      const gssize n = recv (self->fd, octets, sizeof octets, MSG_DONTWAIT);
      if (n < 0 && errno == EINTR)
        continue;
      if (n < 0 && errno == EAGAIN)
        return;
      if (n > 0)
        g_string_append_len (self->in, octets, n);
      if (n > 0 && take_lines (self))
        continue;
      if (n > 0) /* it makes no sense: so that it does not say the same again */
        self->after = -1;
      give_up (self);
    }
}

static void
try_connect (StasisRunFollow *self)
{
  struct ucred peer = { 0 };
  socklen_t size = sizeof peer;
  self->due_us = 0;
  self->fd = stasis_unix_connect_now (self->path, NULL);
  if (self->fd >= 0 && getsockopt (self->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
    peer.pid = 0;
  /* Another supervisor begins to count anew. */
  if (self->fd >= 0 && self->last_pid != 0 && peer.pid != self->last_pid)
    self->after = -1;
  if (self->fd < 0 || !stasis_ready_set_add (self->set, self->fd, &self->ready, NULL)
      || !ask_watch (self))
    give_up (self);
  else
    self->pid = self->last_pid = peer.pid;
}

/* Ask the supervisor. */
StasisRunFollow *
stasis_run_follow_new (const char *folder, gboolean from_beginning, int set,
                       StasisRunFollowFunc func, gpointer data)
{
  StasisRunFollow *self = g_new0 (StasisRunFollow, 1);
  self->path = g_build_filename (folder, CONTROL_FILE, NULL);
  self->set = set;
  self->ready = (StasisReady){ on_ready, self };
  self->func = func;
  self->data = data;
  self->fd = -1;
  self->in = g_string_new (NULL);
  self->after = from_beginning ? 0 : -1;
  self->retry_ms = RETRY_MIN_MS;
  try_connect (self);
  return self;
}

/* When to look for a supervisor again. */
gint64
stasis_run_follow_due (const StasisRunFollow *self)
{
  return self->due_us;
}

/* Look for one. */
void
stasis_run_follow_retry (StasisRunFollow *self)
{
  if (self->due_us != 0 && g_get_monotonic_time () >= self->due_us)
    try_connect (self);
}

/* Ask how the guest is. */
void
stasis_run_follow_confirm (StasisRunFollow *self)
{
  if (self->stays && !ask_state (self))
    give_up (self);
}

/* TRUE where nothing that the supervisor knows is missing. */
gboolean
stasis_run_follow_is_current (const StasisRunFollow *self)
{
  return self->stays && self->has_state && self->n_asked == 0;
}

/* The supervisor's process. */
gint64
stasis_run_follow_pid (const StasisRunFollow *self)
{
  return self->pid;
}

/* NULL is fine. */
void
stasis_run_follow_free (StasisRunFollow *self)
{
  if (self == NULL)
    return;
  leave (self);
  g_string_free (self->in, TRUE);
  g_free (self->path);
  g_free (self);
}
