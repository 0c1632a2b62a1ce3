/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compress-program.c: formats that a program writes
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/filters.h"
#include "image/program.h"

typedef struct
{
  StasisStreamOut base;
  StasisStreamOut *out;   /* (borrowed) */
  StasisProgram *program; /* (owned) */
  guint8 *piece;          /* (owned) */
} Filter;

/* Wait for the end of a program that is not expected to fail: that is no damage of any image. */
static gboolean
wait_for_program (Filter *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  if (stasis_program_wait (self->program, cancellable, &local_error))
    return TRUE;
  if (local_error->domain == STASIS_IMAGE_ERROR)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED, local_error->message);
  else
    g_propagate_error (error, g_steal_pointer (&local_error));
  return FALSE;
}

/* Send some, and pass on what comes out. */
static gboolean
step (Filter *self, const guint8 *octets, gsize size, gsize *out_sent, GCancellable *cancellable,
      GError **error)
{
  gsize received;
  return stasis_program_step (self->program, octets, size, out_sent, self->piece,
                              STASIS_FILTER_PIECE, &received, /* wait= */ TRUE, cancellable, error)
         && stasis_stream_out_write (self->out, self->piece, received, cancellable, error);
}

static gboolean
filter_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
              GError **error)
{
  Filter *self = (Filter *) base;
  gsize done = 0;
  while (done < size && !stasis_program_is_silent (self->program))
    {
      gsize sent;
      if (!step (self, (const guint8 *) octets + done, size - done, &sent, cancellable, error))
        return FALSE;
      done += sent;
    }
  if (done == size)
    return TRUE;

  if (wait_for_program (self, cancellable, error))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("a program has stopped early"));
  return FALSE;
}

static gboolean
filter_finish (StasisStreamOut *base, GCancellable *cancellable, GError **error)
{
  Filter *self = (Filter *) base;
  stasis_program_end_input (self->program);
  while (!stasis_program_is_silent (self->program))
    {
      gsize sent;
      if (!step (self, NULL, 0, &sent, cancellable, error))
        return FALSE;
    }
  return wait_for_program (self, cancellable, error);
}

static void
filter_free (StasisStreamOut *base)
{
  Filter *self = (Filter *) base;
  stasis_program_free (self->program);
  g_free (self->piece);
  g_free (self);
}

/* A sink whose octets go through the program argv[0]. */
StasisStreamOut *
stasis_compress_program_new (const char *const *argv, const char *package, StasisStreamOut *out,
                             GError **error)
{
  StasisProgram *program = stasis_program_start (argv, package, error);
  if (program == NULL)
    return NULL;

  Filter *self = g_new0 (Filter, 1);
  self->base.write = filter_write;
  self->base.finish = filter_finish;
  self->base.free = filter_free;
  self->out = out;
  self->program = program;
  self->piece = g_malloc (STASIS_FILTER_PIECE);
  return &self->base;
}
