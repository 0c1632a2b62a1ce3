/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * compress.c: which filter compresses a stream; and those that this process does itself
 */

#include "config.h"

#include "image/compress.h"

#include <glib/gi18n-lib.h>
#include <zstd.h>

#include "image/error.h"
#include "image/filters.h"

#define THREADS_MAX 8u

typedef struct
{
  StasisStreamOut base;
  StasisStreamOut *out;  /* (borrowed) */
  GConverter *converter; /* (owned, nullable) gzip */
  ZSTD_CCtx *context;    /* (owned, nullable) zstd */
  guint8 *piece;         /* (owned) */
} Filter;

static gboolean
throw_failed (const char *what, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("cannot compress: %1$s"), what);
  return FALSE;
}

static gboolean
plain_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
             GError **error)
{
  const Filter *self = (const Filter *) base;
  return stasis_stream_out_write (self->out, octets, size, cancellable, error);
}

/* All of the octets; with @flags as much as comes out of it. */
static gboolean
gzip_push (Filter *self, const guint8 *octets, gsize size, GConverterFlags flags,
           GCancellable *cancellable, GError **error)
{
  GConverterResult result = G_CONVERTER_CONVERTED;
  while (flags == G_CONVERTER_NO_FLAGS ? size > 0 : result != G_CONVERTER_FINISHED)
    {
      g_autoptr (GError) local_error = NULL;
      gsize used = 0, written = 0;
      result = g_converter_convert (self->converter, octets, size, self->piece, STASIS_FILTER_PIECE,
                                    flags, &used, &written, &local_error);
      if (result == G_CONVERTER_ERROR)
        return throw_failed (local_error->message, error);
      octets += used;
      size -= used;
      if (!stasis_stream_out_write (self->out, self->piece, written, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
gzip_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  return gzip_push ((Filter *) base, octets, size, G_CONVERTER_NO_FLAGS, cancellable, error);
}

static gboolean
gzip_finish (StasisStreamOut *base, GCancellable *cancellable, GError **error)
{
  static const guint8 nothing;
  return gzip_push ((Filter *) base, &nothing, 0, G_CONVERTER_INPUT_AT_END, cancellable, error);
}

/* All of the octets; with ZSTD_e_end also the end of the frame. */
static gboolean
zstd_push (Filter *self, const void *octets, gsize size, ZSTD_EndDirective directive,
           GCancellable *cancellable, GError **error)
{
  ZSTD_inBuffer input = { octets, size, 0 };
  gsize left;
  do
    {
      ZSTD_outBuffer output = { self->piece, STASIS_FILTER_PIECE, 0 };
      left = ZSTD_compressStream2 (self->context, &output, &input, directive);
      if (ZSTD_isError (left))
        return throw_failed (ZSTD_getErrorName (left), error);
      if (!stasis_stream_out_write (self->out, self->piece, output.pos, cancellable, error))
        return FALSE;
    }
  while (directive == ZSTD_e_end ? left > 0 : input.pos < input.size);
  return TRUE;
}

static gboolean
zstd_write (StasisStreamOut *base, const void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  return zstd_push ((Filter *) base, octets, size, ZSTD_e_continue, cancellable, error);
}

static gboolean
zstd_finish (StasisStreamOut *base, GCancellable *cancellable, GError **error)
{
  return zstd_push ((Filter *) base, NULL, 0, ZSTD_e_end, cancellable, error);
}

static void
filter_free (StasisStreamOut *base)
{
  Filter *self = (Filter *) base;
  g_clear_object (&self->converter);
  ZSTD_freeCCtx (self->context);
  g_free (self->piece);
  g_free (self);
}

static Filter *
filter_new (StasisStreamOut *out,
            gboolean (*write) (StasisStreamOut *, const void *, gsize, GCancellable *, GError **),
            gboolean (*finish) (StasisStreamOut *, GCancellable *, GError **))
{
  Filter *self = g_new0 (Filter, 1);
  self->base.write = write;
  self->base.finish = finish;
  self->base.free = filter_free;
  self->out = out;
  self->piece = g_malloc (STASIS_FILTER_PIECE);
  return self;
}

/* One gzip member. */
StasisStreamOut *
stasis_compress_gzip_new (int level, StasisStreamOut *out)
{
  Filter *self = filter_new (out, gzip_write, gzip_finish);
  self->converter = G_CONVERTER (
      g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, level == 0 ? -1 : CLAMP (level, 1, 9)));
  return &self->base;
}

/* One zstd frame, with a checksum of its content. */
StasisStreamOut *
stasis_compress_zstd_new (int level, guint n_threads, StasisStreamOut *out, GError **error)
{
  Filter *self = filter_new (out, zstd_write, zstd_finish);
  self->context = ZSTD_createCCtx ();
  g_assert (self->context != NULL); /* no memory, as g_malloc() */
  const gsize set_level = ZSTD_CCtx_setParameter (self->context, ZSTD_c_compressionLevel, level);
  const gsize set_sum = ZSTD_CCtx_setParameter (self->context, ZSTD_c_checksumFlag, 1);
  /* A libzstd that was built without threads refuses; then there is one. */
  ZSTD_CCtx_setParameter (self->context, ZSTD_c_nbWorkers, (int) n_threads);
  if (!ZSTD_isError (set_level) && !ZSTD_isError (set_sum))
    return &self->base;

  throw_failed (ZSTD_getErrorName (ZSTD_isError (set_level) ? set_level : set_sum), error);
  filter_free (&self->base);
  return NULL;
}

static StasisStreamOut *
program_new (StasisCompression compression, int level, guint n_threads, StasisStreamOut *out,
             GError **error)
{
  const StasisFilterProgram *program = stasis_filter_program (compression);
  g_autofree char *level_option = g_strdup_printf ("-%d", CLAMP (level, 1, 9));
  g_autofree char *threads_option = g_strdup_printf ("-T%u", n_threads);
  const char *argv[5] = { program->name, "-c" };
  gsize n = 2;
  if (compression == STASIS_COMPRESSION_XZ)
    argv[n++] = threads_option;
  if (level > 0)
    argv[n++] = level_option;
  else if (compression == STASIS_COMPRESSION_XZ)
    argv[n++] = "-3"; /* as libvirt: the default takes minutes for a gigabyte */
  return stasis_compress_program_new (argv, program->package, out, error);
}

/**
 * stasis_compress_new:
 * @compression: how
 * @level: 1 to 9 (zstd: to 22); 0: the compressor's own choice
 * @n_threads: 0: as many as there are cores, at most 8
 * @out: (transfer none): where it goes; has to outlive the result
 * @error: return location
 *
 * Returns: (transfer full): a sink for the octets before compression
 */
StasisStreamOut *
stasis_compress_new (StasisCompression compression, int level, guint n_threads,
                     StasisStreamOut *out, GError **error)
{
  if (n_threads == 0)
    n_threads = g_get_num_processors ();
  n_threads = MIN (n_threads, THREADS_MAX);

  switch (compression)
    {
    case STASIS_COMPRESSION_NONE:
      return &filter_new (out, plain_write, NULL)->base;
    case STASIS_COMPRESSION_GZIP:
      return stasis_compress_gzip_new (level, out);
    case STASIS_COMPRESSION_ZSTD:
      return stasis_compress_zstd_new (level, n_threads, out, error);
    default:
      return program_new (compression, level, n_threads, out, error);
    }
}
