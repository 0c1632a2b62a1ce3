/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashes.c: hashes of guest memory, collected while QEMU writes it
 *
 * Each piece has a slot and a flag of its own, so that threads setting different pieces need no
 * lock.  The threads are joined before anybody reads.
 */

#include "config.h"

#include "image/hashes.h"

#include "image/types.h"

typedef struct
{
  char *name; /* (owned) */
  guint64 used_length;
  guint64 n_pieces;
  StasisHash *hashes; /* (owned) n_pieces */
  guint8 *is_set;     /* (owned) n_pieces */
} Block;

struct _StasisImageHashes
{
  GPtrArray *blocks; /* (owned) of Block */
};

static void
block_free (gpointer data)
{
  Block *block = data;
  g_free (block->name);
  g_free (block->hashes);
  g_free (block->is_set);
  g_free (block);
}

StasisImageHashes *
stasis_image_hashes_new (void)
{
  StasisImageHashes *hashes = g_new0 (StasisImageHashes, 1);
  hashes->blocks = g_ptr_array_new_with_free_func (block_free);
  return hashes;
}

/* Make room for the hashes of a RAMBlock.  Returns its number for the other calls. */
guint
stasis_image_hashes_add_block (StasisImageHashes *hashes, const char *name, guint64 used_length)
{
  Block *block = g_new0 (Block, 1);
  block->name = g_strdup (name);
  block->used_length = used_length;
  block->n_pieces = used_length / STASIS_IMAGE_CHUNK_SIZE
                    + (used_length % STASIS_IMAGE_CHUNK_SIZE != 0 ? 1 : 0);
  block->hashes = g_new (StasisHash, block->n_pieces);
  block->is_set = g_new0 (guint8, block->n_pieces);
  g_ptr_array_add (hashes->blocks, block);
  return hashes->blocks->len - 1;
}

/* The hash of one piece.  Threads may set different pieces at the same time. */
void
stasis_image_hashes_set (StasisImageHashes *hashes, guint block, guint64 piece,
                         const StasisHash *hash)
{
  g_return_if_fail (block < hashes->blocks->len);
  Block *entry = g_ptr_array_index (hashes->blocks, block);
  g_return_if_fail (piece < entry->n_pieces);

  entry->hashes[piece] = *hash;
  entry->is_set[piece] = 1;
}

/* The hash of a piece, or NULL where none was set. */
const StasisHash *
stasis_image_hashes_get (const StasisImageHashes *hashes, const char *name, guint64 used_length,
                         guint64 piece)
{
  for (guint i = 0; i < hashes->blocks->len; i++)
    {
      const Block *entry = g_ptr_array_index (hashes->blocks, i);
      if (entry->used_length != used_length || !g_str_equal (entry->name, name))
        continue;
      return piece < entry->n_pieces && entry->is_set[piece] ? &entry->hashes[piece] : NULL;
    }
  return NULL;
}

/* NULL is fine. */
void
stasis_image_hashes_free (StasisImageHashes *hashes)
{
  if (hashes == NULL)
    return;

  g_ptr_array_unref (hashes->blocks);
  g_free (hashes);
}
