/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-ram.h: the beginning of what QEMU writes with the capability mapped-ram
 */

#pragma once

#include <gio/gio.h>

#include "image/qemu-head.h"
#include "image/qemu-input.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

/* Parse QEMU's stream in [@body_offset, @body_end) as far as its RAMBlocks: names, lengths, places.
 * Bitmaps are not read yet: see stasis_mapped_ram_read_bitmaps().  Fails with
 * STASIS_IMAGE_ERROR_CORRUPT or UNSUPPORTED. */
StasisImageRamMap *stasis_mapped_ram_parse (int fd, guint64 body_offset, guint64 body_end,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Read head and blocks of a mapped body; leaves @input, which must read a file, behind the pages of
 * the last block.  Fills in @head. */
StasisImageRamMap *stasis_mapped_ram_take (StasisQemuInput *input, StasisQemuHead *head,
                                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the bitmap and the pages of a block lie whose header stands at @offset, from its used
 * length; the caller knows that nothing overflows. */
void stasis_mapped_ram_place (StasisImageBlock *block, guint64 offset);

/* Append a block's entry in the list: name, length, header. */
void stasis_mapped_ram_append_block (GByteArray *out, const StasisImageBlock *block);

/* TRUE where [@body_offset, @body_end) begins as QEMU's streams do; STASIS_IMAGE_ERROR_CORRUPT
 * where not. */
gboolean stasis_mapped_ram_check_stream (int fd, guint64 body_offset, guint64 body_end,
                                         GError **error);

/* Fill in n_set and bitmap_hash of every block; STASIS_IMAGE_ERROR_CORRUPT where spare bits are
 * set. */
gboolean stasis_mapped_ram_read_bitmaps (int fd, StasisImageRamMap *map, GCancellable *cancellable,
                                         GError **error);

/* Drop what a live save left in pages whose bit is clear: they are zero in the guest. */
gboolean stasis_mapped_ram_punch_stale (int fd, const StasisImageRamMap *map,
                                        GCancellable *cancellable, GError **error);

/* Fails with STASIS_IMAGE_ERROR_UNSUPPORTED where a page of @block whose bit is clear has data in
 * the file: who maps the file would see that. */
gboolean stasis_mapped_ram_check_stale (int fd, const StasisImageBlock *block,
                                        GCancellable *cancellable, GError **error);

G_END_DECLS
