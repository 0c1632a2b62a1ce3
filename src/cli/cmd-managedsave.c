/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-managedsave.c: managedsave-remove, -dumpxml, -edit, -define
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/image-xml.h"
#include "cli/input.h"

/* Where the domain's managed save image lies. */
static char *
image_path (StasisDomain *domain, GError **error)
{
  char *path = stasis_domain_get_managed_save_path (domain);
  if (path == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                 _ ("domain '%1$s' has no managed save image"), stasis_domain_get_name (domain));
  return path;
}

static gboolean
run_remove (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  g_autofree char *path = stasis_domain_get_managed_save_path (domain);
  if (path == NULL)
    {
      stasis_cli_say (cli, _ ("Domain '%1$s' has no managed save image; removal skipped\n"), name);
      return TRUE;
    }
  stasis_cli_doing (cli, _ ("failed to remove managed save image for domain '%1$s'"), name);
  if (!stasis_domain_managed_save_remove (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Removed managedsave image for domain '%1$s'\n"), name);
  return TRUE;
}

static const StasisCliOption domain_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave_remove = {
  .name = "managedsave-remove",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("remove managed save of a domain"),
  .description = N_ ("Remove an existing managed save state file from a domain."),
  .options = domain_options,
  .writes = TRUE,
  .run = run_remove,
};

static gboolean
run_dumpxml (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to read the managed save image of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autofree char *path = image_path (domain, error);
  const guint flags
      = stasis_cli_args_has (args, "security-info") ? STASIS_XML_SECURE : STASIS_XML_NONE;
  g_autofree char *xml
      = path != NULL ? stasis_driver_get_image_xml (cli->driver, path, flags, error) : NULL;
  if (xml == NULL)
    return FALSE;
  stasis_cli_print_text (cli, xml);
  return TRUE;
}

static const StasisCliOption dumpxml_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "security-info", STASIS_CLI_FLAG, NULL,
    N_ ("include security sensitive information in XML dump") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave_dumpxml = {
  .name = "managedsave-dumpxml",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("domain information of managed save state file in XML"),
  .description = N_ ("Dump XML of domain information for a managed save state file to stdout."),
  .options = dumpxml_options,
  .run = run_dumpxml,
};

static gboolean
run_edit (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to edit the managed save image of domain '%1$s'"), name);
  g_autofree char *path = image_path (domain, error);
  g_autofree char *word = stasis_cli_shell_word (name);
  g_autofree char *define = g_strconcat ("stasis managedsave-define ", word, NULL);
  gboolean changed = FALSE;
  if (path == NULL || !stasis_cli_image_edit (cli, args, path, define, &changed, error))
    return FALSE;
  if (changed)
    stasis_cli_say (cli, _ ("Managed save image of domain '%1$s' XML configuration edited.\n"),
                    name);
  else
    stasis_cli_say (cli, _ ("Managed save image of domain '%1$s' XML configuration not changed.\n"),
                    name);
  return TRUE;
}

static const StasisCliOption edit_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  STASIS_CLI_RUN_STATE_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave_edit = {
  .name = "managedsave-edit",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("edit XML for a domain's managed save state file"),
  .description = N_ ("Edit the domain XML associated with the managed save state file."),
  .options = edit_options,
  .writes = TRUE,
  .run = run_edit,
};

static gboolean
run_define (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to update the managed save image of domain '%1$s'"), name);
  g_autofree char *path = image_path (domain, error);
  if (path == NULL || !stasis_cli_image_define (cli, args, path, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Managed save state file of domain '%1$s' updated.\n"), name);
  return TRUE;
}

static const StasisCliOption define_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "xml", STASIS_CLI_NEEDED, "file", N_ ("filename containing updated XML for the target") },
  STASIS_CLI_RUN_STATE_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_managedsave_define = {
  .name = "managedsave-define",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("redefine the XML for a domain's managed save state file"),
  .description = N_ ("Replace the domain XML associated with a managed save state file."),
  .options = define_options,
  .writes = TRUE,
  .run = run_define,
};
