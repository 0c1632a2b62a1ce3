/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-devices.c: the devices of one kind in a definition
 */

#include "config.h"

#include "cli/xml-devices.h"

#include <string.h>

#define DEVICE_DEPTH 3u /* domain, devices, and the device itself */

typedef struct
{
  const char *kind;   /* (borrowed) */
  GPtrArray *names;   /* (owned): of the elements around, the document's first */
  GPtrArray *devices; /* (owned) (element-type GHashTable) */
} Search;

/* TRUE where the innermost of the elements around is such a device, or inside one. */
static gboolean
is_inside (const Search *search)
{
  static const char *const outer[] = { "domain", "devices" };
  if (search->names->len < DEVICE_DEPTH)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (outer); i++)
    if (strcmp (g_ptr_array_index (search->names, i), outer[i]) != 0)
      return FALSE;
  return strcmp (g_ptr_array_index (search->names, DEVICE_DEPTH - 1), search->kind) == 0;
}

/* "source@file" of the present element. */
static char *
path_of (const Search *search, const char *key)
{
  g_autoptr (GString) path = g_string_new (NULL);
  for (guint i = DEVICE_DEPTH; i < search->names->len; i++)
    g_string_append_printf (path, "%s%s", i > DEVICE_DEPTH ? "/" : "",
                            (const char *) g_ptr_array_index (search->names, i));
  g_string_append_printf (path, "@%s", key);
  return g_string_free (g_steal_pointer (&path), FALSE);
}

static void
on_start (GMarkupParseContext *context, const char *name, const char **keys, const char **values,
          gpointer data, GError **error)
{
  Search *search = data;
  g_ptr_array_add (search->names, g_strdup (name));
  if (!is_inside (search))
    return;

  if (search->names->len == DEVICE_DEPTH)
    g_ptr_array_add (search->devices,
                     g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free));
  GHashTable *device = g_ptr_array_index (search->devices, search->devices->len - 1);
  for (guint i = 0; keys[i] != NULL; i++)
    {
      g_autofree char *path = path_of (search, keys[i]);
      if (!g_hash_table_contains (device, path))
        g_hash_table_insert (device, g_steal_pointer (&path), g_strdup (values[i]));
    }
}

static void
on_end (GMarkupParseContext *context, const char *name, gpointer data, GError **error)
{
  Search *search = data;
  g_ptr_array_set_size (search->names, (int) search->names->len - 1);
}

/* Look for them. */
GPtrArray *
stasis_cli_xml_devices (const char *xml, const char *kind)
{
  static const GMarkupParser parser = { on_start, on_end, NULL, NULL, NULL };
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  GPtrArray *devices = g_ptr_array_new_with_free_func ((GDestroyNotify) g_hash_table_unref);
  Search search = { .kind = kind, .names = names, .devices = devices };

  g_autoptr (GMarkupParseContext) context
      = g_markup_parse_context_new (&parser, G_MARKUP_IGNORE_QUALIFIED, &search, NULL);
  if (!g_markup_parse_context_parse (context, xml, -1, NULL))
    g_ptr_array_set_size (devices, 0);
  return devices;
}

/* One attribute. */
const char *
stasis_cli_xml_value (const GHashTable *device, const char *path)
{
  return g_hash_table_lookup ((GHashTable *) device, path);
}
