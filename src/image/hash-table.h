/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash-table.h: the CHUNK_HASHES record
 */

#pragma once

#include <gio/gio.h>

#include "image/chunks.h"
#include "image/body-notes.h"
#include "image/ram-map.h"

G_BEGIN_DECLS

typedef struct
{
  int fd; /* (borrowed) */
  StasisBody body;
  const StasisImageRamMap *map; /* (nullable) where pieces of RAMBlocks lie */
  const StasisBodyNotes *notes; /* (nullable) chunks that need no reading */
  guint n_threads;
  StasisImageProgress progress;
  gpointer progress_data;
} StasisHashTableArgs;

/* The record's body for what is in the file. */
GBytes *stasis_hash_table_compute (const StasisHashTableArgs *args, GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* TRUE where the record has one hash for each chunk of @body. */
gboolean stasis_hash_table_check (GBytes *table, const StasisBody *body, GError **error);

/* TRUE where its reserved fields are zero. */
gboolean stasis_hash_table_reserved_is_zero (GBytes *table);

/* The hash of chunk @index, from a record that was checked. */
StasisHash stasis_hash_table_get (GBytes *table, guint64 index);

G_END_DECLS
