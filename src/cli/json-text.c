/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json-text.c: JSON laid out for people
 *
 * Theory of operation
 *
 * The library describes an image as JSON, whose members grow with the format; here they are shown
 * without knowing them one by one.  `{"file_size": 3, "ram": [{"name": "pc.ram"}]}` becomes
 *
 *     File size:      3
 *     Ram:
 *       - Name:           pc.ram
 *
 * The parser limits the depth (STASIS_JSON_DEPTH_MAX), and so the recursion here.
 */

#include "config.h"

#include "cli/json-text.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/units.h"

#define VALUE_COLUMN 16  /* as in dominfo */
#define MEMBERS_MAX  40u /* of one object; hundreds of CPU properties tell a person nothing */

static void append_value (GString *out, const StasisJson *value, guint indent);

/* A word as people write it. */
static const char *
spelling (const char *word)
{
  static const struct
  {
    const char *word;
    const char *spelling;
  } acronyms[] = { { "uuid", "UUID" }, { "qemu", "QEMU" }, { "cpu", "CPU" }, { "ram", "RAM" } };
  for (gsize i = 0; i < G_N_ELEMENTS (acronyms); i++)
    if (strcmp (word, acronyms[i].word) == 0)
      return acronyms[i].spelling;
  return word;
}

static char *
label_of (const char *key)
{
  g_autofree char *plain = stasis_cli_printable (key);
  g_auto (GStrv) words = g_strsplit_set (plain, "_-", -1);
  g_autoptr (GString) label = g_string_new (NULL);
  for (guint i = 0; words[i] != NULL; i++)
    g_string_append_printf (label, "%s%s", i > 0 ? " " : "", spelling (words[i]));
  label->str[0] = g_ascii_toupper (label->str[0]);
  return g_string_free (g_steal_pointer (&label), FALSE);
}

static gboolean
is_nested (const StasisJson *value)
{
  const StasisJsonKind kind = stasis_json_kind (value);
  const guint members = kind == STASIS_JSON_OBJECT ? stasis_json_object_size (value) : 0;
  return (kind == STASIS_JSON_ARRAY && stasis_json_array_length (value) > 0)
         || (members > 0 && members <= MEMBERS_MAX);
}

/* One line for what is too much. */
static char *
count_text (guint members)
{
  return g_strdup_printf (_ ("%1$u entries (see --json)"), members);
}

static char *
scalar_text (const StasisJson *value)
{
  switch (stasis_json_kind (value))
    {
    case STASIS_JSON_STRING:
      return stasis_cli_printable (stasis_json_string (value, ""));
    case STASIS_JSON_BOOLEAN:
      return g_strdup (stasis_json_boolean (value, FALSE) ? _ ("yes") : _ ("no"));
    case STASIS_JSON_OBJECT:
      if (stasis_json_object_size (value) > MEMBERS_MAX)
        return count_text (stasis_json_object_size (value));
      return g_strdup ("-");
    case STASIS_JSON_NULL:
    case STASIS_JSON_ARRAY:
      return g_strdup ("-");
    default:
      return stasis_json_to_string (value);
    }
}

static void
append_indent (GString *out, guint indent)
{
  for (guint i = 0; i < indent; i++)
    g_string_append_c (out, ' ');
}

static void
append_object (GString *out, const StasisJson *object, guint indent, gboolean first_is_indented)
{
  for (guint i = 0; i < stasis_json_object_size (object); i++)
    {
      const StasisJson *value = stasis_json_object_value (object, i);
      g_autofree char *label = label_of (stasis_json_object_key (object, i));
      if (i > 0 || !first_is_indented)
        append_indent (out, indent);
      if (is_nested (value))
        {
          g_string_append_printf (out, "%s:\n", label);
          append_value (out, value, indent + 2);
          continue;
        }
      g_autofree char *text = scalar_text (value);
      const int pad = VALUE_COLUMN - 1 - (int) stasis_cli_text_width (label);
      g_string_append_printf (out, "%s:%*s%s\n", label, MAX (pad, 1), "", text);
    }
}

static void
append_array (GString *out, const StasisJson *array, guint indent)
{
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const StasisJson *value = stasis_json_array_get (array, i);
      append_indent (out, indent);
      g_string_append (out, "- ");
      if (stasis_json_kind (value) == STASIS_JSON_OBJECT && is_nested (value))
        append_object (out, value, indent + 2, /* first_is_indented= */ TRUE);
      else if (is_nested (value))
        {
          g_string_append_c (out, '\n');
          append_value (out, value, indent + 2);
        }
      else
        {
          g_autofree char *text = scalar_text (value);
          g_string_append_printf (out, "%s\n", text);
        }
    }
}

static void
append_value (GString *out, const StasisJson *value, guint indent)
{
  if (stasis_json_kind (value) == STASIS_JSON_OBJECT)
    append_object (out, value, indent, /* first_is_indented= */ FALSE);
  else
    append_array (out, value, indent);
}

/* Lay it out. */
char *
stasis_cli_json_to_text (const StasisJson *json)
{
  if (!is_nested (json))
    return scalar_text (json);
  GString *out = g_string_new (NULL);
  append_value (out, json, 0);
  return g_string_free (out, FALSE);
}
