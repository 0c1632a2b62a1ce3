/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chunks.h: going over the body in chunks of 1 MiB, on several threads
 */

#pragma once

#include <gio/gio.h>

#include "image/types.h"
#include "util/hash.h"

G_BEGIN_DECLS

/* How the body is cut: at multiples of 1 MiB of the file. */
typedef struct
{
  guint64 offset; /* of the body */
  guint64 end;
} StasisBody;

guint64 stasis_body_n_chunks (const StasisBody *body);

/* Chunk @index: [*@out_start, *@out_end) of the file. */
void stasis_body_chunk (const StasisBody *body, guint64 index, guint64 *out_start,
                        guint64 *out_end);

/* Reads for one thread: a buffer, a hasher. */
typedef struct _StasisChunkReader StasisChunkReader;

/* Sees all data of a chunk as it is read, holes left out.  FALSE stops everything. */
typedef gboolean (*StasisPieceFunc) (guint64 offset, const guint8 *octets, gsize size,
                                     gpointer data, GError **error);

/* The hash of [@start, @end), holes taken as zeros; @piece (nullable) is shown the data. */
gboolean stasis_chunk_reader_hash (StasisChunkReader *reader, guint64 start, guint64 end,
                                   StasisPieceFunc piece, gpointer piece_data, StasisHash *out_hash,
                                   GError **error);

/* One pass over all chunks. */
typedef struct
{
  int fd; /* (borrowed) its position moves */
  StasisBody body;
  /* Not NULL: the pass is over @n_items of anything else, of that many octets each. */
  guint64 (*item_size) (guint64 index, gpointer data);
  guint64 n_items;
  guint n_threads; /* 0: one for each core, at most 8 */
  /* Called for each chunk once, on any of the threads, several at the same time, in rising order of
   * beginning.  FALSE with an error stops the pass. */
  gboolean (*visit) (guint64 index, StasisChunkReader *reader, gpointer thread_data, gpointer data,
                     GError **error);
  /* What each thread has for itself; NULL: nothing. */
  gpointer (*thread_data_new) (gpointer data);
  GDestroyNotify thread_data_free;
  gpointer data;
  int *stop;                    /* (nullable, atomic) begin no more chunks once it is not 0 */
  StasisImageProgress progress; /* (nullable) called on the calling thread */
  gpointer progress_data;
} StasisChunkPass;

/* Run a pass.  FALSE where a visit failed or @cancellable was cancelled. */
gboolean stasis_chunk_pass_run (const StasisChunkPass *pass, GCancellable *cancellable,
                                GError **error);

G_END_DECLS
