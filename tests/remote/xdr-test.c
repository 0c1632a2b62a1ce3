/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xdr-test.c: tests of src/remote/xdr.c
 */

#include "config.h"

#include "remote/xdr.h"

#include <string.h>

#define LITERAL(octets) (const guint8 *) (octets), sizeof (octets) - 1

static void
test_numbers (void)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  stasis_xdr_put_u32 (out, 0x01020304);
  stasis_xdr_put_i32 (out, -2);
  stasis_xdr_put_u64 (out, G_GUINT64_CONSTANT (0x0102030405060708));
  stasis_xdr_put_double (out, 0.5);
  static const guint8 expected[] = "\1\2\3\4\377\377\377\376\1\2\3\4\5\6\7\10\77\340\0\0\0\0\0\0";
  g_assert_cmpmem (out->data, out->len, expected, sizeof expected - 1);
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, out->data, out->len);
  g_assert_cmpuint (stasis_xdr_get_u32 (&in), ==, 0x01020304);
  g_assert_cmpint (stasis_xdr_get_i32 (&in), ==, -2);
  g_assert_cmpuint (stasis_xdr_get_u64 (&in), ==, G_GUINT64_CONSTANT (0x0102030405060708));
  g_assert_true (stasis_xdr_get_double (&in) == 0.5);
  g_assert_true (stasis_xdr_is_ok (&in));
  g_assert_cmpuint (stasis_xdr_left (&in), ==, 0);
}

/* Of every length around a word: zeros up to the next one. */
static void
test_padding (void)
{
  static const guint8 zeros[4];
  for (gsize length = 0; length < 10; length++)
    {
      g_autofree char *text = g_strnfill (length, 'x');
      g_autoptr (GByteArray) out = g_byte_array_new ();
      stasis_xdr_put_string (out, text);
      const gsize padded = (length + 3) / 4 * 4;
      g_assert_cmpuint (out->len, ==, 4 + padded);
      g_assert_cmpmem (out->data + 4 + length, padded - length, zeros, padded - length);
      for (gsize cut = 0; cut <= out->len; cut++)
        {
          StasisXdrReader in;
          stasis_xdr_reader_init (&in, out->data, cut);
          g_autofree char *got = stasis_xdr_get_string (&in, 100);
          g_assert_cmpstr (got, ==, cut == out->len ? text : NULL);
          g_assert_cmpint (stasis_xdr_is_ok (&in), ==, cut == out->len);
        }
    }
}

/* What stands in the padding is nobody's business. */
static void
test_dirty_padding (void)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\1axyz\0\0\0\5"));
  g_autofree char *text = stasis_xdr_get_string (&in, 10);
  g_assert_cmpstr (text, ==, "a");
  g_assert_cmpuint (stasis_xdr_get_u32 (&in), ==, 5);
}

static void
test_limits (void)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\4abcd"));
  g_autofree char *fits = stasis_xdr_get_string (&in, 4);
  g_assert_cmpstr (fits, ==, "abcd");
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\4abcd"));
  g_assert_null (stasis_xdr_get_string (&in, 3));
  g_assert_false (stasis_xdr_is_ok (&in));
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\4abcd"));
  g_assert_null (stasis_xdr_get_bytes (&in, 3));
  g_assert_false (stasis_xdr_is_ok (&in));
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\0"));
  g_autoptr (GBytes) none = stasis_xdr_get_bytes (&in, 0);
  g_assert_nonnull (none);
  g_assert_cmpuint (g_bytes_get_size (none), ==, 0);
}

/* A string is one for C; octets may be any. */
static void
test_nul (void)
{
  static const char *const bad[]
      = { "\0\0\0\1\0xyz", "\0\0\0\4\0abc", "\0\0\0\4a\0bc", "\0\0\0\4abc\0" };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      StasisXdrReader in;
      stasis_xdr_reader_init (&in, (const guint8 *) bad[i], 8);
      g_assert_null (stasis_xdr_get_string (&in, 100));
      g_assert_false (stasis_xdr_is_ok (&in));
      stasis_xdr_reader_init (&in, (const guint8 *) bad[i], 8);
      g_autoptr (GBytes) bytes = stasis_xdr_get_bytes (&in, 100);
      g_assert_nonnull (bytes);
    }
}

static void
check_stuck (StasisXdrReader *in, gsize left)
{
  guint8 fixed[5] = "abcd";
  g_assert_cmpuint (stasis_xdr_get_u32 (in), ==, 0);
  g_assert_cmpuint (stasis_xdr_get_u64 (in), ==, 0);
  g_assert_true (stasis_xdr_get_double (in) == 0);
  g_assert_false (stasis_xdr_get_flag (in));
  g_assert_cmpuint (stasis_xdr_get_count (in, 100, 0), ==, 0);
  g_assert_null (stasis_xdr_get_string (in, 100));
  g_assert_null (stasis_xdr_get_bytes (in, 100));
  stasis_xdr_get_fixed (in, fixed, sizeof fixed);
  static const guint8 zeros[5];
  g_assert_cmpmem (fixed, sizeof fixed, zeros, sizeof zeros);
  g_assert_false (stasis_xdr_is_ok (in));
  g_assert_cmpuint (stasis_xdr_left (in), ==, left);
}

/* The first failure stays, and nothing is read after it. */
static void
test_sticky (void)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\1\0\0\0\2\0\0"));
  stasis_xdr_get_u64 (&in);
  g_assert_true (stasis_xdr_is_ok (&in));
  stasis_xdr_get_u32 (&in);
  check_stuck (&in, 2);
  stasis_xdr_reader_init (&in, LITERAL ("\0\0\0\1\0\0\0\2"));
  stasis_xdr_spoil (&in);
  check_stuck (&in, 8);
  stasis_xdr_reader_init (&in, NULL, 0);
  g_assert_true (stasis_xdr_is_ok (&in));
  check_stuck (&in, 0);
}

/* Clients send others than 1. */
static void
test_flags (void)
{
  static const struct
  {
    const char *octets;
    gboolean is_set;
  } flags[] = {
    { "\0\0\0\0", FALSE }, { "\0\0\0\1", TRUE }, { "\1\0\0\0", TRUE },
    { "\0\0\0\2", TRUE },  { "\0\1\0\0", TRUE }, { "\377\377\377\377", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (flags); i++)
    {
      StasisXdrReader in;
      stasis_xdr_reader_init (&in, (const guint8 *) flags[i].octets, 4);
      g_assert_cmpint (stasis_xdr_get_flag (&in), ==, flags[i].is_set);
      g_assert_true (stasis_xdr_is_ok (&in));
    }
}

/* With eight octets behind the count. */
static const struct
{
  guint32 count;
  guint32 max;
  gsize size;
  gboolean is_ok;
} counts[] = {
  { 0, 0, 4, TRUE },
  { 2, 2, 4, TRUE },
  { 3, 2, 1, FALSE },
  { 3, 100, 4, FALSE },
  { 1, 100, 8, TRUE },
  { 1, 100, 9, FALSE },
  { 0x80000000, G_MAXUINT32, 1, FALSE },
  { 0xffffffff, G_MAXUINT32, 1, FALSE },
  { 0xffffffff, G_MAXUINT32, 28, FALSE },
  { 0x40000002, G_MAXUINT32, 4, FALSE }, /* 8 in 32 bits */
};

static void
test_counts (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_xdr_put_u32 (octets, counts[i].count);
      stasis_xdr_put_u64 (octets, 0);
      StasisXdrReader in;
      stasis_xdr_reader_init (&in, octets->data, octets->len);
      const guint32 count = stasis_xdr_get_count (&in, counts[i].max, counts[i].size);
      g_assert_cmpuint (count, ==, counts[i].is_ok ? counts[i].count : 0);
      g_assert_cmpint (stasis_xdr_is_ok (&in), ==, counts[i].is_ok);
    }
}

static void
test_optional_string (void)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  stasis_xdr_put_optional_string (out, NULL);
  stasis_xdr_put_optional_string (out, "");
  stasis_xdr_put_optional_string (out, "a");
  static const guint8 expected[] = "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\1a\0\0\0";
  g_assert_cmpmem (out->data, out->len, expected, sizeof expected - 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/xdr/numbers", test_numbers);
  g_test_add_func ("/remote/xdr/padding", test_padding);
  g_test_add_func ("/remote/xdr/dirty-padding", test_dirty_padding);
  g_test_add_func ("/remote/xdr/limits", test_limits);
  g_test_add_func ("/remote/xdr/nul", test_nul);
  g_test_add_func ("/remote/xdr/sticky", test_sticky);
  g_test_add_func ("/remote/xdr/flags", test_flags);
  g_test_add_func ("/remote/xdr/counts", test_counts);
  g_test_add_func ("/remote/xdr/optional-string", test_optional_string);
  return g_test_run ();
}
