/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-devices.c: domblklist, domiflist, ttyconsole, vncdisplay
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/table.h"
#include "cli/xml-devices.h"

#define VNC_PORT_FIRST 5900

/* The devices of one kind in the definition that the options ask for. */
static GPtrArray *
list_devices (StasisDomain *domain, const char *kind, gboolean inactive, GError **error)
{
  g_autofree char *xml
      = stasis_domain_get_xml (domain, inactive ? STASIS_XML_INACTIVE : STASIS_XML_NONE, error);
  return xml != NULL ? stasis_cli_xml_devices (xml, kind) : NULL;
}

/* One column: its title, its name in JSON, and where its value may stand. */
typedef struct
{
  const char *title; /* marked with N_() */
  const char *key;
  const char *paths[4];
} Column;

static const char *
column_value (const Column *column, const GHashTable *device)
{
  for (guint i = 0; column->paths[i] != NULL; i++)
    {
      const char *value = stasis_cli_xml_value (device, column->paths[i]);
      if (value != NULL)
        return value;
    }
  return NULL;
}

static void
print_table (StasisCli *cli, const Column *columns, guint n, const GPtrArray *devices)
{
  const char *cells[STASIS_CLI_COLUMNS_MAX + 1] = { NULL };
  for (guint c = 0; c < n; c++)
    cells[c] = _ (columns[c].title);
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (cells);
  for (guint i = 0; i < devices->len; i++)
    {
      for (guint c = 0; c < n; c++)
        {
          const char *value = column_value (&columns[c], g_ptr_array_index (devices, i));
          cells[c] = value != NULL ? value : "-";
        }
      stasis_cli_table_append (table, cells);
    }
  g_autofree char *text = stasis_cli_table_to_string (table, !cli->quiet);
  stasis_cli_print (cli, "%s", text);
}

static void
print_json (StasisCli *cli, const Column *columns, guint n, const GPtrArray *devices)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < devices->len; i++)
    {
      StasisJson *object = stasis_json_new_object ();
      for (guint c = 0; c < n; c++)
        {
          const char *value = column_value (&columns[c], g_ptr_array_index (devices, i));
          stasis_json_set (object, columns[c].key,
                           value != NULL ? stasis_json_new_string (value)
                                         : stasis_json_new_null ());
        }
      stasis_json_array_append (array, object);
    }
  stasis_cli_print_json (cli, array);
}

/* All columns in JSON, those from @first on in the table. */
static gboolean
print_devices (StasisCli *cli, const StasisCliArgs *args, const char *kind, const Column *columns,
               guint n, guint first, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  stasis_cli_doing (cli, _ ("failed to get the devices of domain '%1$s'"),
                    stasis_domain_get_name (domain));
  g_autoptr (GPtrArray) devices
      = list_devices (domain, kind, stasis_cli_args_has (args, "inactive"), error);
  if (devices == NULL)
    return FALSE;
  if (stasis_cli_args_has (args, "json"))
    print_json (cli, columns, n, devices);
  else
    print_table (cli, columns + first, n - first, devices);
  return TRUE;
}

static gboolean
run_domblklist (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  static const Column columns[] = {
    { N_ ("Type"), "type", { "@type" } },
    { N_ ("Device"), "device", { "@device" } },
    { N_ ("Target"), "target", { "target@dev" } },
    { N_ ("Source"), "source", { "source@file", "source@dev" } },
  };
  const gboolean details = stasis_cli_args_has (args, "details");
  return print_devices (cli, args, "disk", columns, G_N_ELEMENTS (columns), details ? 0 : 2, error);
}

static const StasisCliOption domblklist_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "inactive", STASIS_CLI_FLAG, NULL, N_ ("get inactive rather than running configuration") },
  { "details", STASIS_CLI_FLAG, NULL, N_ ("additionally display the type and device value") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domblklist = {
  .name = "domblklist",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("list all domain blocks"),
  .description = N_ ("Get the summary of block devices for a domain."),
  .options = domblklist_options,
  .run = run_domblklist,
};

static gboolean
run_domiflist (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  static const Column columns[] = {
    { N_ ("Interface"), "interface", { "target@dev" } },
    { N_ ("Type"), "type", { "@type" } },
    { N_ ("Source"), "source", { "source@network", "source@bridge", "source@dev" } },
    { N_ ("Model"), "model", { "model@type" } },
    { N_ ("MAC"), "mac", { "mac@address" } },
  };
  return print_devices (cli, args, "interface", columns, G_N_ELEMENTS (columns), 0, error);
}

static const StasisCliOption domiflist_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { "inactive", STASIS_CLI_FLAG, NULL, N_ ("get inactive rather than running configuration") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_domiflist = {
  .name = "domiflist",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("list all domain virtual interfaces"),
  .description = N_ ("Get the summary of virtual interfaces for a domain."),
  .options = domiflist_options,
  .run = run_domiflist,
};

static gboolean
check_running (StasisDomain *domain, GError **error)
{
  if (stasis_domain_get_id (domain) >= 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, _ ("domain '%1$s' is not running"),
               stasis_domain_get_name (domain));
  return FALSE;
}

/* Print the terminal of the first <@kind> that has one, which stands at @attribute. */
static gboolean
print_terminal (StasisCli *cli, StasisDomain *domain, const char *kind, const char *attribute,
                gboolean *out_found, GError **error)
{
  g_autoptr (GPtrArray) ports = list_devices (domain, kind, FALSE, error);
  if (ports == NULL)
    return FALSE;
  *out_found = FALSE;
  for (guint i = 0; i < ports->len && !*out_found; i++)
    {
      const GHashTable *port = g_ptr_array_index (ports, i);
      const char *tty = stasis_cli_xml_value (port, attribute);
      if (g_strcmp0 (stasis_cli_xml_value (port, "@type"), "pty") != 0 || tty == NULL)
        continue;
      stasis_cli_print (cli, "%s\n", tty);
      *out_found = TRUE;
    }
  return TRUE;
}

static gboolean
run_ttyconsole (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  gboolean found = FALSE;
  stasis_cli_doing (cli, _ ("failed to get the console of domain '%1$s'"), name);
  if (!check_running (domain, error)
      || !print_terminal (cli, domain, "console", "@tty", &found, error)
      || (!found && !print_terminal (cli, domain, "serial", "source@path", &found, error)))
    return FALSE;
  if (!found)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                 _ ("domain '%1$s' has no console on a terminal of its own"), name);
  return found;
}

static const StasisCliOption domain_options[] = {
  STASIS_CLI_DOMAIN_OPTION,
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_ttyconsole = {
  .name = "ttyconsole",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("tty console"),
  .description = N_ ("Output the device for the TTY console."),
  .options = domain_options,
  .run = run_ttyconsole,
};

/* "127.0.0.1:0", ":0" where it listens on all addresses; NULL where nobody can connect. */
static char *
display_text (const GHashTable *graphics)
{
  const char *socket = stasis_cli_xml_value (graphics, "@socket");
  if (socket == NULL)
    socket = stasis_cli_xml_value (graphics, "listen@socket");
  if (socket != NULL)
    return g_strconcat ("unix:", socket, NULL);

  const char *port = stasis_cli_xml_value (graphics, "@port");
  const int number = port != NULL ? atoi (port) : -1;
  if (number < VNC_PORT_FIRST)
    return NULL;
  const char *address = stasis_cli_xml_value (graphics, "listen@address");
  if (address == NULL)
    address = stasis_cli_xml_value (graphics, "@listen");
  if (address == NULL)
    address = "127.0.0.1";
  if (strcmp (address, "0.0.0.0") == 0)
    address = "";
  const gboolean is_ipv6 = strchr (address, ':') != NULL;
  return g_strdup_printf ("%s%s%s:%d", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "",
                          number - VNC_PORT_FIRST);
}

static gboolean
run_vncdisplay (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_cli_domain (cli, args, error);
  if (domain == NULL)
    return FALSE;
  const char *name = stasis_domain_get_name (domain);
  stasis_cli_doing (cli, _ ("failed to get the VNC display of domain '%1$s'"), name);
  g_autoptr (GPtrArray) graphics
      = check_running (domain, error) ? list_devices (domain, "graphics", FALSE, error) : NULL;
  if (graphics == NULL)
    return FALSE;

  for (guint i = 0; i < graphics->len; i++)
    {
      const GHashTable *one = g_ptr_array_index (graphics, i);
      g_autofree char *text
          = g_strcmp0 (stasis_cli_xml_value (one, "@type"), "vnc") == 0 ? display_text (one) : NULL;
      if (text == NULL)
        continue;
      stasis_cli_print (cli, "%s\n", text);
      return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("domain '%1$s' has no VNC display to connect to"), name);
  return FALSE;
}

const StasisCliCommand stasis_cmd_vncdisplay = {
  .name = "vncdisplay",
  .group = STASIS_CLI_GROUP_DOMAIN,
  .summary = N_ ("vnc display"),
  .description = N_ ("Output the IP address and port number for the VNC display."),
  .options = domain_options,
  .run = run_vncdisplay,
};
