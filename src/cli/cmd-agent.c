/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-agent.c: domfsfreeze, domfsthaw, domtime, and the option --sync-time of others
 */

#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"

#define NS_PER_S G_GINT64_CONSTANT (1000000000)

static const StasisCliOption domain_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

static gboolean
run_freeze (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  guint count = 0;
  stasis_cli_doing (cli, _ ("failed to freeze the file systems of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autoptr (StasisCliJob) job
      = stasis_cli_job_begin (cli, _ ("Freeze"), _ ("cancelling: what is frozen is thawed"),
                              /* verbose= */ FALSE, /* json= */ FALSE);
  if (!stasis_domain_fs_freeze (domain, &count, stasis_cli_job_cancellable (job), error))
    return FALSE;
  stasis_cli_job_end (job, NULL);
  stasis_cli_say (cli, _ ("Froze %1$u filesystem(s)\n"), count);
  return TRUE;
}

const StasisCliCommand stasis_cmd_domfsfreeze = {
  .name = "domfsfreeze",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("freeze a domain's mounted filesystems"),
  .description = N_ ("Have the guest agent write out and freeze all file systems that are mounted\n"
                     "in the guest. Whoever writes there waits until 'domfsthaw'."),
  .options = domain_options,
  .writes = TRUE,
  .run = run_freeze,
};

static gboolean
run_thaw (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  guint count = 0;
  stasis_cli_doing (cli, _ ("failed to thaw the file systems of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  if (!stasis_domain_fs_thaw (domain, &count, NULL, error))
    return FALSE;
  stasis_cli_say (cli, _ ("Thawed %1$u filesystem(s)\n"), count);
  return TRUE;
}

const StasisCliCommand stasis_cmd_domfsthaw = {
  .name = "domfsthaw",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("thaw a domain's mounted filesystems"),
  .description = N_ ("Have the guest agent thaw the file systems that 'domfsfreeze' or a save has\n"
                     "frozen."),
  .options = domain_options,
  .writes = TRUE,
  .run = run_thaw,
};

static gboolean
parse_seconds (const char *text, gint64 *out_ns, GError **error)
{
  guint64 seconds = 0;
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64 / NS_PER_S, &seconds, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("'%1$s' is no number of seconds since 1970"), text);
      return FALSE;
    }
  *out_ns = (gint64) seconds * NS_PER_S;
  return TRUE;
}

/* FALSE in *@out_sets where the clock is to be read. */
static gboolean
time_options (const StasisCliArgs *args, gboolean *out_sets, guint *out_flags, gint64 *out_ns,
              GError **error)
{
  const char *time = stasis_cli_args_get (args, "time");
  if (!stasis_cli_args_exclusive (args, "time", "now", error)
      || !stasis_cli_args_exclusive (args, "time", "sync", error)
      || !stasis_cli_args_exclusive (args, "now", "sync", error)
      || (time != NULL && !parse_seconds (time, out_ns, error)))
    return FALSE;
  stasis_cli_args_flag (args, "now", STASIS_SET_TIME_NOW, out_flags);
  stasis_cli_args_flag (args, "sync", STASIS_SET_TIME_FROM_RTC, out_flags);
  *out_sets = time != NULL || *out_flags != 0;
  return TRUE;
}

static gboolean
print_time (StasisCli *cli, gint64 ns, gboolean pretty, GError **error)
{
  if (!pretty)
    {
      stasis_cli_print (cli, _ ("Time: %1$" PRId64 "\n"), ns / NS_PER_S);
      return TRUE;
    }
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (ns / NS_PER_S);
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : NULL;
  if (text == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                   _ ("the guest's clock says what is no date: %1$" PRId64), ns / NS_PER_S);
      return FALSE;
    }
  stasis_cli_print (cli, _ ("Time: %1$s\n"), text);
  return TRUE;
}

static gboolean
run_time (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint flags = STASIS_SET_TIME_NONE;
  gint64 ns = 0;
  gboolean sets = FALSE;
  if (!time_options (args, &sets, &flags, &ns, error))
    return FALSE;
  if (cli->readonly && sets)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   _ ("operation forbidden: read only access prevents '%1$s'"), "domtime");
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  const char *name = stasis_domain_get_name (domain);
  if (sets)
    {
      stasis_cli_doing (cli, _ ("failed to set the clock of domain '%1$s'"), name);
      return stasis_domain_set_time (domain, ns, flags, NULL, error);
    }
  stasis_cli_doing (cli, _ ("failed to read the clock of domain '%1$s'"), name);
  return stasis_domain_get_time (domain, &ns, NULL, error)
         && print_time (cli, ns, stasis_cli_args_has (args, "pretty"), error);
}

static const StasisCliOption time_options_table[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "now", STASIS_CLI_FLAG, NULL, N_ ("set to the time of the host") },
  { "pretty", STASIS_CLI_FLAG, NULL, N_ ("print domain's time in human readable form (UTC)") },
  { "sync", STASIS_CLI_FLAG, NULL, N_ ("set to the time of the guest's hardware clock") },
  { "time", STASIS_CLI_NAMED, "time", N_ ("time to set, in seconds since 1970 (UTC)") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domtime = {
  .name = "domtime",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("domain time"),
  .description = N_ ("Print, or set, the guest's system time, by its guest agent."),
  .options = time_options_table,
  .run = run_time,
};

/* The domain runs, which is what was asked for: a clock that is wrong does not change that. */
void
stasis_cli_sync_time (const StasisCliArgs *args, StasisDomain *domain)
{
  if (!stasis_cli_args_has (args, "sync-time"))
    return;
  g_autoptr (GError) error = NULL;
  if (!stasis_domain_set_time (domain, 0, STASIS_SET_TIME_NOW | STASIS_SET_TIME_WAIT, NULL, &error))
    fprintf (stderr,
             _ ("warning: the guest's clock was not set: %1$s; 'domtime %2$s --now' does "
                "it\n"),
             error->message, stasis_domain_get_name (domain));
}
