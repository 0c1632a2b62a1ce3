/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-end.h: what a flat file ends with
 */

#pragma once

#include <gio/gio.h>

#include "util/hash.h"

G_BEGIN_DECLS

#define STASIS_FLAT_END_SIZE 128u /* octets */

/* The parts follow each other: memory, stream, hashes, note, this. */
typedef struct
{
  guint64 ram_length;
  guint64 stream_length;
  guint64 table_length;
  guint64 note_length;
  StasisHash stream_hash;
  StasisHash table_hash;
  StasisHash note_hash;
} StasisFlatEnd;

void stasis_flat_end_encode (const StasisFlatEnd *end, guint8 octets[STASIS_FLAT_END_SIZE]);

/* What the last octets of a file say, of which all parts together have the file's size. */
gboolean stasis_flat_end_read (int fd, StasisFlatEnd *out_end, GError **error);

G_END_DECLS
