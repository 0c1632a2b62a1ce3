/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-writer.h: writing a PACKED_RAM body: some of a guest's pages, one behind the other
 *
 *   writer = stasis_packed_writer_begin (fd, offset, &head, map, &error);
 *   ... stasis_packed_writer_put () ...
 *   stasis_packed_writer_finish (writer, rest, &notes, &error);
 */

#pragma once

#include <gio/gio.h>

#include "image/body-notes.h"
#include "image/qemu-head.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

typedef struct _StasisPackedWriter StasisPackedWriter;

/* Cut @fd off at @body_offset.  @data_fd: the same, or the same file opened with O_DIRECT, for
 * whole chunks.  Of @map only names and lengths are looked at.  All borrowed; they outlive the
 * writer.  Fails with STASIS_IMAGE_ERROR_TOO_LARGE where a body cannot have so many pages. */
StasisPackedWriter *stasis_packed_writer_begin (int fd, int data_fd, guint64 body_offset,
                                                const StasisQemuHead *head,
                                                const StasisImageRamMap *map,
                                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Take in the pages [@offset, @offset + @length) of a block, both multiples of a page; zero ones
 * take no place.  Any thread; a page that was put before only when no other put is under way.
 * *@out_written (in, out): octets are added. */
gboolean stasis_packed_writer_put (StasisPackedWriter *self, guint block, guint64 offset,
                                   const guint8 *octets, gsize length, guint64 *out_written,
                                   GError **error);

/* Which of a block's pages were put, a bit for each (borrowed). */
const guint8 *stasis_packed_writer_bitmap (const StasisPackedWriter *self, guint block);

/* How many, of all blocks; *@out_zero of them are zero, and not stored. */
guint64 stasis_packed_writer_count (const StasisPackedWriter *self, guint64 *out_zero);

/* Write what is left of the pages, the index, and QEMU's stream: head, blocks, @rest, the devices'
 * sections up to the end.  Nothing is synced.  What is known of the body is put into @notes. */
gboolean stasis_packed_writer_finish (StasisPackedWriter *self, const GByteArray *rest,
                                      StasisBodyNotes *notes, GError **error);

/* NULL is fine. */
void stasis_packed_writer_free (StasisPackedWriter *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisPackedWriter, stasis_packed_writer_free)

G_END_DECLS
