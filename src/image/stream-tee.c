/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream-tee.c: a stream that is looked at on its way to somewhere else
 */

#include "config.h"

#include "image/stream-tee.h"

#define TELL_US (G_USEC_PER_SEC / 10)

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in;   /* (borrowed) */
  StasisStreamOut *out; /* (borrowed, nullable) */
  guint64 total;
  StasisImageProgress progress;
  gpointer progress_data;
  gint64 told_us;
} Tee;

static void
tell (Tee *self, gboolean is_end)
{
  const gint64 now = g_get_monotonic_time ();
  if (self->progress == NULL || (!is_end && now - self->told_us < TELL_US))
    return;
  self->told_us = now;
  self->progress (self->in->position, MAX (self->total, is_end ? self->in->position : 0),
                  self->progress_data);
}

static gssize
tee_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable, GError **error)
{
  Tee *self = (Tee *) base;
  const gssize n = stasis_stream_in_read (self->in, octets, size, cancellable, error);
  if (n > 0 && self->out != NULL
      && !stasis_stream_out_write (self->out, octets, (gsize) n, cancellable, error))
    return -1;
  if (n >= 0)
    tell (self, n == 0);
  return n;
}

static void
tee_free (StasisStreamIn *base)
{
  g_free (base);
}

/* What is read of @in also goes to @out. */
StasisStreamIn *
stasis_stream_tee_new (StasisStreamIn *in, StasisStreamOut *out, guint64 total,
                       StasisImageProgress progress, gpointer progress_data)
{
  Tee *self = g_new0 (Tee, 1);
  self->base.read = tee_read;
  self->base.free = tee_free;
  self->in = in;
  self->out = out;
  self->total = total;
  self->progress = progress;
  self->progress_data = progress_data;
  return &self->base;
}
