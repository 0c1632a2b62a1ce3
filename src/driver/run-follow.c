/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * run-follow.c: hearing what becomes of a running domain
 *
 * Theory of operation
 *
 * The supervisor numbers what happens, and answers who asks what came after a number as soon as
 * there is something (docs/supervisor.md, `watch`).  So one question always stands.  A supervisor
 * that ends is looked for again: there will be another one, or the run is over and whoever follows
 * it frees us.
 */

#include "config.h"

#include "driver/run-follow.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib-unix.h>

#include "util/fd.h"

#define CONTROL_FILE "control.sock"
#define RETRY_MIN_MS 20u
#define RETRY_MAX_MS 1000u
#define REPLY_MAX    (1024u * 1024)
#define CHUNK        4096u

struct _StasisRunFollow
{
  char *path;            /* (owned) of the socket */
  GMainContext *context; /* (owned) */
  StasisRunFollowFunc func;
  gpointer data;
  int fd;          /* (owned) or -1 */
  GString *in;     /* (owned) */
  GSource *source; /* (owned) (nullable) what we wait for */
  gint64 after;    /* the last number that we know of; -1: none */
  guint retry_ms;
};

static void try_connect (StasisRunFollow *self);

static void
wait_for (StasisRunFollow *self, GSource *source_take, GSourceFunc func)
{
  if (self->source != NULL)
    {
      g_source_destroy (self->source);
      g_source_unref (self->source);
    }
  self->source = source_take;
  if (source_take == NULL)
    return;
  g_source_set_callback (self->source, func, self, NULL);
  g_source_attach (self->source, self->context);
}

static gboolean
on_retry (gpointer data)
{
  try_connect (data);
  return G_SOURCE_REMOVE;
}

/* It may not be there yet, or not be there any more. */
static void
retry (StasisRunFollow *self)
{
  stasis_fd_clear (&self->fd);
  g_string_truncate (self->in, 0);
  wait_for (self, g_timeout_source_new (self->retry_ms), on_retry);
  self->retry_ms = MIN (2 * self->retry_ms, RETRY_MAX_MS);
}

static gboolean
ask (StasisRunFollow *self)
{
  g_autofree char *text
      = self->after < 0
            ? g_strdup ("{\"do\":\"watch\"}\n")
            : g_strdup_printf ("{\"do\":\"watch\",\"after\":%" G_GINT64_FORMAT "}\n", self->after);
  const gssize length = (gssize) strlen (text);
  return send (self->fd, text, (gsize) length, MSG_NOSIGNAL | MSG_DONTWAIT) == length;
}

/* FALSE where it makes no sense. */
static gboolean
take_reply (StasisRunFollow *self, const char *line, gsize length)
{
  g_autoptr (StasisJson) reply = stasis_json_parse (line, (gssize) length, NULL);
  const StasisJson *events = stasis_json_get (reply, "events");
  const gint64 number = stasis_json_int (stasis_json_get (reply, "number"), -1);
  if (reply == NULL || events == NULL || number < 0)
    return FALSE;
  const gboolean is_present = self->after < 0;
  self->after = number;
  self->retry_ms = RETRY_MIN_MS;
  for (guint i = 0; i < stasis_json_array_length (events); i++)
    self->func (stasis_json_array_get (events, i), is_present, self->data);
  return TRUE;
}

static gboolean
on_ready (gint fd, GIOCondition condition, gpointer data)
{
  StasisRunFollow *self = data;
  char octets[CHUNK];
  const gssize done = recv (fd, octets, sizeof octets, MSG_DONTWAIT);
  if (done < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  if (done > 0)
    g_string_append_len (self->in, octets, done);
  const char *end = done > 0 ? memchr (self->in->str, '\n', self->in->len) : NULL;
  if (end == NULL && done > 0 && self->in->len <= REPLY_MAX)
    return G_SOURCE_CONTINUE;
  const gsize length = end != NULL ? (gsize) (end - self->in->str) : 0;
  if (end == NULL || !take_reply (self, self->in->str, length) || !ask (self))
    {
      /* Another supervisor begins to count anew. */
      self->after = -1;
      retry (self);
      return G_SOURCE_REMOVE;
    }
  g_string_erase (self->in, 0, (gssize) length + 1);
  return G_SOURCE_CONTINUE;
}

static void
try_connect (StasisRunFollow *self)
{
  g_autoptr (GError) error = NULL;
  self->fd = stasis_unix_connect_now (self->path, &error);
  if (self->fd < 0 || !ask (self))
    retry (self);
  else
    wait_for (self, g_unix_fd_source_new (self->fd, G_IO_IN), G_SOURCE_FUNC (on_ready));
}

/* Ask the supervisor. */
StasisRunFollow *
stasis_run_follow_new (const char *folder, gboolean from_beginning, GMainContext *context,
                       StasisRunFollowFunc func, gpointer data)
{
  StasisRunFollow *self = g_new0 (StasisRunFollow, 1);
  self->path = g_build_filename (folder, CONTROL_FILE, NULL);
  self->context = g_main_context_ref (context);
  self->func = func;
  self->data = data;
  self->fd = -1;
  self->in = g_string_new (NULL);
  self->after = from_beginning ? 0 : -1;
  self->retry_ms = RETRY_MIN_MS;
  try_connect (self);
  return self;
}

/* Take what has come already. */
void
stasis_run_follow_flush (StasisRunFollow *self)
{
  char octet;
  while (self->fd >= 0 && recv (self->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
    on_ready (self->fd, G_IO_IN, self);
}

/* NULL is fine. */
void
stasis_run_follow_free (StasisRunFollow *self)
{
  if (self == NULL)
    return;
  wait_for (self, NULL, NULL);
  stasis_fd_clear (&self->fd);
  g_string_free (self->in, TRUE);
  g_main_context_unref (self->context);
  g_free (self->path);
  g_free (self);
}
