/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-test.c: tests of src/util/json.c, json-parse.c and json-write.c
 */

#include "config.h"

#include "util/json-path.h"

#include <math.h>
#include <string.h>

#define OPEN_8   "[[[[[[[["
#define CLOSE_8  "]]]]]]]]"
#define OPEN_64  OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8 OPEN_8
#define CLOSE_64 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8

typedef struct
{
  const char *name;
  const char *text;
  const char *written; /* NULL: refused with: */
  int code;
} Case;

static const Case cases[] = {
  { "null", "null", "null", 0 },
  { "true", " true\n", "true", 0 },
  { "zero", "0", "0", 0 },
  { "int-max", "9223372036854775807", "9223372036854775807", 0 },
  { "int-min", "-9223372036854775808", "-9223372036854775808", 0 },
  { "above-int-max", "9223372036854775808", "9223372036854775808", 0 },
  { "uint-max", "18446744073709551615", "18446744073709551615", 0 },
  { "above-uint-max", "18446744073709551616", "1.8446744073709552e+19", 0 },
  { "below-int-min", "-9223372036854775809", "-9.2233720368547758e+18", 0 },
  { "fraction", "0.5", "0.5", 0 },
  { "whole-double", "1.0", "1.0", 0 },
  { "exponent", "1e3", "1000.0", 0 },
  { "string", "\"a\\u00e4\\n\"", "\"a\303\244\\n\"", 0 },
  { "escaped-pair", "\"\\ud83d\\ude00\"", "\"\360\237\230\200\"", 0 },
  { "array", "[1, [], {}]", "[1,[],{}]", 0 },
  { "object", "{\"b\": 1, \"a\": {\"c\": null}}", "{\"b\":1,\"a\":{\"c\":null}}", 0 },
  { "same-key-twice", "{\"a\": 1, \"b\": 2, \"a\": 3}", "{\"a\":3,\"b\":2}", 0 },
  { "empty-key", "{\"\": 1}", "{\"\":1}", 0 },
  { "deep-enough", OPEN_64 CLOSE_64, OPEN_64 CLOSE_64, 0 },
  { "too-deep",
    OPEN_64 "["
            "]" CLOSE_64,
    NULL, STASIS_JSON_ERROR_LIMIT },
  { "too-deep-open", OPEN_64 "[", NULL, STASIS_JSON_ERROR_LIMIT },
  { "empty", "", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "blank", " \n", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "cut-object", "{\"a\": 1", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "cut-string", "\"a", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "cut-escape", "\"\\u00", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "two-values", "1 2", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "comma-at-end", "[1,]", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "comment", "/* a */ 1", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "leading-zero", "01", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "nan", "nan", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "too-large", "1e999", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "long-number", "1111111111111111111111111111111111111111111111111111111111111111111111", NULL,
    STASIS_JSON_ERROR_SYNTAX },
  { "nul", "\"a\\u0000b\"", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "nul-in-key", "{\"a\\u0000b\": 1}", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "not-utf8", "\"\377\"", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "overlong", "\"\300\200\"", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "late-half", "\"\\ude00\"", NULL, STASIS_JSON_ERROR_SYNTAX },
  { "late-half-in-key", "{\"\\ude00\": 1}", NULL, STASIS_JSON_ERROR_SYNTAX },
};

static void
test_parse (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (c->text, -1, &error);
  if (c->written == NULL)
    {
      g_assert_null (json);
      g_assert_error (error, STASIS_JSON_ERROR, c->code);
      return;
    }
  g_assert_no_error (error);
  g_autofree char *text = stasis_json_to_string (json);
  g_assert_cmpstr (text, ==, c->written);

  /* What was written means the same, in both forms. */
  g_autofree char *pretty = stasis_json_to_pretty_string (json);
  g_autoptr (StasisJson) again = stasis_json_parse (pretty, -1, &error);
  g_assert_no_error (error);
  g_autofree char *text_again = stasis_json_to_string (again);
  g_assert_cmpstr (text_again, ==, text);
  g_assert_cmpint (stasis_json_kind (again), ==, stasis_json_kind (json));
}

/* Every prefix of a good text fails cleanly. */
static void
test_prefixes (void)
{
  const char *text = "{\"a\": [1, -2.5, \"x\\u00e4\", true, null], \"b\": {\"c\": {}}}";
  for (gsize length = 0; length < strlen (text); length++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (stasis_json_parse (text, (gssize) length, &error));
      g_assert_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_SYNTAX);
    }
}

static void
test_length (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse ("[1]garbage", 3, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_json_array_length (json), ==, 1);
  g_assert_null (stasis_json_parse ("[1]\0", 4, &error));
  g_assert_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_SYNTAX);
  g_clear_error (&error);
  g_assert_null (stasis_json_parse ("1", STASIS_JSON_SIZE_MAX + 1, &error));
  g_assert_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_LIMIT);
}

static void
test_values_limit (void)
{
  g_autoptr (GString) text = g_string_new ("[");
  for (guint i = 0; i < STASIS_JSON_VALUES_MAX - 2; i++)
    g_string_append (text, "1,");
  g_string_append (text, "1]");
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (text->str, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_json_array_length (json), ==, STASIS_JSON_VALUES_MAX - 1);

  g_string_overwrite (text, text->len - 1, ",1]");
  g_assert_null (stasis_json_parse (text->str, -1, &error));
  g_assert_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_LIMIT);
}

/* An object of many members: the same as a small one, and not slow. */
static void
test_many_members (void)
{
  const guint n = 100000;
  g_autoptr (StasisJson) object = stasis_json_new_object ();
  for (guint i = 0; i < n; i++)
    {
      char key[16];
      g_snprintf (key, sizeof key, "k%u", i);
      stasis_json_set_uint (object, key, i);
      if (i % 2 == 1)
        stasis_json_set_string (object, key, "odd");
    }
  g_assert_cmpuint (stasis_json_object_size (object), ==, n);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpuint (g_ascii_strtoull (stasis_json_object_key (object, i) + 1, NULL, 10), ==, i);
      const StasisJson *value = stasis_json_get (object, stasis_json_object_key (object, i));
      g_assert_true (value == stasis_json_object_value (object, i));
      if (i % 2 == 1)
        g_assert_cmpstr (stasis_json_string (value, NULL), ==, "odd");
      else
        g_assert_cmpuint (stasis_json_uint (value, 0), ==, i);
    }
  g_assert_null (stasis_json_get (object, "k"));
}

static void
test_other_kinds (void)
{
  g_autoptr (StasisJson) json = stasis_json_parse (
      "{\"s\": \"x\", \"i\": -5, \"u\": 18446744073709551615, \"d\": 2.5, \"b\": true}", -1, NULL);
  const StasisJson *s = stasis_json_get (json, "s");
  const StasisJson *i = stasis_json_get (json, "i");
  const StasisJson *u = stasis_json_get (json, "u");
  const StasisJson *d = stasis_json_get (json, "d");

  g_assert_cmpint (stasis_json_int (u, 7), ==, 7);
  g_assert_cmpint (stasis_json_int (d, 7), ==, 7);
  g_assert_cmpint (stasis_json_int (i, 7), ==, -5);
  g_assert_cmpuint (stasis_json_uint (i, 7), ==, 7);
  g_assert_cmpuint (stasis_json_uint (u, 7), ==, G_MAXUINT64);
  g_assert_cmpfloat (stasis_json_double (u, 0), ==, 18446744073709551616.0);
  g_assert_cmpfloat (stasis_json_double (i, 0), ==, -5);
  g_assert_cmpfloat (stasis_json_double (s, 7), ==, 7);
  g_assert_cmpstr (stasis_json_string (i, "no"), ==, "no");
  g_assert_true (stasis_json_boolean (stasis_json_get (json, "b"), FALSE));
  g_assert_true (stasis_json_boolean (i, TRUE));

  /* What is none of it, or nothing at all. */
  g_assert_null (stasis_json_get (s, "x"));
  g_assert_null (stasis_json_get (NULL, "x"));
  g_assert_cmpuint (stasis_json_array_length (json), ==, 0);
  g_assert_null (stasis_json_array_get (json, 0));
  g_assert_cmpuint (stasis_json_object_size (s), ==, 0);
  g_assert_null (stasis_json_object_key (json, 5));
  g_assert_null (stasis_json_object_value (json, 5));
  g_assert_cmpint (stasis_json_int (NULL, 7), ==, 7);
}

static void
test_need (void)
{
  g_autoptr (StasisJson) json = stasis_json_parse (
      "{\"s\": \"x\", \"i\": -5, \"u\": 9223372036854775808, \"b\": false}", -1, NULL);
  const char *text = NULL;
  gint64 integer = 0;
  guint64 number = 0;
  gboolean boolean = TRUE;
  g_assert_true (stasis_json_need_string (json, "s", &text, NULL));
  g_assert_cmpstr (text, ==, "x");
  g_assert_true (stasis_json_need_int (json, "i", &integer, NULL));
  g_assert_cmpint (integer, ==, -5);
  g_assert_true (stasis_json_need_uint (json, "u", &number, NULL));
  g_assert_cmpuint (number, ==, 9223372036854775808u);
  g_assert_true (stasis_json_need_boolean (json, "b", &boolean, NULL));
  g_assert_false (boolean);

  g_autoptr (GError) error = NULL;
  g_assert_false (stasis_json_need_string (json, "i", &text, &error));
  g_assert_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE);
  g_assert_nonnull (strstr (error->message, "'i'"));
  g_assert_cmpstr (text, ==, "x");
  g_assert_false (stasis_json_need_string (json, "none", &text, NULL));
  g_assert_false (stasis_json_need_int (json, "u", &integer, NULL));
  g_assert_false (stasis_json_need_uint (json, "i", &number, NULL));
  g_assert_false (stasis_json_need_boolean (json, "s", &boolean, NULL));
  g_assert_false (stasis_json_need_boolean (NULL, "s", &boolean, NULL));
}

static void
test_build (void)
{
  g_autoptr (StasisJson) object = stasis_json_new_object ();
  StasisJson *array = stasis_json_new_array ();
  stasis_json_array_append_string (array, "a\"b");
  stasis_json_array_append (array, stasis_json_new_null ());
  stasis_json_array_append (array, stasis_json_new_double (NAN));
  stasis_json_array_append (array, stasis_json_new_double (-INFINITY));
  stasis_json_array_append (array, stasis_json_new_double (-0.25));
  stasis_json_set (object, "list", array);
  stasis_json_set_uint (object, "u", G_MAXUINT64);
  stasis_json_set_int (object, "i", G_MININT64);
  stasis_json_set_boolean (object, "b", 5);
  stasis_json_set_string (object, "s", "old");
  stasis_json_set_string (object, "s", "new");
  g_autofree char *text = stasis_json_to_string (object);
  g_assert_cmpstr (text, ==,
                   "{\"list\":[\"a\\\"b\",null,null,null,-0.25],\"u\":18446744073709551615,"
                   "\"i\":-9223372036854775808,\"b\":true,\"s\":\"new\"}");
  stasis_json_unref (NULL);
}

/* A text of any octets, such as a message that names a file: what is written can be read. */
static void
test_text (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) object = stasis_json_new_object ();
  stasis_json_set_text (object, "s", "'/a/b-\xff\xfe\xc3' is no image");
  g_autofree char *text = stasis_json_to_string (object);
  g_autoptr (StasisJson) again = stasis_json_parse (text, -1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (stasis_json_string (stasis_json_get (again, "s"), NULL), ==,
                   "'/a/b-\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd' is no image");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/util/json/parse/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_parse);
    }
  g_test_add_func ("/util/json/prefixes", test_prefixes);
  g_test_add_func ("/util/json/length", test_length);
  g_test_add_func ("/util/json/values-limit", test_values_limit);
  g_test_add_func ("/util/json/many-members", test_many_members);
  g_test_add_func ("/util/json/other-kinds", test_other_kinds);
  g_test_add_func ("/util/json/need", test_need);
  g_test_add_func ("/util/json/build", test_build);
  g_test_add_func ("/util/json/text", test_text);
  return g_test_run ();
}
