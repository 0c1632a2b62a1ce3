/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verify-private.h: the stages of a verification
 *
 * Each returns FALSE only where it could not look (I/O error, cancelled); what it finds goes to the
 * list.
 */

#pragma once

#include "image/damage.h"
#include "image/packed-index.h"
#include "image/reader-private.h"

G_BEGIN_DECLS

typedef struct
{
  const StasisImage *image;
  StasisImageVerifyFlags flags;
  guint n_threads;
  StasisImageProgress progress;
  gpointer progress_data;
  StasisDamageList damages;
  StasisPackedIndex *packed; /* (owned) (nullable) of a PACKED_RAM body */
} StasisVerification;

/* verify-records.c: header, records, padding, reserved fields. */
gboolean stasis_verify_header (StasisVerification *self, GError **error);
gboolean stasis_verify_records (StasisVerification *self, GError **error);
gboolean stasis_verify_gaps (StasisVerification *self, GError **error);

/* verify-body.c: the hashes of the body, and what is inside it. */
gboolean stasis_verify_body (StasisVerification *self, GCancellable *cancellable, GError **error);
gboolean stasis_verify_mapped_ram (StasisVerification *self, GCancellable *cancellable,
                                   GError **error);

/* verify-packed.c: the index and the stream of a PACKED_RAM body; and where the octet at @offset of
 * it lies, for people: (transfer full). */
gboolean stasis_verify_packed_ram (StasisVerification *self, GCancellable *cancellable,
                                   GError **error);
char *stasis_verify_describe_packed (const StasisVerification *self, guint64 offset);

/* verify-chunks.c: the records of a CHUNKS body. */
gboolean stasis_verify_chunks (StasisVerification *self, GCancellable *cancellable, GError **error);

G_END_DECLS
