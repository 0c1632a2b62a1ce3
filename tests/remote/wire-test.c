/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire-test.c: tests of src/remote/wire.c and wire-value.c
 */

#include "config.h"

#include "remote/wire.h"

#include <string.h>

static const guint8 uuid[STASIS_UUID_SIZE] = "0123456789abcde";

static GPtrArray *
sample_params (void)
{
  GPtrArray *params = stasis_wire_params_new ();
  stasis_wire_params_add_int (params, "i", -1);
  stasis_wire_params_add_uint (params, "u", G_MAXUINT32);
  stasis_wire_params_add_ullong (params, "ul", G_MAXUINT64);
  stasis_wire_params_add_boolean (params, "b", TRUE);
  stasis_wire_params_add_string (params, "s", "text");
  return params;
}

/* A value that is not all zeros. */
static void
fill (char letter, StasisWireValue *value)
{
  const gint32 numbers[] = { 1, -1, G_MAXINT32 };
  if (strchr ("szmM", letter) != NULL)
    value->s = g_strdup ("a text");
  else if (strchr ("DO", letter) != NULL)
    value->domain = stasis_wire_domain_new ("name", uuid, 7);
  else if (letter == 'b')
    value->bytes = g_bytes_new ("\0\1\2", 3);
  else if (letter == 'x')
    memcpy (value->uuid, uuid, sizeof uuid);
  else if (strchr ("pP", letter) != NULL)
    value->items = sample_params ();
  else if (letter == 'I')
    {
      value->numbers = g_array_new (FALSE, FALSE, sizeof (gint32));
      g_array_append_vals (value->numbers, numbers, G_N_ELEMENTS (numbers));
    }
  else if (letter == 'A')
    {
      value->items = stasis_wire_domains_new ();
      g_ptr_array_add (value->items, stasis_wire_domain_new ("one", uuid, 1));
      g_ptr_array_add (value->items, stasis_wire_domain_new ("", uuid, -1));
    }
  else if (letter == 'S')
    {
      value->items = stasis_wire_strings_new ();
      g_ptr_array_add (value->items, g_strdup ("one"));
      g_ptr_array_add (value->items, g_strdup (""));
    }
  else if (letter == 'R')
    {
      value->items = stasis_wire_records_new ();
      g_ptr_array_add (
          value->items,
          stasis_wire_record_new (stasis_wire_domain_new ("one", uuid, 1), sample_params ()));
      g_ptr_array_add (value->items,
                       stasis_wire_record_new (stasis_wire_domain_new ("two", uuid, 2),
                                               stasis_wire_params_new ()));
    }
  else if (letter == 'N')
    {
      value->items = stasis_wire_params_new ();
      stasis_wire_params_add_ullong (value->items, "one", G_MAXUINT64);
      stasis_wire_params_add_ullong (value->items, "", 0);
    }
  else if (strchr ("TV", letter) != NULL)
    {
      const StasisWireRow row = { -1, 2, G_MAXUINT64, -3 };
      value->rows = stasis_wire_rows_new ();
      stasis_wire_rows_add (value->rows, 6, 65536);
      g_array_append_val (value->rows, row);
    }
  else if (letter == 'd')
    value->d = -1.5;
  else
    value->ul = G_GUINT64_CONSTANT (0xfedcba9876543210);
}

static GByteArray *
encode_sample (const char *layout)
{
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX] = { 0 };
  for (gsize i = 0; layout[i] != '\0'; i++)
    fill (layout[i], &values[i]);
  GByteArray *octets = g_byte_array_new ();
  stasis_wire_encode (octets, layout, values);
  stasis_wire_clear (layout, values);
  return octets;
}

static gboolean
decode (const char *layout, const guint8 *octets, gsize length, StasisWireValue *values,
        gsize *out_left)
{
  StasisXdrReader in;
  stasis_xdr_reader_init (&in, octets, length);
  const gboolean ok = stasis_wire_decode (&in, layout, values);
  *out_left = stasis_xdr_left (&in);
  return ok;
}

static const char *const layouts[] = { "i",     "u",
                                       "l",     "U",
                                       "d",     "s",
                                       "z",     "D",
                                       "O",     "x",
                                       "b",     "m",
                                       "M",     "A",
                                       "p",     "P",
                                       "R",     "S",
                                       "I",     "N",
                                       "T",     "V",
                                       "",      "zu",
                                       "Ds",    "Dszu",
                                       "iUUuU", "mUiiiiii",
                                       "Dpu",   "Au",
                                       "ssu",   "iO",
                                       "Mi",    "sxbzSIRPpAmMOD" };

/* What is decoded, encoded again, is the same; what follows is left. */
static void
test_round_trip (gconstpointer data)
{
  const char *layout = data;
  g_autoptr (GByteArray) octets = encode_sample (layout);
  const gsize length = octets->len;
  g_assert_cmpuint (length % 4, ==, 0);
  g_byte_array_append (octets, (const guint8 *) "surplus", 7);
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  gsize left;
  g_assert_true (decode (layout, octets->data, octets->len, values, &left));
  g_assert_cmpuint (left, ==, 7);
  g_autoptr (GByteArray) again = g_byte_array_new ();
  stasis_wire_encode (again, layout, values);
  g_assert_cmpmem (again->data, again->len, octets->data, length);
  stasis_wire_clear (layout, values);
}

/* A copy of its own size: valgrind and the sanitizers see what is read behind it. */
static void
test_prefixes (gconstpointer data)
{
  const char *layout = data;
  g_autoptr (GByteArray) octets = encode_sample (layout);
  for (gsize length = 0; length < octets->len; length++)
    {
      g_autofree guint8 *part = g_memdup2 (octets->data, length);
      StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
      gsize left;
      g_assert_false (decode (layout, part, length, values, &left));
      stasis_wire_clear (layout, values);
    }
}

/* Nothing at all is a value of each kind. */
static void
test_zeros (gconstpointer data)
{
  const char *layout = data;
  const StasisWireValue nothing[STASIS_WIRE_MEMBERS_MAX] = { 0 };
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_wire_encode (octets, layout, nothing);
  StasisWireValue values[STASIS_WIRE_MEMBERS_MAX];
  gsize left;
  g_assert_true (decode (layout, octets->data, octets->len, values, &left));
  g_assert_cmpuint (left, ==, 0);
  stasis_wire_clear (layout, values);
}

/* A number of items that were never sent, with some octets behind it. */
static const struct
{
  const char *layout;
  guint32 count;
} counts[] = {
  { "A", 16385 },      { "A", 3 },          { "A", 0x80000000 }, { "A", 0xffffffff },
  { "p", 65 },         { "p", 0xffffffff }, { "P", 262145 },     { "P", 0x80000001 },
  { "R", 16385 },      { "R", 0xffffffff }, { "S", 16385 },      { "S", 0xffffffff },
  { "I", 16385 },      { "I", 0x7fffffff }, { "M", 4098 },       { "M", 0xffffffff },
  { "b", 4194305 },    { "b", 0xffffffff }, { "s", 4194305 },    { "s", 0xffffffff },
  { "I", 0x40000001 }, { "P", 0x15555556 },
};

static void
test_counts (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (counts); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_xdr_put_u32 (octets, counts[i].count);
      for (guint j = 0; j < 8; j++)
        stasis_xdr_put_u64 (octets, 0);
      StasisWireValue values[1];
      gsize left;
      g_assert_false (decode (counts[i].layout, octets->data, octets->len, values, &left));
      if (strchr ("ApPRS", *counts[i].layout) != NULL && values[0].items != NULL)
        g_assert_cmpuint (values[0].items->len, ==, 0);
      if (*counts[i].layout == 'I' && values[0].numbers != NULL)
        g_assert_cmpuint (values[0].numbers->len, ==, 0);
      stasis_wire_clear (counts[i].layout, values);
    }
}

/* With all that they count, so that nothing but the limit speaks against them. */
static const struct
{
  char letter;
  guint32 max;
  gsize words; /* of an item that is all zeros */
} limits[] = {
  { 'A', 16384, 6 }, { 'R', 16384, 7 }, { 'S', 16384, 1 },
  { 'I', 16384, 1 }, { 'M', 4097, 1 },  { 'F', 256, 4 },
};

static void
test_limits (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    for (guint32 count = limits[i].max; count <= limits[i].max + 1; count++)
      {
        const char layout[] = { limits[i].letter, '\0' };
        const gsize length = 4 + 4 * count * limits[i].words;
        g_autofree guint8 *octets = g_malloc0 (length);
        const guint32 word = GUINT32_TO_BE (count);
        memcpy (octets, &word, sizeof word);
        StasisWireValue values[1];
        gsize left;
        g_assert_cmpint (decode (layout, octets, length, values, &left), ==,
                         count == limits[i].max);
        stasis_wire_clear (layout, values);
      }
}

static void
put_params (GByteArray *octets, guint32 count)
{
  stasis_xdr_put_u32 (octets, count);
  for (guint32 i = 0; i < count; i++)
    {
      stasis_xdr_put_string (octets, "n");
      stasis_xdr_put_u32 (octets, STASIS_WIRE_INT);
      stasis_xdr_put_i32 (octets, 1);
    }
}

static void
test_param_limits (void)
{
  static const struct
  {
    const char *layout;
    guint32 count;
    gboolean is_ok;
  } cases[] = { { "p", 64, TRUE }, { "p", 65, FALSE }, { "P", 65, TRUE } };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      put_params (octets, cases[i].count);
      StasisWireValue values[1];
      gsize left;
      g_assert_cmpint (decode (cases[i].layout, octets->data, octets->len, values, &left), ==,
                       cases[i].is_ok);
      stasis_wire_clear (cases[i].layout, values);
    }
}

/* Of every kind, of none, and of one that nobody knows. */
static void
test_param_types (void)
{
  static const guint32 bad[] = { 0, 8, 9, 0x80000007, 0xffffffff };
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GByteArray) octets = g_byte_array_new ();
      stasis_xdr_put_u32 (octets, 1);
      stasis_xdr_put_string (octets, "n");
      stasis_xdr_put_u32 (octets, bad[i]);
      stasis_xdr_put_string (octets, "12345678");
      StasisWireValue values[1];
      gsize left;
      g_assert_false (decode ("p", octets->data, octets->len, values, &left));
      stasis_wire_clear ("p", values);
    }
  g_autoptr (GByteArray) octets = encode_sample ("p");
  StasisWireValue values[1];
  gsize left;
  g_assert_true (decode ("p", octets->data, octets->len, values, &left));
  const GPtrArray *params = values[0].items;
  g_assert_cmpint (stasis_wire_params_find (params, "i", STASIS_WIRE_INT)->value.i, ==, -1);
  g_assert_cmpstr (stasis_wire_params_find (params, "s", STASIS_WIRE_STRING)->value.s, ==, "text");
  g_assert_null (stasis_wire_params_find (params, "i", STASIS_WIRE_UINT));
  g_assert_null (stasis_wire_params_find (params, "none", STASIS_WIRE_INT));
  g_assert_null (stasis_wire_params_find (NULL, "i", STASIS_WIRE_INT));
  stasis_wire_clear ("p", values);
}

/* As go-libvirt sends CONNECT_OPEN: the flag is 01 00 00 00. */
static void
test_odd_flag (void)
{
  static const guint8 octets[] = "\1\0\0\0\0\0\0\1/\0\0\0\0\0\0\1";
  StasisWireValue values[2];
  gsize left;
  g_assert_true (decode ("zu", octets, sizeof octets - 1, values, &left));
  g_assert_cmpstr (values[0].s, ==, "/");
  g_assert_cmpuint (values[1].u, ==, 1);
  stasis_wire_clear ("zu", values);
}

/* 32 words, of which the last may be a character. */
static void
test_characters (void)
{
  StasisWireValue values[1] = { { .s = g_strnfill (40, 'x') } };
  g_autoptr (GByteArray) octets = g_byte_array_new ();
  stasis_wire_encode (octets, "m", values);
  stasis_wire_clear ("m", values);
  g_assert_cmpuint (octets->len, ==, 128);
  gsize left;
  g_assert_true (decode ("m", octets->data, octets->len, values, &left));
  g_assert_cmpuint (strlen (values[0].s), ==, 32);
  stasis_wire_clear ("m", values);
}

static void
add (const char *name, const char *layout, GTestDataFunc function)
{
  g_autofree char *path
      = g_strdup_printf ("/remote/wire/%s/%s", name, *layout != '\0' ? layout : "empty");
  g_test_add_data_func (path, layout, function);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (layouts); i++)
    {
      add ("round-trip", layouts[i], test_round_trip);
      add ("prefixes", layouts[i], test_prefixes);
      if (strchr (layouts[i], 'D') == NULL) /* a domain is never missing */
        add ("zeros", layouts[i], test_zeros);
    }
  g_test_add_func ("/remote/wire/counts", test_counts);
  g_test_add_func ("/remote/wire/limits", test_limits);
  g_test_add_func ("/remote/wire/param-limits", test_param_limits);
  g_test_add_func ("/remote/wire/param-types", test_param_types);
  g_test_add_func ("/remote/wire/odd-flag", test_odd_flag);
  g_test_add_func ("/remote/wire/characters", test_characters);
  return g_test_run ();
}
