/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-input.c: reading QEMU's stream forward, from a stream or a part of a file
 *
 * Pages are not copied out of the buffer: who reads borrows them and is told before they go.
 */

#include "config.h"

#include "image/qemu-input.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/octets.h"
#include "util/fd.h"

#define STREAM_BUFFER (1024u * 1024)
#define FILE_BUFFER   (64u * 1024)

static void
init (StasisQemuInput *self, gsize capacity, GCancellable *cancellable)
{
  memset (self, 0, sizeof *self);
  self->fd = -1;
  self->capacity = capacity;
  self->buffer = g_malloc (capacity);
  self->cancellable = cancellable;
}

void
stasis_qemu_input_init_stream (StasisQemuInput *self, StasisStreamIn *in, GCancellable *cancellable)
{
  init (self, STREAM_BUFFER, cancellable);
  self->in = in;
}

/* The octets [@offset, @end) of a file. */
void
stasis_qemu_input_init_file (StasisQemuInput *self, int fd, guint64 offset, guint64 end,
                             GCancellable *cancellable)
{
  init (self, FILE_BUFFER, cancellable);
  self->fd = fd;
  self->offset = offset;
  self->end = MAX (offset, end);
}

void
stasis_qemu_input_clear (StasisQemuInput *self)
{
  g_clear_pointer (&self->buffer, g_free);
}

/* Go on at @offset. */
void
stasis_qemu_input_seek (StasisQemuInput *self, guint64 offset)
{
  self->start = 0;
  self->stop = 0;
  self->offset = MIN (offset, self->end);
}

/* Set @error, naming the present offset. */
gboolean
stasis_qemu_input_throw (const StasisQemuInput *self, StasisImageError code, const char *what,
                         GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, code,
               self->in != NULL ? _ ("QEMU's stream, at offset %1$" PRIu64 ": %2$s")
                                : _ ("body, at offset %1$" PRIu64 ": %2$s"),
               self->offset, what);
  return FALSE;
}

gboolean
stasis_qemu_input_throw_corrupt (const StasisQemuInput *self, const char *what, GError **error)
{
  return stasis_qemu_input_throw (self, STASIS_IMAGE_ERROR_CORRUPT, what, error);
}

static gssize
read_file (const StasisQemuInput *self, guint8 *octets, gsize size, GError **error)
{
  const guint64 at = self->offset + (self->stop - self->start);
  if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
    return -1;
  gssize n;
  do
    n = pread (self->fd, octets, (gsize) MIN (size, self->end - at), (off_t) at);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    stasis_throw_errno (error, _ ("cannot read at offset %1$" PRIu64), at);
  return n;
}

/* More octets behind those that are in the buffer; 0 at the end, -1 on failure. */
static gssize
refill (StasisQemuInput *self, GError **error)
{
  if (self->before_refill != NULL && !self->before_refill (self->data, error))
    return -1;
  memmove (self->buffer, self->buffer + self->start, self->stop - self->start);
  self->stop -= self->start;
  self->start = 0;

  guint8 *octets = self->buffer + self->stop;
  const gsize room = self->capacity - self->stop;
  const gssize n = self->in != NULL
                       ? stasis_stream_in_read (self->in, octets, room, self->cancellable, error)
                       : read_file (self, octets, room, error);
  if (n > 0)
    self->stop += (gsize) n;
  return n;
}

/* The next @count octets. */
const guint8 *
stasis_qemu_input_borrow (StasisQemuInput *self, gsize count, GError **error)
{
  while (self->stop - self->start < count)
    {
      const gssize n = refill (self, error);
      if (n > 0)
        continue;
      if (n == 0)
        stasis_qemu_input_throw_corrupt (self, _ ("QEMU's stream ends early"), error);
      return NULL;
    }
  const guint8 *octets = self->buffer + self->start;
  self->start += count;
  self->offset += count;
  return octets;
}

gboolean
stasis_qemu_input_take (StasisQemuInput *self, void *octets, gsize count, GError **error)
{
  const guint8 *found = stasis_qemu_input_borrow (self, count, error);
  if (found != NULL && count > 0)
    memcpy (octets, found, count);
  return found != NULL;
}

gboolean
stasis_qemu_input_take_u8 (StasisQemuInput *self, guint8 *out, GError **error)
{
  return stasis_qemu_input_take (self, out, 1, error);
}

gboolean
stasis_qemu_input_take_u32 (StasisQemuInput *self, guint32 *out, GError **error)
{
  const guint8 *octets = stasis_qemu_input_borrow (self, 4, error);
  if (octets != NULL)
    *out = stasis_get_be32 (octets);
  return octets != NULL;
}

gboolean
stasis_qemu_input_take_u64 (StasisQemuInput *self, guint64 *out, GError **error)
{
  const guint8 *octets = stasis_qemu_input_borrow (self, 8, error);
  if (octets != NULL)
    *out = stasis_get_be64 (octets);
  return octets != NULL;
}

/* A length octet and a name of so many octets. */
gboolean
stasis_qemu_input_take_name (StasisQemuInput *self, char name[STASIS_QEMU_NAME_MAX + 1],
                             GError **error)
{
  guint8 length;
  if (!stasis_qemu_input_take_u8 (self, &length, error)
      || !stasis_qemu_input_take (self, name, length, error))
    return FALSE;
  name[length] = '\0';
  if (length == 0 || !g_utf8_validate (name, length, NULL))
    return stasis_qemu_input_throw_corrupt (self, _ ("a name makes no sense"), error);
  return TRUE;
}

/* Append all that is left. */
gboolean
stasis_qemu_input_take_rest (StasisQemuInput *self, GByteArray *out, gsize max, GError **error)
{
  for (;;)
    {
      const gsize here = self->stop - self->start;
      if (here > max || out->len > max - here)
        return stasis_qemu_input_throw (self, STASIS_IMAGE_ERROR_TOO_LARGE,
                                        _ ("the state of the devices is too long"), error);
      if (here > 0)
        g_byte_array_append (out, self->buffer + self->start, (guint) here);
      self->start = self->stop;
      self->offset += here;
      const gssize n = refill (self, error);
      if (n <= 0)
        return n == 0;
    }
}
