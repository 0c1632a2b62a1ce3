/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-migrate-postcopy.c: migrate-postcopy
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static gboolean
run_migrate_postcopy (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to switch the migration of domain '%1$s' to post-copy"),
                    stasis_domain_get_name (domain));
  return stasis_domain_migrate_start_postcopy (domain, error);
}

static const StasisCliOption migrate_postcopy_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_postcopy = {
  .name = "migrate-postcopy",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("switch running migration from pre-copy to post-copy"),
  .description
  = N_ ("Switch a migration that was begun with --postcopy: the domain goes on at its\n"
        "destination at once, and fetches what it lacks of its memory from here. The\n"
        "migration cannot be cancelled any more then."),
  .options = migrate_postcopy_options,
  .writes = TRUE,
  .run = run_migrate_postcopy,
};
