/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash.c: XXH3-128, the checksum of save images
 */

#include "config.h"

#include "util/hash.h"

#include <string.h>

#include <xxhash.h>

struct _StasisHasher
{
  XXH3_state_t *state; /* (owned) */
};

static StasisHash
canonical (XXH128_hash_t value)
{
  XXH128_canonical_t form;
  XXH128_canonicalFromHash (&form, value);

  StasisHash hash;
  memcpy (hash.octets, form.digest, sizeof hash.octets);
  return hash;
}

/* The hash of these octets. */
StasisHash
stasis_hash (const void *octets, gsize size)
{
  return canonical (XXH3_128bits (octets, size));
}

gboolean
stasis_hash_equal (const StasisHash *a, const StasisHash *b)
{
  return memcmp (a->octets, b->octets, sizeof a->octets) == 0;
}

StasisHasher *
stasis_hasher_new (void)
{
  StasisHasher *hasher = g_new0 (StasisHasher, 1);
  hasher->state = XXH3_createState ();
  g_assert (hasher->state != NULL);
  stasis_hasher_reset (hasher);
  return hasher;
}

/* Begin anew. */
void
stasis_hasher_reset (StasisHasher *hasher)
{
  XXH3_128bits_reset (hasher->state);
}

void
stasis_hasher_update (StasisHasher *hasher, const void *octets, gsize size)
{
  XXH3_128bits_update (hasher->state, octets, size);
}

/* The hash of all so far; more may follow. */
StasisHash
stasis_hasher_digest (const StasisHasher *hasher)
{
  return canonical (XXH3_128bits_digest (hasher->state));
}

/* NULL is fine. */
void
stasis_hasher_free (StasisHasher *hasher)
{
  if (hasher == NULL)
    return;

  XXH3_freeState (hasher->state);
  g_free (hasher);
}

/* TRUE where all the octets are zero: the first 16 by hand, the rest against themselves. */
gboolean
stasis_is_zero (const void *octets, gsize size)
{
  const guint8 *p = octets;
  for (gsize i = 0; i < MIN (size, 16); i++)
    if (p[i] != 0)
      return FALSE;
  return size <= 16 || memcmp (p, p + 16, size - 16) == 0;
}
