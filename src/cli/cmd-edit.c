/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-edit.c: edit
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/edit.h"

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisDomain *domain; /* (borrowed) */
} Edited;

static char *
fetch (gpointer data, GError **error)
{
  const Edited *edited = data;
  return stasis_domain_get_xml (edited->domain, STASIS_XML_INACTIVE | STASIS_XML_SECURE, error);
}

static gboolean
apply (gpointer data, const char *xml, GError **error)
{
  const Edited *edited = data;
  g_autoptr (StasisDomain) domain = stasis_driver_define (edited->driver, xml, NULL, error);
  return domain != NULL;
}

static char *
command (gpointer data, const char *path)
{
  return g_strdup_printf ("stasis define %s", path);
}

static gboolean
run_edit (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  static const StasisCliEditOps ops = { fetch, apply, command };
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to edit domain '%1$s'"), name);
  Edited edited = { .driver = cli->driver, .domain = domain };
  gboolean changed = FALSE;
  if (!stasis_cli_edit (cli, &ops, &edited, &changed, error))
    return FALSE;
  if (changed)
    stasis_cli_say (cli, _ ("Domain '%1$s' XML configuration edited.\n"), name);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' XML configuration not changed.\n"), name);
  return TRUE;
}

static const StasisCliOption edit_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_edit = {
  .name = "edit",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("edit XML configuration for a domain"),
  .description = N_ ("Edit the XML configuration for a domain. A change takes effect when\n"
                     "the domain is next started."),
  .options = edit_options,
  .writes = TRUE,
  .run = run_edit,
};
