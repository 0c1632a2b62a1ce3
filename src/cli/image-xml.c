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
  const char *define;   /* (borrowed) */
  guint flags;          /* StasisSaveFlags */
} Edited;

static char *
fetch (gpointer data, GError **error)
{
  const Edited *edited = data;
  return stasis_driver_get_image_xml (edited->driver, edited->path, STASIS_XML_SECURE, error);
}

static gboolean
apply (gpointer data, const char *xml, GError **error)
{
  const Edited *edited = data;
  return stasis_image_define_xml (edited->driver, edited->path, xml, NULL, edited->flags, error);
}

static char *
command (gpointer data, const char *path)
{
  const Edited *edited = data;
  const char *state = "";
  if (edited->flags & STASIS_SAVE_RUNNING)
    state = " --running";
  else if (edited->flags & STASIS_SAVE_PAUSED)
    state = " --paused";
  return g_strdup_printf ("%s %s%s", edited->define, path, state);
}

static gboolean
run_state_flags (const StasisCliArgs *args, guint *out_flags, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "running", "paused", error))
    return FALSE;

  guint flags = STASIS_SAVE_NONE;
  stasis_cli_args_flag (args, "running", STASIS_SAVE_RUNNING, &flags);
  stasis_cli_args_flag (args, "paused", STASIS_SAVE_PAUSED, &flags);
  *out_flags = flags;
  return TRUE;
}

/* The same definition with another run state. */
static gboolean
apply_flags (const Edited *edited, GError **error)
{
  g_autofree char *xml
      = stasis_driver_get_image_xml (edited->driver, edited->path, STASIS_XML_SECURE, error);
  return xml != NULL
         && stasis_image_define_xml (edited->driver, edited->path, xml, NULL, edited->flags, error);
}

/* Edit it. */
gboolean
stasis_cli_image_edit (StasisCli *cli, const StasisCliArgs *args, const char *path,
                       const char *define, gboolean *out_changed, GError **error)
{
  static const StasisCliEditOps ops = { fetch, apply, command };
  Edited edited = { .path = path, .define = define };
  if (!run_state_flags (args, &edited.flags, error))
    return FALSE;
  edited.driver = stasis_cli_driver (cli, error);
  if (edited.driver == NULL || !stasis_cli_edit (cli, &ops, &edited, out_changed, error))
    return FALSE;
  if (*out_changed || edited.flags == STASIS_SAVE_NONE)
    return TRUE;
  *out_changed = TRUE;
  return apply_flags (&edited, error);
}

/* Replace it. */
gboolean
stasis_cli_image_define (StasisCli *cli, const StasisCliArgs *args, const char *path,
                         GError **error)
{
  guint flags = 0;
  if (!run_state_flags (args, &flags, error))
    return FALSE;
  const char *xml_file = stasis_cli_args_get (args, "xml");
  g_autofree char *xml = stasis_cli_read_text (xml_file, error);
  if (xml == NULL)
    return FALSE;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  return stasis_image_define_xml (driver, path, xml, stasis_cli_source_name (xml_file), flags,
                                  error);
}
