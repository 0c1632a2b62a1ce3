/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-sysinfo-test.c: tests of src/remote/host-sysinfo.c
 */

#include "config.h"

#include "remote/host-sysinfo.h"

#include <glib/gstdio.h>
#include <stasis/error.h>

static char *
describe (const char *const *files, GError **error)
{
  g_autofree char *folder = g_dir_make_tmp ("sysinfo-XXXXXX", NULL);
  for (guint i = 0; files[i] != NULL; i += 2)
    {
      g_autofree char *path = g_build_filename (folder, files[i], NULL);
      g_assert_true (g_file_set_contents (path, files[i + 1], -1, NULL));
    }
  char *xml = stasis_host_sysinfo (folder, error);
  for (guint i = 0; files[i] != NULL; i += 2)
    {
      g_autofree char *path = g_build_filename (folder, files[i], NULL);
      g_remove (path);
    }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  return xml;
}

/* Only what is said, and nothing that is no XML. */
static void
test_entries (void)
{
  static const char *const files[] = {
    "bios_vendor",       "A & B\n", "bios_date",  "01/02/2003\n",
    "product_name",      "<box>\n", "sys_vendor", "Some\xff Maker\n",
    "product_version",   " \n",     "board_name", "",
    "chassis_asset_tag", "7\n",     NULL,
  };
  g_autofree char *xml = describe (files, NULL);
  g_assert_cmpstr (xml, ==,
                   "<sysinfo type='smbios'>\n"
                   "  <bios>\n"
                   "    <entry name='vendor'>A &amp; B</entry>\n"
                   "    <entry name='date'>01/02/2003</entry>\n"
                   "  </bios>\n"
                   "  <system>\n"
                   "    <entry name='manufacturer'>Some\xef\xbf\xbd Maker</entry>\n"
                   "    <entry name='product'>&lt;box&gt;</entry>\n"
                   "  </system>\n"
                   "  <chassis>\n"
                   "    <entry name='asset'>7</entry>\n"
                   "  </chassis>\n"
                   "</sysinfo>\n");
}

/* A host whose firmware says nothing. */
static void
test_nothing (void)
{
  static const char *const files[] = { NULL };
  g_autoptr (GError) error = NULL;
  g_assert_null (describe (files, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote/host-sysinfo/entries", test_entries);
  g_test_add_func ("/remote/host-sysinfo/nothing", test_nothing);
  return g_test_run ();
}
