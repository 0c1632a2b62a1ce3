/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * conf-test.c: what the tests of src/conf share
 */

#include "config.h"

#include "conf-test.h"

#include <string.h>

static const char *
canonical_machine (const char *emulator, const char *machine, gpointer data)
{
  if (machine == NULL || strcmp (machine, "pc") == 0)
    return "pc-i440fx-10.0";
  if (strcmp (machine, "q35") == 0)
    return "pc-q35-10.0";
  return g_str_has_prefix (machine, "pc-") ? machine : NULL;
}

static const char *
default_emulator (StasisDomainType type, const char *arch, gpointer data)
{
  return "/usr/bin/qemu-system-x86_64";
}

static const char *
network_bridge (const char *network, gpointer data)
{
  return strcmp (network, "default") == 0 ? "virbr0" : NULL;
}

const StasisConfContext conf_test_context
    = { canonical_machine, default_emulator, network_bridge, NULL, NULL };

char *
conf_test_read (const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "data", "conf", name, NULL);
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

StasisDomainDef *
conf_test_parse (const char *xml)
{
  g_autoptr (GError) error = NULL;
  StasisDomainDef *def = stasis_domain_def_parse (xml, -1, "test.xml", &conf_test_context,
                                                  STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  g_assert_nonnull (def);
  return def;
}

void
conf_test_add_files (const char *path, const char *folder, const char *suffix,
                     void (*test) (gconstpointer name))
{
  g_autoptr (GError) error = NULL;
  g_autofree char *place = g_test_build_filename (G_TEST_DIST, "data", "conf", folder, NULL);
  g_autoptr (GDir) dir = g_dir_open (place, 0, &error);
  g_assert_no_error (error);

  const char *file = NULL;
  while ((file = g_dir_read_name (dir)) != NULL)
    {
      if (!g_str_has_suffix (file, suffix))
        continue;
      g_autofree char *stem = g_strndup (file, strlen (file) - strlen (suffix));
      g_autofree char *name = g_strdup_printf ("%s/%s", path, stem);
      char *data = g_strdup_printf ("%s/%s", folder, stem);
      g_test_add_data_func_full (name, data, test, g_free);
    }
}
