/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-write.c: a flat file out of QEMU's plain stream
 *
 * Theory of operation
 *
 * Pages of the main block go to their places, those of all others into the stream that is kept, in
 * the order in which they came: a live save sends some twice, and the last one counts.  A page of
 * the main block that was stored and then is zero becomes a hole again.  The kept stream is held in
 * memory, and limited: it is the memory of devices.  Hashes are taken from the file when
 * all pages are there.
 */

#include "config.h"

#include "image/flat.h"

#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"
#include "image/extents.h"
#include "image/flat-end.h"
#include "image/hash-table.h"
#include "image/octets.h"
#include "image/page-run.h"
#include "image/qemu-devices.h"
#include "image/qemu-sections.h"
#include "image/view.h"
#include "util/fd.h"

#define PAGE          STASIS_IMAGE_PAGE_SIZE
#define RECORD_MAX    (8u + 1 + STASIS_IMAGE_BLOCK_NAME_MAX + PAGE) /* of a page in the stream */
#define NO_BLOCK      G_MAXUINT
#define TELL_EVERY_US (G_USEC_PER_SEC / 10)

typedef struct
{
  StasisQemuPages base;
  const StasisFlatSource *source; /* (borrowed) */
  guint main;                     /* the block whose pages lie in place */
  guint8 *stored;                 /* (owned) a bit for each of its pages */
  StasisPageRun run;
  GByteArray *stream; /* (owned) what is kept of it */
  guint last;         /* the block of its last page, or NO_BLOCK */
  gint64 told_us;
  guint64 done; /* octets of RAM */
  guint64 total;
} Splitter;

static gboolean
throw_unsupported (const char *what, GError **error)
{
  g_set_error_literal (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED, what);
  return FALSE;
}

static gboolean
settle (StasisQemuPages *base, GError **error)
{
  Splitter *self = (Splitter *) base;
  const StasisFlatSource *source = self->source;
  if (!stasis_page_run_settle (&self->run, error))
    return FALSE;
  const gint64 now = g_get_monotonic_time ();
  if (source->progress != NULL && now - self->told_us >= TELL_EVERY_US)
    {
      source->progress (MIN (self->done, self->total), self->total, source->progress_data);
      self->told_us = now;
    }
  return TRUE;
}

/* A page of another block, as QEMU sends it. */
static gboolean
keep_page (Splitter *self, guint block, guint64 page, const guint8 *octets, guint8 fill,
           GError **error)
{
  if (self->stream->len > STASIS_IMAGE_VIEW_MAX - RECORD_MAX)
    return throw_unsupported (_ ("too much of the image is not the guest's main memory"), error);
  const gboolean goes_on = block == self->last;
  stasis_qemu_append_u64 (
      self->stream, page * PAGE | (octets != NULL ? STASIS_QEMU_RAM_PAGE : STASIS_QEMU_RAM_ZERO)
                        | (goes_on ? STASIS_QEMU_RAM_CONTINUE : 0));
  if (!goes_on)
    stasis_qemu_append_name (self->stream, self->base.blocks[block].name);
  if (octets != NULL)
    g_byte_array_append (self->stream, octets, PAGE);
  else
    stasis_qemu_append_u8 (self->stream, fill);
  self->last = block;
  return TRUE;
}

static gboolean
take_page (StasisQemuPages *base, guint block, guint64 page, const guint8 *octets, guint8 fill,
           GError **error)
{
  Splitter *self = (Splitter *) base;
  self->done += PAGE;
  if (block != self->main)
    return keep_page (self, block, page, octets, fill, error);

  guint8 *bits = &self->stored[page / 8];
  const guint8 bit = (guint8) (1u << page % 8);
  const gboolean was_stored = (*bits & bit) != 0;
  if (octets != NULL ? stasis_is_zero (octets, PAGE) : fill == 0)
    {
      *bits &= (guint8) ~bit;
      return !was_stored
             || (stasis_page_run_settle (&self->run, error)
                 && stasis_extent_punch (self->run.fd, page * PAGE, (page + 1) * PAGE, error));
    }
  *bits |= bit;
  return octets != NULL ? stasis_page_run_add (&self->run, page * PAGE, octets, error)
                        : stasis_page_run_fill (&self->run, page * PAGE, fill, error);
}

static gboolean
find_main (Splitter *self, const StasisImageRamMap *map, GError **error)
{
  const StasisFlatSource *source = self->source;
  const StasisImageBlock *block = stasis_image_ram_map_lookup (map, source->block);
  if (block == NULL || block->used_length != source->length)
    {
      g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_UNSUPPORTED,
                   _ ("the image has no RAM block '%1$s' that is as large as the domain's memory"),
                   source->block);
      return FALSE;
    }
  self->main = (guint) (block - map->blocks);
  self->stored = g_malloc0 (block->bitmap_length);
  if (ftruncate (self->run.fd, (off_t) block->used_length) < 0)
    return stasis_throw_errno (error, _ ("cannot set the size of the flat file"));
  return TRUE;
}

/* The rest of the stream, with the pages of the main block. */
static gboolean
split (Splitter *self, StasisQemuInput *input, const StasisQemuHead *head,
       const StasisImageRamMap *map, GError **error)
{
  g_auto (StasisQemuSections) sections = { .rest_offset = 0 };
  gboolean described;
  stasis_qemu_sections_append_front (head, map, self->stream);
  if (!find_main (self, map, error)
      || !stasis_qemu_sections_take_list_end (input, head->ram_id, &self->base, error)
      || !stasis_qemu_sections_take (input, head->ram_id, &self->base, &sections, error))
    return FALSE;
  g_autoptr (GPtrArray) devices = stasis_qemu_devices_find (
      sections.rest->data, sections.rest->len, sections.rest_offset, &described, error);
  if (devices == NULL)
    return FALSE;
  stasis_qemu_sections_append_back (&sections, head->ram_id, self->stream);
  return self->stream->len <= STASIS_IMAGE_VIEW_MAX
         || throw_unsupported (_ ("too much of the image is not the guest's main memory"), error);
}

static gboolean
write_part (int fd, guint64 *offset, const void *octets, gsize size, GError **error)
{
  const guint64 at = *offset;
  *offset += size;
  return stasis_fd_pwrite_exact (fd, octets, size, at, error);
}

/* What stands behind the memory. */
static gboolean
write_tail (const Splitter *self, GCancellable *cancellable, GError **error)
{
  const StasisFlatSource *source = self->source;
  const int fd = self->run.fd;
  const gsize note_length = strlen (source->note);
  const StasisHashTableArgs args = { .fd = fd, .body = { .offset = 0, .end = source->length } };
  g_autoptr (GBytes) table = stasis_hash_table_compute (&args, cancellable, error);
  if (table == NULL)
    return FALSE;
  gsize table_length;
  const guint8 *table_octets = g_bytes_get_data (table, &table_length);
  const StasisFlatEnd end = {
    .ram_length = source->length,
    .stream_length = self->stream->len,
    .table_length = table_length,
    .note_length = note_length,
    .stream_hash = stasis_hash (self->stream->data, self->stream->len),
    .table_hash = stasis_hash (table_octets, table_length),
    .note_hash = stasis_hash (source->note, note_length),
  };
  guint8 last[STASIS_FLAT_END_SIZE];
  guint64 offset = source->length;
  stasis_flat_end_encode (&end, last);
  return write_part (fd, &offset, self->stream->data, self->stream->len, error)
         && write_part (fd, &offset, table_octets, table_length, error)
         && write_part (fd, &offset, source->note, note_length, error)
         && write_part (fd, &offset, last, sizeof last, error);
}

/* Behind its head. */
static gboolean
write_all (Splitter *self, StasisQemuInput *input, const StasisQemuHead *head,
           const StasisImageRamMap *map, GError **error)
{
  stasis_qemu_pages_init (&self->base, map->blocks, map->n_blocks);
  self->base.page = take_page;
  self->base.settle = settle;
  self->total = head->ram_total;
  self->stream = g_byte_array_new ();
  self->last = NO_BLOCK;
  const gboolean ok
      = split (self, input, head, map, error) && write_tail (self, input->cancellable, error);
  stasis_qemu_pages_clear (&self->base);
  g_byte_array_unref (self->stream);
  g_free (self->stored);
  return ok;
}

/* Read a plain stream to its end. */
gboolean
stasis_flat_write (const StasisFlatSource *source, int fd, GCancellable *cancellable,
                   GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  if (strlen (source->note) > STASIS_FLAT_NOTE_MAX)
    return throw_unsupported (_ ("the note of a flat file is too long"), error);
  stasis_qemu_input_init_stream (&input, source->in, cancellable);
  if (!stasis_qemu_head_take_plain (&input, &head, error))
    return FALSE;
  g_autoptr (StasisImageRamMap) map = stasis_qemu_head_take_blocks (&input, &head, error);
  if (map == NULL)
    return FALSE;
  g_autofree Splitter *self = g_new0 (Splitter, 1);
  self->source = source;
  self->run.fd = fd;
  return write_all (self, &input, &head, map, error);
}
