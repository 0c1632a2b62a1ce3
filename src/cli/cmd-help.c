/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd-help.c: help, for all commands, a group of them, or one
 */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"

#define COLUMNS 80u /* of a synopsis */

/* An option of one letter has one dash. */
static const char *
dashes_of (const StasisCliOption *option)
{
  return option->name[1] == '\0' ? "-" : "--";
}

static char *
synopsis_of (const StasisCliOption *option)
{
  switch (option->kind)
    {
    case STASIS_CLI_FLAG:
      return g_strdup_printf ("[--%s]", option->name);
    case STASIS_CLI_STRING:
      return g_strdup_printf ("[[--%s] <%s>]", option->name, option->value);
    case STASIS_CLI_NAMED:
      return g_strdup_printf ("[%s%s <%s>]", dashes_of (option), option->name, option->value);
    case STASIS_CLI_NEEDED:
      return g_strdup_printf ("<%s>", option->name);
    case STASIS_CLI_WORDS:
      return g_strdup_printf ("<%s>...", option->name);
    }
  g_assert_not_reached ();
}

/* Further lines begin below the first option. */
static void
print_synopsis (StasisCli *cli, const StasisCliCommand *command)
{
  const gsize indent = strlen ("    ") + strlen (command->name);
  gsize column = indent;
  stasis_cli_print (cli, "    %s", command->name);
  for (const StasisCliOption *o = command->options; o != NULL && o->name != NULL; o++)
    {
      g_autofree char *word = synopsis_of (o);
      if (column > indent && column + 1 + strlen (word) > COLUMNS)
        {
          stasis_cli_print (cli, "\n%*s", (int) indent, "");
          column = indent;
        }
      stasis_cli_print (cli, " %s", word);
      column += 1 + strlen (word);
    }
  stasis_cli_print (cli, "\n");
}

static void
print_options (StasisCli *cli, const StasisCliOption *options)
{
  for (const StasisCliOption *o = options; o->name != NULL; o++)
    {
      g_autofree char *left = NULL;
      if (o->kind == STASIS_CLI_FLAG)
        left = g_strdup_printf ("--%s", o->name);
      else if (o->kind == STASIS_CLI_NAMED)
        left = g_strdup_printf ("%s%s <%s>", dashes_of (o), o->name, o->value);
      else
        left = g_strdup_printf ("[--%s] <%s>", o->name, o->value);
      stasis_cli_print (cli, "    %-24s %s\n", left, _ (o->help));
    }
}

/* The help of one command, in virsh's sections. */
void
stasis_cli_help_command (StasisCli *cli, const StasisCliCommand *command)
{
  stasis_cli_print (cli, _ ("  NAME\n    %1$s - %2$s\n"), command->name, _ (command->summary));
  stasis_cli_print (cli, _ ("\n  SYNOPSIS\n"));
  print_synopsis (cli, command);
  if (command->description != NULL)
    {
      stasis_cli_print (cli, _ ("\n  DESCRIPTION\n"));
      g_auto (GStrv) lines = g_strsplit (_ (command->description), "\n", -1);
      for (guint i = 0; lines[i] != NULL; i++)
        stasis_cli_print (cli, "    %s\n", lines[i]);
    }
  if (command->options != NULL)
    {
      stasis_cli_print (cli, _ ("\n  OPTIONS\n"));
      print_options (cli, command->options);
    }
}

static void
print_group (StasisCli *cli, StasisCliGroup group)
{
  stasis_cli_print (cli, _ (" %1$s (help keyword '%2$s'):\n"), stasis_cli_group_title (group),
                    stasis_cli_group_keyword (group));
  const StasisCliCommand *const *commands = stasis_cli_commands ();
  for (guint i = 0; commands[i] != NULL; i++)
    if (commands[i]->group == group)
      stasis_cli_print (cli, "    %-30s %s\n", commands[i]->name, _ (commands[i]->summary));
}

/* The help of the program. */
void
stasis_cli_help_all (StasisCli *cli)
{
  stasis_cli_print (
      cli, "%s",
      _ ("stasis [options]... <command> [args]...\n\n"
         "  options:\n"
         "    -c | --connect=URI      stasis:///session, stasis:///system; of a daemon\n"
         "                            stasis+unix:///system[?socket=FILE],\n"
         "                            stasis+ssh://[USER@]HOST/system\n"
         "    -d | --debug=NUM        debug level [0-4]; 0 and 1 log what is done\n"
         "    -e | --escape <char>    set escape sequence for console\n"
         "    -h | --help             this help\n"
         "    -q | --quiet            nothing but data and errors\n"
         "    -r | --readonly         refuse what changes something\n"
         "    -t | --timing           print timing information\n"
         "    -v | --version          print the version\n\n"
         "  commands:\n"));
  for (guint g = 0; g < STASIS_CLI_N_GROUPS; g++)
    {
      stasis_cli_print (cli, "\n");
      print_group (cli, g);
    }
  stasis_cli_print (cli, "%s",
                    _ ("\n  (specify help <group> for the commands of a group)\n"
                       "\n  (specify help <command> for details about the command)\n"));
}

static gboolean
print_family (StasisCli *cli, const char *word)
{
  if (!stasis_cli_command_is_family (word))
    return FALSE;

  g_autofree char *prefix = g_strconcat (word, " ", NULL);
  const StasisCliCommand *const *commands = stasis_cli_commands ();
  for (guint i = 0; commands[i] != NULL; i++)
    if (g_str_has_prefix (commands[i]->name, prefix))
      stasis_cli_print (cli, "    %-30s %s\n", commands[i]->name, _ (commands[i]->summary));
  return TRUE;
}

/* The help of a group or a family. */
gboolean
stasis_cli_help_group (StasisCli *cli, const char *word)
{
  for (guint g = 0; g < STASIS_CLI_N_GROUPS; g++)
    if (strcmp (stasis_cli_group_keyword (g), word) == 0)
      {
        print_group (cli, g);
        return TRUE;
      }
  return print_family (cli, word);
}

static gboolean
run_help (StasisCli *cli, const StasisCliArgs *args, GError **error)
{
  const char *word = stasis_cli_args_get (args, "command");
  const char *second = stasis_cli_args_get (args, "subcommand");
  if (word == NULL)
    {
      stasis_cli_help_all (cli);
      return TRUE;
    }

  g_autofree char *name = second != NULL ? g_strconcat (word, " ", second, NULL) : g_strdup (word);
  const StasisCliCommand *command = stasis_cli_command_find (name);
  if (command != NULL)
    {
      stasis_cli_help_command (cli, command);
      return TRUE;
    }
  if (second == NULL && stasis_cli_help_group (cli, word))
    return TRUE;

  const char *nearest = stasis_cli_command_suggest (name);
  if (nearest != NULL)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("command or command group '%1$s' doesn't exist; did you mean '%2$s'?"), name,
                 nearest);
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("command or command group '%1$s' doesn't exist"), name);
  return FALSE;
}

static const StasisCliOption help_options[] = {
  { "command", STASIS_CLI_STRING, "name", N_ ("a command, or a group of commands") },
  { "subcommand", STASIS_CLI_STRING, "name",
    N_ ("the second word of a command such as 'image info'") },
  { .name = NULL },
};

const StasisCliCommand stasis_cmd_help = {
  .name = "help",
  .group = STASIS_CLI_GROUP_SELF,
  .summary = N_ ("print help"),
  .description = N_ ("Prints global help, command specific help, or help for a\n"
                     "group of related commands."),
  .options = help_options,
  .run = run_help,
};
