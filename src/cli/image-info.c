/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-info.c: what an image says of itself, for people and for programs
 *
 * The library gives exact numbers.  A copy of its tree is made in which the times, and for people
 * the sizes, are words; the parser limits the depth, and so the recursion here.
 */

#include "config.h"

#include "cli/image-info.h"

#include <string.h>

#include "cli/json-text.h"
#include "cli/units.h"

#define NS_PER_SECOND G_GINT64_CONSTANT (1000000000)

typedef struct
{
  gboolean for_people;
  gboolean has_blocks; /* the memory's blocks are listed with it; the facts need not do it again */
} Copy;

static StasisJson *copy_value (const Copy *copy, const StasisJson *value);

/* "2026-11-21T03:15:58+01:00", or NULL where there is no such time. */
static char *
iso_time (const StasisJson *ns)
{
  if (stasis_json_kind (ns) != STASIS_JSON_INTEGER)
    return NULL;
  g_autoptr (GDateTime) time
      = g_date_time_new_from_unix_local (stasis_json_int (ns, 0) / NS_PER_SECOND);
  return time != NULL ? g_date_time_format (time, "%Y-%m-%dT%H:%M:%S%:z") : NULL;
}

static gboolean
is_size (const char *key, const StasisJson *value)
{
  static const char *const sizes[] = { "total", "stored",    "zero",      "in-parent", "length",
                                       "size",  "allocated", "page-size", NULL };
  return stasis_json_kind (value) == STASIS_JSON_INTEGER && g_strv_contains (sizes, key);
}

static void
copy_time (const Copy *copy, StasisJson *object, const char *key, const StasisJson *value)
{
  g_autofree char *name = g_strndup (key, strlen (key) - strlen ("-ns"));
  g_autofree char *iso = iso_time (value);
  if (!copy->for_people || iso == NULL)
    stasis_json_set (object, key, copy_value (copy, value));
  if (iso != NULL)
    stasis_json_set_string (object, name, iso);
}

/* A guest has many devices: a line for each. */
static StasisJson *
list_devices (const StasisJson *devices)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < stasis_json_array_length (devices); i++)
    {
      const StasisJson *device = stasis_json_array_get (devices, i);
      const guint64 instance = stasis_json_uint (stasis_json_get (device, "instance"), 0);
      g_autofree char *size
          = stasis_cli_format_octets (stasis_json_uint (stasis_json_get (device, "size"), 0));
      g_autofree char *number
          = instance > 0 ? g_strdup_printf (" %" G_GUINT64_FORMAT, instance) : g_strdup ("");
      g_autofree char *line = g_strdup_printf (
          "%s%s, %s", stasis_json_string (stasis_json_get (device, "name"), "?"), number, size);
      stasis_json_array_append_string (array, line);
    }
  return array;
}

static void
copy_member (const Copy *copy, StasisJson *object, const char *key, const StasisJson *value)
{
  if (g_str_has_suffix (key, "-ns"))
    copy_time (copy, object, key, value);
  else if (copy->for_people && copy->has_blocks && strcmp (key, "ram-blocks") == 0)
    return;
  else if (copy->for_people && strcmp (key, "devices") == 0
           && stasis_json_kind (value) == STASIS_JSON_ARRAY)
    stasis_json_set (object, key, list_devices (value));
  else if (copy->for_people && is_size (key, value))
    {
      g_autofree char *text = stasis_cli_format_octets (stasis_json_uint (value, 0));
      stasis_json_set_string (object, key, text);
    }
  else
    stasis_json_set (object, key, copy_value (copy, value));
}

static StasisJson *
copy_value (const Copy *copy, const StasisJson *value)
{
  if (stasis_json_kind (value) == STASIS_JSON_OBJECT)
    {
      StasisJson *object = stasis_json_new_object ();
      for (guint i = 0; i < stasis_json_object_size (value); i++)
        copy_member (copy, object, stasis_json_object_key (value, i),
                     stasis_json_object_value (value, i));
      return object;
    }
  if (stasis_json_kind (value) == STASIS_JSON_ARRAY)
    {
      StasisJson *array = stasis_json_new_array ();
      for (guint i = 0; i < stasis_json_array_length (value); i++)
        stasis_json_array_append (array, copy_value (copy, stasis_json_array_get (value, i)));
      return array;
    }
  return stasis_json_ref ((StasisJson *) value);
}

/* For programs. */
StasisJson *
stasis_cli_image_info_to_json (const StasisJson *info)
{
  const Copy copy = { .for_people = FALSE };
  return copy_value (&copy, info);
}

/* For people. */
char *
stasis_cli_image_info_to_text (const StasisJson *info)
{
  const StasisJson *blocks = stasis_json_get (stasis_json_get (info, "memory"), "blocks");
  const Copy copy = { .for_people = TRUE, .has_blocks = blocks != NULL };
  g_autoptr (StasisJson) readable = copy_value (&copy, info);
  return stasis_cli_json_to_text (readable);
}
