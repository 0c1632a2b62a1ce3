/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunks.c: going over the body in chunks of 1 MiB, on several threads
 *
 * Theory of operation
 *
 * The threads draw chunk numbers from a shared counter, so chunks begin in rising order and each is
 * visited once.  The calling thread waits for them and reports progress meanwhile.  Memory is
 * bounded: one small buffer for each thread, which also stays in the processor's cache between the
 * read and the hash.  Holes are never read (a read would fill the page cache with zeros): their
 * share of the hash is fed from a static page of zeros, and a chunk that is all hole costs one
 * lseek().
 *
 * SEEK_DATA moves the position that all threads share; nobody uses it, all reads have offsets.
 */

#include "config.h"

#include "image/chunks.h"

#include "image/extents.h"
#include "util/fd.h"

#define PIECE       (128u * 1024) /* octets read and hashed at a time */
#define THREADS_MAX 8u
#define REPORT_US   100000

struct _StasisChunkReader
{
  int fd;
  guint8 *buffer;       /* (owned) PIECE octets */
  StasisHasher *hasher; /* (owned) */
};

typedef struct
{
  const StasisChunkPass *pass;
  GCancellable *cancellable; /* (borrowed, nullable) */
  guint64 n_chunks;
  guint64 next; /* (atomic) the next chunk to begin */
  guint64 done; /* (atomic) octets */
  int failed;   /* (atomic) */
  GMutex lock;
  GCond changed;
  guint n_running; /* (guarded by lock) */
  GError *error;   /* (owned, guarded by lock) the first one */
} Run;

static const guint8 zeros[PIECE];

guint64
stasis_body_n_chunks (const StasisBody *body)
{
  const guint64 last = (body->end + STASIS_IMAGE_CHUNK_SIZE - 1) / STASIS_IMAGE_CHUNK_SIZE;
  return last - body->offset / STASIS_IMAGE_CHUNK_SIZE;
}

/* Chunk @index: [*@out_start, *@out_end) of the file. */
void
stasis_body_chunk (const StasisBody *body, guint64 index, guint64 *out_start, guint64 *out_end)
{
  const guint64 number = body->offset / STASIS_IMAGE_CHUNK_SIZE + index;
  *out_start = MAX (number * STASIS_IMAGE_CHUNK_SIZE, body->offset);
  *out_end = MIN ((number + 1) * STASIS_IMAGE_CHUNK_SIZE, body->end);
}

static void
feed_zeros (StasisChunkReader *reader, guint64 count)
{
  for (; count > 0; count -= MIN (count, PIECE))
    stasis_hasher_update (reader->hasher, zeros, MIN (count, PIECE));
}

static gboolean
feed_data (StasisChunkReader *reader, guint64 start, guint64 end, StasisPieceFunc piece,
           gpointer piece_data, GError **error)
{
  for (; start < end; start += MIN (end - start, PIECE))
    {
      const gsize n = MIN (end - start, PIECE);
      if (!stasis_fd_pread_exact (reader->fd, reader->buffer, n, start, error))
        return FALSE;
      stasis_hasher_update (reader->hasher, reader->buffer, n);
      if (piece != NULL && !piece (start, reader->buffer, n, piece_data, error))
        return FALSE;
    }
  return TRUE;
}

static StasisHash
hash_of_zeros (void)
{
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  for (gsize at = 0; at < STASIS_IMAGE_CHUNK_SIZE; at += PIECE)
    stasis_hasher_update (hasher, zeros, PIECE);
  return stasis_hasher_digest (hasher);
}

/* Most of an image may be holes, so their hash is computed once. */
static const StasisHash *
get_zero_hash (void)
{
  static gsize is_ready;
  static StasisHash hash;
  if (g_once_init_enter (&is_ready))
    {
      hash = hash_of_zeros ();
      g_once_init_leave (&is_ready, 1);
    }
  return &hash;
}

/* The hash of [@start, @end), holes taken as zeros. */
gboolean
stasis_chunk_reader_hash (StasisChunkReader *reader, guint64 start, guint64 end,
                          StasisPieceFunc piece, gpointer piece_data, StasisHash *out_hash,
                          GError **error)
{
  stasis_hasher_reset (reader->hasher);
  for (guint64 at = start; at < end;)
    {
      guint64 data, hole;
      if (!stasis_extent_next (reader->fd, at, end, &data, &hole, error))
        return FALSE;
      if (data == end && at == start && end - start == STASIS_IMAGE_CHUNK_SIZE)
        {
          *out_hash = *get_zero_hash ();
          return TRUE;
        }
      feed_zeros (reader, data - at);
      if (!feed_data (reader, data, hole, piece, piece_data, error))
        return FALSE;
      at = hole;
    }
  *out_hash = stasis_hasher_digest (reader->hasher);
  return TRUE;
}

static void
fail (Run *run, GError *error_take)
{
  g_atomic_int_set (&run->failed, 1);
  g_mutex_lock (&run->lock);
  if (run->error == NULL)
    run->error = error_take;
  else
    g_error_free (error_take);
  g_mutex_unlock (&run->lock);
}

/* The number of the next chunk, or FALSE where this thread has nothing more to do. */
static gboolean
draw (Run *run, guint64 *out_index)
{
  const StasisChunkPass *pass = run->pass;
  if (g_atomic_int_get (&run->failed) || (pass->stop != NULL && g_atomic_int_get (pass->stop) != 0))
    return FALSE;
  *out_index = __atomic_fetch_add (&run->next, 1, __ATOMIC_RELAXED);
  return *out_index < run->n_chunks;
}

static guint64
get_size (const StasisChunkPass *pass, guint64 index)
{
  if (pass->item_size != NULL)
    return pass->item_size (index, pass->data);
  guint64 start, end;
  stasis_body_chunk (&pass->body, index, &start, &end);
  return end - start;
}

static void
visit_chunks (Run *run, StasisChunkReader *reader, gpointer thread_data)
{
  const StasisChunkPass *pass = run->pass;
  guint64 index;
  while (draw (run, &index))
    {
      GError *error = NULL;
      if (g_cancellable_set_error_if_cancelled (run->cancellable, &error)
          || !pass->visit (index, reader, thread_data, pass->data, &error))
        {
          fail (run, error);
          return;
        }
      __atomic_fetch_add (&run->done, get_size (pass, index), __ATOMIC_RELAXED);
    }
}

static gpointer
run_thread (gpointer data)
{
  Run *run = data;
  const StasisChunkPass *pass = run->pass;
  StasisChunkReader reader
      = { .fd = pass->fd, .buffer = g_malloc (PIECE), .hasher = stasis_hasher_new () };
  gpointer thread_data = pass->thread_data_new != NULL ? pass->thread_data_new (pass->data) : NULL;

  visit_chunks (run, &reader, thread_data);

  if (thread_data != NULL)
    pass->thread_data_free (thread_data);
  stasis_hasher_free (reader.hasher);
  g_free (reader.buffer);

  g_mutex_lock (&run->lock);
  run->n_running--;
  g_cond_signal (&run->changed);
  g_mutex_unlock (&run->lock);
  return NULL;
}

static void
report (Run *run)
{
  const StasisChunkPass *pass = run->pass;
  if (pass->progress != NULL)
    pass->progress (__atomic_load_n (&run->done, __ATOMIC_RELAXED),
                    pass->body.end - pass->body.offset, pass->progress_data);
}

/* Until all threads are done; the lock is not held while reporting. */
static void
wait_for_threads (Run *run)
{
  gint64 deadline = g_get_monotonic_time () + REPORT_US;
  g_mutex_lock (&run->lock);
  while (run->n_running > 0)
    {
      if (g_cond_wait_until (&run->changed, &run->lock, deadline))
        continue;
      g_mutex_unlock (&run->lock);
      report (run);
      deadline = g_get_monotonic_time () + REPORT_US;
      g_mutex_lock (&run->lock);
    }
  g_mutex_unlock (&run->lock);
}

static guint
choose_n_threads (const Run *run)
{
  const guint asked = run->pass->n_threads != 0 ? run->pass->n_threads
                                                : MIN (g_get_num_processors (), THREADS_MAX);
  return (guint) CLAMP (run->n_chunks, 1, asked);
}

/* As many threads as there may be; where there can be none, the caller's does the work. */
static GPtrArray *
start_threads (Run *run)
{
  const guint n_threads = choose_n_threads (run);
  GPtrArray *threads = g_ptr_array_new ();
  run->n_running = n_threads;
  for (guint i = 0; i < n_threads; i++)
    {
      GThread *thread = g_thread_try_new ("stasis-chunks", run_thread, run, NULL);
      if (thread != NULL)
        g_ptr_array_add (threads, thread);
    }

  g_mutex_lock (&run->lock);
  run->n_running -= n_threads - MAX (threads->len, 1);
  g_mutex_unlock (&run->lock);
  return threads;
}

/* Run a pass. */
gboolean
stasis_chunk_pass_run (const StasisChunkPass *pass, GCancellable *cancellable, GError **error)
{
  Run run = { .pass = pass,
              .cancellable = cancellable,
              .n_chunks
              = pass->item_size != NULL ? pass->n_items : stasis_body_n_chunks (&pass->body) };
  g_mutex_init (&run.lock);
  g_cond_init (&run.changed);

  g_autoptr (GPtrArray) threads = start_threads (&run);
  if (threads->len == 0)
    run_thread (&run);
  wait_for_threads (&run);
  for (guint i = 0; i < threads->len; i++)
    g_thread_join (g_ptr_array_index (threads, i));

  g_mutex_clear (&run.lock);
  g_cond_clear (&run.changed);
  if (run.error != NULL)
    {
      g_propagate_error (error, run.error);
      return FALSE;
    }
  report (&run);
  return TRUE;
}
