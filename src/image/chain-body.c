/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain-body.c: one mapped body out of a chain of images
 *
 * Head and devices are the top's, each page is that of the first image that has it.  Such a body,
 * with all pages, is a whole image's; with those of the machine's memory that are not in the root
 * it is what QEMU is to load over memory that is mapped from the root.
 */

#include "config.h"

#include "image/chain-body.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/body-head.h"
#include "image/error.h"
#include "image/mapped-writer.h"
#include "image/reader-private.h"
#include "util/fd.h"

#define PIECE_SIZE (1024u * 1024u)
#define REST_MAX   (256u * 1024 * 1024) /* of devices' state */
#define PIECE_BITS (PIECE_SIZE / STASIS_IMAGE_PAGE_SIZE / 8)

typedef struct
{
  const StasisImageChain *chain;
  int fd;
  StasisQemuHead head;        /* (owned) */
  StasisImageRamMap *map;     /* (owned) of the new body */
  StasisMappedWriter *writer; /* (owned) */
  GByteArray *rest;           /* (owned) behind the RAM */
  guint64 written;
  guint64 data_max;
  guint64 done;
  StasisImageProgress progress;
  gpointer progress_data;
} Copy;

static void
copy_clear (Copy *copy)
{
  stasis_mapped_writer_free (copy->writer);
  stasis_image_ram_map_free (copy->map);
  stasis_qemu_head_clear (&copy->head);
  g_clear_pointer (&copy->rest, g_byte_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Copy, copy_clear)

static gboolean
throw_rest (const StasisImage *top, GError **error)
{
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%s': what stands behind the memory is not what an incremental image has"),
               top->name);
  return FALSE;
}

/* What a mapped writer puts between the last page and the devices stands in the top as well. */
static gboolean
take_rest (Copy *copy, const StasisImage *top, guint64 offset, GError **error)
{
  g_autoptr (GByteArray) known = g_byte_array_new ();
  stasis_qemu_append_ram_end (known, copy->head.ram_id);
  stasis_qemu_append_ram_section (known, STASIS_QEMU_SECTION_PART, copy->head.ram_id);
  stasis_qemu_append_ram_section (known, STASIS_QEMU_SECTION_END, copy->head.ram_id);
  const guint64 end = stasis_image_header_body_end (&top->header);
  if (end < offset + known->len || end - offset > REST_MAX)
    return throw_rest (top, error);
  copy->rest = g_byte_array_new ();
  g_byte_array_set_size (copy->rest, (guint) (end - offset));
  if (!stasis_fd_pread_exact (top->fd, copy->rest->data, copy->rest->len, offset, error))
    return FALSE;
  if (memcmp (copy->rest->data, known->data, known->len) != 0)
    return throw_rest (top, error);
  g_byte_array_remove_range (copy->rest, 0, known->len);
  return TRUE;
}

static gboolean
take_head (Copy *copy, const StasisImage *top, GCancellable *cancellable, GError **error)
{
  guint64 rest;
  copy->map = stasis_image_take_head (top, &copy->head, &rest, cancellable, error);
  return copy->map != NULL && take_rest (copy, top, rest, error);
}

static gboolean
throw_too_much (GError **error)
{
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                       _ ("too much of the memory is not in the image that it is mapped from"));
  return FALSE;
}

/* The pages that were found, zero or not. */
static gboolean
put_found (Copy *copy, guint block, guint64 offset, const guint8 *octets, gsize length,
           const guint8 *found, GError **error)
{
  const gsize n_pages = (length + STASIS_IMAGE_PAGE_SIZE - 1) / STASIS_IMAGE_PAGE_SIZE;
  for (gsize page = 0; page < n_pages; page++)
    {
      const gsize at = page * STASIS_IMAGE_PAGE_SIZE;
      if (stasis_bitmap_has (found, page)
          && !stasis_mapped_writer_put_all (copy->writer, copy->fd, block, offset + at, octets + at,
                                            MIN (STASIS_IMAGE_PAGE_SIZE, length - at),
                                            &copy->written, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
copy_piece (Copy *copy, guint block, guint64 offset, gsize length, gboolean without_root,
            guint8 *octets, GError **error)
{
  guint8 found[PIECE_BITS] = { 0 };
  gboolean is_zero;
  if (!stasis_image_chain_read (copy->chain, block, offset, octets, length, without_root, &is_zero,
                                found, error))
    return FALSE;
  copy->done += length;
  if (copy->progress != NULL)
    copy->progress (copy->done, copy->head.ram_total, copy->progress_data);
  if (is_zero)
    return TRUE;
  const gboolean ok = without_root
                          ? put_found (copy, block, offset, octets, length, found, error)
                          : stasis_mapped_writer_put (copy->writer, copy->fd, block, offset, octets,
                                                      length, &copy->written, error);
  return ok && (copy->written <= copy->data_max || throw_too_much (error));
}

static gboolean
copy_block (Copy *copy, guint number, gboolean without_root, guint8 *octets,
            GCancellable *cancellable, GError **error)
{
  const StasisImageBlock *block = &copy->map->blocks[number];
  for (guint64 at = 0; at < block->used_length; at += PIECE_SIZE)
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !copy_piece (copy, number, at, MIN (PIECE_SIZE, block->used_length - at), without_root,
                        octets, error))
      return FALSE;
  return TRUE;
}

/* The whole body. */
gboolean
stasis_image_chain_write_body (const StasisImageChain *chain, int fd, guint64 offset,
                               const char *mapped, guint64 data_max, StasisImageProgress progress,
                               gpointer progress_data, GCancellable *cancellable, GError **error)
{
  g_auto (Copy) copy = { .chain = chain,
                         .fd = fd,
                         .data_max = data_max,
                         .progress = progress,
                         .progress_data = progress_data };
  if (!take_head (&copy, stasis_image_chain_get (chain, 0), cancellable, error))
    return FALSE;
  copy.writer = stasis_mapped_writer_begin (fd, offset, &copy.head, copy.map, error);
  if (copy.writer == NULL)
    return FALSE;
  g_autofree guint8 *octets = g_malloc (PIECE_SIZE);
  for (guint i = 0; i < copy.map->n_blocks; i++)
    if (!copy_block (&copy, i, g_strcmp0 (copy.map->blocks[i].name, mapped) == 0, octets,
                     cancellable, error))
      return FALSE;
  guint64 end;
  return stasis_mapped_writer_finish (copy.writer, NULL, copy.rest, &end, error);
}
