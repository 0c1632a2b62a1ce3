/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk-record.c: the CHUNK record: a piece of the stream in a streamed image
 *
 * See docs/save-image.md, "CHUNK".
 */

#include "config.h"

#include "image/chunk-record.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>
#include <zstd.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"

/* zstd's tables of these levels are cut.  Of 3 and 4 they are to stay in a core's nearest cache
 * (measured: a quarter less time for 1 % of size); from 7 on they are larger than a chunk has use
 * for (half a percent of size, for a tenth of the memory). */
static const struct
{
  int level; /* and those above it */
  int hash_log;
  int chain_log;
} tables[] = { { 3, 14, 13 }, { 5, 0, 0 }, { 7, 19, 19 } };

struct _StasisChunkCodec
{
  ZSTD_CCtx *pack;   /* (owned, nullable) */
  ZSTD_DCtx *unpack; /* (owned, nullable) */
};

void
stasis_chunk_head_encode (const StasisChunkHead *head, guint8 octets[STASIS_CHUNK_HEAD_SIZE])
{
  stasis_put_le32 (octets, head->encoding);
  stasis_put_le32 (octets + 4, head->length);
  stasis_put_le64 (octets + 8, head->position);
}

/* The data against the length that the head gives. */
static gboolean
check_size (const StasisChunkHead *head, const StasisRecord *record, GError **error)
{
  const guint64 size = record->length - STASIS_CHUNK_HEAD_SIZE;
  if (head->length < 1 || head->length > STASIS_CHUNK_MAX)
    return stasis_record_throw (record, _ ("length of the piece"), error);

  switch (head->encoding)
    {
    case STASIS_CHUNK_RAW:
      return size == head->length
             || stasis_record_throw (record, _ ("its data is not as long as the piece"), error);
    case STASIS_CHUNK_ZSTD:
      return size < head->length
             || stasis_record_throw (record, _ ("compressed data longer than the piece"), error);
    default:
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("record 'chunk' at offset %1$" PRIu64 ": unknown encoding %2$u"),
                   record->offset, head->encoding);
      return FALSE;
    }
}

/* The head of the next CHUNK record of a sequence. */
gboolean
stasis_chunk_sequence_next (StasisChunkSequence *self, const StasisRecord *record,
                            const guint8 *octets, StasisChunkHead *out_head, GError **error)
{
  if (record->length < STASIS_CHUNK_HEAD_SIZE)
    return stasis_record_throw (record, _ ("too short"), error);

  *out_head = (StasisChunkHead){ .encoding = stasis_get_le32 (octets),
                                 .length = stasis_get_le32 (octets + 4),
                                 .position = stasis_get_le64 (octets + 8) };
  if (!check_size (out_head, record, error))
    return FALSE;
  if (out_head->position != self->position)
    {
      g_autofree char *what
          = g_strdup_printf (_ ("is the piece from octet %1$" PRIu64
                                " of the stream, not the one from octet %2$" PRIu64),
                             out_head->position, self->position);
      return stasis_record_throw (record, what, error);
    }
  if (self->n_chunks >= STASIS_CHUNKS_MAX
      || out_head->length > STASIS_IMAGE_END_MAX - self->position)
    return stasis_record_throw (record, _ ("the stream is longer than it may be"), error);

  self->n_chunks++;
  self->position += out_head->length;
  return TRUE;
}

/* Compressing and decompressing, for one thread. */
StasisChunkCodec *
stasis_chunk_codec_new (int level)
{
  StasisChunkCodec *codec = g_new0 (StasisChunkCodec, 1);
  if (level == 0)
    {
      codec->unpack = ZSTD_createDCtx ();
      return codec;
    }

  codec->pack = ZSTD_createCCtx ();
  if (codec->pack == NULL)
    return codec;
  ZSTD_CCtx_setParameter (codec->pack, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter (codec->pack, ZSTD_c_contentSizeFlag, 1);
  ZSTD_CCtx_setParameter (codec->pack, ZSTD_c_checksumFlag, 1);
  for (guint i = 0; i < G_N_ELEMENTS (tables) && level >= tables[i].level; i++)
    {
      ZSTD_CCtx_setParameter (codec->pack, ZSTD_c_hashLog, tables[i].hash_log);
      ZSTD_CCtx_setParameter (codec->pack, ZSTD_c_chainLog, tables[i].chain_log);
    }
  return codec;
}

/* NULL is fine. */
void
stasis_chunk_codec_free (StasisChunkCodec *codec)
{
  if (codec == NULL)
    return;

  ZSTD_freeCCtx (codec->pack);
  ZSTD_freeDCtx (codec->unpack);
  g_free (codec);
}

/* One frame of at most @out_size octets; 0 where it would be longer, or cannot be made. */
gsize
stasis_chunk_codec_pack (StasisChunkCodec *codec, const void *octets, gsize size, void *out,
                         gsize out_size)
{
  if (codec->pack == NULL)
    return 0;
  const gsize n = ZSTD_compress2 (codec->pack, out, out_size, octets, size);
  return ZSTD_isError (n) ? 0 : n;
}

/* The octets of the stream that @data holds. */
gboolean
stasis_chunk_codec_unpack (StasisChunkCodec *codec, const StasisRecord *record,
                           const StasisChunkHead *head, const void *data, gsize size, void *out,
                           GError **error)
{
  if (codec->unpack == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("not enough memory to decompress"));
      return FALSE;
    }
  /* One frame that says how much is in it, nothing before or behind; a skippable one says 0. */
  if (ZSTD_getFrameContentSize (data, size) != head->length
      || ZSTD_findFrameCompressedSize (data, size) != size)
    return stasis_record_throw (record, _ ("its data is not one zstd frame of that length"), error);

  const gsize n = ZSTD_decompressDCtx (codec->unpack, out, head->length, data, size);
  if (n == head->length)
    return TRUE;

  g_autofree char *what = g_strdup_printf (_ ("cannot be decompressed: %1$s"),
                                           ZSTD_isError (n) ? ZSTD_getErrorName (n)
                                                            : _ ("its length is another one"));
  return stasis_record_throw (record, what, error);
}
