/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk-record.h: the CHUNK record: a piece of the stream in a streamed image
 */

#pragma once

#include <glib.h>

#include "image/record.h"

G_BEGIN_DECLS

#define STASIS_CHUNK_HEAD_SIZE  16u                /* octets of a CHUNK before its data */
#define STASIS_CHUNK_MAX        (4u * 1024 * 1024) /* octets of the stream in one */
#define STASIS_CHUNK_WRITE_SIZE (2u * 1024 * 1024) /* so many we put into one */
#define STASIS_CHUNKS_MAX       (2u * 1024 * 1024) /* records */

/* On-disk numbers: append at the end, never renumber, never reuse. */
typedef enum
{
  STASIS_CHUNK_RAW = 0,
  STASIS_CHUNK_ZSTD = 1, /* one frame */
} StasisChunkEncoding;

typedef struct
{
  guint32 encoding; /* a StasisChunkEncoding */
  guint32 length;   /* octets of the stream */
  guint64 position; /* of the first of them in the stream */
} StasisChunkHead;

/* How far a run of CHUNK records has come. */
typedef struct
{
  guint64 n_chunks;
  guint64 position; /* in the stream */
} StasisChunkSequence;

void stasis_chunk_head_encode (const StasisChunkHead *head, guint8 octets[STASIS_CHUNK_HEAD_SIZE]);

/* The head of the next CHUNK record of a sequence, whose body begins with @octets (as many as the
 * body has, at most 16): everything that can be checked without its data. */
gboolean stasis_chunk_sequence_next (StasisChunkSequence *self, const StasisRecord *record,
                                     const guint8 *octets, StasisChunkHead *out_head,
                                     GError **error);

/* Compressing and decompressing, for one thread. */
typedef struct _StasisChunkCodec StasisChunkCodec;

/* @level: of compression; 0: only for decompressing.  Never NULL, unless memory is
 * short. */
StasisChunkCodec *stasis_chunk_codec_new (int level);
void stasis_chunk_codec_free (StasisChunkCodec *codec);

/* One frame of at most @out_size octets; 0 where it would be longer, or cannot be made. */
gsize stasis_chunk_codec_pack (StasisChunkCodec *codec, const void *octets, gsize size, void *out,
                               gsize out_size);

/* The @head->length octets of the stream that @data holds in zstd, to @out. */
gboolean stasis_chunk_codec_unpack (StasisChunkCodec *codec, const StasisRecord *record,
                                    const StasisChunkHead *head, const void *data, gsize size,
                                    void *out, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisChunkCodec, stasis_chunk_codec_free)

G_END_DECLS
