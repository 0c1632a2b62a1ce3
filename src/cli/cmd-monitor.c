/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-monitor.c: qemu-monitor-command
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "util/json.h"

/* A command as QEMU wants it: as it is where it is an object already, else its name and perhaps an
 * object of arguments. */
static char *
to_request (const char *command, GError **error)
{
  if (command[0] == '{')
    return g_strdup (command);

  const gsize length = strcspn (command, " ");
  g_autofree char *name = g_strndup (command, length);
  g_autoptr (StasisJson) request = stasis_json_new_object ();
  stasis_json_set_string (request, "execute", name);
  if (command[length] != '\0')
    {
      StasisJson *arguments = stasis_json_parse (command + length, -1, error);
      if (arguments == NULL)
        return NULL;
      stasis_json_set (request, "arguments", arguments);
    }
  return stasis_json_to_string (request);
}

static gboolean
print_reply (StasisCli *cli, const StasisCliArgs *args, const char *reply, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_parse (reply, -1, error);
  if (json == NULL)
    return FALSE;
  const StasisJson *shown
      = stasis_cli_args_has (args, "return-value") ? stasis_json_get (json, "return") : json;
  g_autofree char *text = stasis_cli_args_has (args, "pretty")
                              ? stasis_json_to_pretty_string (shown)
                              : stasis_json_to_string (shown);
  cli->json = TRUE;
  stasis_cli_print_text (cli, text);
  return TRUE;
}

static gboolean
run_monitor_command (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (!stasis_cli_args_exclusive (args, "hmp", "pretty", error)
      || !stasis_cli_args_exclusive (args, "hmp", "return-value", error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const gboolean is_hmp = stasis_cli_args_has (args, "hmp");
  const char *command = stasis_cli_args_get (args, "cmd");
  stasis_cli_doing (cli, _ ("failed to run a monitor command in domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autofree char *request = is_hmp ? g_strdup (command) : to_request (command, error);
  if (request == NULL)
    return FALSE;
  g_autofree char *reply = stasis_domain_monitor_command (
      domain, request, is_hmp ? STASIS_MONITOR_COMMAND_HMP : STASIS_MONITOR_COMMAND_NONE, NULL,
      error);
  if (reply == NULL)
    return FALSE;
  if (!is_hmp)
    return print_reply (cli, args, reply, error);
  stasis_cli_print_text (cli, reply);
  return TRUE;
}

static const StasisCliOption monitor_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "hmp", STASIS_CLI_FLAG, NULL, N_ ("command is in human monitor protocol") },
  { "pretty", STASIS_CLI_FLAG, NULL, N_ ("pretty-print any qemu monitor protocol output") },
  { "return-value", STASIS_CLI_FLAG, NULL, N_ ("print the value of the member 'return' only") },
  { "cmd", STASIS_CLI_WORDS, "command", N_ ("the command, in one or more words") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_qemu_monitor_command = {
  .name = "qemu-monitor-command",
  .group = STASIS_CLI_GROUP_HOST,
  .summary = N_ ("QEMU monitor command"),
  .description = N_ ("Pass a command to the monitor of a domain's QEMU and print its reply. What\n"
                     "it changes behind the back of Stasis is yours to answer for."),
  .options = monitor_options,
  .writes = TRUE,
  .run = run_monitor_command,
};
