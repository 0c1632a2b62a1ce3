/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-xml.c: change the definition inside a save image
 */

#include "config.h"

#include "cli/image-xml.h"

#include "cli/edit.h"
#include "cli/input.h"

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  const char *path;     /* (borrowed) */
} Edited;

static char *
fetch (gpointer data, GError **error)
{
  const Edited *edited = data;
  return stasis_image_get_xml (edited->path, error);
}

static gboolean
apply (gpointer data, const char *xml, GError **error)
{
  const Edited *edited = data;
  return stasis_image_define_xml (edited->driver, edited->path, xml, NULL, error);
}

/* Edit it. */
gboolean
stasis_cli_image_edit (StasisCli *cli, const char *path, gboolean *out_changed, GError **error)
{
  static const StasisCliEditOps ops = { fetch, apply };
  Edited edited = { .driver = stasis_cli_driver (cli, error), .path = path };
  if (edited.driver == NULL)
    return FALSE;
  return stasis_cli_edit (cli, &ops, &edited, out_changed, error);
}

/* Replace it. */
gboolean
stasis_cli_image_define (StasisCli *cli, const char *path, const char *xml_file, GError **error)
{
  g_autofree char *xml = stasis_cli_read_text (xml_file, error);
  if (xml == NULL)
    return FALSE;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  return stasis_image_define_xml (driver, path, xml, stasis_cli_source_name (xml_file), error);
}
