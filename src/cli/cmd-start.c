/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-start.c: start, create
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"
#include "cli/job.h"
#include "cli/progress.h"

/* With --console the domain waits until the console is open, so that no word of it is lost.  Not
 * so from a managed save image: whether it ran is the image's to say. */
static gboolean
waits_for_console (const StasisCliArgs *args, gboolean has_managed_save)
{
  return stasis_cli_args_has (args, "console") && !stasis_cli_args_has (args, "paused")
         && !has_managed_save;
}

static guint
start_flags (const StasisCliArgs *args, gboolean waits)
{
  guint flags = STASIS_START_NONE;
  stasis_cli_args_flag (args, "paused", STASIS_START_PAUSED, &flags);
  return waits ? flags | STASIS_START_PAUSED : flags;
}

/* What the guest is worth knowing of before: TRUE also where it cannot be found out. */
static gboolean
has_managed_save (StasisDomain *domain)
{
  StasisDomainInfo info = { 0 };
  return !stasis_domain_get_info (domain, &info, NULL) || info.has_managed_save;
}

static gboolean
run_start (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const gboolean force_boot = stasis_cli_args_has (args, "force-boot");
  const gboolean is_boot = force_boot || !has_managed_save (domain);
  const gboolean waits = waits_for_console (args, !is_boot);
  guint flags = start_flags (args, waits);
  stasis_cli_args_flag (args, "force-boot", STASIS_START_FORCE_BOOT, &flags);

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to start domain '%1$s'"), name);
  g_autoptr (StasisCliJob) job
      = stasis_cli_job_begin (cli, _ ("Start"), _ ("cancelling the start"),
                              stasis_cli_args_has (args, "verbose"), /* json= */ FALSE);
  if (!stasis_domain_start (domain, flags, stasis_cli_progress_update,
                            stasis_cli_job_progress (job), stasis_cli_job_cancellable (job), error))
    return FALSE;

  stasis_cli_job_end (job, NULL);
  if (!is_boot)
    stasis_cli_sync_time (args, domain);
  stasis_cli_say (cli, _ ("Domain '%1$s' started\n"), name);
  if (stasis_cli_args_has (args, "console"))
    return stasis_cli_console_run (cli, domain, NULL, FALSE, waits, error);
  return TRUE;
}

static const StasisCliOption start_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "console", STASIS_CLI_FLAG, NULL, N_ ("attach to console after creation") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("leave the guest paused after creation") },
  { "force-boot", STASIS_CLI_FLAG, NULL, N_ ("force fresh boot by discarding any managed save") },
  { "sync-time", STASIS_CLI_FLAG, NULL,
    N_ ("from a managed save: set the guest's clock to the host's (guest agent)") },
  { "verbose", STASIS_CLI_FLAG, NULL, N_ ("display the progress of a restore") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_start = {
  .name = "start",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("start a (previously defined) inactive domain"),
  .description = N_ ("Start a domain, either from the last managedsave\n"
                     "state, or via a fresh boot if no managedsave state\n"
                     "is present."),
  .options = start_options,
  .writes = TRUE,
  .run = run_start,
};

static gboolean
run_create (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to create domain from %1$s"), file);
  g_autofree char *xml = stasis_cli_read_definition (file, error);
  if (xml == NULL)
    return FALSE;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  const gboolean waits = waits_for_console (args, FALSE);
  g_autoptr (StasisCliJob) job = stasis_cli_job_begin (
      cli, _ ("Create"), _ ("cancelling the start"), /* verbose= */ FALSE, /* json= */ FALSE);
  g_autoptr (StasisDomain) domain
      = stasis_driver_create (driver, xml, stasis_cli_source_name (file), start_flags (args, waits),
                              stasis_cli_job_cancellable (job), error);
  if (domain == NULL)
    return FALSE;

  stasis_cli_job_end (job, NULL);
  stasis_cli_say (cli, _ ("Domain '%1$s' created from %2$s\n"), stasis_domain_get_name (domain),
                  file);
  if (stasis_cli_args_has (args, "console"))
    return stasis_cli_console_run (cli, domain, NULL, FALSE, waits, error);
  return TRUE;
}

static const StasisCliOption create_options[] = {
  { "file", STASIS_CLI_NEEDED, "file",
    N_ ("file containing an XML domain description; - is standard input") },
  { "console", STASIS_CLI_FLAG, NULL, N_ ("attach to console after creation") },
  { "paused", STASIS_CLI_FLAG, NULL, N_ ("leave the guest paused after creation") },
  { "validate", STASIS_CLI_FLAG, NULL,
    N_ ("accepted for compatibility: a definition is always validated") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_create = {
  .name = "create",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("create a domain from an XML file"),
  .description = N_ ("Create a transient domain: start it without defining it."),
  .options = create_options,
  .writes = TRUE,
  .run = run_create,
};
