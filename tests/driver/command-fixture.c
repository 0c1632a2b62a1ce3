/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * command-fixture.c: definitions, capabilities and resources for tests of the command line
 */

#include "config.h"

#include "command-fixture.h"

#include <string.h>

#include "driver/qemu-caps-private.h"

StasisQemuCaps *
fixture_caps (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *base = g_strconcat (name, ".json", NULL);
  g_autofree char *path = g_path_is_absolute (name)
                              ? g_strdup (name)
                              : g_test_build_filename (G_TEST_DIST, "data", "driver", base, NULL);
  g_autofree char *text = NULL;
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisJson) json = stasis_json_parse (text, -1, &error);
  g_assert_no_error (error);
  StasisQemuCaps *caps = stasis_qemu_caps_from_json (json, &error);
  g_assert_no_error (error);
  return caps;
}

static const char *
canonical_machine (const char *emulator, const char *machine, gpointer data)
{
  return stasis_qemu_caps_canonical_machine (data, machine);
}

static const char *
network_bridge (const char *network, gpointer data)
{
  return "br0";
}

StasisDomainDef *
fixture_definition (const char *path, const StasisQemuCaps *caps, GError **error)
{
  const StasisConfContext context = { .canonical_machine = canonical_machine,
                                      .network_bridge = network_bridge,
                                      .data = (gpointer) caps };
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, error))
    return NULL;
  return stasis_domain_def_parse (text, -1, path, &context, STASIS_DOMAIN_PARSE_DEFAULT, error);
}

static void
open_backing (StasisResource *disk, int *fd, gint64 *fdset)
{
  static const char *const formats[] = { "qcow2", "raw" };

  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      StasisResource *backing = stasis_resource_new (STASIS_RESOURCE_DISK, "", "/images/base");
      backing->readonly = TRUE;
      backing->direct = disk->direct;
      backing->format = g_strdup (formats[i]);
      backing->fd = (*fd)++;
      backing->fdset = (*fdset)++;
      g_ptr_array_add (disk->backing, backing);
    }
}

GPtrArray *
fixture_resources (const StasisDomainDef *def)
{
  GPtrArray *resources = stasis_resources_list (def);
  int fd = 20;
  gint64 fdset = 1;
  guint n_vhost = 0;

  for (guint i = 0; i < resources->len; i++)
    {
      StasisResource *resource = resources->pdata[i];
      switch (resource->kind)
        {
        case STASIS_RESOURCE_DISK:
        case STASIS_RESOURCE_LOADER:
        case STASIS_RESOURCE_NVRAM:
        case STASIS_RESOURCE_OUTPUT:
          resource->fdset = fdset++;
          resource->fd = fd++;
          break;
        case STASIS_RESOURCE_BLOB:
        case STASIS_RESOURCE_LISTEN:
        case STASIS_RESOURCE_TAP:
          resource->fd = fd++;
          break;
        case STASIS_RESOURCE_VHOST:
          if (n_vhost++ % 2 == 0)
            resource->fd = fd++;
          break;
        }
      if (resource->kind == STASIS_RESOURCE_DISK && strstr (resource->path, "overlay") != NULL)
        open_backing (resource, &fd, &fdset);
    }
  return resources;
}

char *
fixture_format (char **argv)
{
  GString *text = g_string_new (NULL);

  for (char **arg = argv; *arg != NULL; arg++)
    {
      if (text->len > 0)
        g_string_append_c (text, **arg == '-' ? '\n' : ' ');
      g_string_append (text, *arg);
    }
  g_string_append_c (text, '\n');
  return g_string_free (text, FALSE);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
fixture_list (const char *folder)
{
  g_autoptr (GError) error = NULL;
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", folder, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, &error);
  g_assert_no_error (error);

  for (const char *name = g_dir_read_name (dir); name != NULL; name = g_dir_read_name (dir))
    if (g_str_has_suffix (name, ".xml") && !g_str_has_suffix (name, ".expected.xml")
        && !g_str_has_suffix (name, ".active.xml"))
      g_ptr_array_add (paths, g_build_filename (path, name, NULL));
  g_ptr_array_sort (paths, compare_names);
  return paths;
}
