/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-stream.c: a mapped body out of QEMU's plain stream
 *
 * Theory of operation
 *
 * The list of blocks comes first, so all places are known before the first page.  Pages that follow
 * each other are written with one call straight from the input's buffer.  A live save sends some
 * pages twice, the last one counts: a page that was stored and then is zero leaves a stale page,
 * which is punched out at the end.  mapped-writer.c writes what stands around the pages.
 */

#include "config.h"

#include "image/map-stream.h"

#include "image/mapped-ram.h"
#include "image/mapped-writer.h"
#include "image/octets.h"
#include "image/page-run.h"
#include "image/qemu-devices.h"
#include "image/qemu-sections.h"
#include "util/hash.h"

#define PAGE          STASIS_IMAGE_PAGE_SIZE
#define TELL_EVERY_US (G_USEC_PER_SEC / 10)

typedef struct
{
  StasisQemuPages base;
  StasisImageRamMap *map;     /* (owned) */
  StasisMappedWriter *writer; /* (owned) (nullable) */
  gboolean is_stale;          /* a page was stored and then zero */
  StasisPageRun run;

  StasisImageProgress progress; /* (nullable) */
  gpointer progress_data;
  gint64 told_us;
  guint64 done; /* octets of RAM */
  guint64 total;
} Mapper;

static gboolean
settle (StasisQemuPages *base, GError **error)
{
  Mapper *self = (Mapper *) base;
  if (!stasis_page_run_settle (&self->run, error))
    return FALSE;

  const gint64 now = g_get_monotonic_time ();
  if (self->progress != NULL && now - self->told_us >= TELL_EVERY_US)
    {
      self->progress (MIN (self->done, self->total), self->total, self->progress_data);
      self->told_us = now;
    }
  return TRUE;
}

static gboolean
map_page (StasisQemuPages *base, guint block, guint64 page, const guint8 *octets, guint8 fill,
          GError **error)
{
  Mapper *self = (Mapper *) base;
  guint8 *bits = &stasis_mapped_writer_bitmap (self->writer, block)[page / 8];
  const guint8 bit = (guint8) (1u << page % 8);
  const guint64 offset = self->map->blocks[block].pages_offset + page * PAGE;
  self->done += PAGE;
  if (octets != NULL ? stasis_is_zero (octets, PAGE) : fill == 0)
    {
      self->is_stale |= (*bits & bit) != 0;
      *bits &= (guint8) ~bit;
      return TRUE;
    }
  *bits |= bit;
  return octets != NULL ? stasis_page_run_add (&self->run, offset, octets, error)
                        : stasis_page_run_fill (&self->run, offset, fill, error);
}

static gboolean
take_sections (Mapper *self, StasisQemuInput *input, guint32 ram_id, StasisQemuSections *sections,
               GError **error)
{
  gboolean described;
  if (!stasis_qemu_sections_take_list_end (input, ram_id, &self->base, error)
      || !stasis_qemu_sections_take (input, ram_id, &self->base, sections, error))
    return FALSE;
  g_autoptr (GPtrArray) devices = stasis_qemu_devices_find (
      sections->rest->data, sections->rest->len, sections->rest_offset, &described, error);
  return devices != NULL;
}

static gboolean
map_body (Mapper *self, StasisQemuInput *input, const StasisQemuHead *head, guint64 offset,
          guint64 *out_end, GError **error)
{
  g_auto (StasisQemuSections) sections = { .rest_offset = 0 };
  self->writer = stasis_mapped_writer_begin (self->run.fd, offset, head, self->map, error);
  if (self->writer == NULL || !take_sections (self, input, head->ram_id, &sections, error)
      || !stasis_mapped_writer_finish (self->writer, sections.commands, sections.rest, out_end,
                                       error))
    return FALSE;
  if (self->is_stale
      && !stasis_mapped_ram_punch_stale (self->run.fd, self->map, input->cancellable, error))
    return FALSE;
  if (self->progress != NULL)
    self->progress (self->total, self->total, self->progress_data);
  return TRUE;
}

static void
clear (Mapper *self)
{
  stasis_mapped_writer_free (self->writer);
  stasis_qemu_pages_clear (&self->base);
  stasis_image_ram_map_free (self->map);
}

/* Read a plain stream to its end and write what it says as a mapped body. */
gboolean
stasis_map_stream (StasisStreamIn *in, int fd, guint64 body_offset, guint64 *out_body_end,
                   StasisImageProgress progress, gpointer progress_data, GCancellable *cancellable,
                   GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_stream (&input, in, cancellable);
  if (!stasis_qemu_head_take_plain (&input, &head, error))
    return FALSE;
  StasisImageRamMap *map = stasis_qemu_head_take_blocks (&input, &head, error);
  if (map == NULL)
    return FALSE;

  g_autofree Mapper *self = g_new0 (Mapper, 1);
  self->run.fd = fd;
  self->map = map;
  self->total = head.ram_total;
  self->progress = progress;
  self->progress_data = progress_data;
  stasis_qemu_pages_init (&self->base, map->blocks, map->n_blocks);
  self->base.page = map_page;
  self->base.settle = settle;
  const gboolean ok = map_body (self, &input, &head, body_offset, out_body_end, error);
  clear (self);
  return ok;
}
