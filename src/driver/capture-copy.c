/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture-copy.c: a guest's memory, read from outside, into a mapped body
 *
 * Theory of operation
 *
 * The memory is divided into pieces, which some threads read, hash and write: a disk wants some
 * writes at a time.  Of a guest that runs meanwhile, what it has changed since is read again, and
 * put in place of what was written first; those pages lie here and there, so they go through the
 * page cache.  The pieces that they lie in are hashed anew at the end, from the file.
 */

#include "config.h"

#include "driver/capture-copy.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/guest-memory.h"
#include "driver/side-thread.h"
#include "image/mapped-writer.h"
#include "image/packed-writer.h"
#include "image/types.h"
#include "util/fd.h"

#define THREADS_MIN 4u /* a disk wants some writes at a time, however few processors */
#define THREADS_MAX 8u
#define PIECE_SIZE  STASIS_GUEST_MEMORY_PIECE
#define ALIGNMENT   4096u /* of what goes past the page cache */

struct _StasisCaptureCopy
{
  int fd;                       /* (borrowed) through the page cache */
  int data_fd;                  /* (owned) what pieces are written to */
  StasisImageRamMap *map;       /* (owned) of the new body */
  GPtrArray *blocks;            /* (owned) of StasisRamBlock (borrowed): by the map's numbers */
  StasisGuestMemory *memory;    /* (owned) its blocks have those numbers too */
  const StasisImageChain *base; /* (borrowed) (nullable) only what differs from it is written */
  guint *base_blocks;           /* (owned) the blocks' numbers there */
  gboolean is_mapped;           /* the memory is mapped from it */
  StasisImageHashes *hashes;    /* (owned) (nullable) until they are given away */
  int *hash_blocks;             /* (owned) their numbers there, or -1: too small */
  GPtrArray *stale;             /* (owned) of guint8 *: for each block which pieces to hash anew */
  StasisMappedWriter *writer;   /* (owned) (nullable) of all of it */
  StasisPackedWriter *packed;   /* (owned) (nullable) of what differs from the base */
  guint64 total;                /* octets of all blocks */
  StasisHash zeros;             /* of a whole piece */

  StasisSideThread *side;    /* (borrowed) */
  GCancellable *cancellable; /* (borrowed) */
  GMutex lock;
  guint next_block; /* guarded by lock, as are the following */
  guint64 next_offset;
  guint64 done;
  guint64 written;
  GError *failure; /* (owned) (nullable) the first one */
};

/* NULL is fine. */
void
stasis_capture_copy_free (StasisCaptureCopy *self)
{
  if (self == NULL)
    return;
  stasis_mapped_writer_free (self->writer);
  stasis_packed_writer_free (self->packed);
  stasis_guest_memory_free (self->memory);
  stasis_image_hashes_free (self->hashes);
  stasis_image_ram_map_free (self->map);
  g_clear_pointer (&self->blocks, g_ptr_array_unref);
  g_clear_pointer (&self->stale, g_ptr_array_unref);
  stasis_fd_clear (&self->data_fd);
  g_free (self->hash_blocks);
  g_free (self->base_blocks);
  g_clear_error (&self->failure);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static StasisRamBlock *
find_block (const GPtrArray *blocks, const char *name)
{
  for (guint i = 0; i < blocks->len; i++)
    {
      StasisRamBlock *block = g_ptr_array_index (blocks, i);
      if (g_str_equal (block->name, name))
        return block;
    }
  return NULL;
}

static gboolean
find_base_block (StasisCaptureCopy *self, guint number, GError **error)
{
  const StasisImage *image = self->base != NULL ? stasis_image_chain_get (self->base, 0) : NULL;
  if (image == NULL)
    return TRUE;
  const StasisImageBlock *block = &self->map->blocks[number];
  const StasisImageRamMap *map = stasis_image_ram_map (image);
  const StasisImageBlock *found = stasis_image_ram_map_lookup (map, block->name);
  if (found == NULL || found->used_length != block->used_length
      || map->n_blocks != self->map->n_blocks)
    {
      g_set_error (
          error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
          _ ("'%1$s' cannot be the base: its RAM blocks are not those of the guest ('%2$s')"),
          stasis_image_name (image), block->name);
      return FALSE;
    }
  self->base_blocks[number] = (guint) (found - map->blocks);
  return TRUE;
}

/* The map's blocks in their order, with the lengths of now. */
static gboolean
take_blocks (StasisCaptureCopy *self, const GPtrArray *ram_blocks, GError **error)
{
  self->hash_blocks = g_new (int, self->map->n_blocks);
  self->base_blocks = g_new0 (guint, self->map->n_blocks);
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      StasisImageBlock *block = &self->map->blocks[i];
      StasisRamBlock *ram = find_block (ram_blocks, block->name);
      if (ram == NULL || ram->host_address == 0)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("QEMU does not tell where its RAM block '%s' is"), block->name);
          return FALSE;
        }
      block->used_length = ram->used_length;
      if (!find_base_block (self, i, error))
        return FALSE;
      self->total += ram->used_length;
      g_ptr_array_add (self->blocks, ram);
      g_ptr_array_add (self->stale, g_malloc0 (ram->used_length / PIECE_SIZE + 1));
      stasis_guest_memory_add (self->memory, ram);
      self->hash_blocks[i]
          = ram->used_length >= PIECE_SIZE
                ? (int) stasis_image_hashes_add_block (self->hashes, block->name, ram->used_length)
                : -1;
    }
  return TRUE;
}

static int
open_data (const StasisCaptureTarget *target, GError **error)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", target->fd);
  const int fd = target->direct_io ? stasis_fd_open (path, O_WRONLY | O_DIRECT, 0, NULL) : -1;
  return fd >= 0 ? fd : stasis_fd_open (path, O_WRONLY, 0, error);
}

/* Begin. */
StasisCaptureCopy *
stasis_capture_copy_new (const StasisCaptureSource *source, const StasisCaptureTarget *target,
                         StasisQemuHead *head, StasisImageRamMap *map_take, GError **error)
{
  g_autoptr (StasisCaptureCopy) self = g_new0 (StasisCaptureCopy, 1);
  g_autofree guint8 *zeros = g_malloc0 (PIECE_SIZE);
  g_mutex_init (&self->lock);
  self->zeros = stasis_hash (zeros, PIECE_SIZE);
  self->fd = target->fd;
  self->map = map_take;
  self->base = source->base;
  self->is_mapped = source->is_mapped;
  self->blocks = g_ptr_array_new ();
  self->memory = stasis_guest_memory_new (source->qemu, source->image);
  self->hashes = stasis_image_hashes_new ();
  self->stale = g_ptr_array_new_with_free_func (g_free);
  self->data_fd = open_data (target, error);
  if (self->data_fd < 0 || !take_blocks (self, source->ram_blocks, error))
    return NULL;
  head->ram_total = self->total;
  if (self->base != NULL)
    self->packed = stasis_packed_writer_begin (target->fd, self->data_fd, target->offset, head,
                                               self->map, error);
  else
    self->writer = stasis_mapped_writer_begin (target->fd, target->offset, head, self->map, error);
  return self->writer != NULL || self->packed != NULL ? g_steal_pointer (&self) : NULL;
}

/* A block by its number. */
const StasisRamBlock *
stasis_capture_copy_block (const StasisCaptureCopy *self, guint number)
{
  return g_ptr_array_index (self->blocks, number);
}

guint
stasis_capture_copy_n_blocks (const StasisCaptureCopy *self)
{
  return self->blocks->len;
}

/* What was written of it. */
const guint8 *
stasis_capture_copy_bitmap (const StasisCaptureCopy *self, guint number, gsize *out_octets)
{
  *out_octets = (self->map->blocks[number].used_length / STASIS_IMAGE_PAGE_SIZE + 7) / 8;
  if (stasis_guest_memory_is_mapped (self->memory, number))
    return NULL;
  return self->packed != NULL ? stasis_packed_writer_bitmap (self->packed, number)
                              : stasis_mapped_writer_bitmap (self->writer, number);
}

/* What there was of it. */
guint8 *
stasis_capture_copy_base_bitmap (const StasisCaptureCopy *self, guint number, gsize *out_octets)
{
  return stasis_guest_memory_is_mapped (self->memory, number)
             ? NULL
             : stasis_image_chain_bitmap (self->base, self->base_blocks[number], out_octets);
}

static gboolean
take_piece (StasisCaptureCopy *self, StasisGuestRange *out_piece)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&self->lock);
  while (self->next_block < self->map->n_blocks
         && self->next_offset == self->map->blocks[self->next_block].used_length)
    {
      self->next_block++;
      self->next_offset = 0;
    }
  if (self->failure != NULL || self->next_block == self->map->n_blocks
      || g_cancellable_set_error_if_cancelled (self->cancellable, &self->failure))
    return FALSE;
  const guint64 left = self->map->blocks[self->next_block].used_length - self->next_offset;
  *out_piece = (StasisGuestRange){ self->next_block, self->next_offset, MIN (left, PIECE_SIZE) };
  self->next_offset += out_piece->length;
  return TRUE;
}

static void
hash_piece (StasisCaptureCopy *self, const StasisGuestRange *piece, const guint8 *octets,
            gboolean is_zero)
{
  const int number = self->hash_blocks[piece->block];
  if (number < 0)
    return;
  const StasisHash hash
      = is_zero && piece->length == PIECE_SIZE ? self->zeros : stasis_hash (octets, piece->length);
  stasis_image_hashes_set (self->hashes, (guint) number, piece->offset / PIECE_SIZE, &hash);
}

/* Of the base's piece in @before: write the pages that are other ones now. */
static gboolean
put_differing (StasisCaptureCopy *self, const StasisGuestRange *piece, const guint8 *now,
               const guint8 *before, guint64 *written, GError **error)
{
  for (gsize at = 0; at < piece->length; at += STASIS_IMAGE_PAGE_SIZE)
    {
      const gsize size = MIN (STASIS_IMAGE_PAGE_SIZE, piece->length - at);
      if (memcmp (now + at, before + at, size) != 0
          && !stasis_packed_writer_put (self->packed, piece->block, piece->offset + at, now + at,
                                        size, written, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
compare_piece (StasisCaptureCopy *self, const StasisGuestRange *piece, guint8 *octets,
               guint64 *written, GError **error)
{
  g_autofree guint8 *before = g_malloc (PIECE_SIZE);
  gboolean is_zero, was_zero;
  if (!stasis_guest_memory_read (self->memory, piece->block, piece->offset, octets, piece->length,
                                 &is_zero, error)
      || !stasis_image_chain_read (self->base, self->base_blocks[piece->block], piece->offset,
                                   before, piece->length, FALSE, &was_zero, NULL, error))
    return FALSE;
  if (is_zero && was_zero)
    return TRUE;
  if (is_zero)
    memset (octets, 0, piece->length);
  if (was_zero)
    memset (before, 0, piece->length);
  return put_differing (self, piece, octets, before, written, error);
}

/* What the guest has written to since it was restored from the base. */
static gboolean
copy_own (StasisCaptureCopy *self, const GArray *ranges, guint8 *octets, guint64 *written,
          GError **error)
{
  if (!stasis_guest_memory_read_ranges (self->memory, (const StasisGuestRange *) ranges->data,
                                        ranges->len, octets, error))
    return FALSE;
  for (guint i = 0; i < ranges->len; i++)
    {
      const StasisGuestRange *range = &g_array_index (ranges, StasisGuestRange, i);
      if (!stasis_packed_writer_put (self->packed, range->block, range->offset, octets,
                                     range->length, written, error))
        return FALSE;
      octets += range->length;
    }
  return TRUE;
}

static gboolean
copy_changed (StasisCaptureCopy *self, const StasisGuestRange *piece, guint8 *octets,
              guint64 *written, GError **error)
{
  g_autoptr (GArray) ranges = g_array_new (FALSE, FALSE, sizeof (StasisGuestRange));
  if (self->is_mapped
      && stasis_guest_memory_own (self->memory, piece->block, piece->offset, piece->length, ranges))
    return copy_own (self, ranges, octets, written, error);
  return compare_piece (self, piece, octets, written, error);
}

static gboolean
copy_piece (StasisCaptureCopy *self, const StasisGuestRange *piece, guint8 *octets,
            guint64 *written, GError **error)
{
  gboolean is_zero;
  if (self->base != NULL)
    return copy_changed (self, piece, octets, written, error);
  if (!stasis_guest_memory_read (self->memory, piece->block, piece->offset, octets, piece->length,
                                 &is_zero, error))
    return FALSE;
  if (is_zero && piece->length < PIECE_SIZE)
    memset (octets, 0, piece->length);
  hash_piece (self, piece, octets, is_zero);
  return is_zero
         || stasis_mapped_writer_put (self->writer, self->data_fd, piece->block, piece->offset,
                                      octets, piece->length, written, error);
}

static void
note_piece (StasisCaptureCopy *self, const StasisGuestRange *piece, guint64 written,
            GError *error_take)
{
  g_mutex_lock (&self->lock);
  self->done += piece->length;
  self->written += written;
  if (self->failure == NULL)
    self->failure = g_steal_pointer (&error_take);
  stasis_side_thread_tell (self->done, self->total, self->side);
  g_mutex_unlock (&self->lock);
  g_clear_error (&error_take);
}

static gpointer
copy_pieces (gpointer data)
{
  StasisCaptureCopy *self = data;
  void *octets = NULL;
  if (posix_memalign (&octets, ALIGNMENT, PIECE_SIZE) != 0)
    g_error ("no memory for a piece of a guest's"); /* as g_malloc() */
  StasisGuestRange piece;
  while (take_piece (self, &piece))
    {
      GError *error = NULL;
      guint64 written = 0;
      copy_piece (self, &piece, octets, &written, &error);
      note_piece (self, &piece, written, error);
    }
  free (octets);
  return NULL;
}

static gboolean
copy_memory (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  StasisCaptureCopy *self = data;
  self->side = side;
  self->cancellable = cancellable;
  GThread *threads[THREADS_MAX];
  const guint n = CLAMP (g_get_num_processors (), THREADS_MIN, THREADS_MAX);
  for (guint i = 0; i < n; i++)
    threads[i] = g_thread_new ("capture", copy_pieces, self);
  for (guint i = 0; i < n; i++)
    g_thread_join (threads[i]);
  if (self->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&self->failure));
  return FALSE;
}

/* Everything. */
gboolean
stasis_capture_copy_all (StasisCaptureCopy *self, StasisJob *job, GError **error)
{
  g_autoptr (StasisSideThread) side = stasis_side_thread_start ("capture", copy_memory, self, job);
  return stasis_side_thread_finish (side, error);
}

/* What has changed. */
gboolean
stasis_capture_copy_read (const StasisCaptureCopy *self, const GArray *ranges, guint8 *octets,
                          GError **error)
{
  return stasis_guest_memory_read_ranges (self->memory, (const StasisGuestRange *) ranges->data,
                                          ranges->len, octets, error);
}

static void
mark_stale (StasisCaptureCopy *self, const StasisGuestRange *range)
{
  guint8 *stale = g_ptr_array_index (self->stale, range->block);
  const guint64 last = (range->offset + range->length - 1) / PIECE_SIZE;
  for (guint64 piece = range->offset / PIECE_SIZE; piece <= last; piece++)
    stale[piece] = 1;
}

/* Over what was written before. */
gboolean
stasis_capture_copy_put (StasisCaptureCopy *self, const GArray *ranges, const guint8 *octets,
                         GError **error)
{
  for (guint i = 0; i < ranges->len; i++)
    {
      const StasisGuestRange *range = &g_array_index (ranges, StasisGuestRange, i);
      const gboolean ok
          = self->base != NULL
                ? stasis_packed_writer_put (self->packed, range->block, range->offset, octets,
                                            range->length, &self->written, error)
                : stasis_mapped_writer_put (self->writer, self->fd, range->block, range->offset,
                                            octets, range->length, &self->written, error);
      if (!ok)
        return FALSE;
      mark_stale (self, range);
      octets += range->length;
    }
  return TRUE;
}

/* The pieces that were written to a second time, as they are now. */
static gboolean
hash_stale (StasisCaptureCopy *self, GError **error)
{
  g_autofree guint8 *octets = g_malloc (PIECE_SIZE);
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      const StasisImageBlock *block = &self->map->blocks[i];
      const guint8 *stale = g_ptr_array_index (self->stale, i);
      for (guint64 at = 0; at < block->used_length; at += PIECE_SIZE)
        {
          const StasisGuestRange piece = { i, at, MIN (block->used_length - at, PIECE_SIZE) };
          if (stale[at / PIECE_SIZE] == 0)
            continue;
          if (!stasis_fd_pread_exact (self->fd, octets, piece.length, block->pages_offset + at,
                                      error))
            return FALSE;
          hash_piece (self, &piece, octets, FALSE);
        }
    }
  return TRUE;
}

/* What stands behind the pages. */
gboolean
stasis_capture_copy_finish (StasisCaptureCopy *self, const GByteArray *devices,
                            StasisJobStats *stats, StasisBodyNotes *notes, GError **error)
{
  guint64 end;
  if (self->packed != NULL ? !stasis_packed_writer_finish (self->packed, devices, notes, error)
                           : !stasis_mapped_writer_finish (self->writer, NULL, devices, &end, error)
                                 || !hash_stale (self, error))
    return FALSE;
  stats->bytes_written = self->written;
  stats->page_size = STASIS_IMAGE_PAGE_SIZE;
  guint64 n_zero = 0;
  const guint64 n_taken = self->packed != NULL ? stasis_packed_writer_count (self->packed, &n_zero)
                                               : stasis_mapped_writer_count (self->writer);
  const guint64 n_others = self->total / STASIS_IMAGE_PAGE_SIZE - n_taken;
  stats->pages_normal = n_taken - n_zero;
  stats->pages_zero = self->base == NULL ? n_others : n_zero;
  stats->pages_skipped = self->base != NULL ? n_others : 0;
  if (self->base == NULL)
    notes->hashes = g_steal_pointer (&self->hashes);
  return TRUE;
}
