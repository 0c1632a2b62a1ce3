/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-chunks.c: the CHUNK records of a streamed image in a file
 *
 * The checksum of each, its padding and its reserved fields; a deep verification also decompresses
 * it.  What the heads say of lengths and positions was checked when the image was opened, and is
 * under the checksum.
 */

#include "config.h"

#include "image/verify-private.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/chunk-record.h"
#include "image/chunks.h"
#include "util/fd.h"

/* What one thread has for itself. */
typedef struct
{
  StasisChunkCodec *codec; /* (owned) */
  guint8 *record;          /* (owned) the largest there may be */
  guint8 *plain;           /* (owned) STASIS_CHUNK_MAX */
} Worker;

static gpointer
worker_new (gpointer data)
{
  Worker *worker = g_new0 (Worker, 1);
  worker->codec = stasis_chunk_codec_new (0);
  worker->record
      = g_malloc (stasis_record_size (STASIS_CHUNK_HEAD_SIZE + (guint64) STASIS_CHUNK_MAX));
  worker->plain = g_malloc (STASIS_CHUNK_MAX);
  return worker;
}

static void
worker_free (gpointer data)
{
  Worker *worker = data;
  stasis_chunk_codec_free (worker->codec);
  g_free (worker->record);
  g_free (worker->plain);
  g_free (worker);
}

static const StasisImageChunk *
get_chunk (const StasisVerification *self, guint64 index)
{
  return &g_array_index (self->image->chunks, StasisImageChunk, index);
}

static guint64
get_size (guint64 index, gpointer data)
{
  return stasis_record_size (get_chunk (data, index)->stored);
}

static gboolean
check_record (StasisVerification *self, const StasisImageChunk *chunk, Worker *worker,
              GError **error)
{
  const gsize size = stasis_record_size (chunk->stored);
  const guint8 *body = worker->record + STASIS_RECORD_HEADER_SIZE;
  StasisChunkSequence sequence = { 0, chunk->position };
  StasisRecord record;
  StasisChunkHead head;
  if (!stasis_fd_pread_exact (self->image->fd, worker->record, size, chunk->offset, error)
      || !stasis_record_head_decode (worker->record, chunk->offset, chunk->offset + size, &record,
                                     error)
      || !stasis_record_check_sum (&record, worker->record, body, error)
      || !stasis_chunk_sequence_next (&sequence, &record, body, &head, error))
    return FALSE;

  if (record.type != STASIS_RECORD_CHUNK || !stasis_hash_equal (&record.checksum, &chunk->checksum))
    return stasis_record_throw (&record, _ ("has changed since the image was opened"), error);
  if (record.flags != 0)
    return stasis_record_throw (&record, _ ("a reserved field is not zero"), error);
  if (!stasis_is_zero (body + record.length, size - STASIS_RECORD_HEADER_SIZE - record.length))
    return stasis_record_throw (&record, _ ("its padding is not zero"), error);
  if (head.encoding == STASIS_CHUNK_RAW || (self->flags & STASIS_IMAGE_VERIFY_DEEP) == 0)
    return TRUE;
  return stasis_chunk_codec_unpack (worker->codec, &record, &head, body + STASIS_CHUNK_HEAD_SIZE,
                                    record.length - STASIS_CHUNK_HEAD_SIZE, worker->plain, error);
}

static gboolean
verify_chunk (guint64 index, StasisChunkReader *reader, gpointer worker, gpointer data,
              GError **error)
{
  StasisVerification *self = data;
  const StasisImageChunk *chunk = get_chunk (self, index);
  GError *cause = NULL;
  if (check_record (self, chunk, worker, &cause))
    return TRUE;
  g_prefix_error (&cause, _ ("octets 0x%1$" PRIx64 " to 0x%2$" PRIx64 " of QEMU's stream: "),
                  chunk->position, chunk->position + chunk->length);
  return stasis_damage_list_add_error (&self->damages, chunk->offset,
                                       stasis_record_size (chunk->stored), cause, error);
}

/* The records of a CHUNKS body. */
gboolean
stasis_verify_chunks (StasisVerification *self, GCancellable *cancellable, GError **error)
{
  const StasisChunkPass pass = { .fd = self->image->fd,
                                 .item_size = get_size,
                                 .n_items = self->image->chunks->len,
                                 .body = { self->image->header.body_offset,
                                           stasis_image_header_body_end (&self->image->header) },
                                 .n_threads = self->n_threads,
                                 .visit = verify_chunk,
                                 .thread_data_new = worker_new,
                                 .thread_data_free = worker_free,
                                 .data = self,
                                 .stop = &self->damages.stop,
                                 .progress = self->progress,
                                 .progress_data = self->progress_data };
  return stasis_chunk_pass_run (&pass, cancellable, error);
}
