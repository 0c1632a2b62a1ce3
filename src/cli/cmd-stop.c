/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-stop.c: destroy, shutdown, reboot, reset, suspend, resume
 */

#include "config.h"

#include <string.h>

#include <stdio.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

static const StasisCliOption domain_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

static gboolean
run_destroy (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  guint flags = STASIS_DESTROY_NONE;
  stasis_cli_args_flag (args, "graceful", STASIS_DESTROY_GRACEFUL, &flags);
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to destroy domain '%1$s'"), name);
  if (!stasis_domain_destroy (domain, flags, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' destroyed\n"), name);
  return TRUE;
}

static const StasisCliOption destroy_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "graceful", STASIS_CLI_FLAG, NULL, N_ ("terminate gracefully") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_destroy = {
  .name = "destroy",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("destroy (stop) a domain"),
  .description = N_ ("Forcefully stop a given domain, but leave its resources intact."),
  .options = destroy_options,
  .writes = TRUE,
  .run = run_destroy,
};

/* ACPI is the one way to ask a guest that there is. */
static gboolean
check_mode (const StasisCliArgs *args, GError **error)
{
  const char *mode = stasis_cli_args_get (args, "mode");
  if (mode == NULL || strcmp (mode, "acpi") == 0)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("unsupported mode '%1$s': only 'acpi' is supported"), mode);
  return FALSE;
}

static const StasisCliOption mode_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "mode", STASIS_CLI_STRING, "mode", N_ ("how to ask the guest: acpi") },
  { .name = NULL },
};

static gboolean
run_shutdown (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (!check_mode (args, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to shutdown domain '%1$s'"), name);
  if (!stasis_domain_shutdown (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' is being shutdown\n"), name);
  return TRUE;
}

const StasisCliCommand stasis_cmd_shutdown = {
  .name = "shutdown",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("gracefully shutdown a domain"),
  .description = N_ ("Run shutdown in the target domain."),
  .options = mode_options,
  .writes = TRUE,
  .run = run_shutdown,
};

static gboolean
run_reboot (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (!check_mode (args, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to reboot domain '%1$s'"), name);
  if (!stasis_domain_reboot (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' is being rebooted\n"), name);
  return TRUE;
}

const StasisCliCommand stasis_cmd_reboot = {
  .name = "reboot",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("reboot a domain"),
  .description = N_ ("Run a reboot command in the target domain."),
  .options = mode_options,
  .writes = TRUE,
  .run = run_reboot,
};

static gboolean
run_reset (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to reset domain '%1$s'"), name);
  if (!stasis_domain_reset (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' was reset\n"), name);
  return TRUE;
}

const StasisCliCommand stasis_cmd_reset = {
  .name = "reset",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("reset a domain"),
  .description = N_ ("Reset the target domain as if by power button. The guest is not asked;\n"
                     "what it has not written to its disks is lost. A guest that has shut down\n"
                     "or crashed and was preserved boots anew; one that was paused stays paused."),
  .options = domain_options,
  .writes = TRUE,
  .run = run_reset,
};

static gboolean
run_suspend (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to suspend domain '%1$s'"), name);
  if (!stasis_domain_suspend (domain, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Domain '%1$s' suspended\n"), name);
  return TRUE;
}

const StasisCliCommand stasis_cmd_suspend = {
  .name = "suspend",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("suspend a domain"),
  .description = N_ ("Suspend a running domain. One that is paused already stays so; one whose\n"
                     "guest has shut down or crashed is refused."),
  .options = domain_options,
  .writes = TRUE,
  .run = run_suspend,
};

/* Whatever it was paused for: who lets it run is to know. */
static void
warn_of_damage (StasisDomain *domain)
{
  g_autofree char *message = NULL;
  if (stasis_domain_get_image_check (domain, &message, NULL) == STASIS_IMAGE_CHECK_DAMAGED)
    fprintf (stderr, _ ("warning: its memory comes from a damaged image: %s\n"), message);
}

static gboolean
run_resume (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to resume domain '%1$s'"), name);
  if (!stasis_domain_resume (domain, error))
    return FALSE;
  warn_of_damage (domain);
  stasis_cli_sync_time (args, domain);
  stasis_cli_say (cli, _ ("Domain '%1$s' resumed\n"), name);
  return TRUE;
}

static const StasisCliOption resume_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "sync-time", STASIS_CLI_FLAG, NULL, N_ ("set the guest's clock to the host's (guest agent)") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_resume = {
  .name = "resume",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("resume a domain"),
  .description = N_ ("Resume a previously suspended domain."),
  .options = resume_options,
  .writes = TRUE,
  .run = run_resume,
};
