/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.h: XXH3-128, the checksum of save images
 *
 * Detects damage, does not authenticate.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_HASH_SIZE 16u /* octets */

/* The canonical (big-endian) form of XXH3-128 with seed 0. */
typedef struct
{
  guint8 octets[STASIS_HASH_SIZE];
} StasisHash;

typedef struct _StasisHasher StasisHasher;

StasisHash stasis_hash (const void *octets, gsize size);
gboolean stasis_hash_equal (const StasisHash *a, const StasisHash *b);

/* In pieces. */
StasisHasher *stasis_hasher_new (void);
void stasis_hasher_reset (StasisHasher *hasher);
void stasis_hasher_update (StasisHasher *hasher, const void *octets, gsize size);
StasisHash stasis_hasher_digest (const StasisHasher *hasher);
void stasis_hasher_free (StasisHasher *hasher);

/* TRUE where all the octets are zero. */
gboolean stasis_is_zero (const void *octets, gsize size);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisHasher, stasis_hasher_free)

G_END_DECLS
