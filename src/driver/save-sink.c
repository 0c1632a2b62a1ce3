/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-sink.c: an image on its way into a descriptor, without its very end
 *
 * Theory of operation
 *
 * What has gone into a pipe cannot be taken back, so the very end of an image, without which nobody
 * takes it for complete, is held back until the journal says COMMIT (save-commit.c).  A pipe takes
 * a write of up to PIPE_BUF octets whole or not at all.  What it has taken is not yet with the
 * reader: a pipe that still holds octets when its last reader goes has lost them (FIONREAD).  The
 * same of a socket: what the other end has not received yet is counted by SIOCOUTQ, and where it
 * throws octets away by closing, there is an error on our end (ECONNRESET).
 *
 * An end of up to PIPE_BUF octets is our own kind's: who lacks any of it has no image.  A longer
 * one is another kind's, whose readers may do without some of it, and nobody knows of how much.  So
 * where the reader goes within such an end, it may have enough.
 */

#include "config.h"

#include "driver/save-sink.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

#define WAIT_MS 50           /* between two looks at what the reader has left; no event tells */
#define PIECE   (64u * 1024) /* as much as a pipe holds unless told otherwise */

struct _StasisSaveSink
{
  StasisStreamOut base;
  StasisStreamOut *out; /* (owned) */
  int fd;               /* (borrowed) */
  mode_t type;          /* S_IFIFO, S_IFSOCK or S_IFREG */
  off_t offset;         /* a file: its position at the beginning */
  guint8 *held;         /* (owned) twice @keep octets */
  gsize n_held;
  gsize keep;
  gboolean is_ending; /* some of the end has gone */
  guint64 written;    /* (atomic) */
  StasisSaveReader reader;
};

/* In pieces, so that whoever asks sees them go. */
static gboolean
send_out (StasisSaveSink *self, const guint8 *octets, gsize size, GCancellable *cancellable,
          GError **error)
{
  for (gsize done = 0; done < size;)
    {
      const gsize piece = MIN (size - done, PIECE);
      if (!stasis_stream_out_write (self->out, octets + done, piece, cancellable, error))
        return FALSE;
      __atomic_fetch_add (&self->written, piece, __ATOMIC_RELAXED);
      done += piece;
    }
  return TRUE;
}

/* All but the last @keep octets of what is held. */
static gboolean
send_surplus (StasisSaveSink *self, GCancellable *cancellable, GError **error)
{
  if (self->n_held <= self->keep)
    return TRUE;
  const gsize surplus = self->n_held - self->keep;
  if (!send_out (self, self->held, surplus, cancellable, error))
    return FALSE;
  memmove (self->held, self->held + surplus, self->keep);
  self->n_held = self->keep;
  return TRUE;
}

static void
hold_back (StasisSaveSink *self, const guint8 *octets, gsize size)
{
  if (size > 0)
    memcpy (self->held + self->n_held, octets, size);
  self->n_held += size;
}

static gboolean
sink_write (StasisStreamOut *base, const void *data, gsize size, GCancellable *cancellable,
            GError **error)
{
  StasisSaveSink *self = (StasisSaveSink *) base;
  const guint8 *octets = data;
  if (size <= 2 * self->keep - self->n_held)
    {
      hold_back (self, octets, size);
      return TRUE;
    }
  if (size < self->keep)
    {
      if (!send_surplus (self, cancellable, error))
        return FALSE;
      hold_back (self, octets, size);
      return TRUE;
    }
  /* None of what is held is the end any more. */
  const gsize n_held = self->n_held;
  self->n_held = 0;
  if ((n_held > 0 && !send_out (self, self->held, n_held, cancellable, error))
      || !send_out (self, octets, size - self->keep, cancellable, error))
    return FALSE;
  hold_back (self, octets + size - self->keep, self->keep);
  return TRUE;
}

/* It is embedded, and freed with the rest. */
static void
sink_free (StasisStreamOut *base)
{
}

/* Into a descriptor. */
StasisSaveSink *
stasis_save_sink_new (int fd, gsize keep)
{
  StasisSaveSink *self = g_new0 (StasisSaveSink, 1);
  struct stat st = { 0 };
  self->base.write = sink_write;
  self->base.free = sink_free;
  self->fd = fd;
  self->keep = keep;
  self->held = g_malloc (2 * keep);
  if (fstat (fd, &st) == 0)
    self->type = st.st_mode & S_IFMT;
  if (self->type != S_IFREG)
    self->out = stasis_stream_out_new_pipe (fd);
  else
    {
      self->offset = MAX (0, lseek (fd, 0, SEEK_CUR));
      self->out = stasis_stream_out_new_file (fd, (guint64) self->offset);
    }
  return self;
}

/* Somebody behind who reads the descriptor. */
void
stasis_save_sink_set_reader (StasisSaveSink *self, const StasisSaveReader *reader)
{
  if (reader != NULL)
    self->reader = *reader;
}

/* What is written to. */
StasisStreamOut *
stasis_save_sink_stream (StasisSaveSink *self)
{
  return &self->base;
}

/* Octets that have left. */
guint64
stasis_save_sink_written (const StasisSaveSink *self)
{
  return __atomic_load_n (&self->written, __ATOMIC_RELAXED);
}

static gboolean
sync_file (const StasisSaveSink *self, GError **error)
{
  return self->type != S_IFREG || fsync (self->fd) == 0
         || stasis_throw_errno (error, _ ("cannot write the image to disk"));
}

/* All is written: send all but the end. */
gboolean
stasis_save_sink_settle (StasisSaveSink *self, GCancellable *cancellable, GError **error)
{
  return send_surplus (self, cancellable, error) && sync_file (self, error);
}

/* Of what has gone: enough for an image, perhaps. */
static gboolean
may_lack_some (const StasisSaveSink *self)
{
  return self->is_ending && self->keep > PIPE_BUF;
}

static gboolean
ask_reader (const StasisSaveSink *self, gboolean *out_taken, GError **error)
{
  return self->reader.look (self->reader.data, stasis_save_sink_written (self),
                            may_lack_some (self), out_taken, error);
}

/* The reader has gone. */
static gboolean
throw_gone (const StasisSaveSink *self, GError *why_take, GError **error)
{
  g_autoptr (GError) why = why_take;
  if (may_lack_some (self) && g_error_matches (why, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE))
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED, why->message);
  else
    g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

/* The end could not be written on.  Where somebody else reads it, it is theirs to say whether it
 * may have arrived: that this descriptor broke says nothing of what went through it before. */
static gboolean
throw_cut (const StasisSaveSink *self, GError *why_take, GError **error)
{
  gboolean is_taken = FALSE;
  if (self->reader.look == NULL || !g_error_matches (why_take, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE)
      || ask_reader (self, &is_taken, error))
    return throw_gone (self, why_take, error);
  g_error_free (why_take);
  return FALSE;
}

/* Send the end.  In pieces that a pipe takes as a whole, so that it is known what has gone. */
gboolean
stasis_save_sink_release (StasisSaveSink *self, gboolean *out_begun, GCancellable *cancellable,
                          GError **error)
{
  GError *why = NULL;
  *out_begun = FALSE;
  for (gsize done = 0; done < self->n_held;)
    {
      const gsize size = MIN (self->n_held - done, PIPE_BUF);
      if (!send_out (self, self->held + done, size, cancellable, &why))
        return throw_cut (self, why, error);
      *out_begun = self->is_ending = TRUE;
      done += size;
    }
  self->n_held = 0;
  return TRUE;
}

/* Octets that the reader has not taken; *@out_gone: it never will. */
static gboolean
look_at_reader (const StasisSaveSink *self, int *out_left, gboolean *out_gone, GError **error)
{
  /* In this order: what is left when the reader has gone stays. */
  struct pollfd ends = { .fd = self->fd };
  const gboolean is_pipe = self->type == S_IFIFO;
  int left = 0, broken = 0;
  socklen_t size = sizeof broken;
  if (poll (&ends, 1, 0) < 0 && errno != EINTR)
    return stasis_throw_errno (error, _ ("cannot look after the reader"));
  if (ioctl (self->fd, is_pipe ? FIONREAD : SIOCOUTQ, &left) < 0)
    return stasis_throw_errno (error, _ ("cannot ask what the reader has taken"));
  if (!is_pipe && getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &broken, &size) < 0)
    return stasis_throw_errno (error, _ ("cannot ask what the reader has taken"));
  *out_left = broken != 0 ? MAX (left, 1) : left;
  *out_gone = broken != 0 || (ends.revents & (POLLERR | POLLHUP)) != 0;
  return TRUE;
}

/* *@out_taken: all that has left. */
static gboolean
look (const StasisSaveSink *self, gboolean *out_taken, GError **error)
{
  int left = 0;
  gboolean is_gone = FALSE;
  if (self->reader.look != NULL)
    return ask_reader (self, out_taken, error);
  if (!look_at_reader (self, &left, &is_gone, error))
    return FALSE;
  *out_taken = left == 0;
  if (*out_taken || !is_gone)
    return TRUE;
  return throw_gone (self,
                     g_error_new (G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE,
                                  _ ("the reader has gone away and left the last %1$d octets"),
                                  left),
                     error);
}

/* Nothing tells when a pipe has been emptied. */
static gboolean
nap (GCancellable *cancellable, GError **error)
{
  struct pollfd cancelled = { .fd = g_cancellable_get_fd (cancellable), .events = POLLIN };
  poll (&cancelled, 1, WAIT_MS);
  g_cancellable_release_fd (cancellable);
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

/* Wait until the reader has taken all. */
gboolean
stasis_save_sink_await_reader (StasisSaveSink *self, GCancellable *cancellable, StasisJob *job,
                               GError **error)
{
  if (self->type == S_IFREG)
    {
      lseek (self->fd, self->offset + (off_t) self->out->position, SEEK_SET);
      return sync_file (self, error);
    }
  for (;;)
    {
      gboolean is_taken = FALSE;
      if (!look (self, &is_taken, error))
        return FALSE;
      if (is_taken)
        return TRUE;
      if (job != NULL)
        stasis_job_update (job);
      if (!nap (cancellable, error))
        return FALSE;
    }
}

/* NULL is fine. */
void
stasis_save_sink_free (StasisSaveSink *self)
{
  if (self == NULL)
    return;

  stasis_stream_out_free (self->out);
  g_free (self->held);
  g_free (self);
}
