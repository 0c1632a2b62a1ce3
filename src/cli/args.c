/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args.c: parse the options and data of one command
 *
 * Theory of operation
 *
 * The rules are virsh's.  `--name` is a flag, `--name VALUE` and `--name=VALUE` carry a value, and
 * a word without dashes is data: it goes to the first option, in the order of the command's list,
 * that takes data and has none yet.  After `--` all is data.  A lone `-` is data too (standard
 * input), and so is `-x`: short options stand before the command only.
 */

#include "config.h"

#include "cli/args.h"

#include <glib/gi18n.h>
#include <string.h>

#include "cli/suggest.h"

struct _StasisCliArgs
{
  const char *command;                        /* (borrowed) */
  const StasisCliOption *options;             /* (borrowed) (nullable) */
  const char *values[STASIS_CLI_OPTIONS_MAX]; /* (borrowed); "" for a flag that was given */
  GString *joined;                            /* (owned): the value of an option of words */
};

static int
find_option (const StasisCliOption *options, const char *name, gsize length)
{
  for (guint i = 0; options != NULL && options[i].name != NULL; i++)
    if (strlen (options[i].name) == length && strncmp (options[i].name, name, length) == 0)
      return i;
  return -1;
}

/* The index of an option that the program's own code names. */
static guint
known_option (const StasisCliArgs *args, const char *name)
{
  const int found = find_option (args->options, name, strlen (name));
  g_assert (found >= 0);
  return found;
}

static const char *
nearest_option (const StasisCliOption *options, const char *name)
{
  const char *names[STASIS_CLI_OPTIONS_MAX + 1] = { NULL };
  for (guint i = 0; options != NULL && options[i].name != NULL; i++)
    names[i] = options[i].name;
  return stasis_cli_suggest (name, names);
}

static gboolean
unknown_option (const StasisCliArgs *args, const char *name, GError **error)
{
  const char *nearest = nearest_option (args->options, name);
  if (nearest != NULL)
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 _ ("command '%1$s' doesn't support option --%2$s; did you mean --%3$s?"),
                 args->command, name, nearest);
  else
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 _ ("command '%1$s' doesn't support option --%2$s"), args->command, name);
  return FALSE;
}

/* Give a value to an option. */
static void
set_value (StasisCliArgs *args, guint option, const char *word)
{
  if (args->options[option].kind != STASIS_CLI_WORDS)
    {
      args->values[option] = word;
      return;
    }
  g_string_append_printf (args->joined, "%s%s", args->joined->len > 0 ? " " : "", word);
  args->values[option] = args->joined->str;
}

/* TRUE for "-f" where the command has an option of that one letter. */
static gboolean
is_letter (const StasisCliArgs *args, const char *word)
{
  return word[0] == '-' && word[1] != '\0' && word[1] != '-' && (word[2] == '\0' || word[2] == '=')
         && find_option (args->options, word + 1, 1) >= 0;
}

/* One `--name`, with the next word as its value where it needs one.  Returns how many words it
 * took, 0 on failure. */
static guint
take_option (StasisCliArgs *args, const char *const *words, guint n_words, GError **error)
{
  const char *name = words[0] + (words[0][1] == '-' ? 2 : 1);
  const char *equals = strchr (name, '=');
  const gsize length = equals != NULL ? (gsize) (equals - name) : strlen (name);
  g_autofree char *plain = g_strndup (name, length);

  const int found = find_option (args->options, name, length);
  if (found < 0)
    return unknown_option (args, plain, error);
  if (args->values[found] != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("option --%1$s already seen"), plain);
      return 0;
    }

  const StasisCliOption *option = &args->options[found];
  if (option->kind == STASIS_CLI_FLAG && equals != NULL)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("invalid '=' after option --%1$s"), plain);
      return 0;
    }
  if (option->kind != STASIS_CLI_FLAG && equals == NULL && n_words < 2)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   _ ("expected syntax: --%1$s <%2$s>"), plain, option->value);
      return 0;
    }

  if (option->kind == STASIS_CLI_FLAG)
    args->values[found] = "";
  else
    set_value (args, found, equals != NULL ? equals + 1 : words[1]);
  return option->kind == STASIS_CLI_FLAG || equals != NULL ? 1 : 2;
}

static gboolean
take_data (StasisCliArgs *args, const char *word, GError **error)
{
  for (guint i = 0; args->options != NULL && args->options[i].name != NULL; i++)
    {
      const StasisCliOptionKind kind = args->options[i].kind;
      const gboolean is_free = args->values[i] == NULL || kind == STASIS_CLI_WORDS;
      if (kind != STASIS_CLI_FLAG && kind != STASIS_CLI_NAMED && is_free)
        {
          set_value (args, i, word);
          return TRUE;
        }
    }
  g_set_error (
      error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
      _ ("unexpected data '%1$s': there is no place left for it; see 'stasis %2$s --help'"), word,
      args->command);
  return FALSE;
}

static gboolean
check_needed (const StasisCliArgs *args, GError **error)
{
  for (guint i = 0; args->options != NULL && args->options[i].name != NULL; i++)
    {
      const StasisCliOption *option = &args->options[i];
      const char *value = args->values[i];
      if ((option->kind == STASIS_CLI_NEEDED || option->kind == STASIS_CLI_WORDS) && value == NULL)
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       _ ("command '%1$s' requires <%2$s> option"), args->command, option->name);
          return FALSE;
        }
      if (option->kind != STASIS_CLI_FLAG && value != NULL && value[0] == '\0')
        {
          g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                       _ ("option --%1$s is empty"), option->name);
          return FALSE;
        }
    }
  return TRUE;
}

/* Parse @words by the list @options. */
StasisCliArgs *
stasis_cli_args_parse (const char *command, const StasisCliOption *options,
                       const char *const *words, guint n_words, GError **error)
{
  g_autoptr (StasisCliArgs) args = g_new0 (StasisCliArgs, 1);
  args->command = command;
  args->options = options;
  args->joined = g_string_new (NULL);

  gboolean only_data = FALSE;
  for (guint i = 0; i < n_words;)
    {
      if (!only_data && strcmp (words[i], "--") == 0)
        {
          only_data = TRUE;
          i++;
        }
      else if (!only_data && (g_str_has_prefix (words[i], "--") || is_letter (args, words[i])))
        {
          const guint taken = take_option (args, words + i, n_words - i, error);
          if (taken == 0)
            return NULL;
          i += taken;
        }
      else if (take_data (args, words[i], error))
        i++;
      else
        return NULL;
    }
  if (!check_needed (args, error))
    return NULL;
  return g_steal_pointer (&args);
}

/* Free it.  NULL is fine. */
void
stasis_cli_args_free (StasisCliArgs *args)
{
  if (args == NULL)
    return;

  g_string_free (args->joined, TRUE);
  g_free (args);
}

/* Was the option given? */
gboolean
stasis_cli_args_has (const StasisCliArgs *args, const char *name)
{
  return args->values[known_option (args, name)] != NULL;
}

/* The option's value. */
const char *
stasis_cli_args_get (const StasisCliArgs *args, const char *name)
{
  return args->values[known_option (args, name)];
}

/* Two options that contradict each other. */
gboolean
stasis_cli_args_exclusive (const StasisCliArgs *args, const char *one, const char *other,
                           GError **error)
{
  if (!stasis_cli_args_has (args, one) || !stasis_cli_args_has (args, other))
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               _ ("options --%1$s and --%2$s are mutually exclusive"), one, other);
  return FALSE;
}

/* From an option to a bit of the API's flags. */
void
stasis_cli_args_flag (const StasisCliArgs *args, const char *name, guint bit, guint *flags)
{
  if (stasis_cli_args_has (args, name))
    *flags |= bit;
}
