/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-list.c: list
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/job.h"
#include "cli/table.h"
#include "util/xml-peek.h"

#define COLUMNS_MAX 6

/* One line of the list. */
typedef struct
{
  StasisDomain *domain; /* (borrowed) */
  StasisDomainState state;
  char *id;          /* (owned): "-" where it does not run */
  char *title;       /* (owned) (nullable) */
  char *clone_of;    /* (owned) (nullable) the domain that it is a clone of */
  char *clone_image; /* (owned) (nullable) from this image */
  gboolean has_managed_save;
  gboolean autostart;
} Line;

static void
line_clear (Line *line)
{
  g_free (line->id);
  g_free (line->title);
  g_free (line->clone_of);
  g_free (line->clone_image);
}

static guint
list_flags (const StasisCliArgs *args)
{
  guint flags = STASIS_LIST_ACTIVE;
  if (stasis_cli_args_has (args, "all"))
    flags = STASIS_LIST_ACTIVE | STASIS_LIST_INACTIVE;
  else if (stasis_cli_args_has (args, "inactive"))
    flags = STASIS_LIST_INACTIVE;
  else if (stasis_cli_args_has (args, "state-shutoff"))
    flags = STASIS_LIST_ACTIVE | STASIS_LIST_INACTIVE;

  stasis_cli_args_flag (args, "persistent", STASIS_LIST_PERSISTENT, &flags);
  stasis_cli_args_flag (args, "transient", STASIS_LIST_TRANSIENT, &flags);
  stasis_cli_args_flag (args, "autostart", STASIS_LIST_AUTOSTART, &flags);
  stasis_cli_args_flag (args, "no-autostart", STASIS_LIST_NO_AUTOSTART, &flags);
  stasis_cli_args_flag (args, "with-managed-save", STASIS_LIST_MANAGED_SAVE, &flags);
  stasis_cli_args_flag (args, "without-managed-save", STASIS_LIST_NO_MANAGED_SAVE, &flags);
  return flags;
}

/* The filters by state; without any, all states. */
static gboolean
state_matches (const StasisCliArgs *args, StasisDomainState state)
{
  const gboolean running = stasis_cli_args_has (args, "state-running");
  const gboolean paused = stasis_cli_args_has (args, "state-paused");
  const gboolean shutoff = stasis_cli_args_has (args, "state-shutoff");
  const gboolean other = stasis_cli_args_has (args, "state-other");
  if (!running && !paused && !shutoff && !other)
    return TRUE;

  switch (state)
    {
    case STASIS_DOMAIN_RUNNING:
      return running;
    case STASIS_DOMAIN_PAUSED:
      return paused;
    case STASIS_DOMAIN_SHUTOFF:
      return shutoff;
    default:
      return other;
    }
}

static char *
peek_title (StasisDomain *domain)
{
  g_autofree char *xml = stasis_domain_get_xml (domain, STASIS_XML_NONE, NULL);
  return xml != NULL ? stasis_xml_peek (xml, "domain/title") : NULL;
}

/* FALSE where the domain is filtered out, or went away since it was listed. */
static gboolean
look_at (StasisDomain *domain, const StasisCliArgs *args, Line *out_line)
{
  Line line = { .domain = domain };
  if (!stasis_domain_get_state (domain, &line.state, NULL, NULL)
      || !state_matches (args, line.state))
    return FALSE;

  const gboolean clones_only = stasis_cli_args_has (args, "clones");
  if (clones_only || stasis_cli_args_has (args, "json"))
    line.clone_of = stasis_domain_get_clone_of (domain, &line.clone_image, NULL);
  if (clones_only && line.clone_of == NULL)
    return FALSE;
  const int id = stasis_domain_get_id (domain);
  line.id = id >= 0 ? g_strdup_printf ("%d", id) : g_strdup ("-");
  if (stasis_cli_args_has (args, "managed-save") || stasis_cli_args_has (args, "json"))
    {
      StasisDomainInfo info = { 0 };
      if (stasis_domain_get_info (domain, &info, NULL))
        {
          line.has_managed_save = info.has_managed_save;
          line.autostart = info.autostart;
        }
    }
  if (stasis_cli_args_has (args, "title") || stasis_cli_args_has (args, "json"))
    line.title = peek_title (domain);
  *out_line = line;
  return TRUE;
}

static const char *
state_text (const Line *line)
{
  if (line->has_managed_save && line->state == STASIS_DOMAIN_SHUTOFF)
    return _ ("saved");
  return _ (stasis_domain_state_to_string (line->state));
}

static void
print_table (StasisCli *cli, const StasisCliArgs *args, GArray *lines)
{
  const gboolean with_title = stasis_cli_args_has (args, "title");
  const gboolean with_clones = stasis_cli_args_has (args, "clones");
  const char *titles[COLUMNS_MAX + 1] = { _ ("Id"), _ ("Name"), _ ("State") };
  guint n = 3;
  if (with_clones)
    {
      titles[n++] = _ ("Clone of");
      titles[n++] = _ ("Image");
    }
  if (with_title)
    titles[n++] = _ ("Title");
  g_autoptr (StasisCliTable) table = stasis_cli_table_new (titles);
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = &g_array_index (lines, Line, i);
      const char *cells[COLUMNS_MAX]
          = { line->id, stasis_domain_get_name (line->domain), state_text (line) };
      if (with_clones)
        {
          cells[3] = line->clone_of;
          cells[4] = line->clone_image;
        }
      if (with_title)
        cells[n - 1] = line->title != NULL ? line->title : "";
      stasis_cli_table_append (table, cells);
    }
  g_autofree char *text = stasis_cli_table_to_string (table, !cli->quiet);
  stasis_cli_print (cli, "%s", text);
}

/* Bare identifiers for scripts, in virsh's order. */
static void
print_plain (StasisCli *cli, const StasisCliArgs *args, GArray *lines)
{
  for (guint i = 0; i < lines->len; i++)
    {
      const Line *line = &g_array_index (lines, Line, i);
      const char *words[4] = { NULL };
      guint n = 0;
      if (stasis_cli_args_has (args, "uuid"))
        words[n++] = stasis_domain_get_uuid (line->domain);
      if (stasis_cli_args_has (args, "id"))
        words[n++] = line->id;
      if (stasis_cli_args_has (args, "name"))
        words[n++] = stasis_domain_get_name (line->domain);
      g_autofree char *joined = g_strjoinv (" ", (char **) words);
      stasis_cli_print (cli, "%s\n", joined);
    }
}

/* Below each other what comes from one domain, and there what comes from one image. */
static int
compare_clones (gconstpointer a, gconstpointer b)
{
  const Line *x = a;
  const Line *y = b;
  const int by_domain = g_strcmp0 (x->clone_of, y->clone_of);
  const int by_image = g_strcmp0 (x->clone_image, y->clone_image);
  if (by_domain != 0 || by_image != 0)
    return by_domain != 0 ? by_domain : by_image;
  g_autofree char *x_key = g_utf8_collate_key_for_filename (stasis_domain_get_name (x->domain), -1);
  g_autofree char *y_key = g_utf8_collate_key_for_filename (stasis_domain_get_name (y->domain), -1);
  return strcmp (x_key, y_key);
}

static void
set_nullable (StasisJson *object, const char *key, const char *value)
{
  stasis_json_set (object, key,
                   value != NULL ? stasis_json_new_string (value) : stasis_json_new_null ());
}

static StasisJson *
line_to_json (const Line *line)
{
  StasisJson *object = stasis_json_new_object ();
  const int id = stasis_domain_get_id (line->domain);
  stasis_json_set (object, "id", id >= 0 ? stasis_json_new_int (id) : stasis_json_new_null ());
  stasis_json_set_string (object, "name", stasis_domain_get_name (line->domain));
  stasis_json_set_string (object, "uuid", stasis_domain_get_uuid (line->domain));
  stasis_json_set_string (object, "state", stasis_domain_state_to_string (line->state));
  set_nullable (object, "title", line->title);
  stasis_json_set_boolean (object, "persistent", stasis_domain_is_persistent (line->domain));
  stasis_json_set_boolean (object, "autostart", line->autostart);
  stasis_json_set_boolean (object, "managed_save", line->has_managed_save);
  set_nullable (object, "clone_of", line->clone_of);
  set_nullable (object, "clone_image", line->clone_image);
  return object;
}

static void
print_json (StasisCli *cli, GArray *lines)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < lines->len; i++)
    stasis_json_array_append (array, line_to_json (&g_array_index (lines, Line, i)));
  stasis_cli_print_json (cli, array);
}

static gboolean
check_list (const StasisCliArgs *args, GError **error)
{
  static const char *const others[] = { "name", "uuid", "id", "json" };
  for (guint i = 0; i < G_N_ELEMENTS (others); i++)
    if (!stasis_cli_args_exclusive (args, "table", others[i], error)
        || (i < 3 && !stasis_cli_args_exclusive (args, "json", others[i], error)))
      return FALSE;
  return TRUE;
}

static gboolean
run_list (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  if (!check_list (args, error))
    return FALSE;
  StasisDriver *driver = stasis_cli_driver (cli, error);
  if (driver == NULL)
    return FALSE;

  stasis_cli_doing (cli, _ ("failed to list domains"));
  g_autoptr (GPtrArray) domains = stasis_driver_list (driver, list_flags (args), error);
  if (domains == NULL)
    return FALSE;

  g_autoptr (GArray) lines = g_array_new (FALSE, FALSE, sizeof (Line));
  g_array_set_clear_func (lines, (GDestroyNotify) line_clear);
  for (guint i = 0; i < domains->len; i++)
    {
      Line line = { 0 };
      if (look_at (g_ptr_array_index (domains, i), args, &line))
        g_array_append_val (lines, line);
    }

  if (stasis_cli_args_has (args, "clones"))
    g_array_sort (lines, compare_clones);
  if (stasis_cli_args_has (args, "json"))
    print_json (cli, lines);
  else if (stasis_cli_args_has (args, "name") || stasis_cli_args_has (args, "uuid")
           || stasis_cli_args_has (args, "id"))
    print_plain (cli, args, lines);
  else
    print_table (cli, args, lines);
  return TRUE;
}

static const StasisCliOption list_options[] = {
  { "inactive", STASIS_CLI_FLAG, NULL, N_ ("list inactive domains") },
  { "all", STASIS_CLI_FLAG, NULL, N_ ("list inactive & active domains") },
  { "transient", STASIS_CLI_FLAG, NULL, N_ ("list transient domains") },
  { "persistent", STASIS_CLI_FLAG, NULL, N_ ("list persistent domains") },
  { "state-running", STASIS_CLI_FLAG, NULL, N_ ("list domains in running state") },
  { "state-paused", STASIS_CLI_FLAG, NULL, N_ ("list domains in paused state") },
  { "state-shutoff", STASIS_CLI_FLAG, NULL, N_ ("list domains in shutoff state") },
  { "state-other", STASIS_CLI_FLAG, NULL, N_ ("list domains in other states") },
  { "autostart", STASIS_CLI_FLAG, NULL, N_ ("list domains with autostart enabled") },
  { "no-autostart", STASIS_CLI_FLAG, NULL, N_ ("list domains with autostart disabled") },
  { "with-managed-save", STASIS_CLI_FLAG, NULL, N_ ("list domains with managed save state") },
  { "without-managed-save", STASIS_CLI_FLAG, NULL, N_ ("list domains without managed save") },
  { "uuid", STASIS_CLI_FLAG, NULL, N_ ("list uuid's only") },
  { "name", STASIS_CLI_FLAG, NULL, N_ ("list domain names only") },
  { "id", STASIS_CLI_FLAG, NULL, N_ ("list domain IDs only") },
  { "table", STASIS_CLI_FLAG, NULL, N_ ("list table (default)") },
  { "managed-save", STASIS_CLI_FLAG, NULL, N_ ("mark inactive domains with managed save state") },
  { "title", STASIS_CLI_FLAG, NULL, N_ ("show domain title") },
  { "clones", STASIS_CLI_FLAG, NULL, N_ ("list clones only, and what they are clones of") },
  { "json", STASIS_CLI_FLAG, NULL, N_ ("print JSON") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_list = {
  .name = "list",
  .group = STASIS_CLI_GROUP_MONITOR,
  .summary = N_ ("list domains"),
  .description = N_ ("Returns list of domains; by default of those that run."),
  .options = list_options,
  .run = run_list,
};
