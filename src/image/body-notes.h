/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-notes.h: what the one who wrote a body knows of it, so that it need not be read again
 */

#pragma once

#include "image/hashes.h"
#include "image/packed-ram.h"

G_BEGIN_DECLS

/* { 0 } is a good start, and says nothing; end with stasis_body_notes_clear(). */
typedef struct
{
  StasisImageHashes *hashes; /* (owned) (nullable) of guest memory, for MAPPED_RAM */
  /* Of PACKED_RAM, which nobody can read without it. */
  StasisPackedRam packed;
  StasisImageRamMap *packed_map; /* (owned) (nullable) names, lengths, pages */
  GArray *chunk_hashes;          /* (owned) (nullable) of StasisHash: by the body's chunks */
  GByteArray *chunk_known;       /* (owned) (nullable) 1: that hash is right */
} StasisBodyNotes;

void stasis_body_notes_clear (StasisBodyNotes *self);

/* The hash of a chunk of the body, or NULL where it is not known. */
const StasisHash *stasis_body_notes_chunk_hash (const StasisBodyNotes *self, guint64 index);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StasisBodyNotes, stasis_body_notes_clear)

G_END_DECLS
