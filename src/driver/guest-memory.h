/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-memory.h: reading a guest's memory from outside
 *
 * Blocks are added by one thread, before; then any number of threads may read.
 */

#pragma once

#include "driver/guest-range.h"
#include "monitor/commands-query.h"
#include "util/process.h"

G_BEGIN_DECLS

typedef struct _StasisGuestMemory StasisGuestMemory;

/* The memory of this QEMU as it is mapped now.  @image (borrowed: outlives it) -1, or the save
 * image that a part of it is mapped from, open for reading. */
StasisGuestMemory *stasis_guest_memory_new (const StasisProcess *qemu, int image);

/* Returns the block's number for stasis_guest_memory_read(). */
guint stasis_guest_memory_add (StasisGuestMemory *self, const StasisRamBlock *ram);

/* Read [@offset, @offset + @length) of a block, @length at most STASIS_GUEST_MEMORY_PIECE.
 * *@out_is_zero: nothing was read and all of it is zero.  Pages that the guest never touched are
 * not made by reading them, and a hole of the image not filled. */
gboolean stasis_guest_memory_read (const StasisGuestMemory *self, guint block, guint64 offset,
                                   guint8 *octets, gsize length, gboolean *out_is_zero,
                                   GError **error);

#define STASIS_GUEST_MEMORY_PIECE (1024u * 1024u)

/* TRUE where a page of the block that QEMU does not have is the image's. */
gboolean stasis_guest_memory_is_mapped (const StasisGuestMemory *self, guint block);

/* Append to @ranges the guest's own pages in [@offset, @offset + @length) of a block that is mapped
 * from the image, @length at most STASIS_GUEST_MEMORY_PIECE: what it has written to.  FALSE where
 * the block is not mapped from it, or nobody can tell. */
gboolean stasis_guest_memory_own (const StasisGuestMemory *self, guint block, guint64 offset,
                                  gsize length, GArray *ranges);

/* Read @n ranges, which the guest has written to, one behind the other into @octets: at once, for
 * the guest may be waiting. */
gboolean stasis_guest_memory_read_ranges (const StasisGuestMemory *self,
                                          const StasisGuestRange *ranges, guint n, guint8 *octets,
                                          GError **error);

/* NULL is fine. */
void stasis_guest_memory_free (StasisGuestMemory *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisGuestMemory, stasis_guest_memory_free)

G_END_DECLS
