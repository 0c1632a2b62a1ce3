/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * body-notes.c: what the one who wrote a body knows of it, so that it need not be read again
 */

#include "config.h"

#include "image/body-notes.h"

void
stasis_body_notes_clear (StasisBodyNotes *self)
{
  g_clear_pointer (&self->hashes, stasis_image_hashes_free);
  g_clear_pointer (&self->packed_map, stasis_image_ram_map_free);
  g_clear_pointer (&self->chunk_hashes, g_array_unref);
  g_clear_pointer (&self->chunk_known, g_byte_array_unref);
}

/* The hash of a chunk. */
const StasisHash *
stasis_body_notes_chunk_hash (const StasisBodyNotes *self, guint64 index)
{
  return self->chunk_known != NULL && index < self->chunk_known->len
                 && self->chunk_known->data[index] != 0
             ? &g_array_index (self->chunk_hashes, StasisHash, index)
             : NULL;
}
