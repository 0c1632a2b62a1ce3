/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-job.c: domjobinfo, domjobabort
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/stats-json.h"
#include "cli/units.h"

static const char *const type_names[] = {
  [STASIS_JOB_NONE] = N_ ("None"),           [STASIS_JOB_ACTIVE] = N_ ("Unbounded"),
  [STASIS_JOB_COMPLETED] = N_ ("Completed"), [STASIS_JOB_FAILED] = N_ ("Failed"),
  [STASIS_JOB_CANCELLED] = N_ ("Cancelled"),
};

static void
print_label (StasisCli *cli, const char *label)
{
  const int pad = 17 - (int) g_utf8_strlen (label, -1);
  stasis_cli_print (cli, "%s%*s ", label, MAX (pad, 0), "");
}

/* The forms of virsh, with the blanks that it leaves behind short words. */
static void
print_word (StasisCli *cli, const char *label, const char *word)
{
  print_label (cli, label);
  stasis_cli_print (cli, "%-12s\n", word);
}

static void
print_number (StasisCli *cli, const char *label, guint64 number, const char *unit)
{
  print_label (cli, label);
  if (unit != NULL)
    stasis_cli_print (cli, "%-12" G_GUINT64_FORMAT " %s\n", number, unit);
  else
    stasis_cli_print (cli, "%-12" G_GUINT64_FORMAT "\n", number);
}

static void
print_octets (StasisCli *cli, const char *label, guint64 octets, const char *per)
{
  const char *unit = NULL;
  const double value = stasis_cli_scale (octets, &unit);
  print_label (cli, label);
  stasis_cli_print (cli, "%-.3f %s%s\n", value, unit, per);
}

static void
print_amounts (StasisCli *cli, const StasisJobStats *stats)
{
  if (stats->bytes_total == 0 && stats->bytes_processed == 0 && stats->disk_total == 0)
    return;
  print_octets (cli, _ ("Data processed:"), stats->bytes_processed + stats->disk_processed, "");
  print_octets (cli, _ ("Data remaining:"), stats->bytes_remaining + stats->disk_remaining, "");
  print_octets (cli, _ ("Data total:"), stats->bytes_total + stats->disk_total, "");
  print_octets (cli, _ ("Memory processed:"), stats->bytes_processed, "");
  print_octets (cli, _ ("Memory remaining:"), stats->bytes_remaining, "");
  print_octets (cli, _ ("Memory total:"), stats->bytes_total, "");
  if (stats->bytes_per_second > 0)
    print_octets (cli, _ ("Memory bandwidth:"), stats->bytes_per_second, "/s");
  if (stats->disk_total > 0)
    {
      print_octets (cli, _ ("File processed:"), stats->disk_processed, "");
      print_octets (cli, _ ("File remaining:"), stats->disk_remaining, "");
      print_octets (cli, _ ("File total:"), stats->disk_total, "");
    }
  else if (stats->bytes_written > 0)
    print_octets (cli, _ ("File processed:"), stats->bytes_written, "");
}

static void
print_pages (StasisCli *cli, const StasisJobStats *stats)
{
  if (stats->page_size == 0)
    return;
  print_number (cli, _ ("Page size:"), stats->page_size, _ ("bytes"));
  print_number (cli, _ ("Constant pages:"), stats->pages_zero, NULL);
  if (stats->pages_skipped > 0)
    print_number (cli, _ ("Skipped pages:"), stats->pages_skipped, NULL);
  if (stats->passes > 0)
    print_number (cli, _ ("Iteration:"), stats->passes, NULL);
  if (stats->dirty_per_second > 0)
    print_octets (cli, _ ("Memory dirty rate:"), stats->dirty_per_second, "/s");
  print_number (cli, _ ("Normal pages:"), stats->pages_normal, NULL);
  print_octets (cli, _ ("Normal data:"), stats->pages_normal * stats->page_size, "");
}

/* libvirt's names where it has one. */
static char *
operation_name (const char *operation)
{
  if (strcmp (operation, "managedsave") == 0)
    return g_strdup (_ ("Save"));
  char *name = stasis_cli_printable (operation);
  name[0] = g_ascii_toupper (name[0]);
  return name;
}

static void
print_stats (StasisCli *cli, const StasisJobStats *stats)
{
  const char *type = (guint) stats->state < G_N_ELEMENTS (type_names) ? _ (type_names[stats->state])
                                                                      : _ ("None");
  print_word (cli, _ ("Job type:"), type);
  if (stats->state == STASIS_JOB_NONE)
    return;

  if (stats->operation != NULL)
    {
      g_autofree char *operation = operation_name (stats->operation);
      print_word (cli, _ ("Operation:"), operation);
    }
  if (stats->phase != NULL && stats->state == STASIS_JOB_ACTIVE)
    print_word (cli, _ ("Phase:"), stats->phase);
  print_number (cli, _ ("Time elapsed:"), MAX (stats->elapsed_us, 0) / 1000, _ ("ms"));
  if (stats->state == STASIS_JOB_ACTIVE && stats->remaining_us >= 0)
    print_number (cli, _ ("Time remaining:"), stats->remaining_us / 1000, _ ("ms"));
  print_amounts (cli, stats);
  print_pages (cli, stats);
  if (stats->throttle > 0)
    print_number (cli, _ ("Auto converge throttle:"), stats->throttle, "%");
  if (stats->state == STASIS_JOB_ACTIVE && stats->expected_pause_us >= 0)
    print_number (cli, _ ("Expected downtime:"), stats->expected_pause_us / 1000, _ ("ms"));
  if (stats->pause_us >= 0)
    print_number (cli, _ ("Total downtime:"), stats->pause_us / 1000, _ ("ms"));
  if (stats->error != NULL)
    print_word (cli, _ ("Error message:"), stats->error);
}

static gboolean
run_domjobinfo (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to get the job of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autoptr (StasisJobStats) stats
      = stasis_domain_get_job (domain, stasis_cli_args_has (args, "completed"), error);
  if (stats == NULL)
    return FALSE;
  if (stasis_cli_args_has (args, "json"))
    stasis_cli_print_json (cli, stasis_cli_stats_to_json (stats));
  else
    print_stats (cli, stats);
  return TRUE;
}

static const StasisCliOption domjobinfo_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "completed", STASIS_CLI_FLAG, NULL, N_ ("return statistics of a recently completed job") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domjobinfo = {
  .name = "domjobinfo",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("domain job information"),
  .description = N_ ("Returns information about jobs running on a domain."),
  .options = domjobinfo_options,
  .run = run_domjobinfo,
};

static gboolean
run_domjobabort (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to abort the job of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  return stasis_cli_args_has (args, "postcopy")
             ? stasis_domain_migrate_pause_postcopy (domain, error)
             : stasis_domain_abort_job (domain, error);
}

static const StasisCliOption domjobabort_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "postcopy", STASIS_CLI_FLAG, NULL, N_ ("break off a migration that is in post-copy") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domjobabort = {
  .name = "domjobabort",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("abort active domain job"),
  .description = N_ (
      "Aborts the currently running domain job; the domain goes on as before it. A migration that\n"
      "has switched to post-copy can only be broken off, with --postcopy: 'migrate --postcopy\n"
      "--postcopy-resume' goes on with it."),
  .options = domjobabort_options,
  .writes = TRUE,
  .run = run_domjobabort,
};
