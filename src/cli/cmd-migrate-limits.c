/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-migrate-limits.c: migrate-setspeed, -getspeed, -setmaxdowntime, -getmaxdowntime, -compcache
 */

#include "config.h"

#include <inttypes.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/units.h"

static gboolean
get_number (const StasisCliArgs *args, const char *option, guint64 *out, GError **error)
{
  const char *text = stasis_cli_args_get (args, option);
  if (g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, out, NULL))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("Numeric value '%1$s' for <%2$s> option is malformed or out of range"), text,
               option);
  return FALSE;
}

static StasisMigrateLimit
choose_speed (const StasisCliArgs *args)
{
  return stasis_cli_args_has (args, "postcopy") ? STASIS_MIGRATE_LIMIT_POSTCOPY_SPEED
                                                : STASIS_MIGRATE_LIMIT_SPEED;
}

static gboolean
set_limit (StasisCli *cli, const StasisCliArgs *args, StasisMigrateLimit which, guint64 value,
           GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to set a limit of migrations of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  return stasis_domain_set_migrate_limit (domain, which, value, error);
}

static gboolean
get_limit (StasisCli *cli, const StasisCliArgs *args, StasisMigrateLimit which, guint64 *out,
           GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to get a limit of migrations of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  return stasis_domain_get_migrate_limit (domain, which, out, error);
}

static gboolean
print_limit (StasisCli *cli, const StasisCliArgs *args, StasisMigrateLimit which, GError **error)
{
  guint64 value;
  if (!get_limit (cli, args, which, &value, error))
    return FALSE;
  stasis_cli_print (cli, "%" PRIu64 "\n", value);
  return TRUE;
}

static gboolean
run_setspeed (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint64 value;
  return get_number (args, "bandwidth", &value, error)
         && set_limit (cli, args, choose_speed (args), value, error);
}

static gboolean
run_getspeed (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return print_limit (cli, args, choose_speed (args), error);
}

static gboolean
run_setmaxdowntime (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint64 value;
  if (!get_number (args, "downtime", &value, error))
    return FALSE;
  if (value > 0)
    return set_limit (cli, args, STASIS_MIGRATE_LIMIT_DOWNTIME, value, error);
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       _ ("migrate: Invalid downtime"));
  return FALSE;
}

static gboolean
run_getmaxdowntime (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return print_limit (cli, args, STASIS_MIGRATE_LIMIT_DOWNTIME, error);
}

static gboolean
run_compcache (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  guint64 value;
  if (stasis_cli_args_has (args, "size")
      && (!get_number (args, "size", &value, error)
          || !set_limit (cli, args, STASIS_MIGRATE_LIMIT_CACHE, value, error)))
    return FALSE;
  if (!get_limit (cli, args, STASIS_MIGRATE_LIMIT_CACHE, &value, error))
    return FALSE;
  const char *unit = NULL;
  const double scaled = stasis_cli_scale (value, &unit);
  stasis_cli_print (cli, _ ("Compression cache: %1$.3f %2$s\n"), scaled, unit);
  return TRUE;
}

#define KEPT \
  N_ ("Of the migration that goes on, and of later ones that do not choose their own, as long " \
      "as\n" \
      "the guest runs.")

static const StasisCliOption setspeed_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "bandwidth", STASIS_CLI_NEEDED, "mib", N_ ("migration bandwidth limit in MiB/s; 0: none") },
  { "postcopy", STASIS_CLI_FLAG, NULL, N_ ("set post-copy migration bandwidth") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_setspeed = {
  .name = "migrate-setspeed",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("set the maximum migration bandwidth"),
  .description = KEPT,
  .options = setspeed_options,
  .writes = TRUE,
  .run = run_setspeed,
};

static const StasisCliOption getspeed_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "postcopy", STASIS_CLI_FLAG, NULL, N_ ("get post-copy migration bandwidth") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_getspeed = {
  .name = "migrate-getspeed",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("get the maximum migration bandwidth"),
  .description = N_ ("In MiB/s."),
  .options = getspeed_options,
  .run = run_getspeed,
};

static const StasisCliOption setmaxdowntime_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "downtime", STASIS_CLI_NEEDED, "ms",
    N_ ("maximum tolerable downtime (in milliseconds) for migration") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_setmaxdowntime = {
  .name = "migrate-setmaxdowntime",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("set maximum tolerable downtime"),
  .description = KEPT,
  .options = setmaxdowntime_options,
  .writes = TRUE,
  .run = run_setmaxdowntime,
};

static const StasisCliOption getmaxdowntime_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_getmaxdowntime = {
  .name = "migrate-getmaxdowntime",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("get maximum tolerable downtime"),
  .description = N_ ("In milliseconds."),
  .options = getmaxdowntime_options,
  .run = run_getmaxdowntime,
};

static const StasisCliOption compcache_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "size", STASIS_CLI_STRING, "bytes",
    N_ ("requested size of the cache (in bytes) used for compression") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_migrate_compcache = {
  .name = "migrate-compcache",
  .group = STASIS_CLI_GROUP_STATE,
  .summary = N_ ("get/set compression cache size"),
  .description
  = N_ ("Get or set the size of the cache in which xbzrle remembers pages that it has\n"
        "sent before."),
  .options = compcache_options,
  .writes = TRUE,
  .run = run_compcache,
};
