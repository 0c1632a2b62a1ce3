/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hashes.h: hashes of guest memory, collected while QEMU writes it
 *
 * Several threads may set hashes of one container at the same time; adding blocks and freeing
 * belong to one thread, before and after.
 */

#pragma once

#include "util/hash.h"

G_BEGIN_DECLS

typedef struct _StasisImageHashes StasisImageHashes;

StasisImageHashes *stasis_image_hashes_new (void) G_GNUC_WARN_UNUSED_RESULT;

/* Make room for the hashes of a RAMBlock of @used_length octets: one for each piece of 1 MiB, the
 * last may be shorter.  Returns the block's number for the other calls. */
guint stasis_image_hashes_add_block (StasisImageHashes *hashes, const char *name,
                                     guint64 used_length);

/* The hash of the octets [@piece MiB, MIN ((@piece + 1) MiB, used length)) of the block. */
void stasis_image_hashes_set (StasisImageHashes *hashes, guint block, guint64 piece,
                              const StasisHash *hash);

/* The hash of a piece, or NULL where none was set (also for a block that is not known by that
 * name and length). */
const StasisHash *stasis_image_hashes_get (const StasisImageHashes *hashes, const char *name,
                                           guint64 used_length, guint64 piece);

/* NULL is fine. */
void stasis_image_hashes_free (StasisImageHashes *hashes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisImageHashes, stasis_image_hashes_free)

G_END_DECLS
