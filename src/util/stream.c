/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c: octets that flow one way, whatever they come from
 */

#include "config.h"

#include "util/stream.h"

#include <glib/gi18n-lib.h>

#define COPY_SIZE     (256u * 1024)
#define TELL_EVERY_US (G_USEC_PER_SEC / 10)

/* As the member `read`. */
gssize
stasis_stream_in_read (StasisStreamIn *self, void *octets, gsize size, GCancellable *cancellable,
                       GError **error)
{
  if (self->is_over)
    return 0;
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  if (self->has_failed)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                           _ ("an earlier read of the data failed"));
      return -1;
    }

  const gssize n = self->read (self, octets, size, cancellable, error);
  if (n > 0)
    self->position += (guint64) n;
  else if (n == 0)
    self->is_over = TRUE;
  else
    self->has_failed = TRUE;
  return n;
}

/* As many octets as are wanted, fewer only at the end. */
gssize
stasis_stream_in_read_full (StasisStreamIn *self, void *octets, gsize size,
                            GCancellable *cancellable, GError **error)
{
  gsize done = 0;
  while (done < size)
    {
      const gssize n
          = stasis_stream_in_read (self, (guint8 *) octets + done, size - done, cancellable, error);
      if (n < 0)
        return -1;
      if (n == 0)
        break;
      done += (gsize) n;
    }
  return (gssize) done;
}

/* Exactly so many. */
gboolean
stasis_stream_in_read_exact (StasisStreamIn *self, void *octets, gsize size,
                             GCancellable *cancellable, GError **error)
{
  const gssize n = stasis_stream_in_read_full (self, octets, size, cancellable, error);
  if (n < 0 || (gsize) n == size)
    return n >= 0;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT,
               _ ("the data ends early, after %1$" G_GUINT64_FORMAT " octets"), self->position);
  return FALSE;
}

/* NULL is fine. */
void
stasis_stream_in_free (StasisStreamIn *self)
{
  if (self != NULL)
    self->free (self);
}

/* A zero @size is fine. */
gboolean
stasis_stream_out_write (StasisStreamOut *self, const void *octets, gsize size,
                         GCancellable *cancellable, GError **error)
{
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (size > 0 && !self->write (self, octets, size, cancellable, error))
    return FALSE;
  self->position += size;
  return TRUE;
}

gboolean
stasis_stream_out_finish (StasisStreamOut *self, GCancellable *cancellable, GError **error)
{
  return self->finish == NULL || self->finish (self, cancellable, error);
}

/* NULL is fine. */
void
stasis_stream_out_free (StasisStreamOut *self)
{
  if (self != NULL)
    self->free (self);
}

/* All of @in to @out. */
gboolean
stasis_stream_copy (StasisStreamIn *in, StasisStreamOut *out,
                    void (*progress) (guint64 done, gpointer data), gpointer data,
                    GCancellable *cancellable, GError **error)
{
  g_autofree guint8 *buffer = g_malloc (COPY_SIZE);
  gint64 told_us = 0;
  for (;;)
    {
      const gssize n = stasis_stream_in_read (in, buffer, COPY_SIZE, cancellable, error);
      if (n <= 0)
        return n == 0;
      if (!stasis_stream_out_write (out, buffer, (gsize) n, cancellable, error))
        return FALSE;

      const gint64 now_us = g_get_monotonic_time ();
      if (progress == NULL || now_us - told_us < TELL_EVERY_US)
        continue;
      told_us = now_us;
      progress (in->position, data);
    }
}
