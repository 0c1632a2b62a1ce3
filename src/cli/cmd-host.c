/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-host.c: version, capabilities, uri
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"

static gboolean
run_version (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to get the hypervisor version"));
  g_autofree char *qemu = stasis_driver_get_qemu_version (driver, error);
  if (qemu == NULL)
    return FALSE;
  if (stasis_cli_args_has (args, "json"))
    {
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "compiled", STASIS_VERSION);
      stasis_json_set_string (object, "library", stasis_version ());
      stasis_json_set_string (object, "hypervisor", "QEMU");
      stasis_json_set_string (object, "hypervisor_version", qemu);
      stasis_cli_print_json (cli, object);
      return TRUE;
    }

  stasis_cli_print (cli, _ ("Compiled against library: %1$s %2$s\n"), "libstasis", STASIS_VERSION);
  stasis_cli_print (cli, _ ("Using library: %1$s %2$s\n"), "libstasis", stasis_version ());
  stasis_cli_print (cli, _ ("Using API: %1$s %2$s\n"), "QEMU", stasis_version ());
  stasis_cli_print (cli, _ ("Running hypervisor: %1$s %2$s\n"), "QEMU", qemu);
  return TRUE;
}

static const StasisCliOption version_options[] = {
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_version = {
  .name = "version",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("show version"),
  .description = N_ ("Display the system version information."),
  .options = version_options,
  .run = run_version,
};

static gboolean
run_capabilities (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to get capabilities"));
  g_autofree char *xml = stasis_driver_get_capabilities (driver, error);
  if (xml == NULL)
    return FALSE;
  stasis_cli_print_text (cli, xml);
  return TRUE;
}

const StasisCliCommand stasis_cmd_capabilities = {
  .name = "capabilities",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("capabilities"),
  .description = N_ ("Returns capabilities of hypervisor/driver."),
  .run = run_capabilities,
};

static gboolean
run_uri (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;
  stasis_cli_print (cli, "%s\n", stasis_driver_get_uri (driver));
  return TRUE;
}

const StasisCliCommand stasis_cmd_uri = {
  .name = "uri",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("print the hypervisor canonical URI"),
  .run = run_uri,
};
