/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-xml.c: change the definition inside a save image
 */

#include "config.h"

#include "cli/image-xml.h"

#include "cli/edit.h"
#include "cli/input.h"

static char *
fetch (gpointer path, GError **error)
{
  return stasis_image_get_xml (path, error);
}

static gboolean
apply (gpointer path, const char *xml, GError **error)
{
  return stasis_image_define_xml (path, xml, NULL, error);
}

/* Edit it. */
gboolean
stasis_cli_image_edit (StasisCli *cli, const char *path, gboolean *out_changed, GError **error)
{
  static const StasisCliEditOps ops = { fetch, apply };
  return stasis_cli_edit (cli, &ops, (gpointer) path, out_changed, error);
}

/* Replace it. */
gboolean
stasis_cli_image_define (const char *path, const char *xml_file, GError **error)
{
  g_autofree char *xml = stasis_cli_read_text (xml_file, error);
  if (xml == NULL)
    return FALSE;
  return stasis_image_define_xml (path, xml, stasis_cli_source_name (xml_file), error);
}
