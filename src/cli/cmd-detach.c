/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-detach.c: domdetach
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/progress.h"

static void
print_stats (StasisCli *cli, const StasisCliJob *job, StasisDomain *domain, const char *image)
{
  StasisJson *object = stasis_cli_job_to_json (job);
  stasis_json_set_string (object, "domain", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  if (image != NULL)
    stasis_json_set_string (object, "file", image);
  stasis_cli_print_json (cli, object);
}

static gboolean
detach_failed (StasisCli *cli, const StasisCliArgs *args, StasisCliJob *job, StasisDomain *domain,
               const char *image, GError *failure_take, GError **error)
{
  g_autoptr (GError) failure = failure_take;
  if (stasis_cli_args_has (args, "json") && stasis_cli_job_has_begun (job))
    print_stats (cli, job, domain, image);
  if (!g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  g_clear_pointer (&cli->doing, g_free);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
               _ ("detach of domain '%s' cancelled: it goes on, and uses the image as before"),
               stasis_domain_get_name (domain));
  return FALSE;
}

static gboolean
run_detach (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = STASIS_DETACH_NONE;
  stasis_cli_args_flag (args, "force", STASIS_DETACH_FORCE, &flags);
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  const gboolean json = stasis_cli_args_has (args, "json");
  stasis_cli_doing (cli, _ ("failed to detach domain '%1$s' from its save image"), name);
  g_autofree char *image = stasis_domain_get_memory_image (domain, NULL, NULL);
  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (
      cli, _ ("Detach"), _ ("cancelling the detach: the domain goes on, and uses the image"),
      stasis_cli_args_has (args, "verbose"), json);
  GError *failure = NULL;
  stasis_domain_detach_image (domain, flags, stasis_cli_progress_update,
                              stasis_cli_job_progress (job), stasis_cli_job_cancellable (job),
                              &failure);
  stasis_cli_job_end (job, failure);
  if (failure != NULL)
    return detach_failed (cli, args, job, domain, image, failure, error);

  if (json)
    print_stats (cli, job, domain, image);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' detached from %2$s\n"), name, image);
  return TRUE;
}

static const StasisCliOption detach_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "force", STASIS_CLI_FLAG, NULL, N_ ("although there is not enough memory") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of detach") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print final statistics as JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domdetach = {
  .name = "domdetach",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("free the save image that a domain uses"),
  .description
  = N_ ("Give a domain whose memory is mapped from a save image memory of its own, while\n"
        "it goes on. Its image is free then: a copy has taken the file's name, and\n"
        "the room of the old file is free when the domain ends. Of an image that was\n"
        "removed or replaced before, or a flat file, nothing is copied. Ctrl-C cancels."),
  .options = detach_options,
  .writes = TRUE,
  .run = run_detach,
};
