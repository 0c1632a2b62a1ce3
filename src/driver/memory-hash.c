/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-hash.c: hashes of a paused guest's memory, taken from outside
 *
 * Theory of operation
 *
 * The hash table of a save image is to tell what the guest's memory was, not what arrived in
 * the file: only then does it notice a write that went wrong.  The CPUs are stopped, so the
 * memory holds still while QEMU writes it and we read it (guest-memory.c).  A RAMBlock is hashed in
 * pieces of 1 MiB, which are the chunks of the image's hash table (docs/save-image.md).
 */

#include "config.h"

#include "driver/memory-hash.h"

#include <string.h>

#include "driver/guest-memory.h"

#define PIECE_SIZE STASIS_GUEST_MEMORY_PIECE

typedef struct
{
  guint number;        /* in the container of hashes */
  guint memory_number; /* in the guest's memory */
  guint64 length;
  guint64 first_piece; /* numbered through all blocks */
} Block;

struct _StasisMemoryHash
{
  StasisGuestMemory *memory; /* (owned) */
  GArray *blocks;            /* (owned) of Block */
  guint64 n_pieces;          /* of all blocks */
  guint64 next_piece;        /* (guarded by lock) */
  GMutex lock;
  gboolean is_stopped;       /* atomic */
  GError *failure;           /* (owned) (nullable) (guarded by lock) the first one */
  StasisImageHashes *hashes; /* (owned) (nullable) */
  StasisHash zeros;          /* of a whole piece */
  GPtrArray *threads;        /* (owned) of GThread */
};

/* The block that holds the piece with this number. */
static const Block *
find_block (const StasisMemoryHash *hash, guint64 piece)
{
  guint at = hash->blocks->len - 1;
  while (g_array_index (hash->blocks, Block, at).first_piece > piece)
    at--;
  return &g_array_index (hash->blocks, Block, at);
}

static gboolean
hash_piece (StasisMemoryHash *hash, guint64 number, guint8 *buffer, GError **error)
{
  const Block *block = find_block (hash, number);
  const guint64 piece = number - block->first_piece;
  const guint64 offset = piece * PIECE_SIZE;
  const gsize length = (gsize) MIN (PIECE_SIZE, block->length - offset);
  gboolean is_zero;
  if (!stasis_guest_memory_read (hash->memory, block->memory_number, offset, buffer, length,
                                 &is_zero, error))
    return FALSE;
  if (is_zero && length < PIECE_SIZE)
    memset (buffer, 0, length);
  const StasisHash digest
      = is_zero && length == PIECE_SIZE ? hash->zeros : stasis_hash (buffer, length);
  stasis_image_hashes_set (hash->hashes, block->number, piece, &digest);
  return TRUE;
}

static gboolean
take_piece (StasisMemoryHash *hash, guint64 *out_piece)
{
  if (g_atomic_int_get (&hash->is_stopped))
    return FALSE;
  g_mutex_lock (&hash->lock);
  *out_piece = hash->next_piece;
  const gboolean more = hash->next_piece < hash->n_pieces;
  if (more)
    hash->next_piece++;
  g_mutex_unlock (&hash->lock);
  return more;
}

static void
fail (StasisMemoryHash *hash, GError *error_take)
{
  g_autoptr (GError) error = error_take;
  g_atomic_int_set (&hash->is_stopped, TRUE);
  g_mutex_lock (&hash->lock);
  if (hash->failure == NULL)
    hash->failure = g_steal_pointer (&error);
  g_mutex_unlock (&hash->lock);
}

static gpointer
hash_pieces (gpointer data)
{
  StasisMemoryHash *hash = data;
  g_autofree guint8 *buffer = g_malloc (PIECE_SIZE);
  guint64 piece;
  GError *error = NULL;
  while (take_piece (hash, &piece))
    if (!hash_piece (hash, piece, buffer, &error))
      fail (hash, g_steal_pointer (&error));
  return NULL;
}

static void
add_block (StasisMemoryHash *hash, const StasisRamBlock *ram)
{
  if (ram->host_address == 0 || ram->used_length < PIECE_SIZE)
    return;

  const Block block = {
    .number = stasis_image_hashes_add_block (hash->hashes, ram->name, ram->used_length),
    .memory_number = stasis_guest_memory_add (hash->memory, ram),
    .length = ram->used_length,
    .first_piece = hash->n_pieces,
  };
  g_array_append_val (hash->blocks, block);
  hash->n_pieces += (ram->used_length + PIECE_SIZE - 1) / PIECE_SIZE;
}

/* Where this process may not read QEMU's memory, it is better known now than in a thread. */
static gboolean
check_access (const StasisMemoryHash *hash, GError **error)
{
  guint8 octet;
  gboolean is_zero;
  return hash->blocks->len == 0
         || stasis_guest_memory_read (hash->memory, 0, 0, &octet, 1, &is_zero, error);
}

/* Begin to hash. */
StasisMemoryHash *
stasis_memory_hash_start (const StasisProcess *qemu, const GPtrArray *blocks, guint n_threads,
                          GError **error)
{
  g_autoptr (StasisMemoryHash) hash = g_new0 (StasisMemoryHash, 1);
  g_autofree guint8 *zeros = g_malloc0 (PIECE_SIZE);
  hash->memory = stasis_guest_memory_new (qemu, -1);
  hash->blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  hash->hashes = stasis_image_hashes_new ();
  hash->zeros = stasis_hash (zeros, PIECE_SIZE);
  hash->threads = g_ptr_array_new ();
  g_mutex_init (&hash->lock);
  for (guint i = 0; i < blocks->len; i++)
    add_block (hash, g_ptr_array_index (blocks, i));
  if (!check_access (hash, error))
    return NULL;

  for (guint i = 0; i < n_threads; i++)
    g_ptr_array_add (hash->threads, g_thread_new ("memory-hash", hash_pieces, hash));
  return g_steal_pointer (&hash);
}

static void
join (StasisMemoryHash *hash)
{
  for (guint i = 0; i < hash->threads->len; i++)
    g_thread_join (g_ptr_array_index (hash->threads, i));
  g_ptr_array_set_size (hash->threads, 0);
}

/* Wait for the threads. */
StasisImageHashes *
stasis_memory_hash_finish (StasisMemoryHash *hash, GError **error)
{
  join (hash);
  if (hash->failure == NULL)
    return g_steal_pointer (&hash->hashes);
  g_propagate_error (error, g_steal_pointer (&hash->failure));
  return NULL;
}

/* Stop at once.  NULL is fine. */
void
stasis_memory_hash_free (StasisMemoryHash *hash)
{
  if (hash == NULL)
    return;

  g_atomic_int_set (&hash->is_stopped, TRUE);
  join (hash);
  g_ptr_array_unref (hash->threads);
  g_array_unref (hash->blocks);
  stasis_image_hashes_free (hash->hashes);
  stasis_guest_memory_free (hash->memory);
  g_clear_error (&hash->failure);
  g_mutex_clear (&hash->lock);
  g_free (hash);
}
