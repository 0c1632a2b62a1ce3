/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-dominfo.c: dominfo, domstate
 */

#include "config.h"

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "util/xml-peek.h"

/* All that dominfo shows. */
typedef struct
{
  StasisDomainState state;
  const char *reason; /* (borrowed) (nullable) */
  StasisDomainInfo info;
  gboolean persistent;
  gboolean autostart_once;
  char *os_type;      /* (owned) (nullable) */
  char *memory_image; /* (owned) (nullable) */
  char *flat_file;    /* (owned) (nullable) */
  gboolean is_image_there;
  StasisImageCheck image_check;
  char *image_fault; /* (owned) (nullable) what is wrong with it */
  char *tracked;     /* (owned) (nullable) the image that its writes are tracked since */
  char *clone_of;    /* (owned) (nullable) */
  char *clone_image; /* (owned) (nullable) */
} Facts;

static gboolean
gather (StasisDomain *domain, Facts *facts, GError **error)
{
  if (!stasis_domain_get_state (domain, &facts->state, &facts->reason, error)
      || !stasis_domain_get_info (domain, &facts->info, error)
      || !stasis_domain_get_autostart_once (domain, &facts->autostart_once, error))
    return FALSE;
  facts->persistent = stasis_domain_is_persistent (domain);
  facts->memory_image = stasis_domain_get_memory_image (domain, &facts->is_image_there, NULL);
  facts->flat_file = stasis_domain_get_flat_file (domain, NULL);
  if (facts->memory_image != NULL)
    facts->image_check = stasis_domain_get_image_check (domain, &facts->image_fault, NULL);
  facts->tracked = stasis_domain_get_tracked_image (domain, NULL);
  facts->clone_of = stasis_domain_get_clone_of (domain, &facts->clone_image, NULL);
  g_autofree char *xml = stasis_domain_get_xml (domain, STASIS_XML_NONE, NULL);
  if (xml != NULL)
    facts->os_type = stasis_xml_peek (xml, "domain/os/type");
  return TRUE;
}

static void
print_line (StasisCli *cli, const char *label, const char *value)
{
  const int pad = 16 - (int) g_utf8_strlen (label, -1);
  stasis_cli_print (cli, "%s%*s%s\n", label, MAX (pad, 1), "", value);
}

static void
print_memory (StasisCli *cli, const char *label, guint64 kib)
{
  g_autofree char *value = g_strdup_printf ("%" G_GUINT64_FORMAT " KiB", kib);
  print_line (cli, label, value);
}

static const char *const image_checks[] = {
  [STASIS_IMAGE_CHECK_BEFORE] = N_ ("before the guest ran"),
  [STASIS_IMAGE_CHECK_GOES_ON] = N_ ("going on"),
  [STASIS_IMAGE_CHECK_GOOD] = N_ ("yes"),
  [STASIS_IMAGE_CHECK_DAMAGED] = N_ ("DAMAGED"),
  [STASIS_IMAGE_CHECK_UNKNOWN] = N_ ("could not be done"),
  [STASIS_IMAGE_CHECK_NONE] = N_ ("no"),
};

static void
print_memory_image (StasisCli *cli, const Facts *facts)
{
  const gboolean is_flat = facts->flat_file != NULL;
  const char *mapped = is_flat ? facts->flat_file : facts->memory_image;
  g_autofree char *gone = g_strdup_printf (_ ("%s (replaced or removed since)"), mapped);
  if (is_flat)
    print_line (cli, _ ("Memory image:"), facts->memory_image);
  print_line (cli, is_flat ? _ ("Flat file:") : _ ("Memory image:"),
              facts->is_image_there ? mapped : gone);
  g_autofree char *check
      = facts->image_fault != NULL
            ? g_strdup_printf ("%s: %s", _ (image_checks[facts->image_check]), facts->image_fault)
            : g_strdup (_ (image_checks[facts->image_check]));
  print_line (cli, _ ("Image verified:"), check);
}

static void
print_clone (StasisCli *cli, const Facts *facts)
{
  g_autofree char *value = g_strdup_printf ("%s (%s)", facts->clone_of, facts->clone_image);
  print_line (cli, _ ("Clone of:"), value);
}

static void
print_facts (StasisCli *cli, StasisDomain *domain, const Facts *facts)
{
  const int id = stasis_domain_get_id (domain);
  g_autofree char *id_text = id >= 0 ? g_strdup_printf ("%d", id) : g_strdup ("-");
  g_autofree char *vcpus = g_strdup_printf ("%u", facts->info.vcpus);

  print_line (cli, _ ("Id:"), id_text);
  print_line (cli, _ ("Name:"), stasis_domain_get_name (domain));
  print_line (cli, _ ("UUID:"), stasis_domain_get_uuid (domain));
  print_line (cli, _ ("OS Type:"), facts->os_type != NULL ? facts->os_type : "hvm");
  print_line (cli, _ ("State:"), _ (stasis_domain_state_to_string (facts->state)));
  print_line (cli, _ ("CPU(s):"), vcpus);
  if (facts->info.cpu_time_ns > 0)
    {
      g_autofree char *time = g_strdup_printf ("%.1fs", (double) facts->info.cpu_time_ns / 1e9);
      print_line (cli, _ ("CPU time:"), time);
    }
  print_memory (cli, _ ("Max memory:"), facts->info.max_memory_kib);
  print_memory (cli, _ ("Used memory:"), facts->info.memory_kib);
  print_line (cli, _ ("Persistent:"), facts->persistent ? _ ("yes") : _ ("no"));
  print_line (cli, _ ("Autostart:"), facts->info.autostart ? _ ("enable") : _ ("disable"));
  print_line (cli, _ ("Autostart Once:"), facts->autostart_once ? _ ("enable") : _ ("disable"));
  print_line (cli, _ ("Managed save:"), facts->info.has_managed_save ? _ ("yes") : _ ("no"));
  if (facts->clone_of != NULL)
    print_clone (cli, facts);
  if (facts->memory_image != NULL)
    print_memory_image (cli, facts);
  if (facts->tracked != NULL)
    print_line (cli, _ ("Tracked since:"), facts->tracked);
  print_line (cli, _ ("Security model:"), "none");
  print_line (cli, _ ("Security DOI:"), "0");
}

static void
set_pid (StasisJson *object, const char *key, gint64 pid)
{
  stasis_json_set (object, key, pid > 0 ? stasis_json_new_int (pid) : stasis_json_new_null ());
}

static StasisJson *
facts_to_json (StasisDomain *domain, const Facts *facts)
{
  StasisJson *object = stasis_json_new_object ();
  const int id = stasis_domain_get_id (domain);
  stasis_json_set (object, "id", id >= 0 ? stasis_json_new_int (id) : stasis_json_new_null ());
  stasis_json_set_string (object, "name", stasis_domain_get_name (domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (domain));
  stasis_json_set_string (object, "os_type", facts->os_type != NULL ? facts->os_type : "hvm");
  stasis_json_set_string (object, "state", stasis_domain_state_to_string (facts->state));
  stasis_json_set_string (object, "reason", facts->reason != NULL ? facts->reason : "unknown");
  stasis_json_set_uint (object, "vcpus", facts->info.vcpus);
  stasis_json_set_uint (object, "cpu_time_ns", facts->info.cpu_time_ns);
  stasis_json_set_uint (object, "max_memory_kib", facts->info.max_memory_kib);
  stasis_json_set_uint (object, "memory_kib", facts->info.memory_kib);
  stasis_json_set_boolean (object, "persistent", facts->persistent);
  stasis_json_set_boolean (object, "autostart", facts->info.autostart);
  stasis_json_set_boolean (object, "autostart_once", facts->autostart_once);
  stasis_json_set_boolean (object, "managed_save", facts->info.has_managed_save);
  if (facts->clone_of != NULL)
    {
      stasis_json_set_string (object, "clone_of", facts->clone_of);
      stasis_json_set_string (object, "clone_image", facts->clone_image);
    }
  if (facts->memory_image != NULL)
    {
      stasis_json_set_string (object, "memory_image", facts->memory_image);
      if (facts->flat_file != NULL)
        stasis_json_set_string (object, "flat_file", facts->flat_file);
      stasis_json_set_boolean (object, "memory_image_in_place", facts->is_image_there);
      stasis_json_set_string (object, "memory_image_verified", image_checks[facts->image_check]);
      if (facts->image_fault != NULL)
        stasis_json_set_string (object, "memory_image_fault", facts->image_fault);
    }
  if (facts->tracked != NULL)
    stasis_json_set_string (object, "tracked_since", facts->tracked);
  set_pid (object, "qemu_pid", facts->info.pid);
  set_pid (object, "supervisor_pid", facts->info.supervisor_pid);
  return object;
}

static gboolean
run_dominfo (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to get information on domain '%1$s'"),
                    stasis_domain_get_name (domain));
  Facts facts = { 0 };
  if (!gather (domain, &facts, error))
    return FALSE;
  if (stasis_cli_args_has (args, "json"))
    stasis_cli_print_json (cli, facts_to_json (domain, &facts));
  else
    print_facts (cli, domain, &facts);
  g_free (facts.os_type);
  g_free (facts.memory_image);
  g_free (facts.flat_file);
  g_free (facts.image_fault);
  g_free (facts.tracked);
  g_free (facts.clone_of);
  g_free (facts.clone_image);
  return TRUE;
}

static const StasisCliOption dominfo_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_dominfo = {
  .name = "dominfo",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("domain information"),
  .description = N_ ("Returns basic information about the domain."),
  .options = dominfo_options,
  .run = run_dominfo,
};

static gboolean
run_domstate (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to get the state of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  StasisDomainState state = STASIS_DOMAIN_NOSTATE;
  const char *reason = NULL;
  if (!stasis_domain_get_state (domain, &state, &reason, error))
    return FALSE;

  if (reason == NULL)
    reason = N_ ("unknown");
  const char *state_name = stasis_domain_state_to_string (state);
  if (stasis_cli_args_has (args, "json"))
    {
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "state", state_name);
      stasis_json_set_string (object, "reason", reason);
      stasis_cli_print_json (cli, object);
    }
  else if (stasis_cli_args_has (args, "reason"))
    stasis_cli_print (cli, "%s (%s)\n", _ (state_name), _ (reason));
  else
    stasis_cli_print (cli, "%s\n", _ (state_name));
  return TRUE;
}

static const StasisCliOption domstate_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "reason", STASIS_CLI_FLAG, NULL, N_ ("also print reason for the state") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domstate = {
  .name = "domstate",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("domain state"),
  .description = N_ ("Returns state about a domain."),
  .options = domstate_options,
  .run = run_domstate,
};
