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

#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/extents.h"
#include "image/mapped-ram.h"
#include "util/fd.h"

#define PIECE         (8u * 1024 * 1024) /* octets between looks at the cancellable */
#define COPY_SIZE     (256u * 1024)      /* of the buffer, where the kernel cannot copy */
#define TELL_EVERY_US (G_USEC_PER_SEC / 10)

typedef struct
{
  int from;         /* (borrowed) */
  int to;           /* (borrowed) */
  gboolean by_hand; /* copy_file_range() does not work here */
  guint8 *buffer;   /* (owned) */
  GCancellable *cancellable;
  StasisImageProgress progress; /* (nullable) */
  gpointer progress_data;
  gint64 told_us;
  guint64 total;
} Mover;

static gboolean
copy_by_hand (const Mover *self, guint64 from, guint64 to, gsize size, GError **error)
{
  for (gsize at = 0; at < size; at += COPY_SIZE)
    {
      const gsize n = MIN (size - at, COPY_SIZE);
      if (!stasis_fd_pread_exact (self->from, self->buffer, n, from + at, error)
          || !stasis_fd_pwrite_exact (self->to, self->buffer, n, to + at, error))
        return FALSE;
    }
  return TRUE;
}

/* Some of [@from, @from + @size), by the kernel; 0 where it cannot, -1 on failure. */
static gssize
copy_some (Mover *self, guint64 from, guint64 to, gsize size, GError **error)
{
  if (self->by_hand)
    return 0;
  off_t from_at = (off_t) from, to_at = (off_t) to;
  gssize n;
  do
    n = copy_file_range (self->from, &from_at, self->to, &to_at, size, 0);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    return n;
  if (n < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
    {
      stasis_throw_errno (error, _ ("cannot copy at offset %1$" G_GUINT64_FORMAT), from);
      return -1;
    }
  self->by_hand = TRUE;
  return 0;
}

static gboolean
copy_data (Mover *self, guint64 from, guint64 to, guint64 size, GError **error)
{
  while (size > 0)
    {
      if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
        return FALSE;
      gsize piece = (gsize) MIN (size, PIECE);
      const gssize n = copy_some (self, from, to, piece, error);
      if (n < 0 || (n == 0 && !copy_by_hand (self, from, to, piece, error)))
        return FALSE;
      piece = n > 0 ? (gsize) n : piece;
      from += piece;
      to += piece;
      size -= piece;
    }
  return TRUE;
}

static void
tell (Mover *self, guint64 done)
{
  const gint64 now = g_get_monotonic_time ();
  if (self->progress == NULL || (now - self->told_us < TELL_EVERY_US && done < self->total))
    return;
  self->progress (MIN (done, self->total), self->total, self->progress_data);
  self->told_us = now;
}

/* All that is data of [@from, @from + @size).  @done: what was copied before, for the progress. */
static gboolean
copy_range (Mover *self, guint64 from, guint64 to, guint64 size, guint64 done, GError **error)
{
  const guint64 end = from + size;
  guint64 start, stop;
  for (guint64 at = from; at < end; at = stop)
    {
      if (!stasis_extent_next (self->from, at, end, &start, &stop, error)
          || !copy_data (self, start, start - from + to, stop - start, error))
        return FALSE;
      tell (self, done + (stop - from));
    }
  return TRUE;
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
            guint64 done, GError **error)
{
  StasisImageBlock block = *old;
  stasis_mapped_ram_place (&block, *offset + head->len + 1 + strlen (block.name) + 8);
  if (block.pages_offset + block.used_length > STASIS_IMAGE_END_MAX)
    return throw_too_large (error);
  stasis_mapped_ram_append_block (head, &block);
  if (!stasis_fd_pwrite_exact (self->to, head->data, head->len, *offset, error)
      || !copy_range (self, old->bitmap_offset, block.bitmap_offset, block.bitmap_length, done,
                      error)
      || !copy_range (self, old->pages_offset, block.pages_offset, block.used_length, done, error))
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
  guint64 done = 0;
  stasis_qemu_head_append (head, TRUE, octets);
  for (guint i = 0; i < map->n_blocks; i++)
    {
      if (!move_block (self, &map->blocks[i], octets, &offset, done, error))
        return FALSE;
      done += map->blocks[i].used_length;
    }
  if (rest_end - rest > STASIS_IMAGE_END_MAX - offset)
    return throw_too_large (error);
  *out_end = offset + (rest_end - rest);
  if (!copy_range (self, rest, offset, rest_end - rest, done, error))
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

  g_autofree guint8 *buffer = g_malloc (COPY_SIZE);
  Mover mover = { .from = from,
                  .to = to,
                  .buffer = buffer,
                  .cancellable = cancellable,
                  .progress = progress,
                  .progress_data = progress_data,
                  .total = head.ram_total };
  return move_body (&mover, &head, map, input.offset, body_end, new_offset, out_new_end, error);
}
