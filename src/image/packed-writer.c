/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-writer.c: writing a PACKED_RAM body: some of a guest's pages, one behind the other
 *
 * Theory of operation
 *
 * A page gets the next free place when it is put for the first time, and keeps it.  Pages gather in
 * a buffer that ends where a chunk of the body ends; one that is full is hashed and written by
 * threads of the writer's own, past the page cache where that is possible, while the next one is
 * filled: the sync at the end then has little left to wait for.  A page that is put again is
 * written over, once nothing is under way, and its chunk's hash forgotten.
 */

#include "config.h"

#include "image/packed-writer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"
#include "image/types.h"
#include "util/fd.h"
#include "util/hash.h"

#define PAGE    STASIS_IMAGE_PAGE_SIZE
#define CHUNK   STASIS_IMAGE_CHUNK_SIZE
#define NO_SLOT 0u          /* in a table of places, which are counted from 1 */
#define ZERO    G_MAXUINT32 /* a page without a place */

#define THREADS       4u /* a disk wants some writes at a time */
#define IN_FLIGHT_MAX 8u /* buffers */

#define PAGES_MAX (STASIS_IMAGE_END_MAX / PAGE)
#define PUT_MAX \
  (1u << 28) /* pages: arrays of GLib end at 4 GiB, and so do indices made of them \
              */

/* What gathers, or is being written. */
typedef struct
{
  guint8 *octets; /* (owned) CHUNK of them */
  guint64 first;  /* slot */
  guint n;        /* pages in it */
  guint capacity; /* pages, as far as the chunk goes */
} Buffer;

struct _StasisPackedWriter
{
  int fd;      /* (borrowed) through the page cache */
  int data_fd; /* (borrowed) past it, perhaps */
  guint64 body_offset;
  const StasisQemuHead *head;   /* (borrowed) */
  const StasisImageRamMap *map; /* (borrowed) */
  guint8 **bitmaps;             /* (owned) one for each block: what was put */
  guint32 **slots;              /* (owned) the same: each page's place */
  guint64 *first;               /* (owned) each block's first page, counted over all */

  GMutex lock;
  Buffer buffer;     /* guarded by lock, as are the following */
  GPtrArray *spare;  /* (owned) of guint8 *: buffers to be used again */
  GThreadPool *pool; /* (owned) it writes what is full */
  guint n_in_flight;
  GCond landed;
  GError *failure;      /* (owned) (nullable) the first one of the pool's */
  GArray *pages;        /* (owned) of guint32: whose page each slot is */
  guint64 n_put;        /* pages */
  guint64 n_zero;       /* of them without a place */
  GArray *chunk_hashes; /* (owned) of StasisHash */
  GByteArray *chunk_known;
};

static guint
capacity_at (const StasisPackedWriter *self, guint64 slot)
{
  return (guint) ((CHUNK - (self->body_offset + slot * PAGE) % CHUNK) / PAGE);
}

static void
begin_buffer (StasisPackedWriter *self, guint64 first)
{
  void *octets = NULL;
  if (self->spare->len > 0)
    octets = g_ptr_array_steal_index (self->spare, self->spare->len - 1);
  else if (posix_memalign (&octets, PAGE, CHUNK) != 0)
    g_error ("no memory for packed pages"); /* as g_malloc() */
  self->buffer = (Buffer){ octets, first, 0, capacity_at (self, first) };
}

static guint64
chunk_of (const StasisPackedWriter *self, guint64 slot)
{
  return (self->body_offset + slot * PAGE) / CHUNK - self->body_offset / CHUNK;
}

static void
note_hash (StasisPackedWriter *self, guint64 chunk, const StasisHash *hash)
{
  const guint n = (guint) chunk + 1;
  if (self->chunk_known->len < n)
    {
      const guint before = self->chunk_known->len;
      g_array_set_size (self->chunk_hashes, n);
      g_byte_array_set_size (self->chunk_known, n);
      memset (self->chunk_known->data + before, 0, n - before);
    }
  g_array_index (self->chunk_hashes, StasisHash, chunk) = *hash;
  self->chunk_known->data[chunk] = 1;
}

static void
land (StasisPackedWriter *self, Buffer *full, const StasisHash *hash, GError *error_take)
{
  g_mutex_lock (&self->lock);
  note_hash (self, chunk_of (self, full->first), hash);
  g_ptr_array_add (self->spare, full->octets);
  if (self->failure == NULL)
    self->failure = g_steal_pointer (&error_take);
  self->n_in_flight--;
  g_cond_broadcast (&self->landed);
  g_mutex_unlock (&self->lock);
  g_clear_error (&error_take);
  g_free (full);
}

/* A full one, on a thread of the pool. */
static void
write_full (gpointer data, gpointer user_data)
{
  Buffer *full = data;
  StasisPackedWriter *self = user_data;
  GError *error = NULL;
  const gsize size = (gsize) full->n * PAGE;
  const guint64 offset = self->body_offset + full->first * PAGE;
  const StasisHash hash = stasis_hash (full->octets, size);
  if (stasis_fd_pwrite_exact (self->data_fd, full->octets, size, offset, &error))
    /* A hint, no more: the sync comes later, and tells of errors. */
    (void) sync_file_range (self->fd, (off64_t) offset, (off64_t) size, SYNC_FILE_RANGE_WRITE);
  land (self, full, &hash, error);
}

/* Until at most @n are under way; what has failed is told. */
static gboolean
await (StasisPackedWriter *self, guint n, GError **error)
{
  while (self->n_in_flight > n)
    g_cond_wait (&self->landed, &self->lock);
  if (self->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->failure));
  return FALSE;
}

/* The buffer is full: it is written, and a new one begun.  Whoever is faster than the disk waits.
 */
static gboolean
send_buffer (StasisPackedWriter *self, GError **error)
{
  Buffer *full = g_memdup2 (&self->buffer, sizeof self->buffer);
  self->n_in_flight++;
  begin_buffer (self, self->pages->len);
  g_thread_pool_push (self->pool, full, NULL);
  return await (self, IN_FLIGHT_MAX, error);
}

/* Begin a body. */
StasisPackedWriter *
stasis_packed_writer_begin (int fd, int data_fd, guint64 body_offset, const StasisQemuHead *head,
                            const StasisImageRamMap *map, GError **error)
{
  g_autoptr (StasisPackedWriter) self = g_new0 (StasisPackedWriter, 1);
  guint64 n_pages = 0;
  g_mutex_init (&self->lock);
  g_cond_init (&self->landed);
  self->fd = fd;
  self->data_fd = data_fd;
  self->body_offset = body_offset;
  self->head = head;
  self->map = map;
  self->bitmaps = g_new0 (guint8 *, map->n_blocks);
  self->slots = g_new0 (guint32 *, map->n_blocks);
  self->first = g_new0 (guint64, map->n_blocks);
  self->spare = g_ptr_array_new_with_free_func (free);
  self->pages = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->chunk_hashes = g_array_new (FALSE, TRUE, sizeof (StasisHash));
  self->chunk_known = g_byte_array_new ();
  begin_buffer (self, 0);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      const guint64 n = map->blocks[i].used_length / PAGE;
      self->first[i] = n_pages;
      n_pages += n;
      if (n_pages > PAGES_MAX)
        {
          g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                               _ ("the guest's memory is too large for the body of an image"));
          return NULL;
        }
      self->bitmaps[i] = g_malloc0 (n / 8 + 1);
      self->slots[i] = g_new0 (guint32, n);
    }
  if (ftruncate (fd, (off_t) body_offset) < 0)
    {
      stasis_throw_errno (error, _ ("cannot cut the file"));
      return NULL;
    }
  /* There is a pool also where it has not got all its threads, or none. */
  GError *local = NULL;
  self->pool = g_thread_pool_new (write_full, self, THREADS, /* exclusive= */ TRUE, &local);
  if (local == NULL)
    return g_steal_pointer (&self);
  g_propagate_error (error, local);
  return NULL;
}

/* A page that has a place already. */
static gboolean
put_again (StasisPackedWriter *self, guint64 slot, const guint8 *octets, GError **error)
{
  const Buffer *buffer = &self->buffer;
  if (slot >= buffer->first)
    {
      memcpy (buffer->octets + (slot - buffer->first) * PAGE, octets, PAGE);
      return TRUE;
    }
  if (!await (self, 0, error))
    return FALSE;
  self->chunk_known->data[chunk_of (self, slot)] = 0;
  return stasis_fd_pwrite_exact (self->fd, octets, PAGE, self->body_offset + slot * PAGE, error);
}

/* A page that has none. */
static gboolean
put_new (StasisPackedWriter *self, guint block, guint64 page, const guint8 *octets, GError **error)
{
  Buffer *buffer = &self->buffer;
  const guint32 whose = (guint32) (self->first[block] + page);
  memcpy (buffer->octets + (gsize) buffer->n * PAGE, octets, PAGE);
  g_array_append_val (self->pages, whose);
  self->slots[block][page] = self->pages->len; /* from 1 */
  return ++buffer->n < buffer->capacity || send_buffer (self, error);
}

static gboolean
count_new (StasisPackedWriter *self, GError **error)
{
  if (self->n_put++ < PUT_MAX)
    return TRUE;
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                       _ ("more of the memory has changed than an incremental image can have: "
                          "save a whole one"));
  return FALSE;
}

static gboolean
put_page (StasisPackedWriter *self, guint block, guint64 page, const guint8 *octets,
          guint64 *out_written, GError **error)
{
  const gboolean is_zero = stasis_is_zero (octets, PAGE);
  guint32 *slot = &self->slots[block][page];
  self->bitmaps[block][page / 8] |= (guint8) (1u << page % 8);
  if (*slot == NO_SLOT && !count_new (self, error))
    return FALSE;
  if (is_zero && (*slot == NO_SLOT || *slot == ZERO))
    {
      self->n_zero += *slot == NO_SLOT ? 1 : 0;
      *slot = ZERO;
      return TRUE;
    }
  self->n_zero -= *slot == ZERO ? 1 : 0;
  *out_written += PAGE;
  return *slot != NO_SLOT && *slot != ZERO ? put_again (self, *slot - 1, octets, error)
                                           : put_new (self, block, page, octets, error);
}

/* Take in pages. */
gboolean
stasis_packed_writer_put (StasisPackedWriter *self, guint block, guint64 offset,
                          const guint8 *octets, gsize length, guint64 *out_written, GError **error)
{
  g_return_val_if_fail (offset % PAGE == 0 && length % PAGE == 0, FALSE);
  gboolean ok = TRUE;
  g_mutex_lock (&self->lock);
  for (gsize at = 0; ok && at < length; at += PAGE)
    ok = put_page (self, block, (offset + at) / PAGE, octets + at, out_written, error);
  g_mutex_unlock (&self->lock);
  return ok;
}

/* What was put. */
const guint8 *
stasis_packed_writer_bitmap (const StasisPackedWriter *self, guint block)
{
  return self->bitmaps[block];
}

guint64
stasis_packed_writer_count (const StasisPackedWriter *self, guint64 *out_zero)
{
  *out_zero = self->n_zero;
  return self->n_put;
}

static guint64
count_block (const StasisPackedWriter *self, guint block)
{
  guint64 n = 0;
  for (guint64 at = 0; at < self->map->blocks[block].used_length / PAGE / 8 + 1; at++)
    n += (guint64) __builtin_popcount (self->bitmaps[block][at]);
  return n;
}

static void
append_run (GByteArray *out, guint64 page, guint32 count)
{
  guint8 octets[STASIS_PACKED_RUN_SIZE];
  stasis_put_le32 (octets, (guint32) page);
  stasis_put_le32 (octets + 4, count);
  g_byte_array_append (out, octets, sizeof octets);
}

static gboolean
begins_block (const StasisPackedWriter *self, guint64 page)
{
  for (guint i = 0; i < self->map->n_blocks; i++)
    if (self->first[i] == page)
      return TRUE;
  return FALSE;
}

/* The pages with a place, in the order of those. */
static void
append_stored (const StasisPackedWriter *self, GByteArray *out)
{
  guint stop;
  for (guint slot = 0; slot < self->pages->len; slot = stop)
    {
      const guint32 page = g_array_index (self->pages, guint32, slot);
      for (stop = slot + 1; stop < self->pages->len
                            && g_array_index (self->pages, guint32, stop) == page + (stop - slot)
                            && !begins_block (self, page + (stop - slot));)
        stop++;
      append_run (out, page, stop - slot);
    }
}

/* Those without, of a block. */
static void
append_zero (const StasisPackedWriter *self, guint block, GByteArray *out)
{
  const guint32 *slots = self->slots[block];
  const guint64 n_pages = self->map->blocks[block].used_length / PAGE;
  guint64 stop;
  for (guint64 page = 0; page < n_pages; page = stop)
    {
      stop = page + 1;
      if (page % 8 == 0 && self->bitmaps[block][page / 8] == 0)
        stop = page + 8;
      if (slots[page] != ZERO)
        continue;
      for (stop = page + 1; stop < n_pages && slots[stop] == ZERO;)
        stop++;
      append_run (out, self->first[block] + page, (guint32) (stop - page) | STASIS_PACKED_ZERO);
    }
}

/* What QEMU would send of a guest without a page. */
static void
append_stream (const StasisPackedWriter *self, const GByteArray *rest, GByteArray *out)
{
  stasis_qemu_head_append (self->head, FALSE, out);
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      stasis_qemu_append_name (out, self->map->blocks[i].name);
      stasis_qemu_append_u64 (out, self->map->blocks[i].used_length);
    }
  stasis_qemu_append_ram_end (out, self->head->ram_id);
  stasis_qemu_append_ram_section (out, STASIS_QEMU_SECTION_PART, self->head->ram_id);
  stasis_qemu_append_ram_section (out, STASIS_QEMU_SECTION_END, self->head->ram_id);
  g_byte_array_append (out, rest->data, rest->len);
}

static StasisImageRamMap *
make_map (const StasisPackedWriter *self)
{
  g_autoptr (GArray) blocks = g_array_new (FALSE, TRUE, sizeof (StasisImageBlock));
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      StasisImageBlock block
          = { .used_length = self->map->blocks[i].used_length, .n_set = count_block (self, i) };
      g_strlcpy (block.name, self->map->blocks[i].name, sizeof block.name);
      g_array_append_val (blocks, block);
    }
  return stasis_image_ram_map_new (g_steal_pointer (&blocks));
}

/* What stands behind the pages. */
gboolean
stasis_packed_writer_finish (StasisPackedWriter *self, const GByteArray *rest,
                             StasisBodyNotes *notes, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_mutex_lock (&self->lock);
  const gboolean ok = await (self, 0, error);
  g_mutex_unlock (&self->lock);
  if (!ok)
    return FALSE;
  g_byte_array_append (out, self->buffer.octets, self->buffer.n * PAGE);
  const guint index = out->len;
  append_stored (self, out);
  for (guint i = 0; i < self->map->n_blocks; i++)
    append_zero (self, i, out);
  notes->packed = (StasisPackedRam){
    .n_pages = self->pages->len,
    .n_runs = (out->len - index) / STASIS_PACKED_RUN_SIZE,
    .index_hash = stasis_hash (out->data + index, out->len - index),
  };
  append_stream (self, rest, out);
  if (!stasis_fd_pwrite_exact (self->fd, out->data, out->len,
                               self->body_offset + self->buffer.first * PAGE, error))
    return FALSE;
  notes->packed_map = make_map (self);
  notes->chunk_hashes = g_steal_pointer (&self->chunk_hashes);
  notes->chunk_known = g_steal_pointer (&self->chunk_known);
  return TRUE;
}

/* NULL is fine. */
void
stasis_packed_writer_free (StasisPackedWriter *self)
{
  if (self == NULL)
    return;
  if (self->pool != NULL)
    g_thread_pool_free (self->pool, /* immediate= */ FALSE, /* wait= */ TRUE);
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      g_free (self->bitmaps[i]);
      g_free (self->slots[i]);
    }
  g_free (self->bitmaps);
  g_free (self->slots);
  g_free (self->first);
  free (self->buffer.octets);
  g_ptr_array_unref (self->spare);
  g_array_unref (self->pages);
  g_clear_pointer (&self->chunk_hashes, g_array_unref);
  g_clear_pointer (&self->chunk_known, g_byte_array_unref);
  g_clear_error (&self->failure);
  g_cond_clear (&self->landed);
  g_mutex_clear (&self->lock);
  g_free (self);
}
