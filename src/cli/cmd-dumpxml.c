/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-dumpxml.c: dumpxml
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static gboolean
run_dumpxml (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  guint flags = STASIS_XML_NONE;
  stasis_cli_args_flag (args, "inactive", STASIS_XML_INACTIVE, &flags);
  stasis_cli_args_flag (args, "security-info", STASIS_XML_SECURE, &flags);
  stasis_cli_args_flag (args, "migratable", STASIS_XML_MIGRATABLE, &flags);
  stasis_cli_doing (cli, _ ("failed to get the XML of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autofree char *xml = stasis_domain_get_xml (domain, flags, error);
  if (xml == NULL)
    return FALSE;
  stasis_cli_print_text (cli, xml);
  return TRUE;
}

static const StasisCliOption dumpxml_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "inactive", STASIS_CLI_FLAG, NULL, N_ ("show inactive defined XML") },
  { "security-info", STASIS_CLI_FLAG, NULL,
    N_ ("include security sensitive information in XML dump") },
  { "migratable", STASIS_CLI_FLAG, NULL, N_ ("provide XML suitable for migrations") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_dumpxml = {
  .name = "dumpxml",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("domain information in XML"),
  .description = N_ ("Output the domain information as an XML dump to stdout."),
  .options = dumpxml_options,
  .run = run_dumpxml,
};
