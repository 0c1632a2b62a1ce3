/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-untrack.c: domuntrack
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static gboolean
run_untrack (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to end the tracking of domain '%1$s'"), name);
  if (!stasis_domain_untrack (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' is not tracked any more\n"), name);
  return TRUE;
}

static const StasisCliOption untrack_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domuntrack = {
  .name = "domuntrack",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("end the tracking of what a domain writes to"),
  .description = N_ ("Free a domain of what tracked and incremental checkpoints leave on for the\n"
                     "next one: that each page's first write is noted. That one compares all of\n"
                     "the memory with its base again."),
  .options = untrack_options,
  .writes = TRUE,
  .run = run_untrack,
};
