/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decompress-program.c: formats that a program takes apart
 *
 * A program that ends well, but complains, has seen something that it decided to ignore (bzip2:
 * octets behind the end); here that is damage.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/filters.h"
#include "image/program.h"

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in;     /* (borrowed) */
  StasisProgram *program; /* (owned) */
  guint8 *piece;          /* (owned) */
  gsize start, end;       /* what of it is still to be sent */
  gboolean is_fed;        /* there is nothing more to send */
} Filter;

/* Look for output without waiting for input. */
static gboolean
peek (Filter *self, void *octets, gsize size, gsize *out_received, GCancellable *cancellable,
      GError **error)
{
  gsize sent;
  return stasis_program_step (self->program, NULL, 0, &sent, octets, size, out_received,
                              /* wait= */ FALSE, cancellable, error);
}

static gboolean
fill (Filter *self, GCancellable *cancellable, GError **error)
{
  const gssize n
      = stasis_stream_in_read (self->in, self->piece, STASIS_FILTER_PIECE, cancellable, error);
  if (n < 0)
    return FALSE;
  self->start = 0;
  self->end = (gsize) n;
  if (n == 0)
    {
      self->is_fed = TRUE;
      stasis_program_end_input (self->program);
    }
  return TRUE;
}

/* Nothing more comes out: was that the end of the input, too? */
static gssize
finish (Filter *self, GCancellable *cancellable, GError **error)
{
  if (!stasis_program_wait (self->program, cancellable, error))
    return -1;
  if (self->start == self->end && !self->is_fed && !fill (self, cancellable, error))
    return -1;
  if (self->start == self->end)
    return 0;
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("something follows the end of the compressed data"));
  return -1;
}

static gssize
filter_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
             GError **error)
{
  Filter *self = (Filter *) base;
  for (;;)
    {
      gsize received = 0;
      if (self->start == self->end && !self->is_fed && !stasis_program_is_silent (self->program))
        {
          if (!peek (self, octets, size, &received, cancellable, error))
            return -1;
          if (received > 0)
            return (gssize) received;
          if (!fill (self, cancellable, error))
            return -1;
        }

      gsize sent = 0;
      if (!stasis_program_is_silent (self->program)
          && !stasis_program_step (self->program, self->piece + self->start,
                                   self->end - self->start, &sent, octets, size, &received,
                                   /* wait= */ TRUE, cancellable, error))
        return -1;
      self->start += sent;
      if (received > 0)
        return (gssize) received;
      if (stasis_program_is_silent (self->program))
        return finish (self, cancellable, error);
    }
}

static void
filter_free (StasisStreamIn *base)
{
  Filter *self = (Filter *) base;
  stasis_program_free (self->program);
  g_free (self->piece);
  g_free (self);
}

/* What the program makes of a stream. */
StasisStreamIn *
stasis_decompress_program_new (const StasisFilterProgram *program, StasisStreamIn *in,
                               GError **error)
{
  const char *argv[] = { program->name, "-dc", program->memory, NULL };
  StasisProgram *started = stasis_program_start (argv, program->package, error);
  if (started == NULL)
    return NULL;

  Filter *self = g_new0 (Filter, 1);
  self->base.read = filter_read;
  self->base.free = filter_free;
  self->in = in;
  self->program = started;
  self->piece = g_malloc (STASIS_FILTER_PIECE);
  return &self->base;
}
