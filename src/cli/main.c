/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: the options before the command, and the command itself
 */

#include "config.h"

#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib/gi18n.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/signals.h"

typedef enum
{
  GO_ON,
  DONE,
  WRONG,
} Verdict;

static const struct option long_options[] = {
  { "connect", required_argument, NULL, 'c' },
  { "debug", required_argument, NULL, 'd' },
  { "escape", required_argument, NULL, 'e' },
  { "help", no_argument, NULL, 'h' },
  { "quiet", no_argument, NULL, 'q' },
  { "readonly", no_argument, NULL, 'r' },
  { "timing", no_argument, NULL, 't' },
  { "version", no_argument, NULL, 'v' },
  { NULL, 0, NULL, 0 },
};

/* "^]", or the character itself. */
static gboolean
parse_escape (const char *text, guchar *out_escape, GError **error)
{
  if (text[0] == '^' && text[1] >= '@' && text[1] <= '_' && text[2] == '\0')
    *out_escape = text[1] & 0x1f;
  else if (text[0] != '\0' && text[1] == '\0')
    *out_escape = text[0];
  else
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("invalid string '%1$s' for escape sequence"), text);
      return FALSE;
    }
  return TRUE;
}

static gboolean
parse_debug (const char *text, GError **error)
{
  guint64 level = 0;
  if (!g_ascii_string_to_unsigned (text, 10, 0, 4, &level, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("option '--debug' takes a level from 0 to 4, not '%1$s'"), text);
      return FALSE;
    }
  if (level <= 1)
    g_setenv ("G_MESSAGES_DEBUG", "all", /* overwrite= */ FALSE);
  return TRUE;
}

static void
wrong_global (const char *word, int found, GError **error)
{
  if (found == ':')
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("option '%1$s' requires an argument"), word);
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 _ ("unsupported option '%1$s'; see 'stasis --help'"), word);
}

static Verdict
take_global (StasisCli *cli, int found, const char *word, GError **error)
{
  switch (found)
    {
    case 'c':
      cli->uri = optarg;
      return GO_ON;
    case 'd':
      return parse_debug (optarg, error) ? GO_ON : WRONG;
    case 'e':
      return parse_escape (optarg, &cli->escape, error) ? GO_ON : WRONG;
    case 'h':
      stasis_cli_help_all (cli);
      return DONE;
    case 'q':
      cli->quiet = TRUE;
      return GO_ON;
    case 'r':
      cli->readonly = TRUE;
      return GO_ON;
    case 't':
      cli->timing = TRUE;
      return GO_ON;
    case 'v':
      stasis_cli_print (cli, "%s\n", stasis_version ());
      return DONE;
    default:
      wrong_global (word, found, error);
      return WRONG;
    }
}

static Verdict
parse_globals (StasisCli *cli, int argc, char **argv, GError **error)
{
  opterr = 0;
  for (;;)
    {
      const int at = optind;
      const int found = getopt_long (argc, argv, "+:c:d:e:hqrtvV", long_options, NULL);
      if (found == -1)
        return GO_ON;
      const Verdict verdict
          = take_global (cli, found == 'V' ? 'v' : found, argv[MIN (at, argc - 1)], error);
      if (verdict != GO_ON)
        return verdict;
    }
}

static gboolean
is_group (const char *word)
{
  for (guint g = 0; g < STASIS_CLI_N_GROUPS; g++)
    if (strcmp (stasis_cli_group_keyword (g), word) == 0)
      return TRUE;
  return FALSE;
}

static const StasisCliCommand *
unknown_command (const char *name, GError **error)
{
  const char *nearest = stasis_cli_command_suggest (name);
  if (is_group (name))
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("'%1$s' is a group of commands; see 'stasis help %1$s'"), name);
  else if (nearest != NULL)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("unknown command: '%1$s'; did you mean '%2$s'?"), name, nearest);
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 _ ("unknown command: '%1$s'; see 'stasis help'"), name);
  return NULL;
}

/* The command that @words begin with; *@out_taken words are its name. */
static const StasisCliCommand *
find_command (const char *const *words, guint n_words, guint *out_taken, GError **error)
{
  if (n_words == 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("no command given; see 'stasis help'"));
      return NULL;
    }

  const gboolean is_family = stasis_cli_command_is_family (words[0]);
  if (is_family && (n_words == 1 || g_str_has_prefix (words[1], "-")))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("'%1$s' needs a second word; see 'stasis help %1$s'"), words[0]);
      return NULL;
    }
  g_autofree char *name
      = is_family ? g_strconcat (words[0], " ", words[1], NULL) : g_strdup (words[0]);
  *out_taken = is_family ? 2 : 1;
  const StasisCliCommand *command = stasis_cli_command_find (name);
  return command != NULL ? command : unknown_command (name, error);
}

static gboolean
is_help (const char *word)
{
  return strcmp (word, "--help") == 0 || strcmp (word, "-h") == 0;
}

/* Anywhere before a `--`. */
static gboolean
asks_for_help (const char *const *words, guint n_words)
{
  for (guint i = 0; i < n_words && strcmp (words[i], "--") != 0; i++)
    if (is_help (words[i]))
      return TRUE;
  return FALSE;
}

static gboolean
run_command (StasisCli *cli, const char *const *words, guint n_words, GError **error)
{
  guint taken = 0;
  if (n_words > 1 && is_help (words[1]) && stasis_cli_help_group (cli, words[0]))
    return TRUE;
  const StasisCliCommand *command = find_command (words, n_words, &taken, error);
  if (command == NULL)
    return FALSE;
  if (command->trouble_status != 0)
    cli->status = command->trouble_status;
  if (asks_for_help (words + taken, n_words - taken))
    {
      stasis_cli_help_command (cli, command);
      return TRUE;
    }

  g_autoptr (StasisCliArgs) args = stasis_cli_args_parse (command->name, command->options,
                                                          words + taken, n_words - taken, error);
  if (args == NULL)
    return FALSE;
  if (cli->readonly && command->writes)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                   _ ("operation forbidden: read only access prevents '%1$s'"), command->name);
      return FALSE;
    }
  return command->run (cli, args, error);
}

static gboolean
run (StasisCli *cli, int argc, char **argv, GError **error)
{
  const gint64 begin = g_get_monotonic_time ();
  const Verdict verdict = parse_globals (cli, argc, argv, error);
  if (verdict != GO_ON)
    return verdict == DONE;
  if (!run_command (cli, (const char *const *) argv + optind, argc - optind, error))
    return FALSE;

  g_clear_pointer (&cli->doing, g_free);
  if (cli->timing)
    stasis_cli_print (cli, _ ("\n(Time: %1$.3f ms)\n\n"),
                      (double) (g_get_monotonic_time () - begin) / 1000);
  else if (!cli->json)
    stasis_cli_say (cli, "\n");
  return TRUE;
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, STASIS_LOCALEDIR);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  stasis_cli_signals_ignore_pipe ();

  g_auto (StasisCli) cli = { .escape = STASIS_CLI_ESCAPE, .status = 1 };
  cli.uri = g_getenv ("STASIS_DEFAULT_URI");
  g_autoptr (GError) error = NULL;
  gboolean ok = run (&cli, argc, argv, &error);
  ok = stasis_cli_flush (&cli, error == NULL ? &error : NULL) && ok;
  if (!ok)
    stasis_cli_report (&cli, error);
  return ok ? EXIT_SUCCESS : cli.status;
}
