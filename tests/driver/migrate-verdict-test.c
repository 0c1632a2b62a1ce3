/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-verdict-test.c: tests of src/driver/migrate-verdict.c and migrate-token.c
 */

#include "config.h"

#include "driver/migrate-verdict.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <stasis/error.h>

#include "driver/migrate-token.h"
#include "scratch.h"

#define MONTH_S (31 * 24 * 3600)
#define RACERS  8

typedef struct
{
  char *root;
  char *folder;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->root = scratch_new ();
  g_autoptr (StasisPaths) paths = scratch_paths (f->root);
  f->folder = stasis_migrate_verdicts (paths);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_free (f->folder);
  scratch_remove (f->root);
}

static char *
new_token (void)
{
  g_autoptr (GError) error = NULL;
  char *token = stasis_migrate_token_new (&error);
  g_assert_no_error (error);
  g_assert_true (stasis_migrate_token_is_valid (token));
  return token;
}

static StasisVerdict
get (const Fixture *f, const char *token)
{
  g_autoptr (GError) error = NULL;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  g_assert_true (stasis_migrate_verdict_get (f->folder, token, &verdict, &error));
  g_assert_no_error (error);
  return verdict;
}

static StasisVerdict
decide (const Fixture *f, const char *token, StasisVerdict wish, const char *name)
{
  g_autoptr (GError) error = NULL;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  g_assert_true (
      stasis_migrate_verdict_decide (f->folder, token, wish, name, "uuid", &verdict, &error));
  g_assert_no_error (error);
  return verdict;
}

static void
test_tokens (void)
{
  g_autofree char *a = new_token ();
  g_autofree char *b = new_token ();
  g_assert_cmpstr (a, !=, b);
  g_assert_true (stasis_migrate_token_equal (a, a, strlen (a)));
  g_assert_false (stasis_migrate_token_equal (a, b, strlen (a)));
  g_assert_false (stasis_migrate_token_is_valid (NULL));
  g_assert_false (stasis_migrate_token_is_valid (""));
  g_assert_false (stasis_migrate_token_is_valid ("../../../../../../../../../etc/p"));
  g_assert_false (stasis_migrate_token_is_valid ("0123456789ABCDEF0123456789ABCDEF"));
  g_assert_false (stasis_migrate_token_is_valid ("0123456789abcdef0123456789abcdef0"));
}

static void
test_first_holds (Fixture *f, gconstpointer data)
{
  g_autofree char *begun = new_token ();
  g_autofree char *revoked = new_token ();
  g_assert_cmpint (get (f, begun), ==, STASIS_VERDICT_OPEN);
  g_assert_cmpint (decide (f, begun, STASIS_VERDICT_BEGUN, "web"), ==, STASIS_VERDICT_BEGUN);
  g_assert_cmpint (decide (f, begun, STASIS_VERDICT_REVOKED, "web"), ==, STASIS_VERDICT_BEGUN);
  g_assert_cmpint (get (f, begun), ==, STASIS_VERDICT_BEGUN);

  /* Never heard of: whoever comes late with it is refused. */
  g_assert_cmpint (decide (f, revoked, STASIS_VERDICT_REVOKED, NULL), ==, STASIS_VERDICT_REVOKED);
  g_assert_cmpint (decide (f, revoked, STASIS_VERDICT_BEGUN, "web"), ==, STASIS_VERDICT_REVOKED);
  g_assert_cmpint (get (f, revoked), ==, STASIS_VERDICT_REVOKED);

  /* For people. */
  g_autofree char *path = g_build_filename (f->folder, begun, NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "\"begun\""));
  g_assert_nonnull (strstr (text, "\"web\""));
  g_assert_nonnull (strstr (text, "\"uuid\""));
  struct stat st;
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode & 07777, ==, 0600);
}

static void
race (const Fixture *f, const char *token, guint number, int go, int result)
{
  char octet;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  if (read (go, &octet, 1) != 0)
    _exit (1);
  if (!stasis_migrate_verdict_decide (f->folder, token,
                                      number % 2 ? STASIS_VERDICT_BEGUN : STASIS_VERDICT_REVOKED,
                                      "web", NULL, &verdict, NULL))
    _exit (1);
  octet = (char) verdict;
  _exit (write (result, &octet, 1) == 1 ? 0 : 1);
}

/* Many processes at once, some of them killed: those who got an answer got the same one, which
 * holds. */
static void
test_race (Fixture *f, gconstpointer data)
{
  for (guint round = 0; round < 20; round++)
    {
      g_autofree char *token = new_token ();
      int go[2];
      int result[2];
      pid_t pids[RACERS];
      char seen[RACERS];
      gssize n_seen = 0;
      g_assert_cmpint (pipe (go), ==, 0);
      g_assert_cmpint (pipe (result), ==, 0);
      for (guint i = 0; i < RACERS; i++)
        {
          pids[i] = fork ();
          if (pids[i] == 0)
            {
              close (go[1]);
              race (f, token, i, go[0], result[1]);
            }
        }
      close (go[1]);
      close (go[0]);
      close (result[1]);
      for (guint i = 0; i < RACERS / 2; i++)
        kill (pids[i], SIGKILL);
      for (guint i = 0; i < RACERS; i++)
        waitpid (pids[i], NULL, 0);
      gssize n;
      while ((n = read (result[0], seen + n_seen, sizeof seen - (gsize) n_seen)) > 0)
        n_seen += n;
      close (result[0]);
      g_assert_cmpint (n_seen, >=, RACERS / 2);
      const StasisVerdict holds = get (f, token);
      g_assert_cmpint (holds, !=, STASIS_VERDICT_OPEN);
      for (gssize i = 0; i < n_seen; i++)
        g_assert_cmpint (seen[i], ==, holds);
    }
}

/* Nothing is guessed. */
static void
test_damaged (Fixture *f, gconstpointer data)
{
  static const char *const texts[] = {
    "",
    "begun",
    "{}",
    "{\"verdict\":\"begun\",\"token\":\"0123456789abcdef0123456789abcdeX\"}",
    "{\"verdict\":\"open\",\"token\":\"0123456789abcdef0123456789abcdef\"}",
    "{\"verdict\":1,\"token\":\"0123456789abcdef0123456789abcdef\"}",
  };
  static const char token[] = "0123456789abcdef0123456789abcdef";
  g_assert_true (stasis_paths_make (f->folder, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      StasisVerdict verdict = STASIS_VERDICT_OPEN;
      g_free (scratch_text (f->folder, token, texts[i]));
      g_assert_false (stasis_migrate_verdict_get (f->folder, token, &verdict, &error));
      g_assert_nonnull (strstr (error->message, token));
      g_clear_error (&error);
      g_assert_false (stasis_migrate_verdict_decide (f->folder, token, STASIS_VERDICT_REVOKED, "w",
                                                     NULL, &verdict, &error));
      g_assert_nonnull (error);
    }
}

static void
test_bad_token (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  g_assert_false (stasis_migrate_verdict_decide (f->folder, "../x", STASIS_VERDICT_BEGUN, "w", NULL,
                                                 &verdict, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_false (stasis_migrate_verdict_get (f->folder, "", &verdict, &error));
  g_assert_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT);
}

/* Where it cannot be kept nobody is told that it was decided. */
static void
test_no_folder (Fixture *f, gconstpointer data)
{
  g_autofree char *token = new_token ();
  g_autofree char *file = scratch_text (f->root, "file", "");
  g_autofree char *folder = g_build_filename (file, "migrations", NULL);
  g_autoptr (GError) error = NULL;
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  g_assert_false (stasis_migrate_verdict_decide (folder, token, STASIS_VERDICT_BEGUN, "w", NULL,
                                                 &verdict, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (verdict, ==, STASIS_VERDICT_OPEN);
}

static void
set_age (const Fixture *f, const char *name, gint64 age_s)
{
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  const time_t then = (time_t) (g_get_real_time () / G_USEC_PER_SEC - age_s);
  const struct utimbuf times = { then, then };
  g_assert_cmpint (utime (path, &times), ==, 0);
}

static gboolean
has_prepared (const Fixture *f, const char *token)
{
  g_autofree char *name = g_strconcat (token, ".prepared", NULL);
  g_autofree char *path = g_build_filename (f->folder, name, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
test_prune (Fixture *f, gconstpointer data)
{
  g_autofree char *old = new_token ();
  g_autofree char *older = new_token ();
  g_autofree char *young = new_token ();
  g_autofree char *younger = new_token ();
  decide (f, older, STASIS_VERDICT_BEGUN, "web");
  decide (f, old, STASIS_VERDICT_BEGUN, "web");
  decide (f, young, STASIS_VERDICT_BEGUN, "web");
  decide (f, younger, STASIS_VERDICT_BEGUN, "web");
  set_age (f, older, 3 * MONTH_S);
  set_age (f, old, 2 * MONTH_S);
  set_age (f, young, MONTH_S - 60);
  g_free (scratch_text (f->folder, ".verdict-left", ""));
  g_free (scratch_text (f->folder, ".verdict-new", ""));
  set_age (f, ".verdict-left", MONTH_S);
  g_autofree char *lost = g_strdup_printf ("%032x", 1);
  for (guint i = 0; i < 3; i++)
    {
      const char *of = i == 0 ? older : i == 1 ? old : lost;
      g_autofree char *name = g_strconcat (of, ".prepared", NULL);
      g_free (scratch_text (f->folder, name, ""));
      set_age (f, name, 2 * MONTH_S);
    }

  stasis_migrate_verdict_prune (f->folder, 3);
  g_assert_cmpint (get (f, older), ==, STASIS_VERDICT_OPEN);
  g_assert_cmpint (get (f, old), ==, STASIS_VERDICT_BEGUN);
  g_assert_false (has_prepared (f, older));
  g_assert_true (has_prepared (f, old));
  g_assert_false (has_prepared (f, lost));
  stasis_migrate_verdict_prune (f->folder, 1);
  g_assert_cmpint (get (f, old), ==, STASIS_VERDICT_OPEN);
  g_assert_cmpint (get (f, young), ==, STASIS_VERDICT_BEGUN);
  g_assert_cmpint (get (f, younger), ==, STASIS_VERDICT_BEGUN);

  g_autofree char *left = g_build_filename (f->folder, ".verdict-left", NULL);
  g_autofree char *new = g_build_filename (f->folder, ".verdict-new", NULL);
  g_assert_false (g_file_test (left, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (new, G_FILE_TEST_EXISTS));
}

/* Who has its secret would be told that it was revoked. */
static void
test_prune_secret_first (Fixture *f, gconstpointer data)
{
  g_autofree char *token = new_token ();
  g_autofree char *name = g_strconcat (token, ".prepared", NULL);
  g_autofree char *prepared = g_build_filename (f->folder, name, NULL);
  decide (f, token, STASIS_VERDICT_BEGUN, "web");
  set_age (f, token, 2 * MONTH_S);
  g_assert_cmpint (mkdir (prepared, 0700), ==, 0); /* it cannot be removed as a file is */
  stasis_migrate_verdict_prune (f->folder, 0);
  g_assert_cmpint (get (f, token), ==, STASIS_VERDICT_BEGUN);
  g_assert_cmpint (rmdir (prepared), ==, 0);
  /* Of whatever age. */
  g_free (scratch_text (f->folder, name, ""));
  stasis_migrate_verdict_prune (f->folder, 0);
  g_assert_cmpint (get (f, token), ==, STASIS_VERDICT_OPEN);
  g_assert_false (has_prepared (f, token));
}

/* A guest may stand still meanwhile. */
static void
test_decide_forgets_nothing (Fixture *f, gconstpointer data)
{
  g_autofree char *token = new_token ();
  g_autofree char *oldest = g_strdup_printf ("%032x", 0);
  g_autofree char *path = g_build_filename (f->folder, oldest, NULL);
  g_assert_true (stasis_paths_make (f->folder, NULL));
  for (guint i = 0; i < STASIS_VERDICTS_KEEP + 1; i++)
    {
      g_autofree char *name = g_strdup_printf ("%032x", i);
      g_free (scratch_text (f->folder, name, ""));
      set_age (f, name, 3 * MONTH_S - i);
    }
  decide (f, token, STASIS_VERDICT_BEGUN, "web");
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  stasis_migrate_verdict_prune (f->folder, STASIS_VERDICTS_KEEP);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

#define ADD(name, func) g_test_add (name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/migrate-verdict/tokens", test_tokens);
  ADD ("/driver/migrate-verdict/first-holds", test_first_holds);
  ADD ("/driver/migrate-verdict/race", test_race);
  ADD ("/driver/migrate-verdict/damaged", test_damaged);
  ADD ("/driver/migrate-verdict/bad-token", test_bad_token);
  ADD ("/driver/migrate-verdict/no-folder", test_no_folder);
  ADD ("/driver/migrate-verdict/prune", test_prune);
  ADD ("/driver/migrate-verdict/prune-secret-first", test_prune_secret_first);
  ADD ("/driver/migrate-verdict/decide-forgets-nothing", test_decide_forgets_nothing);
  return g_test_run ();
}
