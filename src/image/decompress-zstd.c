/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decompress-zstd.c: zstd, by libzstd
 *
 * A zstd stream is one or more frames.  libzstd's own limit on the window (128 MiB) bounds the
 * memory that a header can ask for.
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <zstd.h>

#include "image/error.h"
#include "image/filters.h"

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in; /* (borrowed) */
  ZSTD_DCtx *context; /* (owned) */
  guint8 *piece;      /* (owned) */
  ZSTD_inBuffer input;
  gboolean is_in_frame; /* one has begun and not ended */
  gboolean has_more;    /* the last call filled its output: there may be more without input */
  gboolean any;
} Zstd;

static gssize
throw_corrupt (const Zstd *self, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("the zstd data is damaged: %1$s (before offset %2$" G_GUINT64_FORMAT
                  " of the compressed data)"),
               what, self->in->position);
  return -1;
}

/* Have input, unless there is none. */
static gboolean
fill (Zstd *self, GCancellable *cancellable, GError **error)
{
  if (self->input.pos < self->input.size || self->has_more)
    return TRUE;
  const gssize n
      = stasis_stream_in_read (self->in, self->piece, STASIS_FILTER_PIECE, cancellable, error);
  self->input = (ZSTD_inBuffer){ self->piece, n > 0 ? (gsize) n : 0, 0 };
  return n >= 0;
}

static gssize
zstd_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  Zstd *self = (Zstd *) base;
  for (;;)
    {
      if (!fill (self, cancellable, error))
        return -1;
      const gboolean is_over = self->input.pos == self->input.size && !self->has_more;
      if (is_over && (self->is_in_frame || !self->any))
        return throw_corrupt (self, _ ("it ends early"), error);
      if (is_over)
        return 0;

      ZSTD_outBuffer output = { octets, size, 0 };
      const gsize left = ZSTD_decompressStream (self->context, &output, &self->input);
      if (ZSTD_isError (left))
        return throw_corrupt (self, ZSTD_getErrorName (left), error);
      self->any = TRUE;
      self->is_in_frame = left != 0;
      self->has_more = self->is_in_frame && output.pos == output.size;
      if (output.pos > 0)
        return (gssize) output.pos;
    }
}

static void
zstd_free (StasisStreamIn *base)
{
  Zstd *self = (Zstd *) base;
  ZSTD_freeDCtx (self->context);
  g_free (self->piece);
  g_free (self);
}

/* What a zstd stream holds. */
StasisStreamIn *
stasis_decompress_zstd_new (StasisStreamIn *in)
{
  Zstd *self = g_new0 (Zstd, 1);
  self->base.read = zstd_read;
  self->base.free = zstd_free;
  self->in = in;
  self->context = ZSTD_createDCtx ();
  g_assert (self->context != NULL); /* no memory, as g_malloc() */
  self->piece = g_malloc (STASIS_FILTER_PIECE);
  return &self->base;
}
