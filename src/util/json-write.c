/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-write.c: from a value to JSON text, by yajl
 */

#include "config.h"

#include "util/json.h"

#include <math.h>
#include <string.h>

#include <yajl/yajl_gen.h>

static void
write_text (yajl_gen gen, const char *text)
{
  yajl_gen_string (gen, (const unsigned char *) text, strlen (text));
}

static void
write_number (yajl_gen gen, const StasisJson *json)
{
  char buffer[32];
  const guint64 large = stasis_json_uint (json, 0);
  if (large > G_MAXINT64)
    g_snprintf (buffer, sizeof buffer, "%" G_GUINT64_FORMAT, large);
  else
    g_snprintf (buffer, sizeof buffer, "%" G_GINT64_FORMAT, stasis_json_int (json, 0));
  yajl_gen_number (gen, buffer, strlen (buffer));
}

/* JSON has no word for what is not finite; null is what others write, too. */
static void
write_double (yajl_gen gen, const StasisJson *json)
{
  const double number = stasis_json_double (json, 0);
  if (!isfinite (number))
    {
      yajl_gen_null (gen);
      return;
    }

  char buffer[G_ASCII_DTOSTR_BUF_SIZE + 2];
  g_ascii_dtostr (buffer, G_ASCII_DTOSTR_BUF_SIZE, number);
  /* A double stays one when it is read again. */
  if (strpbrk (buffer, ".e") == NULL)
    g_strlcat (buffer, ".0", sizeof buffer);
  yajl_gen_number (gen, buffer, strlen (buffer));
}

/* yajl's indentation would put an empty line into it. */
static void
write_empty (yajl_gen gen, const char *brackets)
{
  yajl_gen_number (gen, brackets, strlen (brackets));
}

static void
write_value (yajl_gen gen, const StasisJson *json)
{
  switch (stasis_json_kind (json))
    {
    case STASIS_JSON_NULL:
      yajl_gen_null (gen);
      break;
    case STASIS_JSON_BOOLEAN:
      yajl_gen_bool (gen, stasis_json_boolean (json, FALSE));
      break;
    case STASIS_JSON_INTEGER:
      write_number (gen, json);
      break;
    case STASIS_JSON_DOUBLE:
      write_double (gen, json);
      break;
    case STASIS_JSON_STRING:
      write_text (gen, stasis_json_string (json, ""));
      break;
    case STASIS_JSON_ARRAY:
      if (stasis_json_array_length (json) == 0)
        {
          write_empty (gen, "[]");
          break;
        }
      yajl_gen_array_open (gen);
      for (guint i = 0; i < stasis_json_array_length (json); i++)
        write_value (gen, stasis_json_array_get (json, i));
      yajl_gen_array_close (gen);
      break;
    case STASIS_JSON_OBJECT:
      if (stasis_json_object_size (json) == 0)
        {
          write_empty (gen, "{}");
          break;
        }
      yajl_gen_map_open (gen);
      for (guint i = 0; i < stasis_json_object_size (json); i++)
        {
          write_text (gen, stasis_json_object_key (json, i));
          write_value (gen, stasis_json_object_value (json, i));
        }
      yajl_gen_map_close (gen);
      break;
    }
}

static char *
to_string (const StasisJson *json, gboolean pretty)
{
  yajl_gen gen = yajl_gen_alloc (NULL);
  if (pretty)
    {
      yajl_gen_config (gen, yajl_gen_beautify, 1);
      yajl_gen_config (gen, yajl_gen_indent_string, "  ");
    }
  write_value (gen, json);

  const unsigned char *text = NULL;
  size_t length = 0;
  yajl_gen_get_buf (gen, &text, &length);
  char *copy = g_strndup ((const char *) text, length);
  yajl_gen_free (gen);
  return copy;
}

/* On one line, without a line end. */
char *
stasis_json_to_string (const StasisJson *json)
{
  return to_string (json, FALSE);
}

/* Indented, for people; ends with a line end. */
char *
stasis_json_to_pretty_string (const StasisJson *json)
{
  return to_string (json, TRUE);
}
