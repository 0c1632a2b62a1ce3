/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunk-stream.h: QEMU's plain stream out of the CHUNK records that hold it
 */

#pragma once

#include <gio/gio.h>

#include "image/record-stream.h"

G_BEGIN_DECLS

typedef struct
{
  StasisRecordStream *records; /* (borrowed) at the first CHUNK; of our thread until we are freed */
  guint n_threads;             /* that decompress; 0: one for each core, at most 8 */
  /* On our thread: a CHUNK with that checksum was read; nullable. */
  void (*on_chunk) (const StasisHash *checksum, gpointer data);
  /* On our thread: the chunks are over.  Read what follows, of whose first record we have @head and
   * @record, both NULL where the input ends.  The stream ends only after TRUE. */
  gboolean (*on_rest) (const guint8 *head, const StasisRecord *record, gpointer data,
                       GCancellable *cancellable, GError **error);
  gpointer data;
} StasisChunkStreamArgs;

/* Each chunk is checked before a single octet of it is handed out.  Errors say nothing of whose
 * they are. */
StasisStreamIn *
stasis_chunk_stream_new (const StasisChunkStreamArgs *args) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
