/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-autostart.c: autostart
 */

#include "config.h"

#include <stdio.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/units.h"

/* @error NULL: it runs. */
static void
report_domain (const char *domain, const GError *error, gpointer cli)
{
  if (error == NULL)
    {
      stasis_cli_say (cli, _ ("Domain '%1$s' started\n"), domain);
      return;
    }
  g_autofree char *name = stasis_cli_printable (domain);
  g_autofree char *cause = stasis_cli_printable_lines (error->message);
  fprintf (stderr, _ ("error: failed to start domain '%1$s': %2$s\n"), name, cause);
}

/* What a boot script runs. */
static gboolean
start_all (StasisCli *cli, GError **error)
{
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to start what is marked as autostarted"));
  return stasis_driver_autostart (driver, report_domain, cli, error);
}

/* Each time or once; on or off. */
static void
say_doing (StasisCli *cli, gboolean once, gboolean enable, const char *name)
{
  if (once && enable)
    stasis_cli_doing (cli, _ ("failed to mark domain '%1$s' as autostarted on next boot"), name);
  else if (once)
    stasis_cli_doing (cli, _ ("failed to unmark domain '%1$s' as autostarted on next boot"), name);
  else if (enable)
    stasis_cli_doing (cli, _ ("failed to mark domain '%1$s' as autostarted"), name);
  else
    stasis_cli_doing (cli, _ ("failed to unmark domain '%1$s' as autostarted"), name);
}

static void
say_done (StasisCli *cli, gboolean once, gboolean enable, const char *name)
{
  if (once && enable)
    stasis_cli_say (cli, _ ("Domain '%1$s' marked as autostarted on next boot\n"), name);
  else if (once)
    stasis_cli_say (cli, _ ("Domain '%1$s' unmarked as autostarted on next boot\n"), name);
  else if (enable)
    stasis_cli_say (cli, _ ("Domain '%1$s' marked as autostarted\n"), name);
  else
    stasis_cli_say (cli, _ ("Domain '%1$s' unmarked as autostarted\n"), name);
}

static gboolean
mark (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  const gboolean enable = !stasis_cli_args_has (args, "disable");
  const gboolean once = stasis_cli_args_has (args, "once");
  say_doing (cli, once, enable, name);
  if (!(once ? stasis_domain_set_autostart_once (domain, enable, error)
             : stasis_domain_set_autostart (domain, enable, error)))
    return FALSE;
  say_done (cli, once, enable, name);
  return TRUE;
}

static gboolean
run_autostart (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const gboolean start = stasis_cli_args_has (args, "start");
  if (!stasis_cli_args_exclusive (args, "start", "disable", error)
      || !stasis_cli_args_exclusive (args, "start", "once", error)
      || !stasis_cli_args_exclusive (args, "start", "domain", error))
    return FALSE;
  if (start)
    return start_all (cli, error);
  if (stasis_cli_args_has (args, "domain"))
    return mark (cli, args, error);

  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("command '%1$s' requires <%2$s> option"), "autostart", "domain");
  return FALSE;
}

static const StasisCliOption autostart_options[] = {
  { "domain", STASIS_CLI_STRING, "domain", N_ ("domain name, id or uuid") },
  { "disable", STASIS_CLI_FLAG, NULL, N_ ("disable autostarting") },
  { "once", STASIS_CLI_FLAG, NULL, N_ ("only the next boot is meant") },
  { "start", STASIS_CLI_FLAG, NULL, N_ ("start now all domains that are marked and do not run") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_autostart = {
  .name = "autostart",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("autostart a domain"),
  .description = N_ ("Configure a domain to be automatically started at boot."),
  .options = autostart_options,
  .writes = TRUE,
  .run = run_autostart,
};
