/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hash-test.c: tests of src/util/hash.c
 *
 * The expected values were printed by xxh128sum, the reference's own program.
 */

#include "config.h"

#include "util/hash.h"

#include <string.h>

#define PATTERN_SIZE 5000u

static guint8 pattern[PATTERN_SIZE];

static const struct
{
  const char *octets; /* NULL: the pattern */
  gsize size;
  const char *expected;
} vectors[] = {
  { "", 0, "99aa06d3014798d86001c324468d497f" },
  { "a", 1, "a96faf705af16834e6c632b61e964e1f" },
  { "abc", 3, "06b05ab6733a618578af5f94892f3950" },
  { "0123456789abcdef", 16, "ccba8085a0434e9e0befb4873dbe58f8" },
  { NULL, PATTERN_SIZE, "61bedb627e4a5fdfe4007929540f095c" },
};

static char *
to_hex (const StasisHash *hash)
{
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < STASIS_HASH_SIZE; i++)
    g_string_append_printf (text, "%02x", hash->octets[i]);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
test_vectors (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const void *octets = vectors[i].octets != NULL ? (const void *) vectors[i].octets : pattern;
      const StasisHash hash = stasis_hash (octets, vectors[i].size);
      g_autofree char *hex = to_hex (&hash);
      g_assert_cmpstr (hex, ==, vectors[i].expected);
    }
}

static void
test_pieces (void)
{
  const StasisHash whole = stasis_hash (pattern, sizeof pattern);
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  for (gsize step = 1; step < sizeof pattern; step += 97)
    {
      stasis_hasher_reset (hasher);
      for (gsize at = 0; at < sizeof pattern; at += step)
        stasis_hasher_update (hasher, pattern + at, MIN (step, sizeof pattern - at));
      const StasisHash hash = stasis_hasher_digest (hasher);
      g_assert_true (stasis_hash_equal (&hash, &whole));
    }
}

/* A digest in between does not disturb. */
static void
test_digest_between (void)
{
  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  const StasisHash empty = stasis_hasher_digest (hasher);
  const StasisHash expected_empty = stasis_hash ("", 0);
  g_assert_true (stasis_hash_equal (&empty, &expected_empty));
  stasis_hasher_update (hasher, pattern, 1000);
  const StasisHash part = stasis_hasher_digest (hasher);
  stasis_hasher_update (hasher, pattern + 1000, sizeof pattern - 1000);
  const StasisHash all = stasis_hasher_digest (hasher);
  const StasisHash expected = stasis_hash (pattern, sizeof pattern);
  g_assert_false (stasis_hash_equal (&part, &all));
  g_assert_true (stasis_hash_equal (&all, &expected));
}

/* One octet that is not zero is found wherever it is, at any alignment. */
static void
test_is_zero (void)
{
  guint8 octets[80] = { 0 };
  for (gsize start = 0; start < 8; start++)
    for (gsize size = 0; size <= 64; size++)
      {
        g_assert_true (stasis_is_zero (octets + start, size));
        for (gsize at = 0; at < sizeof octets; at++)
          {
            octets[at] = 0x80;
            g_assert_cmpint (stasis_is_zero (octets + start, size), ==,
                             at < start || at >= start + size);
            octets[at] = 0;
          }
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < PATTERN_SIZE; i++)
    pattern[i] = (guint8) (i * 131 + 7);
  g_test_add_func ("/util/hash/vectors", test_vectors);
  g_test_add_func ("/util/hash/pieces", test_pieces);
  g_test_add_func ("/util/hash/digest-between", test_digest_between);
  g_test_add_func ("/util/hash/is-zero", test_is_zero);
  return g_test_run ();
}
