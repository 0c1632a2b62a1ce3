/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decompress-gzip.c: gzip, by GIO's zlib
 *
 * A gzip stream is one or more members, each with its own checksum and length; GZlibDecompressor
 * finishes at the end of each and is reset for the next.  Behind a member there is another one or
 * nothing: zero octets, which gzip(1) ignores, are refused like all else.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/filters.h"

typedef struct
{
  StasisStreamIn base;
  StasisStreamIn *in;    /* (borrowed) */
  GConverter *converter; /* (owned) */
  guint8 *piece;         /* (owned) */
  gsize start, end;      /* what of it is still to be converted */
  gboolean is_in_member; /* one has begun and not ended */
  guint64 n_members;
} Gzip;

static gboolean
throw_corrupt (const Gzip *self, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("the gzip data is damaged: %1$s (before offset %2$" G_GUINT64_FORMAT
                  " of the compressed data)"),
               what, self->in->position);
  return FALSE;
}

/* Have input, unless there is none. */
static gboolean
fill (Gzip *self, GCancellable *cancellable, GError **error)
{
  if (self->start < self->end)
    return TRUE;
  const gssize n
      = stasis_stream_in_read (self->in, self->piece, STASIS_FILTER_PIECE, cancellable, error);
  self->start = 0;
  self->end = n > 0 ? (gsize) n : 0;
  return n >= 0;
}

/* One call of the converter; *@out_written octets are new. */
static gboolean
convert (Gzip *self, void *octets, gsize size, gsize *out_written, GError **error)
{
  g_autoptr (GError) local_error = NULL;
  gsize used = 0;
  *out_written = 0;
  self->is_in_member = TRUE;
  switch (g_converter_convert (self->converter, self->piece + self->start, self->end - self->start,
                               octets, size, G_CONVERTER_NO_FLAGS, &used, out_written,
                               &local_error))
    {
    case G_CONVERTER_FINISHED:
      self->is_in_member = FALSE;
      self->n_members++;
      g_converter_reset (self->converter);
      break;
    case G_CONVERTER_ERROR:
      /* Wants more than there is at the moment. */
      if (g_error_matches (local_error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
        break;
      return throw_corrupt (self, local_error->message, error);
    default:
      break;
    }
  self->start += used;
  return TRUE;
}

static gssize
gzip_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  Gzip *self = (Gzip *) base;
  for (;;)
    {
      if (!fill (self, cancellable, error))
        return -1;
      const gboolean is_over = self->start == self->end;
      if (is_over && !self->is_in_member && self->n_members > 0)
        return 0;

      gsize written = 0;
      if (self->start < self->end || self->is_in_member)
        if (!convert (self, octets, size, &written, error))
          return -1;
      if (written > 0)
        return (gssize) written;
      if (is_over && (self->is_in_member || self->n_members == 0))
        {
          throw_corrupt (self, _ ("it ends early"), error);
          return -1;
        }
    }
}

static void
gzip_free (StasisStreamIn *base)
{
  Gzip *self = (Gzip *) base;
  g_object_unref (self->converter);
  g_free (self->piece);
  g_free (self);
}

/* What a gzip stream holds. */
StasisStreamIn *
stasis_decompress_gzip_new (StasisStreamIn *in)
{
  Gzip *self = g_new0 (Gzip, 1);
  self->base.read = gzip_read;
  self->base.free = gzip_free;
  self->in = in;
  self->converter = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  self->piece = g_malloc (STASIS_FILTER_PIECE);
  return &self->base;
}
