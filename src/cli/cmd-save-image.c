/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-save-image.c: save-image-edit, save-image-define
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"
#include "cli/image-xml.h"
#include "cli/input.h"

static gboolean
run_edit (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to edit save image %1$s"), file);
  g_autofree char *path = stasis_cli_image_path (cli, file, error);
  g_autofree char *word = stasis_cli_shell_word (file);
  g_autofree char *define = g_strconcat ("stasis save-image-define ", word, NULL);
  gboolean changed = FALSE;
  if (path == NULL || !stasis_cli_image_edit (cli, args, path, define, &changed, error))
    return FALSE;
  if (changed)
    stasis_cli_say (cli, _ ("State file %1$s edited.\n"), file);
  else
    stasis_cli_say (cli, _ ("Saved image %1$s XML configuration not changed.\n"), file);
  return TRUE;
}

static const StasisCliOption edit_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to edit") },
  STASIS_CLI_RUN_STATE_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_save_image_edit = {
  .name = "save-image-edit",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("edit XML for a domain's saved state file"),
  .description = N_ ("Edit the domain XML associated with a saved state file."),
  .options = edit_options,
  .writes = TRUE,
  .run = run_edit,
};

static gboolean
run_define (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to update %1$s"), file);
  g_autofree char *path = stasis_cli_image_path (cli, file, error);
  if (path == NULL || !stasis_cli_image_define (cli, args, path, error))
    return FALSE;
  stasis_cli_say (cli, _ ("State file %1$s updated.\n"), file);
  return TRUE;
}

static const StasisCliOption define_options[] = {
  { "file", STASIS_CLI_NEEDED, "file", N_ ("saved state file to modify") },
  { "xml", STASIS_CLI_NEEDED, "file", N_ ("filename containing updated XML for the target") },
  STASIS_CLI_RUN_STATE_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_save_image_define = {
  .name = "save-image-define",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("redefine the XML for a domain's saved state file"),
  .description = N_ ("Replace the domain XML associated with a saved state file."),
  .options = define_options,
  .writes = TRUE,
  .run = run_define,
};
