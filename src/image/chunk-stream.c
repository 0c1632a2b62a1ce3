/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk-stream.c: QEMU's plain stream out of the CHUNK records that hold it
 *
 * Theory of operation
 *
 * A thread reads records from the input into the slots of a pipeline, whose threads check and
 * decompress them; whoever reads the stream gets the pieces in order.  What is wrong with a piece
 * is told in its place: everything before it was right.  The thread also reads what follows the
 * chunks, and only when all of it is as it must be does the stream end.
 *
 * The thread begins with the first read, so that nothing is taken from a pipe before somebody wants
 * it.  It reads under a cancellable of its own: the caller's are for one call each.
 *
 * At most 8 slots of a record and a piece, 4 MiB each: 64 MiB.  Their buffers grow as needed; an
 * image written with pieces of 2 MiB needs half.
 */

#include "config.h"

#include "image/chunk-stream.h"

#include <glib/gi18n-lib.h>

#include "image/chunk-record.h"
#include "image/pipeline.h"

#define SLOTS_MAX 8u

typedef struct
{
  guint8 *octets; /* (owned) */
  gsize size;
} Buffer;

typedef struct
{
  guint8 head[STASIS_RECORD_HEADER_SIZE];
  StasisRecord record;
  StasisChunkHead chunk;
  Buffer stored; /* the record's body */
  Buffer plain;
  const guint8 *octets; /* (borrowed) of the stream, chunk.length of them */
} Slot;

typedef struct
{
  StasisStreamIn base;
  StasisChunkStreamArgs args;
  StasisPipeline *pipeline; /* (owned, nullable) before the first read */
  GThread *thread;          /* (nullable) that reads the input */
  GCancellable *stop;       /* (owned) for the thread */
  const Slot *slot;         /* (borrowed, nullable) that is being handed out */
  gsize offset;             /* in it */
} ChunkStream;

static gpointer
slot_new (void)
{
  return g_new0 (Slot, 1);
}

static void
slot_free (gpointer data)
{
  Slot *slot = data;
  g_free (slot->stored.octets);
  g_free (slot->plain.octets);
  g_free (slot);
}

static gpointer
worker_new (gpointer data)
{
  return stasis_chunk_codec_new (0);
}

static void
worker_free (gpointer codec)
{
  stasis_chunk_codec_free (codec);
}

/* Room for @size octets, which were held against their limit. */
static gboolean
reserve (Buffer *buffer, gsize size, const StasisRecord *record, GError **error)
{
  if (buffer->size >= size)
    return TRUE;
  g_free (buffer->octets);
  buffer->octets = g_try_malloc (size);
  buffer->size = buffer->octets != NULL ? size : 0;
  return buffer->octets != NULL || stasis_record_throw (record, _ ("not enough memory"), error);
}

/* Check a record and get the piece out of it. */
static gboolean
work (gpointer data, gpointer codec, gpointer stream, GError **error)
{
  Slot *slot = data;
  const guint8 *octets = slot->stored.octets + STASIS_CHUNK_HEAD_SIZE;
  if (!stasis_record_check_sum (&slot->record, slot->head, slot->stored.octets, error))
    return FALSE;

  slot->octets = octets;
  if (slot->chunk.encoding == STASIS_CHUNK_RAW)
    return TRUE;
  slot->octets = NULL;
  if (!reserve (&slot->plain, slot->chunk.length, &slot->record, error)
      || !stasis_chunk_codec_unpack (codec, &slot->record, &slot->chunk, octets,
                                     slot->record.length - STASIS_CHUNK_HEAD_SIZE,
                                     slot->plain.octets, error))
    return FALSE;
  slot->octets = slot->plain.octets;
  return TRUE;
}

/* The body of the CHUNK whose head was read; what is wrong with it may show in its head already,
 * but a wrong checksum is the better news. */
static gboolean
read_chunk (ChunkStream *self, StasisChunkSequence *sequence, Slot *slot, GError **error)
{
  const StasisRecord *record = &slot->record;
  if (!reserve (&slot->stored, MAX (record->length, STASIS_CHUNK_HEAD_SIZE), record, error)
      || !stasis_record_stream_body (self->args.records, record, slot->stored.octets, self->stop,
                                     error))
    return FALSE;
  g_autoptr (GError) cause = NULL;
  if (stasis_chunk_sequence_next (sequence, record, slot->stored.octets, &slot->chunk, &cause))
    return TRUE;
  if (stasis_record_check_sum (record, slot->head, slot->stored.octets, error))
    g_propagate_error (error, g_steal_pointer (&cause));
  return FALSE;
}

/* All of the input, the chunks into slots. */
static gboolean
read_input (ChunkStream *self, GError **error)
{
  StasisRecordStream *records = self->args.records;
  StasisChunkSequence sequence = { 0, 0 };
  for (;;)
    {
      Slot *slot = stasis_pipeline_fill (self->pipeline, self->stop, error);
      gboolean is_end = FALSE;
      if (slot == NULL
          || !stasis_record_stream_head (records, G_MAXUINT64, slot->head, &slot->record, &is_end,
                                         self->stop, error))
        return FALSE;
      if (is_end || slot->record.type != STASIS_RECORD_CHUNK)
        return self->args.on_rest (is_end ? NULL : slot->head, is_end ? NULL : &slot->record,
                                   self->args.data, self->stop, error);

      if (!read_chunk (self, &sequence, slot, error))
        return FALSE;
      if (self->args.on_chunk != NULL)
        self->args.on_chunk (&slot->record.checksum, self->args.data);
      stasis_pipeline_submit (self->pipeline);
    }
}

static gpointer
run_thread (gpointer data)
{
  ChunkStream *self = data;
  GError *error = NULL;
  read_input (self, &error);
  stasis_pipeline_close (self->pipeline, error);
  return NULL;
}

static gboolean
start (ChunkStream *self, GError **error)
{
  const guint n_threads = stasis_pipeline_choose_n_threads (self->args.n_threads);
  const StasisPipelineArgs args = { .n_threads = n_threads,
                                    .n_slots = MIN (n_threads + 2, SLOTS_MAX),
                                    .slot_new = slot_new,
                                    .slot_free = slot_free,
                                    .worker_new = worker_new,
                                    .worker_free = worker_free,
                                    .work = work,
                                    .data = self };
  self->pipeline = stasis_pipeline_new (&args, error);
  if (self->pipeline == NULL)
    return FALSE;
  self->thread = g_thread_try_new ("stasis-reader", run_thread, self, error);
  return self->thread != NULL;
}

/* The next slot to hand out, NULL at the end. */
static gboolean
next_slot (ChunkStream *self, GCancellable *cancellable, GError **error)
{
  gpointer slot;
  if (!stasis_pipeline_take (self->pipeline, &slot, cancellable, error))
    return FALSE;
  self->slot = slot;
  self->offset = 0;
  return TRUE;
}

static gssize
read_some (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
           GError **error)
{
  ChunkStream *self = (ChunkStream *) base;
  if (self->pipeline == NULL && !start (self, error))
    return -1;
  if (self->slot == NULL && !next_slot (self, cancellable, error))
    return -1;
  if (self->slot == NULL)
    return 0;

  const gsize n = MIN (size, self->slot->chunk.length - self->offset);
  memcpy (octets, self->slot->octets + self->offset, n);
  self->offset += n;
  if (self->offset == self->slot->chunk.length)
    {
      self->slot = NULL;
      stasis_pipeline_release (self->pipeline);
    }
  return (gssize) n;
}

static void
free_stream (StasisStreamIn *base)
{
  ChunkStream *self = (ChunkStream *) base;
  if (self->thread != NULL)
    {
      g_cancellable_cancel (self->stop);
      g_thread_join (self->thread);
    }
  stasis_pipeline_free (self->pipeline);
  g_object_unref (self->stop);
  g_free (self);
}

/* Each chunk is checked before a single octet of it is handed out. */
StasisStreamIn *
stasis_chunk_stream_new (const StasisChunkStreamArgs *args)
{
  ChunkStream *self = g_new0 (ChunkStream, 1);
  self->base.read = read_some;
  self->base.free = free_stream;
  self->args = *args;
  self->stop = g_cancellable_new ();
  return &self->base;
}
