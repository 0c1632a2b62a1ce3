/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unmap-stream.c: QEMU's plain stream out of a mapped body
 *
 * Theory of operation
 *
 * The configuration without the capability, the list of blocks without their headers, then one part
 * of the RAM with every page: those whose bit is set with their octets, the others as zero, for in
 * the QEMU that loads them some are not (its own copy of the firmware).  What the body has behind
 * its pages (the empty parts of the RAM, the devices, their description) follows as it is.
 *
 * Pages are read in runs, each page to its place between the heads of the records.
 */

#include "config.h"

#include "image/unmap-stream.h"

#include <errno.h>
#include <sys/uio.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/mapped-ram.h"
#include "image/octets.h"
#include "image/qemu-devices.h"
#include "image/qemu-sections.h"
#include "image/qemu-wire.h"
#include "image/types.h"
#include "util/fd.h"

#define BUFFER_SIZE (1024u * 1024)
#define PAGE        STASIS_IMAGE_PAGE_SIZE
#define HEAD_MAX    (8u + 1 + STASIS_IMAGE_BLOCK_NAME_MAX) /* in front of a page */
#define BATCH_MAX   256u                                   /* pages read at once */

G_STATIC_ASSERT (BUFFER_SIZE > BATCH_MAX * (PAGE + 8) - PAGE);

typedef struct
{
  StasisStreamIn base;
  int fd;                 /* (borrowed) */
  StasisImageRamMap *map; /* (owned) */
  GByteArray *front;      /* (owned) before the pages */
  GByteArray *back;       /* (owned) behind them */
  guint64 length;         /* of all that comes out */
  StasisBitmap bitmap;
  guint block; /* of the next page */
  guint64 page;
  gboolean is_fronted; /* the front was given out */
  gboolean is_backed;
  guint8 *buffer;       /* (owned) room for the pages to come */
  const guint8 *octets; /* what is given out: front, buffer or back */
  gsize start;
  gsize stop;
} Unmap;

/* The head of a page's record; its length. */
static gsize
put_head (const StasisImageBlock *block, guint64 page, guint kind, guint8 *octets)
{
  const gboolean is_first = page == 0;
  stasis_put_be64 (octets, page * PAGE | kind | (is_first ? 0 : STASIS_QEMU_RAM_CONTINUE));
  if (!is_first)
    return 8;
  const gsize name_length = strlen (block->name);
  octets[8] = (guint8) name_length;
  memcpy (octets + 9, block->name, name_length);
  return 9 + name_length;
}

static gboolean
read_pages (int fd, const struct iovec *places, guint n, guint64 offset, GError **error)
{
  gssize got;
  do
    got = preadv (fd, places, (int) n, (off_t) offset);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return stasis_throw_errno (error, _ ("cannot read at offset %1$" G_GUINT64_FORMAT), offset);

  /* What the kernel did not feel like, page by page. */
  for (guint i = (guint) got / PAGE; i < n; i++)
    if (!stasis_fd_pread_exact (fd, places[i].iov_base, PAGE, offset + (guint64) i * PAGE, error))
      return FALSE;
  return TRUE;
}

/* As many pages with data as fit, @run at most. */
static gboolean
add_stored (Unmap *self, const StasisImageBlock *block, guint64 run, GError **error)
{
  struct iovec places[BATCH_MAX];
  guint n = 0;
  const guint64 offset = block->pages_offset + self->page * PAGE;
  while (n < run && n < BATCH_MAX && BUFFER_SIZE - self->stop >= HEAD_MAX + PAGE)
    {
      self->stop
          += put_head (block, self->page + n, STASIS_QEMU_RAM_PAGE, self->buffer + self->stop);
      places[n].iov_base = self->buffer + self->stop;
      places[n].iov_len = PAGE;
      self->stop += PAGE;
      n++;
    }
  self->page += n;
  return read_pages (self->fd, places, n, offset, error);
}

/* As many pages without data as fit. */
static void
add_zero (Unmap *self, const StasisImageBlock *block, guint64 run)
{
  for (; run > 0 && BUFFER_SIZE - self->stop > HEAD_MAX; run--, self->page++)
    {
      self->stop += put_head (block, self->page, STASIS_QEMU_RAM_ZERO, self->buffer + self->stop);
      self->buffer[self->stop++] = 0;
    }
}

/* Fill the buffer with the pages that come next. */
static gboolean
add_pages (Unmap *self, GCancellable *cancellable, GError **error)
{
  self->octets = self->buffer;
  while (self->block < self->map->n_blocks && BUFFER_SIZE - self->stop >= HEAD_MAX + PAGE)
    {
      const StasisImageBlock *block = &self->map->blocks[self->block];
      const guint64 n_pages = block->used_length / PAGE;
      gboolean set;
      guint64 end;
      if (self->page == n_pages)
        {
          self->block++;
          self->page = 0;
          continue;
        }
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !stasis_bitmap_run (&self->bitmap, self->fd, block, self->page, n_pages, &set, &end,
                                 error))
        return FALSE;
      if (!set)
        add_zero (self, block, end - self->page);
      else if (!add_stored (self, block, end - self->page, error))
        return FALSE;
    }
  return TRUE;
}

static void
give_out (Unmap *self, const GByteArray *octets)
{
  self->octets = octets->data;
  self->stop = octets->len;
}

static gboolean
refill (Unmap *self, GCancellable *cancellable, GError **error)
{
  self->start = 0;
  self->stop = 0;
  if (!self->is_fronted)
    {
      self->is_fronted = TRUE;
      give_out (self, self->front);
      return TRUE;
    }
  if (!add_pages (self, cancellable, error))
    return FALSE;
  if (self->stop == 0 && !self->is_backed)
    {
      self->is_backed = TRUE;
      give_out (self, self->back);
    }
  return TRUE;
}

static gssize
unmap_read (StasisStreamIn *base, void *octets, gsize size, GCancellable *cancellable,
            GError **error)
{
  Unmap *self = (Unmap *) base;
  if (self->start == self->stop && !refill (self, cancellable, error))
    return -1;
  const gsize n = MIN (size, self->stop - self->start);
  if (n > 0)
    memcpy (octets, self->octets + self->start, n);
  self->start += n;
  return (gssize) n;
}

static void
unmap_free (StasisStreamIn *base)
{
  Unmap *self = (Unmap *) base;
  stasis_image_ram_map_free (self->map);
  g_byte_array_unref (self->front);
  g_byte_array_unref (self->back);
  g_free (self->buffer);
  g_free (self);
}

static guint64
count_length (const Unmap *self)
{
  guint64 length = (guint64) self->front->len + self->back->len;
  for (guint i = 0; i < self->map->n_blocks; i++)
    {
      const StasisImageBlock *block = &self->map->blocks[i];
      const guint64 n_pages = block->used_length / PAGE;
      length += 1 + strlen (block->name) + n_pages * 8 + block->n_set * PAGE
                + (n_pages - block->n_set);
    }
  return length;
}

/* Read the body's structure, all of it. */
static gboolean
take_body (Unmap *self, StasisQemuInput *input, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuSections) sections = { .rest_offset = 0 };
  g_autoptr (GPtrArray) devices = NULL;
  StasisQemuPages pages = { .page = NULL };
  gboolean described;
  self->map = stasis_mapped_ram_take (input, &head, error);
  if (self->map == NULL
      || !stasis_mapped_ram_read_bitmaps (self->fd, self->map, input->cancellable, error)
      || !stasis_qemu_sections_take_list_end (input, head.ram_id, &pages, error)
      || !stasis_qemu_sections_take (input, head.ram_id, &pages, &sections, error))
    return FALSE;
  devices = stasis_qemu_devices_find (sections.rest->data, sections.rest->len, sections.rest_offset,
                                      &described, error);
  if (devices == NULL)
    return FALSE;

  stasis_qemu_sections_append_front (&head, self->map, self->front);
  stasis_qemu_sections_append_back (&sections, head.ram_id, self->back);
  self->length = count_length (self);
  return TRUE;
}

/* The plain stream that says what the mapped body of a file says. */
StasisStreamIn *
stasis_unmap_stream_new (int fd, guint64 body_offset, guint64 body_end, GCancellable *cancellable,
                         GError **error)
{
  g_auto (StasisQemuInput) input;
  Unmap *self = g_new0 (Unmap, 1);
  g_autoptr (StasisStreamIn) stream = &self->base;
  stream->read = unmap_read;
  stream->free = unmap_free;
  self->fd = fd;
  self->front = g_byte_array_new ();
  self->back = g_byte_array_new ();
  self->buffer = g_malloc (BUFFER_SIZE);
  stasis_qemu_input_init_file (&input, fd, body_offset, body_end, cancellable);
  return take_body (self, &input, error) ? g_steal_pointer (&stream) : NULL;
}

/* How many octets come out of such a stream. */
guint64
stasis_unmap_stream_length (const StasisStreamIn *stream)
{
  return ((const Unmap *) stream)->length;
}
