/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args-test.c: what a command line is taken for
 */

#include "config.h"

#include "cli/args.h"

static const StasisCliOption options[] = {
  { "domain", STASIS_CLI_NEEDED, "domain", "" },
  { "file", STASIS_CLI_NEEDED, "file", "" },
  { "xml", STASIS_CLI_STRING, "file", "" },
  { "mode", STASIS_CLI_NAMED, "mode", "" },
  { "all", STASIS_CLI_FLAG, NULL, "" },
  { "running", STASIS_CLI_FLAG, NULL, "" },
  { .name = NULL },
};

typedef struct
{
  const char *name;
  const char *line;   /* as a shell would split it */
  const char *result; /* domain|file|xml|mode|flags, or "error: ..." */
} Case;

static const Case cases[] = {
  { "data", "web f", "web|f|-|-|" },
  { "data-third", "web f x", "web|f|x|-|" },
  { "data-after-flag", "--all web --running f", "web|f|-|-|all running" },
  { "named", "--file f --domain web", "web|f|-|-|" },
  { "named-first", "--file f web", "web|f|-|-|" },
  { "named-skips", "--domain web f --xml x", "web|f|x|-|" },
  { "equals", "--domain=web --file=f --mode=m", "web|f|-|m|" },
  { "equals-in-value", "web --file=a=b", "web|a=b|-|-|" },
  { "value-with-dashes", "web --file --all", "web|--all|-|-|" },
  { "dash-is-data", "web -", "web|-|-|-|" },
  { "short-is-data", "web -x", "web|-x|-|-|" },
  { "double-dash", "-- web --all", "web|--all|-|-|" },
  { "double-dash-twice", "web -- --", "web|--|-|-|" },
  { "double-dash-last", "web f --", "web|f|-|-|" },
  { "named-only", "web f x --mode m", "web|f|x|m|" },
  { "none", "", "error: command 'test' requires <domain> option" },
  { "one-missing", "web", "error: command 'test' requires <file> option" },
  { "too-much", "web f x y",
    "error: unexpected data 'y': there is no place left for it; see 'stasis test --help'" },
  { "twice", "web f --all --all", "error: option --all already seen" },
  { "twice-by-data", "web f --xml a --xml b", "error: option --xml already seen" },
  { "flag-with-value", "web f --all=1", "error: invalid '=' after option --all" },
  { "value-missing", "web f --xml", "error: expected syntax: --xml <file>" },
  { "value-empty", "web f --xml=", "error: option --xml is empty" },
  { "data-empty", "web ''", "error: option --file is empty" },
  { "unknown", "web f --zzzzz", "error: command 'test' doesn't support option --zzzzz" },
  { "unknown-near", "web f --runing",
    "error: command 'test' doesn't support option --runing; did you mean --running?" },
  { "unknown-equals", "web f --zzzzz=1", "error: command 'test' doesn't support option --zzzzz" },
  { "unknown-prefix", "web f --run",
    "error: command 'test' doesn't support option --run; did you mean --running?" },
};

static char *
parse_to_text (const char *line)
{
  g_auto (GStrv) words = NULL;
  int n = 0;
  if (line[0] != '\0')
    g_assert_true (g_shell_parse_argv (line, &n, &words, NULL));

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisCliArgs) args
      = stasis_cli_args_parse ("test", options, (const char *const *) words, n, &error);
  g_assert_true ((args == NULL) == (error != NULL));
  if (args == NULL)
    return g_strconcat ("error: ", error->message, NULL);

  GString *out = g_string_new (NULL);
  for (guint i = 0; options[i].kind != STASIS_CLI_FLAG; i++)
    {
      const char *value = stasis_cli_args_get (args, options[i].name);
      g_string_append_printf (out, "%s|", value != NULL ? value : "-");
    }
  if (stasis_cli_args_has (args, "all"))
    g_string_append (out, "all");
  if (stasis_cli_args_has (args, "running"))
    g_string_append (out, out->str[out->len - 1] == '|' ? "running" : " running");
  return g_string_free (out, FALSE);
}

static void
test_parse (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *result = parse_to_text (c->line);
  g_assert_cmpstr (result, ==, c->result);
}

static void
test_no_options (void)
{
  const char *words[] = { "x" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisCliArgs) good = stasis_cli_args_parse ("uri", NULL, NULL, 0, &error);
  g_assert_no_error (error);
  g_assert_nonnull (good);
  g_autoptr (StasisCliArgs) bad = stasis_cli_args_parse ("uri", NULL, words, 1, &error);
  g_assert_null (bad);
  g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
}

static void
test_exclusive (void)
{
  const char *words[] = { "web", "f", "--all", "--running" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisCliArgs) args = stasis_cli_args_parse ("test", options, words, 4, &error);
  g_assert_no_error (error);
  guint flags = 4;
  stasis_cli_args_flag (args, "all", 1, &flags);
  stasis_cli_args_flag (args, "xml", 2, &flags);
  g_assert_cmpuint (flags, ==, 5);
  g_assert_true (stasis_cli_args_exclusive (args, "all", "xml", &error));
  g_assert_false (stasis_cli_args_exclusive (args, "all", "running", &error));
  g_assert_cmpstr (error->message, ==, "options --all and --running are mutually exclusive");
}

/* The rest of the data goes to an option of words, options in between do not. */
static void
test_words (void)
{
  static const StasisCliOption list[] = {
    { "domain", STASIS_CLI_NEEDED, "domain", "" },
    { "hmp", STASIS_CLI_FLAG, NULL, "" },
    { "cmd", STASIS_CLI_WORDS, "command", "" },
    { .name = NULL },
  };
  const char *words[] = { "web", "info", "--hmp", "block", "-v", "--", "--x" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisCliArgs) args = stasis_cli_args_parse ("test", list, words, 7, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (stasis_cli_args_get (args, "domain"), ==, "web");
  g_assert_true (stasis_cli_args_has (args, "hmp"));
  g_assert_cmpstr (stasis_cli_args_get (args, "cmd"), ==, "info block -v --x");

  g_autoptr (StasisCliArgs) none = stasis_cli_args_parse ("test", list, words, 1, &error);
  g_assert_null (none);
  g_assert_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
  g_assert_cmpstr (error->message, ==, "command 'test' requires <cmd> option");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/cli/args/parse/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_parse);
    }
  g_test_add_func ("/cli/args/no-options", test_no_options);
  g_test_add_func ("/cli/args/exclusive", test_exclusive);
  g_test_add_func ("/cli/args/words", test_words);
  return g_test_run ();
}
