/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-clones.c: clones saved, clones drop: disks that are kept for clones that were saved
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/table.h"
#include "cli/units.h"

static StasisJson *
text_or_null (const char *text)
{
  return text != NULL ? stasis_json_new_string (text) : stasis_json_new_null ();
}

static void
print_json (StasisCli *cli, GPtrArray *all, gboolean leftover)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < all->len; i++)
    {
      const StasisClonesSaved *saved = g_ptr_array_index (all, i);
      if (leftover && saved->image == STASIS_CLONES_IMAGE_THERE)
        continue;
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set (object, "name", text_or_null (saved->name));
      stasis_json_set_string (object, "uuid", saved->uuid);
      stasis_json_set_string (object, "folder", saved->folder);
      stasis_json_set_uint (object, "allocated", saved->octets);
      stasis_json_set (object, "file", text_or_null (saved->path));
      stasis_json_set_string (object, "image", stasis_clones_image_to_string (saved->image));
      stasis_json_array_append (array, object);
    }
  stasis_cli_print_json (cli, array);
}

static void
print_table (StasisCli *cli, GPtrArray *all, gboolean leftover)
{
  const char *const titles[]
      = { _ ("UUID"), _ ("Name"), _ ("Size"), _ ("Image"), _ ("File"), NULL };
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (titles);
  for (guint i = 0; i < all->len; i++)
    {
      const StasisClonesSaved *saved = g_ptr_array_index (all, i);
      if (leftover && saved->image == STASIS_CLONES_IMAGE_THERE)
        continue;
      g_autofree char *size = stasis_cli_format_octets (saved->octets);
      const char *const cells[] = { saved->uuid, saved->name != NULL ? saved->name : "-", size,
                                    stasis_clones_image_to_string (saved->image),
                                    saved->path != NULL ? saved->path : "-" };
      stasis_cli_table_append (table, cells);
    }
  g_autofree char *text = stasis_cli_table_to_string (table, !cli->quiet);
  stasis_cli_print (cli, "%s", text);
}

static gboolean
run_saved (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to list the disks of saved clones"));
  g_autoptr (GPtrArray) all = stasis_driver_list_saved_clones (driver, error);
  if (all == NULL)
    return FALSE;
  const gboolean leftover = stasis_cli_args_has (args, "leftover");
  if (stasis_cli_args_has (args, "json"))
    print_json (cli, all, leftover);
  else
    print_table (cli, all, leftover);
  return TRUE;
}

static const StasisCliOption saved_options[] = {
  { "leftover", STASIS_CLI_FLAG, NULL, N_ ("only those whose image is not where it was") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_clones_saved = {
  .name = "clones saved",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("list the disks that are kept for clones that were saved"),
  .description = N_ ("List what clones that were saved have written to their disks: it stays as\n"
                     "long as their images may need it. 'Image' is what lies where the image was\n"
                     "written: it ('there'), nothing ('missing': it was removed, or moved),\n"
                     "something else ('replaced'), or 'unknown': it went into a pipe. 'clones\n"
                     "drop' removes what no image needs any more."),
  .options = saved_options,
  .run = run_saved,
};

static gboolean
run_drop (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  const char *uuid = stasis_cli_args_get (args, "uuid");
  stasis_cli_doing (cli, _ ("failed to drop the disks of the saved clone %1$s"), uuid);
  if (!stasis_driver_drop_saved_clone (driver, uuid, stasis_cli_args_has (args, "force"), error))
    return FALSE;
  stasis_cli_say (cli, _ ("Disks of the saved clone %1$s removed\n"), uuid);
  return TRUE;
}

static const StasisCliOption drop_options[] = {
  { "uuid", STASIS_CLI_NEEDED, "uuid", N_ ("of the clone, as 'clones saved' lists it") },
  { "force", STASIS_CLI_FLAG, NULL, N_ ("although its image is there, or is not known") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_clones_drop = {
  .name = "clones drop",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("remove the disks of a clone that was saved"),
  .description = N_ ("Remove what a clone that was saved has written to its disks. Its image,\n"
                     "wherever it is by now, cannot be restored after that. Refused where the\n"
                     "image is where it was written, or other disks rest on these."),
  .options = drop_options,
  .writes = TRUE,
  .run = run_drop,
};
