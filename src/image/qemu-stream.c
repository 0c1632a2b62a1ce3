/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-stream.c: what a stream of QEMU is made of
 *
 * Theory of operation
 *
 * A stream is a head (qemu-head.c), sections with the RAM (qemu-sections.c, qemu-pages.c; in a
 * mapped body the pages lie apart, mapped-ram.c), the devices and their description
 * (qemu-devices.c).  All of its structure is looked at; what is in the pages and in the fields of
 * the devices is not, for it means nothing to us.
 */

#include "config.h"

#include "image/qemu-stream.h"

#include "image/mapped-ram.h"
#include "image/qemu-head.h"
#include "image/qemu-sections.h"

/* NULL is fine. */
void
stasis_qemu_stream_info_free (StasisQemuStreamInfo *info)
{
  if (info == NULL)
    return;

  g_free (info->machine);
  stasis_image_ram_map_free (info->map);
  g_free (info->counts);
  g_clear_pointer (&info->devices, g_ptr_array_unref);
  g_free (info);
}

/* Of all blocks. */
StasisQemuPageCounts
stasis_qemu_stream_total (const StasisQemuStreamInfo *info)
{
  StasisQemuPageCounts total = { .n_stored = 0 };
  for (guint i = 0; i < info->map->n_blocks; i++)
    {
      total.n_stored += info->counts[i].n_stored;
      total.n_zero += info->counts[i].n_zero;
      total.n_filled += info->counts[i].n_filled;
    }
  return total;
}

typedef struct
{
  StasisQemuPages base;
  StasisQemuPageCounts *counts; /* (borrowed) */
} Counter;

static gboolean
count_page (StasisQemuPages *base, guint block, G_GNUC_UNUSED guint64 page, const guint8 *octets,
            guint8 fill, G_GNUC_UNUSED GError **error)
{
  StasisQemuPageCounts *counts = &((Counter *) base)->counts[block];
  if (octets != NULL)
    counts->n_stored++;
  else if (fill != 0)
    counts->n_filled++;
  else
    counts->n_zero++;
  return TRUE;
}

/* The sections behind the list of blocks. */
static gboolean
scan_sections (StasisQemuInput *input, const StasisQemuHead *head, StasisQemuStreamInfo *info,
               StasisQemuPages *pages, GError **error)
{
  g_auto (StasisQemuSections) sections = { .rest_offset = 0 };
  if (!stasis_qemu_sections_take_list_end (input, head->ram_id, pages, error)
      || !stasis_qemu_sections_take (input, head->ram_id, pages, &sections, error))
    return FALSE;
  info->devices = stasis_qemu_devices_find (sections.rest->data, sections.rest->len,
                                            sections.rest_offset, &info->described, error);
  return info->devices != NULL;
}

/* Count pages (@counter not NULL), or make sure that there are none. */
static gboolean
scan_blocks (StasisQemuInput *input, const StasisQemuHead *head, StasisQemuStreamInfo *info,
             gboolean with_pages, GError **error)
{
  Counter counter = { .counts = info->counts };
  stasis_qemu_pages_init (&counter.base, info->map->blocks, info->map->n_blocks);
  counter.base.page = with_pages ? count_page : NULL;
  const gboolean ok = scan_sections (input, head, info, &counter.base, error);
  stasis_qemu_pages_clear (&counter.base);
  return ok;
}

static StasisQemuStreamInfo *
scan_plain (StasisQemuInput *input, gboolean with_pages, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_autoptr (StasisQemuStreamInfo) info = g_new0 (StasisQemuStreamInfo, 1);
  if (!stasis_qemu_head_take_plain (input, &head, error))
    return NULL;
  info->map = stasis_qemu_head_take_blocks (input, &head, error);
  if (info->map == NULL)
    return NULL;

  info->machine = g_strdup (head.machine);
  info->counts = g_new0 (StasisQemuPageCounts, info->map->n_blocks);
  if (!scan_blocks (input, &head, info, with_pages, error))
    return NULL;
  return g_steal_pointer (&info);
}

/* Read a plain stream to its end. */
StasisQemuStreamInfo *
stasis_qemu_stream_scan (StasisStreamIn *in, GCancellable *cancellable, GError **error)
{
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_stream (&input, in, cancellable);
  StasisQemuStreamInfo *info = scan_plain (&input, TRUE, error);
  if (info != NULL)
    info->length = input.offset;
  return info;
}

/* The same for a part of a file, without pages. */
StasisQemuStreamInfo *
stasis_qemu_stream_scan_bare (int fd, guint64 offset, guint64 end, GCancellable *cancellable,
                              GError **error)
{
  g_auto (StasisQemuInput) input;
  stasis_qemu_input_init_file (&input, fd, offset, end, cancellable);
  StasisQemuStreamInfo *info = scan_plain (&input, FALSE, error);
  if (info != NULL)
    info->length = end - offset;
  return info;
}

/* The same for a mapped body. */
StasisQemuStreamInfo *
stasis_qemu_stream_scan_mapped (int fd, guint64 body_offset, guint64 body_end,
                                GCancellable *cancellable, GError **error)
{
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_auto (StasisQemuInput) input;
  g_autoptr (StasisQemuStreamInfo) info = g_new0 (StasisQemuStreamInfo, 1);
  stasis_qemu_input_init_file (&input, fd, body_offset, body_end, cancellable);
  info->map = stasis_mapped_ram_take (&input, &head, error);
  if (info->map == NULL || !stasis_mapped_ram_read_bitmaps (fd, info->map, cancellable, error))
    return NULL;

  info->machine = g_strdup (head.machine);
  info->mapped_ram = TRUE;
  info->counts = g_new0 (StasisQemuPageCounts, info->map->n_blocks);
  if (!scan_blocks (&input, &head, info, FALSE, error))
    return NULL;
  for (guint i = 0; i < info->map->n_blocks; i++)
    {
      const StasisImageBlock *block = &info->map->blocks[i];
      info->counts[i].n_stored = block->n_set;
      info->counts[i].n_zero = block->used_length / block->page_size - block->n_set;
    }
  info->length = body_end - body_offset;
  return g_steal_pointer (&info);
}
