/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * paths-test.c: tests of src/driver/paths.c
 */

#include "config.h"

#include "driver/paths.h"

#include <stasis/error.h>
#include <sys/stat.h>

#include "scratch.h"

#define TEN     "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

typedef struct
{
  const char *test;
  const char *name;
  const char *fault; /* in the message; NULL: the name is good */
} NameCase;

static const NameCase name_cases[] = {
  { "plain", "web", NULL },
  { "one-letter", "x", NULL },
  { "dots-inside", "web.example.org", NULL },
  { "dot-at-the-end", "web.", NULL },
  { "space", "my guest", NULL },
  { "utf8", "gäst-機", NULL },
  { "minus", "-rf", NULL },
  { "exact-fit", HUNDRED HUNDRED, NULL },
  { "empty", "", "empty" },
  { "dot", ".", "'.'" },
  { "dot-dot", "..", "'.'" },
  { "three-dots", "...", "'.'" },
  { "hidden", ".web", "'.'" },
  { "slash", "a/b", "'/'" },
  { "absolute", "/etc/passwd", "'/'" },
  { "up", "../up", "'.'" },
  { "too-long", HUNDRED HUNDRED "x", "200 octets" },
  { "newline", "a\nb", "control character" },
  { "escape", "a\033[31mb", "control character" },
  { "delete", "a\177", "control character" },
  { "not-utf8", "a\xff", "UTF-8" },
  { "cut-utf8", "a\xc3", "UTF-8" },
};

static void
test_name (gconstpointer data)
{
  const NameCase *c = data;
  g_autoptr (GError) error = NULL;
  const gboolean ok = stasis_paths_check_name (c->name, &error);
  g_assert_cmpint (ok, ==, c->fault == NULL);
  if (c->fault == NULL)
    {
      g_assert_no_error (error);
      return;
    }
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, c->fault));
  /* What is shown on a terminal is printable. */
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  for (const char *p = error->message; *p != '\0'; p++)
    g_assert_false (g_ascii_iscntrl (*p));
}

typedef char *(*PathFunction) (const StasisPaths *paths, const char *name);

typedef struct
{
  const char *test;
  PathFunction function;
  const char *path; /* below the root, of a domain "web" */
} PathCase;

static char *
domain_folder (const StasisPaths *paths, const char *name)
{
  return stasis_paths_domain (paths, name, NULL);
}

static char *
domain_file (const StasisPaths *paths, const char *name)
{
  return stasis_paths_domain (paths, name, "monitor.sock");
}

static char *
mark (const StasisPaths *paths, const char *name)
{
  return stasis_paths_mark (paths, "verified", name);
}

static char *
always (const StasisPaths *paths, const char *name)
{
  return stasis_paths_autostart (paths, STASIS_AUTOSTART_ALWAYS, name);
}

static char *
once (const StasisPaths *paths, const char *name)
{
  return stasis_paths_autostart (paths, STASIS_AUTOSTART_ONCE, name);
}

static const PathCase path_cases[] = {
  { "definition", stasis_paths_definition, "config/domains/web.xml" },
  { "by-uuid", stasis_paths_by_uuid, "config/by-uuid/web" },
  { "autostart", always, "config/autostart/web.xml" },
  { "autostart-once", once, "config/autostart-once/web.xml" },
  { "managed-save", stasis_paths_managed_save, "lib/save/web.stasis" },
  { "nvram", stasis_paths_nvram, "lib/nvram/web_VARS.fd" },
  { "last", stasis_paths_last, "lib/last/web.json" },
  { "last-job", stasis_paths_last_job, "lib/last-job/web.json" },
  { "mark", mark, "lib/marks/verified/web" },
  { "log", stasis_paths_log, "log/qemu/web.log" },
  { "lock", stasis_paths_lock, "run/locks/web.lock" },
  { "domain-folder", domain_folder, "run/domains/web" },
  { "domain-file", domain_file, "run/domains/web/monitor.sock" },
};

static void
test_path (gconstpointer data)
{
  const PathCase *c = data;
  g_autoptr (StasisPaths) paths = scratch_paths ("/state/dir");
  g_autofree char *path = c->function (paths, "web");
  g_autofree char *expected = g_build_filename ("/state/dir", c->path, NULL);
  g_assert_cmpstr (path, ==, expected);
}

/* Whatever two domains are called, no file of one is a file of the other. */
static void
test_distinct (void)
{
  static const char *const names[]
      = { "web",        "web.job",      "web.json", "web.xml", "web_VARS.fd", "web.log", "web.lock",
          "web.stasis", "web.job.json", "save",     "marks",   "domains",     "last",    "locks" };
  g_autoptr (StasisPaths) paths = scratch_paths ("/s");
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (gsize n = 0; n < G_N_ELEMENTS (names); n++)
    for (gsize i = 0; i < G_N_ELEMENTS (path_cases); i++)
      {
        char *path = path_cases[i].function (paths, names[n]);
        g_test_message ("%s", path);
        g_assert_true (g_hash_table_add (seen, path));
      }
}

static void
test_relative_state_dir (void)
{
  g_autoptr (StasisPaths) paths = scratch_paths ("some/../where/");
  g_autofree char *here = g_get_current_dir ();
  g_autofree char *expected = g_build_filename (here, "where", "run", NULL);
  g_assert_cmpstr (paths->run, ==, expected);
}

/* STASIS_STATE_DIR rules over both; empty, it does not count. */
static void
test_kinds (void)
{
  g_autoptr (StasisPaths) test = scratch_paths ("/s");
  g_assert_false (test->is_system);
  g_autoptr (StasisPaths) test_system = stasis_paths_new (TRUE);
  g_assert_true (test_system->is_system);
  g_assert_cmpstr (test_system->config, ==, "/s/config");

  g_autoptr (StasisPaths) session = scratch_paths ("");
  g_assert_cmpstr (session->config, ==, "/xdg/config/stasis");
  g_assert_cmpstr (session->lib, ==, "/xdg/data/stasis");
  g_assert_true (g_str_has_prefix (session->run, "/xdg/state/stasis/run/"));
  g_assert_cmpstr (session->log, ==, "/xdg/state/stasis/log");
  g_assert_cmpstr (session->cache, ==, "/xdg/cache/stasis");

  g_unsetenv ("STASIS_STATE_DIR");
  g_autoptr (StasisPaths) system = stasis_paths_new (TRUE);
  g_assert_true (system->is_system);
  g_assert_cmpstr (system->config, ==, "/etc/stasis");
  g_assert_cmpstr (system->lib, ==, "/var/lib/stasis");
  g_assert_cmpstr (system->run, ==, "/run/stasis");
  g_assert_cmpstr (system->log, ==, "/var/log/stasis");
  g_assert_cmpstr (system->cache, ==, "/var/cache/stasis");
  g_assert_null (system->old_runs);
  g_assert_null (test->old_runs);
  stasis_paths_free (NULL);
}

/* Neither logout, which removes XDG_RUNTIME_DIR, nor an environment without it changes where a
 * session's domains are. */
static void
test_session_run (void)
{
  g_autoptr (StasisPaths) with = scratch_paths ("");
  g_unsetenv ("XDG_RUNTIME_DIR");
  g_autoptr (StasisPaths) without = scratch_paths ("");
  g_setenv ("XDG_RUNTIME_DIR", "/xdg/other", TRUE);
  g_autoptr (StasisPaths) other = scratch_paths ("");
  g_assert_cmpstr (with->run, ==, without->run);
  g_assert_cmpstr (with->run, ==, other->run);

  g_assert_true (
      g_regex_match_simple ("^/xdg/state/stasis/run/[0-9a-f]{8}-[0-9a-f]{8}$", with->run, 0, 0));
  g_assert_cmpstr (with->old_runs, !=, NULL);
  g_assert_true (g_str_has_prefix (with->run, with->old_runs));
  g_assert_true (g_str_has_suffix (with->old_runs, "-"));
}

typedef struct
{
  const char *name; /* below run/ */
  gboolean stays;
} SweepCase;

/* A file in a folder in each of them. */
static const SweepCase sweep_cases[] = {
  { "aaaaaaaa-00000001", FALSE }, /* earlier boots of this host */
  { "aaaaaaaa-00000002", FALSE },
  { "bbbbbbbb-00000003", TRUE }, /* another host's */
  { "notes", TRUE },
};

static void
assert_swept (const char *folder, gboolean is_swept)
{
  for (gsize i = 0; i < G_N_ELEMENTS (sweep_cases); i++)
    {
      g_autofree char *file
          = g_build_filename (folder, sweep_cases[i].name, "domains", "web", "status.json", NULL);
      g_autofree char *top = g_build_filename (folder, sweep_cases[i].name, NULL);
      const gboolean stays = sweep_cases[i].stays || !is_swept;
      g_assert_cmpint (g_file_test (file, G_FILE_TEST_EXISTS), ==, stays);
      g_assert_cmpint (g_file_test (top, G_FILE_TEST_EXISTS), ==, stays);
    }
}

static void
test_sweep (void)
{
  char *folder = scratch_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (sweep_cases); i++)
    {
      g_autofree char *inside
          = g_build_filename (folder, sweep_cases[i].name, "domains", "web", NULL);
      g_assert_true (stasis_paths_make (inside, NULL));
      g_free (scratch_text (inside, "status.json", "{}"));
    }
  /* A link is removed, not what it leads to. */
  g_autofree char *link = g_build_filename (folder, "aaaaaaaa-00000001", "link", NULL);
  g_assert_cmpint (symlink ("../notes", link), ==, 0);

  g_autoptr (StasisPaths) paths = scratch_paths ("");
  g_free (paths->run);
  g_free (paths->old_runs);
  paths->run = g_build_filename (folder, "aaaaaaaa-00000004", NULL);
  paths->old_runs = g_build_filename (folder, "aaaaaaaa-", NULL);
  g_assert_true (stasis_paths_make (paths->run, NULL));
  stasis_paths_sweep (paths); /* not the first one of this boot */
  assert_swept (folder, FALSE);

  g_assert_cmpint (rmdir (paths->run), ==, 0);
  stasis_paths_sweep (paths);
  assert_swept (folder, TRUE);

  g_autoptr (StasisPaths) fixed = scratch_paths (folder);
  stasis_paths_sweep (fixed);
  assert_swept (folder, TRUE);
  scratch_remove (folder);
}

static void
test_make (void)
{
  char *folder = scratch_new ();
  g_autofree char *deep = g_build_filename (folder, "a", "b", NULL);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_paths_make (deep, &error));
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (stat (deep, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0700);
  g_assert_true (stasis_paths_make (deep, &error));
  g_assert_no_error (error);

  g_autofree char *file = scratch_text (folder, "file", "");
  g_autofree char *below = g_build_filename (file, "c", NULL);
  g_assert_false (stasis_paths_make (below, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_DIRECTORY);
  g_assert_nonnull (strstr (error->message, below));
  scratch_remove (folder);
}

int
main (int argc, char **argv)
{
  /* GLib remembers them at the first use. */
  g_setenv ("XDG_CONFIG_HOME", "/xdg/config", TRUE);
  g_setenv ("XDG_DATA_HOME", "/xdg/data", TRUE);
  g_setenv ("XDG_RUNTIME_DIR", "/xdg/runtime", TRUE);
  g_setenv ("XDG_STATE_HOME", "/xdg/state", TRUE);
  g_setenv ("XDG_CACHE_HOME", "/xdg/cache", TRUE);

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (name_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/paths/name/", name_cases[i].test, NULL);
      g_test_add_data_func (test, &name_cases[i], test_name);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (path_cases); i++)
    {
      g_autofree char *test = g_strconcat ("/driver/paths/path/", path_cases[i].test, NULL);
      g_test_add_data_func (test, &path_cases[i], test_path);
    }
  g_test_add_func ("/driver/paths/distinct", test_distinct);
  g_test_add_func ("/driver/paths/relative-state-dir", test_relative_state_dir);
  g_test_add_func ("/driver/paths/kinds", test_kinds);
  g_test_add_func ("/driver/paths/session-run", test_session_run);
  g_test_add_func ("/driver/paths/sweep", test_sweep);
  g_test_add_func ("/driver/paths/make", test_make);
  return g_test_run ();
}
