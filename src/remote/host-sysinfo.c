/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-sysinfo.c: what the firmware says of the host
 */

#include "config.h"

#include "remote/host-sysinfo.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

/* In the order of libvirt's elements, and of the entries in them. */
static const struct
{
  const char *element;
  const char *entry;
  const char *file;
} entries[] = {
  { "bios", "vendor", "bios_vendor" },
  { "bios", "version", "bios_version" },
  { "bios", "date", "bios_date" },
  { "bios", "release", "bios_release" },
  { "system", "manufacturer", "sys_vendor" },
  { "system", "product", "product_name" },
  { "system", "version", "product_version" },
  { "system", "serial", "product_serial" },
  { "system", "uuid", "product_uuid" },
  { "system", "sku", "product_sku" },
  { "system", "family", "product_family" },
  { "baseBoard", "manufacturer", "board_vendor" },
  { "baseBoard", "product", "board_name" },
  { "baseBoard", "version", "board_version" },
  { "baseBoard", "serial", "board_serial" },
  { "baseBoard", "asset", "board_asset_tag" },
  { "chassis", "manufacturer", "chassis_vendor" },
  { "chassis", "version", "chassis_version" },
  { "chassis", "serial", "chassis_serial" },
  { "chassis", "asset", "chassis_asset_tag" },
};

/* (transfer full) (nullable): one that says something, and that XML has characters for. */
static char *
read_entry (const char *folder, const char *file)
{
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL) || *g_strstrip (text) == '\0')
    return NULL;
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  return g_markup_escape_text (valid, -1);
}

/* The XML. */
char *
stasis_host_sysinfo (const char *folder, GError **error)
{
  g_autoptr (GString) xml = g_string_new ("<sysinfo type='smbios'>\n");
  const char *element = NULL; /* that is open */
  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      g_autofree char *text = read_entry (folder, entries[i].file);
      if (text == NULL)
        continue;
      if (g_strcmp0 (element, entries[i].element) != 0)
        {
          if (element != NULL)
            g_string_append_printf (xml, "  </%s>\n", element);
          element = entries[i].element;
          g_string_append_printf (xml, "  <%s>\n", element);
        }
      g_string_append_printf (xml, "    <entry name='%s'>%s</entry>\n", entries[i].entry, text);
    }
  if (element != NULL)
    {
      g_string_append_printf (xml, "  </%s>\n</sysinfo>\n", element);
      return g_string_free (g_steal_pointer (&xml), FALSE);
    }
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("Host SMBIOS information is not available"));
  return NULL;
}
