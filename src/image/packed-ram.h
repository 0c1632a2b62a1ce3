/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packed-ram.h: the PACKED_RAM record: what lies where in a PACKED_RAM body
 */

#pragma once

#include <gio/gio.h>

#include "image/ram-map.h"
#include "util/hash.h"

G_BEGIN_DECLS

#define STASIS_PACKED_RUN_SIZE 8u         /* octets of the index */
#define STASIS_PACKED_ZERO     (1u << 31) /* of a run's count: its pages are zero, not stored */

typedef struct
{
  guint64 n_pages; /* that are stored */
  guint64 n_runs;  /* of the index */
  StasisHash index_hash;
} StasisPackedRam;

/* Where the index and QEMU's stream begin in a body at @body_offset. */
guint64 stasis_packed_ram_index_offset (const StasisPackedRam *self, guint64 body_offset);
guint64 stasis_packed_ram_stream_offset (const StasisPackedRam *self, guint64 body_offset);

/* The record's body; of the blocks in @map only name, used_length and n_set. */
GBytes *stasis_packed_ram_encode (const StasisPackedRam *self,
                                  const StasisImageRamMap *map) G_GNUC_WARN_UNUSED_RESULT;

/* Checked: limits, and that it fits into a body of @body_length octets.  The blocks, in the index's
 * order, have no places: neither bitmap nor pages lie in place. */
StasisImageRamMap *stasis_packed_ram_decode (GBytes *body, guint64 body_length,
                                             StasisPackedRam *out_packed,
                                             GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where reserved fields and padding of a body that was decoded before are zero. */
gboolean stasis_packed_ram_reserved_is_zero (GBytes *body);

G_END_DECLS
