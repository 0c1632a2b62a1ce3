/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remap.c: a mapped body at another place of another file
 *
 * Theory of operation
 *
 * The offsets in a mapped body are absolute, and its pages begin at multiples of 1 MiB, so that a
 * move is more than a copy: the headers of the blocks are written anew, and each block's bitmap and
 * pages are copied to their new places.  Pages keep their alignment, therefore a file system with
 * reflinks shares them.
 */

#include "config.h"

#include "image/remap.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/copy.h"
#include "image/error.h"
#include "image/mapped-ram.h"
#include "util/fd.h"

typedef struct
{
  int from; /* (borrowed) */
  int to;   /* (borrowed) */
  GCancellable *cancellable;
  StasisImageProgress progress; /* (nullable) */
  gpointer progress_data;
  guint64 done; /* before the range that is being copied */
  guint64 total;
} Mover;

static void
tell (guint64 done, guint64 total, gpointer data)
{
  const Mover *self = data;
  if (self->progress != NULL)
    self->progress (MIN (self->done + done, self->total), self->total, self->progress_data);
}

static gboolean
copy_range (Mover *self, guint64 from, guint64 to, guint64 size, GError **error)
{
  return stasis_image_copy_range (self->from, from, from + size, self->to, to, tell, self,
                                  self->cancellable, error);
}

static gboolean
throw_too_large (GError **error)
{
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_TOO_LARGE,
                       _ ("the guest's memory is too large for the body of an image"));
  return FALSE;
}

/* One block, whose entry is behind the octets in @head; moves *@offset behind its pages. */
static gboolean
move_block (Mover *self, const StasisImageBlock *old, GByteArray *head, guint64 *offset,
            GError **error)
{
  StasisImageBlock block = *old;
  stasis_mapped_ram_place (&block, *offset + head->len + 1 + strlen (block.name) + 8);
  if (block.pages_offset + block.used_length > STASIS_IMAGE_END_MAX)
    return throw_too_large (error);
  stasis_mapped_ram_append_block (head, &block);
  if (!stasis_fd_pwrite_exact (self->to, head->data, head->len, *offset, error)
      || !copy_range (self, old->bitmap_offset, block.bitmap_offset, block.bitmap_length, error)
      || !copy_range (self, old->pages_offset, block.pages_offset, block.used_length, error))
    return FALSE;
  g_byte_array_set_size (head, 0);
  *offset = block.pages_offset + block.used_length;
  return TRUE;
}

static gboolean
move_body (Mover *self, const StasisQemuHead *head, const StasisImageRamMap *map, guint64 rest,
           guint64 rest_end, guint64 offset, guint64 *out_end, GError **error)
{
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_qemu_head_append (head, TRUE, octets);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      if (!move_block (self, &map->blocks[i], octets, &offset, error))
        return FALSE;
      self->done += map->blocks[i].used_length;
    }
  if (rest_end - rest > STASIS_IMAGE_END_MAX - offset)
    return throw_too_large (error);
  *out_end = offset + (rest_end - rest);
  if (!copy_range (self, rest, offset, rest_end - rest, error))
    return FALSE;
  if (ftruncate (self->to, (off_t) *out_end) < 0)
    return stasis_throw_errno (error, _ ("cannot set the size of the file"));
  return TRUE;
}

/* Copy a mapped body to another place of another file. */
gboolean
stasis_remap (int from, guint64 body_offset, guint64 body_end, int to, guint64 new_offset,
              guint64 *out_new_end, StasisImageProgress progress, gpointer progress_data,
              GCancellable *cancellable, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, from, body_offset, body_end, cancellable);
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_take (&input, &head, error);
  if (map == NULL)
    return FALSE;
  if (ftruncate (to, (off_t) new_offset) < 0)
    return stasis_throw_errno (error, _ ("cannot cut the file"));

  Mover mover = { .from = from,
                  .to = to,
                  .cancellable = cancellable,
                  .progress = progress,
                  .progress_data = progress_data,
                  .total = head.ram_total };
  return move_body (&mover, &head, map, input.offset, body_end, new_offset, out_new_end, error);
}
