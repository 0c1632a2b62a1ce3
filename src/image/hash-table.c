/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash-table.c: the CHUNK_HASHES record
 *
 * See docs/save-image.md, "CHUNK_HASHES".  Pages of a RAMBlock begin at a multiple of 1 MiB, so a
 * chunk inside them is exactly one piece of the block, and its hash may come from the memory of the
 * guest rather than from the file.
 */

#include "config.h"

#include "image/hash-table.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/octets.h"

#define HEAD_SIZE 32u

typedef struct
{
  const StasisHashTableArgs *args;
  guint8 *hashes; /* (borrowed) behind the head */
} Compute;

/* The hash that the guest's memory gave for the chunk, or NULL. */
static const StasisHash *
find_piece (const StasisHashTableArgs *args, guint64 start, guint64 end)
{
  const StasisImageHashes *known = args->notes != NULL ? args->notes->hashes : NULL;
  const StasisImageBlock *block
      = args->map == NULL || known == NULL ? NULL : stasis_image_ram_map_at (args->map, start);
  if (block == NULL)
    return NULL;

  /* A block that ends within the chunk shares it with what follows. */
  const guint64 at = start - block->pages_offset;
  if (at % STASIS_IMAGE_CHUNK_SIZE != 0 || block->used_length - at < end - start
      || end - start != STASIS_IMAGE_CHUNK_SIZE)
    return NULL;
  return stasis_image_hashes_get (known, block->name, block->used_length,
                                  at / STASIS_IMAGE_CHUNK_SIZE);
}

static const StasisHash *
find_known (const StasisHashTableArgs *args, guint64 index, guint64 start, guint64 end)
{
  const StasisHash *hash
      = args->notes != NULL ? stasis_body_notes_chunk_hash (args->notes, index) : NULL;
  return hash != NULL ? hash : find_piece (args, start, end);
}

static gboolean
compute_chunk (guint64 index, StasisChunkReader *reader, gpointer thread_data, gpointer data,
               GError **error)
{
  const Compute *compute = data;
  guint64 start, end;
  stasis_body_chunk (&compute->args->body, index, &start, &end);

  StasisHash hash;
  const StasisHash *known = find_known (compute->args, index, start, end);
  if (known != NULL)
    hash = *known;
  else if (!stasis_chunk_reader_hash (reader, start, end, NULL, NULL, &hash, error))
    return FALSE;
  memcpy (compute->hashes + index * STASIS_HASH_SIZE, hash.octets, STASIS_HASH_SIZE);
  return TRUE;
}

/* The record's body for what is in the file. */
GBytes *
stasis_hash_table_compute (const StasisHashTableArgs *args, GCancellable *cancellable,
                           GError **error)
{
  const guint64 n_chunks = stasis_body_n_chunks (&args->body);
  const gsize size = HEAD_SIZE + n_chunks * STASIS_HASH_SIZE;
  g_autofree guint8 *octets = g_try_malloc (size);
  if (octets == NULL)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                   _ ("not enough memory for %1$" PRIu64 " hashes"), n_chunks);
      return NULL;
    }

  memset (octets, 0, HEAD_SIZE);
  stasis_put_le32 (octets, STASIS_IMAGE_CHUNK_SIZE);
  stasis_put_le64 (octets + 8, n_chunks);
  Compute compute = { .args = args, .hashes = octets + HEAD_SIZE };
  const StasisChunkPass pass = { .fd = args->fd,
                                 .body = args->body,
                                 .n_threads = args->n_threads,
                                 .visit = compute_chunk,
                                 .data = &compute,
                                 .progress = args->progress,
                                 .progress_data = args->progress_data };
  if (!stasis_chunk_pass_run (&pass, cancellable, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&octets), size);
}

/* TRUE where the record has one hash for each chunk of @body. */
gboolean
stasis_hash_table_check (GBytes *table, const StasisBody *body, GError **error)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (table, &size);
  const guint64 n_chunks = stasis_body_n_chunks (body);
  if (size >= HEAD_SIZE && stasis_get_le32 (octets) != STASIS_IMAGE_CHUNK_SIZE)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("record 'chunk-hashes': unknown chunk size %1$u"), stasis_get_le32 (octets));
      return FALSE;
    }
  if (size >= HEAD_SIZE && stasis_get_le64 (octets + 8) == n_chunks
      && (size - HEAD_SIZE) % STASIS_HASH_SIZE == 0
      && (size - HEAD_SIZE) / STASIS_HASH_SIZE == n_chunks)
    return TRUE;

  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("record 'chunk-hashes': the body has %1$" PRIu64 " chunks, not as many hashes"),
               n_chunks);
  return FALSE;
}

/* TRUE where its reserved fields are zero. */
gboolean
stasis_hash_table_reserved_is_zero (GBytes *table)
{
  gsize size = 0;
  const guint8 *octets = g_bytes_get_data (table, &size);
  return size >= HEAD_SIZE && stasis_is_zero (octets + 4, 4) && stasis_is_zero (octets + 16, 16);
}

/* The hash of chunk @index, from a record that was checked. */
StasisHash
stasis_hash_table_get (GBytes *table, guint64 index)
{
  StasisHash hash;
  const guint8 *octets = g_bytes_get_data (table, NULL);
  memcpy (hash.octets, octets + HEAD_SIZE + index * STASIS_HASH_SIZE, sizeof hash.octets);
  return hash;
}
