/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-hash.h: hashes of a paused guest's memory, taken from outside
 */

#pragma once

#include "image/hashes.h"
#include "monitor/commands-query.h"
#include "util/process.h"

G_BEGIN_DECLS

typedef struct _StasisMemoryHash StasisMemoryHash;

/* Begin to hash the memory of a guest whose CPUs are stopped, in threads of its own, while QEMU
 * writes it.  @blocks: of StasisRamBlock.  NULL where this process may not read QEMU's memory:
 * then the hashes come from the file. */
StasisMemoryHash *stasis_memory_hash_start (const StasisProcess *qemu, const GPtrArray *blocks,
                                            guint n_threads, GError **error);

/* Wait for the threads; the hashes (transfer full), or NULL where memory went away. */
StasisImageHashes *stasis_memory_hash_finish (StasisMemoryHash *hash, GError **error);

/* Stop at once.  NULL is fine. */
void stasis_memory_hash_free (StasisMemoryHash *hash);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisMemoryHash, stasis_memory_hash_free)

G_END_DECLS
