/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-packed.h: a small PACKED_RAM body for tests
 */

#pragma once

#include "image/packed-writer.h"

G_BEGIN_DECLS

/* Three small blocks, pc.ram first, and a head for them. */
StasisImageRamMap *sample_packed_map (void);
void sample_packed_head (StasisQemuHead *head);

/* What stands behind the RAM: the stream's end, and a description of nothing. */
GByteArray *sample_packed_rest (void);

/* Put a page that is all @octet. */
void sample_packed_put (StasisPackedWriter *writer, guint block, guint64 page, guint8 octet);

/* A whole body. */
void sample_write_packed (int fd, guint64 offset, StasisBodyNotes *notes);

G_END_DECLS
