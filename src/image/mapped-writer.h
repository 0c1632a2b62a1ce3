/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-writer.h: writing a mapped body as a QEMU with the capability mapped-ram would
 *
 *   writer = stasis_mapped_writer_begin (fd, offset, &head, map, &error);
 *   ... the pages, at the places that stand in @map now, and their bits ...
 *   stasis_mapped_writer_finish (writer, commands, rest, &end, &error);
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-head.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

typedef struct _StasisMappedWriter StasisMappedWriter;

/* Cut @fd off at @body_offset and write the head and the blocks' headers.  Fills in the places of
 * @map, of which names and lengths are known.  All borrowed; @fd and @map outlive the writer.
 * Fails with STASIS_IMAGE_ERROR_TOO_LARGE where the body would end behind STASIS_IMAGE_END_MAX. */
StasisMappedWriter *stasis_mapped_writer_begin (int fd, guint64 body_offset,
                                                const StasisQemuHead *head, StasisImageRamMap *map,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A block's bitmap, all zero at first: a set bit is a page that is written. */
guint8 *stasis_mapped_writer_bitmap (StasisMappedWriter *self, guint block);

/* Write the pages [@offset, @offset + @length) of a block to @data_fd, those that are not zero, and
 * set their bits; those that have been written before are written again, zero or not.  Both are
 * multiples of a page, save at the block's end.  Any thread; not one page by two at a time.
 * *@out_written (in, out): octets are added. */
gboolean stasis_mapped_writer_put (StasisMappedWriter *self, int data_fd, guint block,
                                   guint64 offset, const guint8 *octets, gsize length,
                                   guint64 *out_written, GError **error);

/* The same, but every page gets its bit: of an incremental image a set bit is a page that is not
 * the parent's, zero or not.  Zeros are written only over what was written before. */
gboolean stasis_mapped_writer_put_all (StasisMappedWriter *self, int data_fd, guint block,
                                       guint64 offset, const guint8 *octets, gsize length,
                                       guint64 *out_written, GError **error);

/* How many pages have their bit, of all blocks. */
guint64 stasis_mapped_writer_count (const StasisMappedWriter *self);

/* Write the bitmaps, and what stands behind the pages: the parts of the RAM, empty, @commands, and
 * @rest, the devices' sections up to the end of the stream.  Nothing is synced. */
gboolean stasis_mapped_writer_finish (StasisMappedWriter *self, const GByteArray *commands,
                                      const GByteArray *rest, guint64 *out_body_end,
                                      GError **error);

/* NULL is fine. */
void stasis_mapped_writer_free (StasisMappedWriter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMappedWriter, stasis_mapped_writer_free)

G_END_DECLS
