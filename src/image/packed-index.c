/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-index.c: which page of the guest is where in a PACKED_RAM body
 *
 * See docs/save-image.md, "PACKED_RAM".  Read in pieces, and each run checked at once: a claim of
 * many runs costs memory only as far as they are there and make sense.
 */

#include "config.h"

#include "image/packed-index.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/error.h"
#include "image/octets.h"
#include "image/reader-private.h"
#include "util/fd.h"

#define PAGE       STASIS_IMAGE_PAGE_SIZE
#define PIECE_RUNS 8192u

typedef struct
{
  guint32 page; /* the first, counted over all blocks */
  guint32 n;
  guint32 slot; /* the first one's; of zero pages STASIS_PACKED_ZERO */
} Run;

struct _StasisPackedIndex
{
  guint64 body_offset;
  guint n_blocks;
  guint64 *first;   /* (owned) each block's first page; one more: the end */
  guint8 **bitmaps; /* (owned) */
  guint64 *n_set;   /* (owned) of each block */
  GArray *runs;     /* (owned) of Run, by page */
  guint64 n_slots;
};

/* NULL is fine. */
void
stasis_packed_index_free (StasisPackedIndex *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->n_blocks; i++)
    g_free (self->bitmaps[i]);
  g_free (self->bitmaps);
  g_free (self->first);
  g_free (self->n_set);
  g_array_unref (self->runs);
  g_free (self);
}

static StasisPackedIndex *
index_new (const StasisImage *image)
{
  const StasisImageRamMap *map = image->map;
  StasisPackedIndex *self = g_new0 (StasisPackedIndex, 1);
  self->body_offset = image->header.body_offset;
  self->n_blocks = map->n_blocks;
  self->first = g_new0 (guint64, map->n_blocks + 1);
  self->bitmaps = g_new0 (guint8 *, map->n_blocks);
  self->n_set = g_new0 (guint64, map->n_blocks);
  self->runs = g_array_new (FALSE, FALSE, sizeof (Run));
  for (guint i = 0; i < map->n_blocks; i++)
    {
      self->first[i + 1] = self->first[i] + map->blocks[i].used_length / PAGE;
      self->bitmaps[i] = g_malloc0 (map->blocks[i].bitmap_length);
    }
  return self;
}

static gboolean
throw_index (const StasisImage *image, const char *what, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%1$s': the index of the packed pages: %2$s"), image->name, what);
  return FALSE;
}

/* The block of a page; it has one. */
static guint
find_block (const StasisPackedIndex *self, guint64 page)
{
  guint low = 0, high = self->n_blocks;
  while (high - low > 1)
    {
      const guint middle = low + (high - low) / 2;
      if (self->first[middle] <= page)
        low = middle;
      else
        high = middle;
    }
  return low;
}

/* FALSE where one of them is there already. */
static gboolean
set_bits (guint8 *bits, guint64 from, guint64 to)
{
  for (guint64 page = from; page < to; page++)
    {
      if (stasis_bitmap_has (bits, page))
        return FALSE;
      bits[page / 8] |= (guint8) (1u << page % 8);
    }
  return TRUE;
}

static gboolean
add_run (StasisPackedIndex *self, const StasisImage *image, const guint8 *octets, GError **error)
{
  const guint32 count = stasis_get_le32 (octets + 4);
  const gboolean is_zero = (count & STASIS_PACKED_ZERO) != 0;
  Run run = { .page = stasis_get_le32 (octets), .n = count & ~STASIS_PACKED_ZERO };
  if (run.n == 0 || run.page >= self->first[self->n_blocks])
    return throw_index (image, _ ("a run makes no sense"), error);
  const guint block = find_block (self, run.page);
  if (run.n > self->first[block + 1] - run.page)
    return throw_index (image, _ ("a run reaches over the end of its block"), error);
  if (!is_zero && run.n > image->packed->n_pages - self->n_slots)
    return throw_index (image, _ ("it has more pages than are stored"), error);
  const guint64 from = run.page - self->first[block];
  if (!set_bits (self->bitmaps[block], from, from + run.n))
    return throw_index (image, _ ("it has a page twice"), error);
  self->n_set[block] += run.n;
  run.slot = is_zero ? STASIS_PACKED_ZERO : (guint32) self->n_slots;
  if (!is_zero)
    self->n_slots += run.n;
  g_array_append_val (self->runs, run);
  return TRUE;
}

static gboolean
read_runs (StasisPackedIndex *self, const StasisImage *image, StasisHasher *hasher,
           GCancellable *cancellable, GError **error)
{
  guint64 offset = stasis_packed_ram_index_offset (image->packed, self->body_offset);
  g_autofree guint8 *piece = g_malloc (PIECE_RUNS * STASIS_PACKED_RUN_SIZE);
  for (guint64 left = image->packed->n_runs; left > 0;)
    {
      const guint n = (guint) MIN (left, PIECE_RUNS);
      const gsize size = (gsize) n * STASIS_PACKED_RUN_SIZE;
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !stasis_fd_pread_exact (image->fd, piece, size, offset, error))
        return FALSE;
      stasis_hasher_update (hasher, piece, size);
      for (guint i = 0; i < n; i++)
        if (!add_run (self, image, piece + (gsize) i * STASIS_PACKED_RUN_SIZE, error))
          return FALSE;
      offset += size;
      left -= n;
    }
  return TRUE;
}

static gboolean
check_sums (const StasisPackedIndex *self, const StasisImage *image, const StasisHash *hash,
            GError **error)
{
  if (!stasis_hash_equal (hash, &image->packed->index_hash))
    return throw_index (image, _ ("its hash does not match"), error);
  if (self->n_slots != image->packed->n_pages)
    return throw_index (image, _ ("it has fewer pages than are stored"), error);
  for (guint i = 0; i < self->n_blocks; i++)
    if (self->n_set[i] != image->map->blocks[i].n_set)
      return throw_index (image, _ ("a block has not as many pages as its record says"), error);
  return TRUE;
}

static int
compare_runs (gconstpointer a, gconstpointer b)
{
  const Run *first = a;
  const Run *second = b;
  return first->page < second->page ? -1 : first->page > second->page;
}

/* Read and checked. */
StasisPackedIndex *
stasis_packed_index_load (const StasisImage *image, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (image->packed != NULL, NULL);
  g_autoptr (StasisPackedIndex) self = index_new (image);
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  if (!read_runs (self, image, hasher, cancellable, error))
    return NULL;
  const StasisHash hash = stasis_hasher_digest (hasher);
  if (!check_sums (self, image, &hash, error))
    return NULL;
  g_array_sort (self->runs, compare_runs);
  return g_steal_pointer (&self);
}

/* Pages that the image has. */
const guint8 *
stasis_packed_index_bitmap (const StasisPackedIndex *self, guint block)
{
  return self->bitmaps[block];
}

/* The run that a page is in; it is in one. */
static const Run *
find_run (const StasisPackedIndex *self, guint64 page)
{
  guint low = 0, high = self->runs->len;
  while (high - low > 1)
    {
      const guint middle = low + (high - low) / 2;
      if (g_array_index (self->runs, Run, middle).page <= page)
        low = middle;
      else
        high = middle;
    }
  return &g_array_index (self->runs, Run, low);
}

/* Where pages are. */
guint64
stasis_packed_index_find (const StasisPackedIndex *self, guint block, guint64 page, guint64 n,
                          guint64 *out_offset)
{
  g_return_val_if_fail (stasis_bitmap_has (self->bitmaps[block], page), 0);
  const guint64 at = self->first[block] + page;
  const Run *run = find_run (self, at);
  const guint64 into = at - run->page;
  *out_offset = run->slot != STASIS_PACKED_ZERO ? self->body_offset + (run->slot + into) * PAGE : 0;
  return MIN (n, run->n - into);
}

/* Whose page it is. */
gboolean
stasis_packed_index_at (const StasisPackedIndex *self, guint64 offset, guint *out_block,
                        guint64 *out_page)
{
  const guint64 slot = (offset - self->body_offset) / PAGE;
  for (guint i = 0; i < self->runs->len && slot < self->n_slots; i++)
    {
      const Run *run = &g_array_index (self->runs, Run, i);
      if (run->slot == STASIS_PACKED_ZERO || slot < run->slot || slot - run->slot >= run->n)
        continue;
      const guint64 page = run->page + (slot - run->slot);
      *out_block = find_block (self, page);
      *out_page = page - self->first[*out_block];
      return TRUE;
    }
  return FALSE;
}
