/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-migrate-resolve.c: migrate-resolve
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static StasisMigrateVerdict
get_wish (const StasisCliArgs *args)
{
  if (stasis_cli_args_has (args, "begun"))
    return STASIS_MIGRATE_VERDICT_BEGUN;
  return stasis_cli_args_has (args, "revoked") ? STASIS_MIGRATE_VERDICT_REVOKED
                                               : STASIS_MIGRATE_VERDICT_UNKNOWN;
}

/* Of one that does not run here any more nothing goes on. */
static void
say (StasisCli *cli, StasisDomain *domain, StasisMigrateVerdict verdict)
{
  const char *name = stasis_domain_get_name (domain);
  StasisDomainState state;
  if (verdict == STASIS_MIGRATE_VERDICT_BEGUN)
    stasis_cli_say (cli, _ ("Domain '%1$s' has migrated: nothing of it is left to run here\n"),
                    name);
  else if (stasis_domain_get_state (domain, &state, NULL, NULL) && state != STASIS_DOMAIN_SHUTOFF)
    stasis_cli_say (cli, _ ("Domain '%1$s' goes on here: its migration is revoked\n"), name);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' may be started here: its migration is revoked\n"), name);
}

static gboolean
run_migrate_resolve (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisMigrateVerdict verdict = STASIS_MIGRATE_VERDICT_UNKNOWN;
  if (!stasis_cli_args_exclusive (args, "begun", "revoked", error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to resolve the migration of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  if (!stasis_domain_migrate_resolve (domain, get_wish (args), &verdict, NULL, error))
    return FALSE;
  say (cli, domain, verdict);
  return TRUE;
}

static const StasisCliOption migrate_resolve_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "begun", STASIS_CLI_FLAG, NULL, N_ ("the guest is at the destination: end the copy here") },
  { "revoked", STASIS_CLI_FLAG, NULL,
    N_ ("the guest is not there, and never will be: it goes on here") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_resolve = {
  .name = "migrate-resolve",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("decide whose a guest is after its migration was cut off"),
  .description
  = N_ ("Ask the destination of a migration that is undecided (domstate --reason says\n"
        "so), and do what it says. With --begun or --revoked you decide, where it\n"
        "cannot be asked. WARNING: look at the destination before. --revoked while the\n"
        "guest runs there makes two copies, which destroy their disks; --begun while\n"
        "it does not loses the guest. What the destination says holds against both."),
  .options = migrate_resolve_options,
  .writes = TRUE,
  .run = run_migrate_resolve,
};
