/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-rename.c: domrename
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static gboolean
run_domrename (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to rename domain '%1$s'"), stasis_domain_get_name (domain));
  if (!stasis_domain_rename (domain, stasis_cli_args_get (args, "new-name"), error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain successfully renamed\n"));
  return TRUE;
}

static const StasisCliOption domrename_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "new-name", STASIS_CLI_NEEDED, "name", N_ ("new domain name") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domrename = {
  .name = "domrename",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("rename a domain"),
  .description = N_ ("Give an inactive domain another name. Its marks for autostart and its NVRAM\n"
                     "go with it. One that has a managed save image is not renamed."),
  .options = domrename_options,
  .writes = TRUE,
  .run = run_domrename,
};
