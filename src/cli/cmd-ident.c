/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-ident.c: domid, domname, domuuid
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static const StasisCliOption ident_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

static gboolean
run_domid (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const int id = stasis_domain_get_id (domain);
  if (id >= 0)
    stasis_cli_print (cli, "%d\n", id);
  else
    stasis_cli_print (cli, "-\n");
  return TRUE;
}

const StasisCliCommand stasis_cmd_domid = {
  .name = "domid",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("convert a domain name or UUID to domain id"),
  .options = ident_options,
  .run = run_domid,
};

static gboolean
run_domname (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_print (cli, "%s\n", stasis_domain_get_name (domain));
  return TRUE;
}

const StasisCliCommand stasis_cmd_domname = {
  .name = "domname",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("convert a domain id or UUID to domain name"),
  .options = ident_options,
  .run = run_domname,
};

static gboolean
run_domuuid (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_print (cli, "%s\n", stasis_domain_get_uuid (domain));
  return TRUE;
}

const StasisCliCommand stasis_cmd_domuuid = {
  .name = "domuuid",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("convert a domain name or id to domain UUID"),
  .options = ident_options,
  .run = run_domuuid,
};
