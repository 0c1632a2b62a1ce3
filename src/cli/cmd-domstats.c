/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-domstats.c: domstats
 *
 * libvirt's names of fields and its units (nanoseconds, octets; KiB of the balloon).  What only
 * QEMU knows is asked of its monitor; while a job goes on it is left out, for nobody is to wait
 * here.
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/xml-devices.h"

/* What QEMU returns to a query, or NULL. */
static StasisJson *
ask (StasisDomain *domain, const char *command)
{
  g_autofree char *request = g_strdup_printf ("{\"execute\": \"%s\"}", command);
  g_autofree char *text
      = stasis_domain_monitor_command (domain, request, STASIS_MONITOR_COMMAND_NONE, NULL, NULL);
  g_autoptr (StasisJson) reply = text != NULL ? stasis_json_parse (text, -1, NULL) : NULL;
  const StasisJson *value = stasis_json_get (reply, "return");
  return value != NULL ? stasis_json_ref ((StasisJson *) value) : NULL;
}

static gboolean
add_state (StasisDomain *domain, StasisJson *fields, GError **error)
{
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  if (!stasis_domain_get_state (domain, &state, NULL, error))
    return FALSE;
  stasis_json_set_int (fields, "state.state", state);
  return TRUE;
}

static gboolean
add_cpu (StasisDomain *domain, StasisJson *fields, GError **error)
{
  StasisDomainInfo info;
  if (!stasis_domain_get_info (domain, &info, error))
    return FALSE;
  if (info.pid != 0)
    stasis_json_set_uint (fields, "cpu.time", info.cpu_time_ns);
  return TRUE;
}

static gboolean
add_balloon (StasisDomain *domain, StasisJson *fields, GError **error)
{
  StasisDomainInfo info;
  if (!stasis_domain_get_info (domain, &info, error))
    return FALSE;
  g_autoptr (StasisJson) balloon = info.pid != 0 ? ask (domain, "query-balloon") : NULL;
  const guint64 actual = stasis_json_uint (stasis_json_get (balloon, "actual"), 0);
  stasis_json_set_uint (fields, "balloon.current", actual > 0 ? actual / 1024 : info.memory_kib);
  stasis_json_set_uint (fields, "balloon.maximum", info.max_memory_kib);
  return TRUE;
}

static gboolean
add_vcpu (StasisDomain *domain, StasisJson *fields, GError **error)
{
  StasisDomainInfo info;
  if (!stasis_domain_get_info (domain, &info, error))
    return FALSE;
  stasis_json_set_uint (fields, "vcpu.current", info.vcpus);
  return TRUE;
}

/* The statistics of the device with this alias: QEMU names it by id or by a path that it is in. */
static const StasisJson *
find_stats (const StasisJson *all, const char *alias)
{
  for (guint i = 0; all != NULL && alias != NULL && i < stasis_json_array_length (all); i++)
    {
      const StasisJson *one = stasis_json_array_get (all, i);
      g_auto (GStrv) steps
          = g_strsplit (stasis_json_string (stasis_json_get (one, "qdev"), ""), "/", -1);
      if (g_strv_contains ((const char *const *) steps, alias))
        return stasis_json_get (one, "stats");
    }
  return NULL;
}

static void
add_block_stats (StasisJson *fields, guint number, const StasisJson *stats)
{
  static const struct
  {
    const char *field;
    const char *member;
  } names[] = {
    { "rd.reqs", "rd_operations" },     { "rd.bytes", "rd_bytes" },
    { "rd.times", "rd_total_time_ns" }, { "wr.reqs", "wr_operations" },
    { "wr.bytes", "wr_bytes" },         { "wr.times", "wr_total_time_ns" },
    { "fl.reqs", "flush_operations" },  { "fl.times", "flush_total_time_ns" },
  };
  for (gsize i = 0; stats != NULL && i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *key = g_strdup_printf ("block.%u.%s", number, names[i].field);
      stasis_json_set_uint (fields, key,
                            stasis_json_uint (stasis_json_get (stats, names[i].member), 0));
    }
}

static gboolean
add_blocks (StasisDomain *domain, StasisJson *fields, GError **error)
{
  g_autofree char *xml = stasis_domain_get_xml (domain, STASIS_XML_NONE, error);
  if (xml == NULL)
    return FALSE;
  g_autoptr (GPtrArray) disks = stasis_cli_xml_devices (xml, "disk");
  g_autoptr (StasisJson) all
      = stasis_domain_get_id (domain) >= 0 ? ask (domain, "query-blockstats") : NULL;

  stasis_json_set_uint (fields, "block.count", disks->len);
  for (guint i = 0; i < disks->len; i++)
    {
      const GHashTable *disk = g_ptr_array_index (disks, i);
      const char *file = stasis_cli_xml_value (disk, "source@file");
      const char *path = file != NULL ? file : stasis_cli_xml_value (disk, "source@dev");
      const char *target = stasis_cli_xml_value (disk, "target@dev");
      g_autofree char *name_key = g_strdup_printf ("block.%u.name", i);
      g_autofree char *path_key = g_strdup_printf ("block.%u.path", i);
      stasis_json_set_string (fields, name_key, target != NULL ? target : "");
      if (path != NULL)
        stasis_json_set_string (fields, path_key, path);
      add_block_stats (fields, i, find_stats (all, stasis_cli_xml_value (disk, "alias@name")));
    }
  return TRUE;
}

static const struct
{
  const char *option;
  gboolean (*add) (StasisDomain *domain, StasisJson *fields, GError **error);
} groups[] = {
  { "state", add_state }, { "cpu-total", add_cpu }, { "balloon", add_balloon },
  { "vcpu", add_vcpu },   { "block", add_blocks },
};

/* All of it, or what the options name. */
static gboolean
gather (StasisDomain *domain, const StasisCliArgs *args, StasisJson *fields, GError **error)
{
  gboolean all = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    all = all && !stasis_cli_args_has (args, groups[i].option);
  for (gsize i = 0; i < G_N_ELEMENTS (groups); i++)
    if ((all || stasis_cli_args_has (args, groups[i].option))
        && !groups[i].add (domain, fields, error))
      return FALSE;
  return TRUE;
}

static void
print_fields (StasisCli *cli, StasisDomain *domain, const StasisJson *fields)
{
  stasis_cli_print (cli, _ ("Domain: '%1$s'\n"), stasis_domain_get_name (domain));
  for (guint i = 0; i < stasis_json_object_size (fields); i++)
    {
      const StasisJson *value = stasis_json_object_value (fields, i);
      const char *string = stasis_json_string (value, NULL);
      g_autofree char *number = string == NULL ? stasis_json_to_string (value) : NULL;
      stasis_cli_print (cli, "  %s=%s\n", stasis_json_object_key (fields, i),
                        string != NULL ? string : number);
    }
}

/* The one that is named, or those that the options choose. */
static GPtrArray *
choose (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (stasis_cli_args_has (args, "domain"))
    {
      StasisDomain *domain = stasis_cli_domain (cli, args, error);
      GPtrArray *one = domain != NULL ? g_ptr_array_new_with_free_func (g_object_unref) : NULL;
      if (one != NULL)
        g_ptr_array_add (one, domain);
      return one;
    }

  guint flags = 0;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return NULL;
  stasis_cli_args_flag (args, "list-active", STASIS_LIST_ACTIVE, &flags);
  stasis_cli_args_flag (args, "list-inactive", STASIS_LIST_INACTIVE, &flags);
  return stasis_driver_list (driver, flags, error);
}

/* Print one, or put it into @array.  One that went away since it was listed is left out. */
static gboolean
tell (StasisCli *cli, const StasisCliArgs *args, StasisDomain *domain, StasisJson *array,
      guint *n_told, GError **error)
{
  const char *name = stasis_domain_get_name (domain);
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisJson) fields = stasis_json_new_object ();
  if (stasis_cli_args_has (args, "json"))
    stasis_json_set_string (fields, "domain", name);
  stasis_cli_doing (cli, _ ("failed to get statistics of domain '%1$s'"), name);
  if (!gather (domain, args, fields, &local))
    {
      if (!stasis_cli_args_has (args, "domain")
          && g_error_matches (local, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (stasis_cli_args_has (args, "json"))
    stasis_json_array_append (array, g_steal_pointer (&fields));
  else
    {
      stasis_cli_print (cli, "%s", *n_told > 0 ? "\n" : "");
      print_fields (cli, domain, fields);
    }
  (*n_told)++;
  return TRUE;
}

static gboolean
run_domstats (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  stasis_cli_doing (cli, _ ("failed to list domains"));
  g_autoptr (GPtrArray) domains = choose (cli, args, error);
  if (domains == NULL)
    return FALSE;

  guint n_told = 0;
  g_autoptr (StasisJson) array = stasis_json_new_array ();
  for (guint i = 0; i < domains->len; i++)
    if (!tell (cli, args, g_ptr_array_index (domains, i), array, &n_told, error))
      return FALSE;
  if (stasis_cli_args_has (args, "json"))
    stasis_cli_print_json (cli, g_steal_pointer (&array));
  return TRUE;
}

static const StasisCliOption domstats_options[] = {
  { "state", STASIS_CLI_FLAG, NULL, N_ ("report domain state") },
  { "cpu-total", STASIS_CLI_FLAG, NULL, N_ ("report domain physical cpu usage") },
  { "balloon", STASIS_CLI_FLAG, NULL, N_ ("report domain balloon statistics") },
  { "vcpu", STASIS_CLI_FLAG, NULL, N_ ("report domain virtual cpu information") },
  { "block", STASIS_CLI_FLAG, NULL, N_ ("report domain block device statistics") },
  { "list-active", STASIS_CLI_FLAG, NULL, N_ ("list only active domains") },
  { "list-inactive", STASIS_CLI_FLAG, NULL, N_ ("list only inactive domains") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { "domain", STASIS_CLI_STRING, "domain", N_ ("the domain to get stats for; by default all") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domstats = {
  .name = "domstats",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("get statistics about one or all domains"),
  .description = N_ ("Gets statistics about one or all domains; by default all of them."),
  .options = domstats_options,
  .run = run_domstats,
};
