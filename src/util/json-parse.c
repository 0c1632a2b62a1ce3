/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-parse.c: from JSON text to a value, by yajl
 *
 * The text may come from anywhere: its length and depth are limited, strings are checked to be
 * UTF-8 and to hold no NUL (they become C strings), and numbers to fit.
 */

#include "config.h"

#include "util/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <yajl/yajl_parse.h>

typedef struct
{
  GPtrArray *open;   /* (owned) of StasisJson (owned): the arrays and objects we are inside of */
  GPtrArray *keys;   /* (owned) of char * (nullable): the pending key at each such level */
  StasisJson *root;  /* (owned) (nullable) */
  const char *fault; /* (nullable) why a callback cancelled */
  gboolean is_limit; /* the fault is a limit's */
  guint n_values;
} Parser;

static int
refuse (Parser *parser, const char *fault)
{
  parser->fault = fault;
  return 0;
}

/* Hand a finished value to what is open around it. */
static int
add_value (Parser *parser, StasisJson *value_take)
{
  /* A value takes a hundred times the memory of its shortest text. */
  if (++parser->n_values > STASIS_JSON_VALUES_MAX)
    {
      stasis_json_unref (value_take);
      parser->is_limit = TRUE;
      return refuse (parser, N_ ("it has too many values"));
    }
  if (parser->open->len == 0)
    {
      parser->root = value_take;
      return 1;
    }

  StasisJson *parent = g_ptr_array_index (parser->open, parser->open->len - 1);
  if (stasis_json_kind (parent) == STASIS_JSON_ARRAY)
    {
      stasis_json_array_append (parent, value_take);
      return 1;
    }
  char *key = g_ptr_array_index (parser->keys, parser->keys->len - 1);
  stasis_json_set (parent, key, value_take);
  g_free (key);
  g_ptr_array_index (parser->keys, parser->keys->len - 1) = NULL;
  return 1;
}

static int
on_null (void *data)
{
  return add_value (data, stasis_json_new_null ());
}

static int
on_boolean (void *data, int value)
{
  return add_value (data, stasis_json_new_boolean (value));
}

static int
on_number (void *data, const char *text, size_t length)
{
  char buffer[64];
  if (length >= sizeof buffer)
    return refuse (data, N_ ("a number is too long"));
  memcpy (buffer, text, length);
  buffer[length] = '\0';

  char *end = NULL;
  errno = 0;
  const gint64 integer = g_ascii_strtoll (buffer, &end, 10);
  if (errno == 0 && *end == '\0')
    return add_value (data, stasis_json_new_int (integer));
  if (buffer[0] != '-')
    {
      errno = 0;
      const guint64 large = g_ascii_strtoull (buffer, &end, 10);
      if (errno == 0 && *end == '\0')
        return add_value (data, stasis_json_new_uint (large));
    }
  const double number = g_ascii_strtod (buffer, &end);
  if (*end != '\0' || !isfinite (number))
    return refuse (data, N_ ("a number is out of range"));
  return add_value (data, stasis_json_new_double (number));
}

/* yajl checks the octets of the text, but turns an escaped half of a character into octets that are
 * no UTF-8 (or into some other character, which cannot be told here any more). */
static gboolean
is_text (const unsigned char *text, gsize length)
{
  return g_utf8_validate_len ((const char *) text, length, NULL);
}

static int
on_string (void *data, const unsigned char *text, size_t length)
{
  if (!is_text (text, length))
    return refuse (data, N_ ("a string holds a NUL or is not UTF-8"));
  g_autofree char *copy = g_strndup ((const char *) text, length);
  return add_value (data, stasis_json_new_string (copy));
}

static int
on_key (void *data, const unsigned char *text, size_t length)
{
  Parser *parser = data;
  if (!is_text (text, length))
    return refuse (data, N_ ("a key holds a NUL or is not UTF-8"));
  g_ptr_array_index (parser->keys, parser->keys->len - 1) = g_strndup ((const char *) text, length);
  return 1;
}

static int
open_value (Parser *parser, StasisJson *value_take)
{
  if (parser->open->len == STASIS_JSON_DEPTH_MAX)
    {
      stasis_json_unref (value_take);
      parser->is_limit = TRUE;
      return refuse (parser, N_ ("it is nested too deeply"));
    }
  g_ptr_array_add (parser->open, value_take);
  g_ptr_array_add (parser->keys, NULL);
  return 1;
}

static int
close_value (void *data)
{
  Parser *parser = data;
  StasisJson *value = g_ptr_array_steal_index (parser->open, parser->open->len - 1);
  g_ptr_array_set_size (parser->keys, (int) parser->keys->len - 1);
  return add_value (parser, value);
}

static int
on_start_object (void *data)
{
  return open_value (data, stasis_json_new_object ());
}

static int
on_start_array (void *data)
{
  return open_value (data, stasis_json_new_array ());
}

static const yajl_callbacks callbacks = {
  .yajl_null = on_null,
  .yajl_boolean = on_boolean,
  .yajl_number = on_number,
  .yajl_string = on_string,
  .yajl_start_map = on_start_object,
  .yajl_map_key = on_key,
  .yajl_end_map = close_value,
  .yajl_start_array = on_start_array,
  .yajl_end_array = close_value,
};

static void
unref_open (gpointer json)
{
  stasis_json_unref (json);
}

static gboolean
run_parser (Parser *parser, const char *text, gsize length, GError **error)
{
  yajl_handle handle = yajl_alloc (&callbacks, NULL, parser);
  yajl_config (handle, yajl_dont_validate_strings, 0);
  yajl_status status = yajl_parse (handle, (const unsigned char *) text, length);
  if (status == yajl_status_ok)
    status = yajl_complete_parse (handle);

  if (status == yajl_status_client_canceled)
    g_set_error_literal (error, STASIS_JSON_ERROR,
                         parser->is_limit ? STASIS_JSON_ERROR_LIMIT : STASIS_JSON_ERROR_SYNTAX,
                         _ (parser->fault));
  else if (status != yajl_status_ok)
    {
      unsigned char *reason = yajl_get_error (handle, 0, (const unsigned char *) text, length);
      g_set_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_SYNTAX,
                   _ ("not JSON, at octet %1$zu: %2$s"), yajl_get_bytes_consumed (handle),
                   g_strstrip ((char *) reason));
      yajl_free_error (handle, reason);
    }
  yajl_free (handle);
  return status == yajl_status_ok;
}

/* Parse one JSON text.  @length -1: NUL-terminated. */
StasisJson *
stasis_json_parse (const char *text, gssize length, GError **error)
{
  const gsize size = length < 0 ? strlen (text) : (gsize) length;
  if (size > STASIS_JSON_SIZE_MAX)
    {
      g_set_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_LIMIT,
                   _ ("JSON text of %1$zu octets, at most %2$u"), size, STASIS_JSON_SIZE_MAX);
      return NULL;
    }

  Parser parser = { .open = g_ptr_array_new_with_free_func (unref_open),
                    .keys = g_ptr_array_new_with_free_func (g_free) };
  gboolean ok = run_parser (&parser, text, size, error);
  if (ok && parser.root == NULL)
    {
      g_set_error_literal (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_SYNTAX,
                           _ ("not JSON: there is nothing"));
      ok = FALSE;
    }
  if (!ok)
    g_clear_pointer (&parser.root, stasis_json_unref);
  g_ptr_array_unref (parser.open);
  g_ptr_array_unref (parser.keys);
  return parser.root;
}
