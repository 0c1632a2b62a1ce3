/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.c: an incremental image with all those that it stands on
 *
 * All bitmaps are read when it is opened: 2^-15 of the memory for each image.
 */

#include "config.h"

#include "image/chain.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/error.h"
#include "image/packed-index.h"
#include "image/parent.h"
#include "image/reader-private.h"
#include "util/fd.h"

typedef struct
{
  const StasisImage *image;
  StasisImage *own;          /* (owned) (nullable) the same, but of the top */
  guint *blocks;             /* (owned) which of its blocks is block N of the top */
  guint8 **bitmaps;          /* (owned) by the top's numbers; of a packed one NULLs */
  StasisPackedIndex *packed; /* (owned) (nullable) where its pages are */
} Link;

struct _StasisImageChain
{
  GPtrArray *links; /* (owned) of Link; the top first */
  guint n_blocks;
};

static void
link_free (gpointer data, guint n_blocks)
{
  Link *link = data;
  for (guint i = 0; link->bitmaps != NULL && i < n_blocks; i++)
    g_free (link->bitmaps[i]);
  g_free (link->bitmaps);
  g_free (link->blocks);
  stasis_packed_index_free (link->packed);
  stasis_image_free (link->own);
  g_free (link);
}

/* NULL is fine. */
void
stasis_image_chain_free (StasisImageChain *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->links->len; i++)
    link_free (g_ptr_array_index (self->links, i), self->n_blocks);
  g_ptr_array_unref (self->links);
  g_free (self);
}

guint
stasis_image_chain_n (const StasisImageChain *self)
{
  return self->links->len;
}

const StasisImage *
stasis_image_chain_get (const StasisImageChain *self, guint index)
{
  const Link *link = g_ptr_array_index (self->links, index);
  return link->image;
}

const StasisImage *
stasis_image_chain_root (const StasisImageChain *self)
{
  return stasis_image_chain_get (self, self->links->len - 1);
}

static gboolean
throw_blocks (const StasisImage *image, const StasisImage *top, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("'%1$s' has other RAM blocks than '%2$s', which stands on it"), image->name,
               top->name);
  return FALSE;
}

static gboolean
read_bitmap (Link *link, guint number, const StasisImageBlock *block, GError **error)
{
  if (link->packed != NULL)
    return TRUE;
  link->bitmaps[number] = g_malloc (block->bitmap_length);
  return stasis_fd_pread_exact (link->image->fd, link->bitmaps[number], block->bitmap_length,
                                block->bitmap_offset, error);
}

/* Its blocks are the top's, wherever they lie. */
static gboolean
read_blocks (const StasisImage *top, Link *link, GCancellable *cancellable, GError **error)
{
  const StasisImageRamMap *map = link->image->map;
  const guint n = top->map->n_blocks;
  if (map == NULL || map->n_blocks != n)
    return throw_blocks (link->image, top, error);
  link->blocks = g_new0 (guint, n);
  link->bitmaps = g_new0 (guint8 *, n);
  if (link->image->packed != NULL)
    link->packed = stasis_packed_index_load (link->image, cancellable, error);
  if (link->image->packed != NULL && link->packed == NULL)
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      const StasisImageBlock *block = stasis_image_ram_map_lookup (map, top->map->blocks[i].name);
      if (block == NULL || block->used_length != top->map->blocks[i].used_length)
        return throw_blocks (link->image, top, error);
      link->blocks[i] = (guint) (block - map->blocks);
      if (!read_bitmap (link, i, block, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
add_link (StasisImageChain *self, const StasisImage *top, const StasisImage *image,
          StasisImage *own_take, GCancellable *cancellable, GError **error)
{
  Link *link = g_new0 (Link, 1);
  link->image = image;
  link->own = own_take;
  g_ptr_array_add (self->links, link);
  return read_blocks (top, link, cancellable, error);
}

/* The file where it was, else beside its child. */
static StasisImage *
find_parent (const StasisImage *child, GError **error)
{
  const char *file
      = stasis_json_string (stasis_json_get (child->parent, STASIS_IMAGE_PARENT_FILE), "");
  g_autofree char *folder = g_path_get_dirname (child->name);
  g_autofree char *name = g_path_get_basename (file);
  g_autofree char *beside = g_build_filename (folder, name, NULL);
  const char *const places[] = { file, beside };
  g_autoptr (GError) first = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    {
      g_autoptr (GError) local = NULL;
      g_autoptr (StasisImage) image = stasis_image_open (places[i], &local);
      if (image != NULL && stasis_image_parent_match (child->parent, image, &local))
        return g_steal_pointer (&image);
      if (first == NULL)
        first = g_steal_pointer (&local);
    }
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_INVALID,
               _ ("the base of '%1$s' cannot be used: %2$s"), child->name, first->message);
  return NULL;
}

/* The whole chain. */
StasisImageChain *
stasis_image_chain_open (const StasisImage *top, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisImageChain) self = g_new0 (StasisImageChain, 1);
  self->links = g_ptr_array_new ();
  self->n_blocks = top->map != NULL ? top->map->n_blocks : 0;
  if (top->map == NULL)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("the memory in '%s' does not lie in place"), top->name);
      return NULL;
    }
  if (!add_link (self, top, top, NULL, cancellable, error))
    return NULL;
  for (const StasisImage *child = top; child->parent != NULL;)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return NULL;
      if (self->links->len == STASIS_IMAGE_CHAIN_MAX)
        {
          g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                       _ ("'%1$s' stands on more than %2$u images"), top->name,
                       STASIS_IMAGE_CHAIN_MAX - 1);
          return NULL;
        }
      StasisImage *parent = find_parent (child, error);
      if (parent == NULL || !add_link (self, top, parent, parent, cancellable, error))
        return NULL;
      child = parent;
    }
  return g_steal_pointer (&self);
}

/* A bit for each of a block's pages that the image has. */
static const guint8 *
bits_of (const Link *link, guint number)
{
  return link->packed != NULL ? stasis_packed_index_bitmap (link->packed, link->blocks[number])
                              : link->bitmaps[number];
}

/* Pages that are in one of the images. */
guint8 *
stasis_image_chain_bitmap (const StasisImageChain *self, guint number, gsize *out_octets)
{
  const StasisImageRamMap *map = stasis_image_chain_get (self, 0)->map;
  const guint64 n_pages = map->blocks[number].used_length / STASIS_IMAGE_PAGE_SIZE;
  const gsize size = (n_pages + 7) / 8; /* of each: a bitmap is this at least */
  guint8 *bits = g_malloc0 (size);
  for (guint i = 0; i < self->links->len; i++)
    {
      const guint8 *its = bits_of (g_ptr_array_index (self->links, i), number);
      for (gsize octet = 0; octet < size; octet++)
        bits[octet] |= its[octet];
    }
  *out_octets = size;
  return bits;
}

/* Of a run of pages, all in the same image or in none. */
static const Link *
find_link (const StasisImageChain *self, guint block, guint64 page, guint n_links)
{
  for (guint i = 0; i < n_links; i++)
    {
      const Link *link = g_ptr_array_index (self->links, i);
      if (stasis_bitmap_has (bits_of (link, block), page))
        return link;
    }
  return NULL;
}

static void
mark (guint8 *found, guint64 from, guint64 to)
{
  for (guint64 i = from; found != NULL && i < to; i++)
    found[i / 8] |= (guint8) (1u << i % 8);
}

/* Pages [@page, @page + @n) of a block, all of which the image has. */
static gboolean
read_pages (const Link *link, guint number, guint64 page, guint64 n, guint8 *octets, GError **error)
{
  const StasisImageBlock *block = &link->image->map->blocks[link->blocks[number]];
  if (link->packed == NULL)
    return stasis_fd_pread_exact (link->image->fd, octets, n * STASIS_IMAGE_PAGE_SIZE,
                                  block->pages_offset + page * STASIS_IMAGE_PAGE_SIZE, error);
  for (guint64 i = 0, step; i < n; i += step)
    {
      guint64 offset;
      guint8 *at = octets + i * STASIS_IMAGE_PAGE_SIZE;
      step
          = stasis_packed_index_find (link->packed, link->blocks[number], page + i, n - i, &offset);
      if (offset == 0)
        memset (at, 0, step * STASIS_IMAGE_PAGE_SIZE);
      else if (!stasis_fd_pread_exact (link->image->fd, at, step * STASIS_IMAGE_PAGE_SIZE, offset,
                                       error))
        return FALSE;
    }
  return TRUE;
}

/* Read a part of a block. */
gboolean
stasis_image_chain_read (const StasisImageChain *self, guint number, guint64 offset, guint8 *octets,
                         gsize length, gboolean without_root, gboolean *out_is_zero, guint8 *found,
                         GError **error)
{
  const guint n_links = self->links->len - (without_root ? 1 : 0);
  const guint64 first = offset / STASIS_IMAGE_PAGE_SIZE;
  const guint64 n_pages = length / STASIS_IMAGE_PAGE_SIZE;
  *out_is_zero = TRUE;
  guint64 stop;
  for (guint64 page = 0; page < n_pages; page = stop)
    {
      const Link *link = find_link (self, number, first + page, n_links);
      for (stop = page + 1;
           stop < n_pages && find_link (self, number, first + stop, n_links) == link;)
        stop++;
      if (link == NULL)
        continue;
      if (*out_is_zero)
        memset (octets, 0, length);
      *out_is_zero = FALSE;
      mark (found, page, stop);
      if (!read_pages (link, number, first + page, stop - page,
                       octets + page * STASIS_IMAGE_PAGE_SIZE, error))
        return FALSE;
    }
  return TRUE;
}
