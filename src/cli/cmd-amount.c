/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-amount.c: setmem, setmaxmem, setvcpus, vcpucount
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/affect.h"
#include "cli/commands.h"

static gboolean
set_memory (StasisCli *cli, const StasisCliArgs *args, StasisAffectFlags more, GError **error)
{
  StasisAffectFlags flags;
  guint64 kib = 0;
  if (!stasis_cli_affect (args, &flags, error)
      || !stasis_cli_parse_kib (stasis_cli_args_get (args, "size"), &kib, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to set the memory of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  return stasis_domain_set_memory (domain, kib, flags | more, NULL, error);
}

static gboolean
run_setmem (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return set_memory (cli, args, 0, error);
}

static gboolean
run_setmaxmem (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  return set_memory (cli, args, STASIS_AFFECT_MAXIMUM, error);
}

static const StasisCliOption memory_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "size", STASIS_CLI_NEEDED, "size", N_ ("in KiB, or with a unit: 512M, 2G") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_setmem = {
  .name = "setmem",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("change memory allocation"),
  .description = N_ ("Of a running guest by its balloon, which follows in its own time."),
  .options = memory_options,
  .writes = TRUE,
  .run = run_setmem,
};

const StasisCliCommand stasis_cmd_setmaxmem = {
  .name = "setmaxmem",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("change maximum memory limit"),
  .description = N_ ("Not of a domain that runs, only of its definition."),
  .options = memory_options,
  .writes = TRUE,
  .run = run_setmaxmem,
};

static gboolean
run_setvcpus (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisAffectFlags flags;
  guint64 count = 0;
  const char *text = stasis_cli_args_get (args, "count");
  if (!stasis_cli_affect (args, &flags, error))
    return FALSE;
  if (!g_ascii_string_to_unsigned (text, 10, 1, G_MAXINT, &count, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("'%1$s' is not a number of processors"), text);
      return FALSE;
    }
  guint bits = flags;
  stasis_cli_args_flag (args, "maximum", STASIS_AFFECT_MAXIMUM, &bits);
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to set the processors of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  return stasis_domain_set_vcpus (domain, (guint) count, bits, NULL, error);
}

static const StasisCliOption vcpus_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "count", STASIS_CLI_NEEDED, "count", N_ ("number of virtual CPUs") },
  { "maximum", STASIS_CLI_FLAG, NULL, N_ ("set maximum limit on next boot") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_setvcpus = {
  .name = "setvcpus",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("change number of virtual CPUs"),
  .description = N_ ("A running guest has to release those that go, which is waited for for some\n"
                     "seconds each."),
  .options = vcpus_options,
  .writes = TRUE,
  .run = run_setvcpus,
};

static gboolean
print_counts (StasisCli *cli, StasisDomain *domain, GError **error)
{
  const gboolean is_active = stasis_domain_get_id (domain) >= 0;
  const gboolean is_persistent = stasis_domain_is_persistent (domain);
  const struct
  {
    const char *name;
    StasisAffectFlags flags;
    const char *where;
    gboolean is_there;
  } rows[] = {
    { N_ ("maximum"), STASIS_AFFECT_MAXIMUM | STASIS_AFFECT_CONFIG, N_ ("config"), is_persistent },
    { N_ ("maximum"), STASIS_AFFECT_MAXIMUM | STASIS_AFFECT_LIVE, N_ ("live"), is_active },
    { N_ ("current"), STASIS_AFFECT_CONFIG, N_ ("config"), is_persistent },
    { N_ ("current"), STASIS_AFFECT_LIVE, N_ ("live"), is_active },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      guint count = 0;
      if (!rows[i].is_there)
        continue;
      if (!stasis_domain_get_vcpus (domain, rows[i].flags, &count, error))
        return FALSE;
      stasis_cli_print (cli, "%-12s %-12s %3u\n", _ (rows[i].name), _ (rows[i].where), count);
    }
  return TRUE;
}

static gboolean
run_vcpucount (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  StasisAffectFlags flags;
  guint count = 0;
  g_autoptr (StasisDomain) domain
      = stasis_cli_affect (args, &flags, error) ? stasis_cli_domain (cli, args, error) : NULL;
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to get the processors of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  guint bits = flags;
  stasis_cli_args_flag (args, "maximum", STASIS_AFFECT_MAXIMUM, &bits);
  if (bits == 0 && !stasis_cli_args_has (args, "current"))
    return print_counts (cli, domain, error);
  if (!stasis_domain_get_vcpus (domain, bits, &count, error))
    return FALSE;
  stasis_cli_print (cli, "%u\n", count);
  return TRUE;
}

static const StasisCliOption vcpucount_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "maximum", STASIS_CLI_FLAG, NULL, N_ ("get maximum count of vcpus") },
  STASIS_CLI_AFFECT_OPTIONS,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_vcpucount = {
  .name = "vcpucount",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("domain vcpu counts"),
  .description = N_ ("Returns the number of virtual CPUs used by the domain."),
  .options = vcpucount_options,
  .run = run_vcpucount,
};
