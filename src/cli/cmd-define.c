/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-define.c: define, undefine
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/input.h"

/* Say so where the file is a save image. */
static void
explain_image (const char *file, GError **failure)
{
  const gboolean is_file = !g_str_equal (file, "-");
  g_autofree char *info = is_file ? stasis_image_get_info_json (file, NULL) : NULL;
  if (info == NULL)
    return;
  g_clear_error (failure);
  g_set_error (failure, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("'%1$s' is a save image, not a definition: 'stasis restore %1$s' starts its "
                  "domain, 'stasis save-image-dumpxml %1$s' prints its definition"),
               file);
}

/* Read a definition. */
char *
stasis_cli_read_definition (const char *file, GError **error)
{
  GError *failure = NULL;
  char *xml = stasis_cli_read_text (file, &failure);
  if (xml != NULL)
    return xml;
  explain_image (file, &failure);
  g_propagate_error (error, failure);
  return NULL;
}

static gboolean
run_define (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *file = stasis_cli_args_get (args, "file");
  stasis_cli_doing (cli, _ ("failed to define domain from %1$s"), file);
  g_autofree char *xml = stasis_cli_read_definition (file, error);
  if (xml == NULL)
    return FALSE;

  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  g_autoptr (StasisDomain) domain
      = stasis_driver_define (driver, xml, stasis_cli_source_name (file), error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' defined from %2$s\n"), stasis_domain_get_name (domain),
                  file);
  return TRUE;
}

static const StasisCliOption define_options[] = {
  { "file", STASIS_CLI_NEEDED, "file",
    N_ ("file containing an XML domain description; - is standard input") },
  { "validate", STASIS_CLI_FLAG, NULL,
    N_ ("accepted for compatibility: a definition is always validated") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_define = {
  .name = "define",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("define (but don't start) a domain from an XML file"),
  .description = N_ ("Define a domain, or change the definition of the one of that name and\n"
                     "UUID. A change takes effect when the domain is next started."),
  .options = define_options,
  .writes = TRUE,
  .run = run_define,
};

static gboolean
run_undefine (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "nvram", "keep-nvram", error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  guint flags = STASIS_UNDEFINE_NONE;
  stasis_cli_args_flag (args, "managed-save", STASIS_UNDEFINE_MANAGED_SAVE, &flags);
  stasis_cli_args_flag (args, "nvram", STASIS_UNDEFINE_NVRAM, &flags);
  stasis_cli_args_flag (args, "keep-nvram", STASIS_UNDEFINE_KEEP_NVRAM, &flags);
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to undefine domain '%1$s'"), name);
  if (!stasis_domain_undefine (domain, flags, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' has been undefined\n"), name);
  return TRUE;
}

static const StasisCliOption undefine_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "managed-save", STASIS_CLI_FLAG, NULL, N_ ("remove domain managed state file") },
  { "nvram", STASIS_CLI_FLAG, NULL, N_ ("remove nvram file") },
  { "keep-nvram", STASIS_CLI_FLAG, NULL, N_ ("keep nvram file") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_undefine = {
  .name = "undefine",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("undefine a domain"),
  .description = N_ ("Undefine an inactive domain, or convert persistent to transient."),
  .options = undefine_options,
  .writes = TRUE,
  .run = run_undefine,
};
