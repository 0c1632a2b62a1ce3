/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * streamed-writer.c: writing a save image front to back, into anything
 *
 * Theory of operation
 *
 * The caller's octets are cut into pieces of 2 MiB, which go through a pipeline: its threads
 * compress each and take the record's checksum, and one more thread writes the records in order.
 * So compressing, writing and the caller's own reading from QEMU overlap, and whoever is slowest
 * sets the pace for the others.
 *
 * 2 MiB: as independent frames they are 0.2 % (level 3) to 2.5 % (level 19) longer than one long
 * frame would be (measured on a Linux guest).  A piece that does not get shorter is stored as it
 * is.
 *
 * Once a record is packed in a buffer of its thread, thread and slot exchange buffers, so there are
 * as many as slots and threads together: 17 of 2 MiB with 8 threads.  zstd adds up to 4 MiB for
 * each thread at the levels that use all of them.
 */

#include "config.h"

#include "image/streamed-writer.h"

#include <glib/gi18n-lib.h>

#include "image/chunk-record.h"
#include "image/error.h"
#include "image/front.h"
#include "image/octets.h"
#include "image/pipeline.h"

#define BODY_AT      STASIS_RECORD_HEADER_SIZE
#define DATA_AT      (BODY_AT + STASIS_CHUNK_HEAD_SIZE)
#define BUFFER_SIZE  (DATA_AT + STASIS_CHUNK_WRITE_SIZE + STASIS_RECORD_PADDING_MAX)
#define SLOW_LEVEL   13 /* from here on zstd takes more memory, so there are fewer threads */
#define SLOW_THREADS 6u
#define MAGIC        "QEVM\0\0\0\3"
#define MAGIC_SIZE   8u

/* A piece, and then the record of it. */
typedef struct
{
  guint8 *buffer; /* (owned) BUFFER_SIZE: the record; while it is filled, the piece at DATA_AT */
  gsize length;   /* of the piece */
  guint64 position;
  gsize size; /* of the record, with its padding */
  StasisHash checksum;
} Piece;

/* What one thread has for itself. */
typedef struct
{
  StasisChunkCodec *codec; /* (owned) */
  guint8 *buffer;          /* (owned) BUFFER_SIZE */
} Worker;

struct _StasisStreamedWriter
{
  StasisStreamOut sink; /* what stasis_streamed_writer_body() returns */
  StasisStreamOut *out; /* (borrowed) of the thread while there is one */
  int level;
  guint8 uuid[STASIS_IMAGE_UUID_SIZE];
  guint8 magic[MAGIC_SIZE];  /* the beginning of the stream */
  StasisRecordDigest digest; /* of the thread while there is one */
  StasisPipeline *pipeline;  /* (owned) */
  GThread *thread;           /* that writes; NULL once it was joined */
  GCancellable *stop;        /* (owned) for the thread */
  Piece *piece;              /* (borrowed, nullable) the one that is being filled */
  guint64 octets_in;         /* (atomic) */
  guint64 octets_out;        /* (atomic) */
  gboolean is_over;          /* it failed, or was finished */
};

static gpointer
piece_new (void)
{
  Piece *piece = g_new0 (Piece, 1);
  piece->buffer = g_malloc (BUFFER_SIZE);
  return piece;
}

static void
piece_free (gpointer data)
{
  Piece *piece = data;
  g_free (piece->buffer);
  g_free (piece);
}

static gpointer
worker_new (gpointer data)
{
  const StasisStreamedWriter *self = data;
  Worker *worker = g_new0 (Worker, 1);
  if (self->level > 0)
    {
      worker->codec = stasis_chunk_codec_new (self->level);
      worker->buffer = g_malloc (BUFFER_SIZE);
    }
  return worker;
}

static void
worker_free (gpointer data)
{
  Worker *worker = data;
  stasis_chunk_codec_free (worker->codec);
  g_free (worker->buffer);
  g_free (worker);
}

/* Compress the piece, if that makes it shorter; the octets of data in the buffer. */
static gsize
pack (Piece *piece, Worker *worker, StasisChunkHead *head)
{
  head->encoding = STASIS_CHUNK_RAW;
  const gsize packed
      = worker->codec == NULL
            ? 0
            : stasis_chunk_codec_pack (worker->codec, piece->buffer + DATA_AT, piece->length,
                                       worker->buffer + DATA_AT, piece->length - 1);
  if (packed == 0)
    return piece->length;

  guint8 *buffer = piece->buffer;
  piece->buffer = worker->buffer;
  worker->buffer = buffer;
  head->encoding = STASIS_CHUNK_ZSTD;
  return packed;
}

/* Make the record of a piece. */
static gboolean
work (gpointer slot, gpointer thread_data, gpointer data, GError **error)
{
  Piece *piece = slot;
  StasisChunkHead head = { .length = (guint32) piece->length, .position = piece->position };
  const gsize length = STASIS_CHUNK_HEAD_SIZE + pack (piece, thread_data, &head);
  stasis_chunk_head_encode (&head, piece->buffer + BODY_AT);
  piece->checksum = stasis_record_head_encode (STASIS_RECORD_CHUNK, piece->buffer + BODY_AT, length,
                                               piece->buffer);
  piece->size = stasis_record_size (length);
  memset (piece->buffer + BODY_AT + length, 0, piece->size - BODY_AT - length);
  return TRUE;
}

static gboolean
put (StasisStreamedWriter *self, const void *octets, gsize size, GCancellable *cancellable,
     GError **error)
{
  if (!stasis_stream_out_write (self->out, octets, size, cancellable, error))
    return FALSE;
  __atomic_fetch_add (&self->octets_out, size, __ATOMIC_RELAXED);
  return TRUE;
}

/* Write the records as they become ready. */
static gpointer
run_thread (gpointer data)
{
  StasisStreamedWriter *self = data;
  GError *error = NULL;
  gpointer slot;
  while (stasis_pipeline_take (self->pipeline, &slot, self->stop, &error) && slot != NULL)
    {
      const Piece *piece = slot;
      if (!put (self, piece->buffer, piece->size, self->stop, &error))
        break;
      stasis_record_digest_add (&self->digest, &piece->checksum);
      stasis_pipeline_release (self->pipeline);
    }
  if (error != NULL)
    stasis_pipeline_fail (self->pipeline, error);
  return NULL;
}

static gboolean
start (StasisStreamedWriter *self, guint n_threads, GError **error)
{
  const guint n = stasis_pipeline_choose_n_threads (n_threads);
  const StasisPipelineArgs args
      = { .n_threads = self->level >= SLOW_LEVEL ? MIN (n, SLOW_THREADS) : n,
          .n_slots = n + 1,
          .slot_new = piece_new,
          .slot_free = piece_free,
          .worker_new = worker_new,
          .worker_free = worker_free,
          .work = work,
          .data = self };
  self->pipeline = stasis_pipeline_new (&args, error);
  if (self->pipeline == NULL)
    return FALSE;
  self->thread = g_thread_try_new ("stasis-writer", run_thread, self, error);
  return self->thread != NULL;
}

static gboolean
write_front (StasisStreamedWriter *self, const StasisImageFacts *facts, GCancellable *cancellable,
             GError **error)
{
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  g_byte_array_set_size (octets, STASIS_IMAGE_HEADER_SIZE);
  if (!stasis_image_front_encode (facts, octets, &self->digest, error))
    return FALSE;

  StasisImageHeader header = { .is_stream = TRUE };
  stasis_image_front_fill_header (&header, facts, STASIS_IMAGE_BODY_CHUNKS);
  header.front_length = octets->len - STASIS_IMAGE_HEADER_SIZE;
  header.body_offset = octets->len;
  stasis_image_header_encode (&header, octets->data);
  memcpy (self->uuid, header.uuid, sizeof self->uuid);
  return put (self, octets->data, octets->len, cancellable, error);
}

static gboolean
sink_write (StasisStreamOut *sink, const void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  return stasis_streamed_writer_write ((StasisStreamedWriter *) sink, octets, size, cancellable,
                                       error);
}

/* Borrowed, so there is nothing to free. */
static void
sink_free (StasisStreamOut *sink)
{
}

/* Write header and front records. */
StasisStreamedWriter *
stasis_streamed_writer_begin (StasisStreamOut *out, const StasisImageFacts *facts, int level,
                              guint n_threads, GCancellable *cancellable, GError **error)
{
  if (level < 0 || level > STASIS_STREAMED_LEVEL_MAX)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("there is no compression level %1$d, only 0 to %2$d"), level,
                   STASIS_STREAMED_LEVEL_MAX);
      return NULL;
    }

  g_autoptr (StasisStreamedWriter) self = g_new0 (StasisStreamedWriter, 1);
  self->sink.write = sink_write;
  self->sink.free = sink_free;
  self->out = out;
  self->level = level;
  self->stop = g_cancellable_new ();
  stasis_record_digest_init (&self->digest);
  if (!write_front (self, facts, cancellable, error) || !start (self, n_threads, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* The image's UUID. */
const guint8 *
stasis_streamed_writer_uuid (const StasisStreamedWriter *self)
{
  return self->uuid;
}

static void
submit (StasisStreamedWriter *self)
{
  self->piece = NULL;
  stasis_pipeline_submit (self->pipeline);
}

/* The piece that is being filled. */
static Piece *
get_piece (StasisStreamedWriter *self, GCancellable *cancellable, GError **error)
{
  if (self->piece != NULL)
    return self->piece;

  Piece *piece = stasis_pipeline_fill (self->pipeline, cancellable, error);
  if (piece == NULL)
    return NULL;
  piece->length = 0;
  piece->position = self->octets_in;
  self->piece = piece;
  return piece;
}

static gboolean
add (StasisStreamedWriter *self, const guint8 *octets, gsize size, GCancellable *cancellable,
     GError **error)
{
  while (size > 0)
    {
      if (self->octets_in >= STASIS_IMAGE_END_MAX)
        {
          g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                       _ ("the image would be too large: its stream has more than 4 TiB"));
          return FALSE;
        }
      Piece *piece = get_piece (self, cancellable, error);
      if (piece == NULL)
        return FALSE;

      const gsize n = MIN (size, STASIS_CHUNK_WRITE_SIZE - piece->length);
      memcpy (piece->buffer + DATA_AT + piece->length, octets, n);
      if (self->octets_in < MAGIC_SIZE)
        memcpy (self->magic + self->octets_in, octets, MIN (n, MAGIC_SIZE - self->octets_in));
      piece->length += n;
      octets += n;
      size -= n;
      __atomic_fetch_add (&self->octets_in, n, __ATOMIC_RELAXED);
      if (piece->length == STASIS_CHUNK_WRITE_SIZE)
        submit (self);
    }
  return TRUE;
}

/* The next octets of QEMU's plain stream. */
gboolean
stasis_streamed_writer_write (StasisStreamedWriter *self, const void *octets, gsize size,
                              GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (!self->is_over, FALSE);
  if (!g_cancellable_set_error_if_cancelled (cancellable, error)
      && add (self, octets, size, cancellable, error))
    return TRUE;
  self->is_over = TRUE;
  return FALSE;
}

/* The same as a sink. */
StasisStreamOut *
stasis_streamed_writer_body (StasisStreamedWriter *self)
{
  return &self->sink;
}

/* The last piece, and wait until all are written.  From here on @out and digest are ours again. */
static gboolean
flush (StasisStreamedWriter *self, GCancellable *cancellable, GError **error)
{
  if (self->octets_in < MAGIC_SIZE || memcmp (self->magic, MAGIC, MAGIC_SIZE) != 0)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
                   _ ("cannot write this save image: what was written is no stream of QEMU"));
      return FALSE;
    }
  if (self->piece != NULL)
    submit (self);
  stasis_pipeline_close (self->pipeline, NULL);
  if (!stasis_pipeline_drain (self->pipeline, cancellable, error))
    return FALSE;
  g_thread_join (g_steal_pointer (&self->thread));
  return TRUE;
}

/* What is left, tail records and END. */
gboolean
stasis_streamed_writer_finish (StasisStreamedWriter *self, const StasisJson *disks,
                               GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (!self->is_over, FALSE);
  self->is_over = TRUE;
  if (!flush (self, cancellable, error))
    return FALSE;

  g_autoptr (GByteArray) tail = g_byte_array_new ();
  g_autoptr (GBytes) body = stasis_image_disks_body (disks);
  if (!stasis_record_append (tail, STASIS_RECORD_DISKS, body, &self->digest, error))
    return FALSE;
  g_autoptr (GBytes) end = stasis_record_end_encode (self->uuid, &self->digest);
  return stasis_record_append (tail, STASIS_RECORD_END, end, NULL, error)
         && put (self, tail->data, tail->len, cancellable, error);
}

/* How far it has come: octets of the stream. */
guint64
stasis_streamed_writer_octets_in (const StasisStreamedWriter *self)
{
  return __atomic_load_n (&self->octets_in, __ATOMIC_RELAXED);
}

/* How far it has come: octets of the image. */
guint64
stasis_streamed_writer_octets_out (const StasisStreamedWriter *self)
{
  return __atomic_load_n (&self->octets_out, __ATOMIC_RELAXED);
}

/* NULL is fine. */
void
stasis_streamed_writer_free (StasisStreamedWriter *self)
{
  if (self == NULL)
    return;

  if (self->thread != NULL)
    {
      g_cancellable_cancel (self->stop);
      g_thread_join (self->thread);
    }
  stasis_pipeline_free (self->pipeline);
  g_object_unref (self->stop);
  stasis_record_digest_clear (&self->digest);
  g_free (self);
}
