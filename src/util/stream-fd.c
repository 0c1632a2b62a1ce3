/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-fd.c: streams from and to file descriptors and memory
 *
 * Theory of operation
 *
 * A pipe that somebody else holds as well must keep its flags, so O_NONBLOCK is out of the
 * question; yet a write into a full pipe has to end when its job is cancelled.  So the descriptor
 * is polled together with the cancellable's, and a pipe is written to in pieces of PIPE_BUF, for
 * which poll promises room (pipe(7)).  A pipe that can be opened anew through /proc gets a
 * description of our own that does not block, and takes large pieces; a socket takes MSG_DONTWAIT.
 */

#include "config.h"

#include "util/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

/* Wait until @fd can be read or written; FALSE when cancelled. */
static gboolean
wait_for (int fd, short events, GCancellable *cancellable, GError **error)
{
  struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = -1, .events = POLLIN } };
  if (cancellable != NULL)
    fds[1].fd = g_cancellable_get_fd (cancellable);
  int n;
  do
    n = poll (fds, G_N_ELEMENTS (fds), -1);
  while (n < 0 && errno == EINTR);
  const int saved_errno = errno;
  if (fds[1].fd >= 0)
    g_cancellable_release_fd (cancellable);

  errno = saved_errno;
  if (n < 0)
    return stasis_throw_errno (error, _ ("cannot wait for the other end"));
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

typedef struct
{
  StasisStreamIn base;
  int fd; /* (borrowed) */
  guint64 offset;
  guint64 end;
} FileIn;

static gssize
file_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  FileIn *self = (FileIn *) base;
  const gsize wanted = (gsize) MIN (size, self->end - self->offset);
  if (wanted == 0)
    return 0;

  gssize n;
  do
    n = pread (self->fd, octets, wanted, (off_t) self->offset);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    {
      stasis_throw_errno (error, _ ("cannot read at offset %1$" G_GUINT64_FORMAT), self->offset);
      return -1;
    }
  if (n == 0 && self->end != G_MAXUINT64)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT,
                   _ ("the file ends early, at offset %1$" G_GUINT64_FORMAT), self->offset);
      return -1;
    }
  self->offset += (guint64) n;
  return n;
}

static void
free_in (StasisStreamIn *self)
{
  g_free (self);
}

/* The octets [@offset, @end) of a file. */
StasisStreamIn *
stasis_stream_in_new_file (int fd, guint64 offset, guint64 end)
{
  FileIn *self = g_new0 (FileIn, 1);
  self->base.read = file_read;
  self->base.free = free_in;
  self->fd = fd;
  self->offset = offset;
  self->end = MAX (offset, end);
  return &self->base;
}

typedef struct
{
  StasisStreamIn base;
  int fd; /* (borrowed) */
} PipeIn;

static gssize
pipe_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  const PipeIn *self = (const PipeIn *) base;
  for (;;)
    {
      if (!wait_for (self->fd, POLLIN, cancellable, error))
        return -1;
      const gssize n = read (self->fd, octets, size);
      if (n >= 0)
        return n;
      if (errno != EINTR && errno != EAGAIN)
        {
          stasis_throw_errno (error, _ ("cannot read"));
          return -1;
        }
    }
}

/* What comes out of a pipe, socket or file from its position on. */
StasisStreamIn *
stasis_stream_in_new_pipe (int fd)
{
  PipeIn *self = g_new0 (PipeIn, 1);
  self->base.read = pipe_read;
  self->base.free = free_in;
  self->fd = fd;
  return &self->base;
}

typedef struct
{
  StasisStreamIn base;
  GBytes *bytes; /* (owned) */
  gsize offset;
} BytesIn;

static gssize
bytes_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  BytesIn *self = (BytesIn *) base;
  gsize total;
  const guint8 *data = g_bytes_get_data (self->bytes, &total);
  const gsize n = MIN (size, total - self->offset);
  if (n > 0)
    memcpy (octets, data + self->offset, n);
  self->offset += n;
  return (gssize) n;
}

static void
bytes_free (StasisStreamIn *base)
{
  BytesIn *self = (BytesIn *) base;
  g_bytes_unref (self->bytes);
  g_free (self);
}

/* Octets from memory. */
StasisStreamIn *
stasis_stream_in_new_bytes (GBytes *bytes)
{
  BytesIn *self = g_new0 (BytesIn, 1);
  self->base.read = bytes_read;
  self->base.free = bytes_free;
  self->bytes = g_bytes_ref (bytes);
  return &self->base;
}

typedef struct
{
  StasisStreamOut base;
  int fd; /* (borrowed) */
  guint64 offset;
} FileOut;

static gboolean
file_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  FileOut *self = (FileOut *) base;
  if (!stasis_fd_pwrite_exact (self->fd, octets, size, self->offset, error))
    return FALSE;
  self->offset += size;
  return TRUE;
}

static void
free_out (StasisStreamOut *self)
{
  g_free (self);
}

/* To a file from @offset on. */
StasisStreamOut *
stasis_stream_out_new_file (int fd, guint64 offset)
{
  FileOut *self = g_new0 (FileOut, 1);
  self->base.write = file_write;
  self->base.free = free_out;
  self->fd = fd;
  self->offset = offset;
  return &self->base;
}

typedef struct
{
  StasisStreamOut base;
  int fd;  /* (borrowed) */
  int own; /* (owned) a description of ours that does not block, or -1 */
  gboolean is_socket;
} PipeOut;

/* One write of what there is room for; -1 with errno. */
static gssize
write_some (const PipeOut *self, const void *octets, gsize size)
{
  if (self->is_socket)
    return send (self->fd, octets, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (self->own >= 0)
    return write (self->own, octets, size);
  return write (self->fd, octets, MIN (size, PIPE_BUF));
}

static gboolean
pipe_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  const PipeOut *self = (const PipeOut *) base;
  gsize done = 0;
  while (done < size)
    {
      if (!wait_for (self->fd, POLLOUT, cancellable, error))
        return FALSE;
      const gssize n = write_some (self, (const guint8 *) octets + done, size - done);
      if (n >= 0)
        done += (gsize) n;
      else if (errno == EPIPE || errno == ECONNRESET)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE,
                       _ ("the reader has gone away after %1$" G_GUINT64_FORMAT " octets"),
                       base->position + done);
          return FALSE;
        }
      else if (errno != EINTR && errno != EAGAIN)
        return stasis_throw_errno (error, _ ("cannot write"));
    }
  return TRUE;
}

static void
pipe_free (StasisStreamOut *base)
{
  PipeOut *self = (PipeOut *) base;
  stasis_fd_clear (&self->own);
  g_free (self);
}

/* Into a pipe, socket or file from its position on. */
StasisStreamOut *
stasis_stream_out_new_pipe (int fd)
{
  PipeOut *self = g_new0 (PipeOut, 1);
  struct stat st;
  self->base.write = pipe_write;
  self->base.free = pipe_free;
  self->fd = fd;
  self->own = -1;
  if (fstat (fd, &st) == 0 && S_ISFIFO (st.st_mode))
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", fd);
      self->own = stasis_fd_open (path, O_WRONLY | O_NONBLOCK, 0, NULL);
    }
  else
    self->is_socket = S_ISSOCK (st.st_mode);
  return &self->base;
}
