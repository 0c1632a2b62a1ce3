/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-flatten.c: image flatten
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

static gboolean
run_flatten (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autofree char *in = stasis_cli_image_path (cli, stasis_cli_args_get (args, "in"), error);
  g_autofree char *out
      = in != NULL ? stasis_cli_image_path (cli, stasis_cli_args_get (args, "out"), error) : NULL;
  StasisDriver *driver = out != NULL ? stasis_cli_driver (cli, error) : NULL;
  if (driver == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to flatten save image %s"), in);
  const gboolean json = stasis_cli_args_has (args, "json");
  g_autoptr (StasisCliJob) job
      = stasis_cli_job_begin (cli, _ ("Flatten"), _ ("cancelling: the input stays as it is"),
                              stasis_cli_args_has (args, "verbose"), json);
  GError *failure = NULL;
  const gboolean ok = stasis_image_flatten (driver, in, out, stasis_cli_progress_update,
                                            stasis_cli_job_progress (job),
                                            stasis_cli_job_cancellable (job), &failure);
  stasis_cli_job_end (job, failure);
  if (json)
    {
      StasisJson *object = stasis_cli_job_to_json (job);
      stasis_json_set_string (object, "file", out);
      stasis_cli_print_json (cli, object);
    }
  if (!ok)
    g_propagate_error (error, failure);
  else if (!json)
    stasis_cli_say (cli, _ ("Save image %1$s made whole: %2$s\n"), in, out);
  return ok;
}

static const StasisCliOption flatten_options[] = {
  { "in", STASIS_CLI_NEEDED, "file", N_ ("incremental image") },
  { "out", STASIS_CLI_NEEDED, "file", N_ ("whole image to write") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_image_flatten = {
  .name = "image flatten",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("make a whole save image of an incremental one"),
  .description = N_ ("Write one image with all of the memory that an incremental image and those\n"
                     "that it stands on have together. These are verified first and stay as they\n"
                     "are; the new file gets its name when it is complete and on disk."),
  .options = flatten_options,
  .writes = TRUE,
  .run = run_flatten,
};
