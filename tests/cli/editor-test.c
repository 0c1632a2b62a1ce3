/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-test.c: which editor, and what becomes of the file
 */

#include "config.h"

#include "cli/editor.h"

#include <glib/gstdio.h>

static void
test_argv (void)
{
  static const struct
  {
    const char *visual;
    const char *editor;
    const char *argv; /* joined by '|' */
  } cases[] = {
    { "vis", "ed", "vis|/f" },
    { "", "ed", "ed|/f" },
    { NULL, "ed -x", "ed|-x|/f" },
    { NULL, "'/my dir/ed' \"a b\"", "/my dir/ed|a b|/f" },
    { NULL, "ed; rm $HOME", "ed;|rm|$HOME|/f" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_unsetenv ("VISUAL");
      if (cases[i].visual != NULL)
        g_setenv ("VISUAL", cases[i].visual, TRUE);
      g_setenv ("EDITOR", cases[i].editor, TRUE);
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) argv = stasis_cli_editor_argv ("/f", &error);
      g_assert_no_error (error);
      g_autofree char *joined = g_strjoinv ("|", argv);
      g_assert_cmpstr (joined, ==, cases[i].argv);
    }
  g_unsetenv ("VISUAL");
}

static void
test_bad_variable (void)
{
  g_setenv ("EDITOR", "ed '", TRUE);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_cli_editor_argv ("/f", &error));
  g_assert_error (error, G_SHELL_ERROR, G_SHELL_ERROR_BAD_QUOTING);
}

static void
test_fallback (void)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-cli-XXXXXX", NULL);
  g_autofree char *vi = g_build_filename (folder, "vi", NULL);
  g_autofree char *path = g_strdup (g_getenv ("PATH"));
  g_unsetenv ("EDITOR");
  g_setenv ("PATH", folder, TRUE);
  g_autoptr (GError) error = NULL;
  g_assert_null (stasis_cli_editor_argv ("/f", &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);

  g_assert_true (g_file_set_contents_full (vi, "", 0, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
  g_auto (GStrv) argv = stasis_cli_editor_argv ("/f", NULL);
  g_assert_cmpstr (argv[0], ==, vi);
  g_setenv ("PATH", path, TRUE);
  g_unlink (vi);
  g_rmdir (folder);
}

static void
test_private (void)
{
  g_autoptr (GError) error = NULL;
  StasisCliDraft *draft = stasis_cli_draft_new ("<domain/>", &error);
  g_assert_no_error (error);
  g_autofree char *path = g_strdup (stasis_cli_draft_path (draft));
  g_autofree char *folder = g_path_get_dirname (path);
  GStatBuf info;
  g_assert_no_errno (g_stat (path, &info));
  g_assert_cmphex (info.st_mode & 07777, ==, 0600);
  g_assert_no_errno (g_stat (folder, &info));
  g_assert_cmphex (info.st_mode & 07777, ==, 0700);
  stasis_cli_draft_free (draft);
  g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
}

/* Editors replace the file by a new one and leave backups beside it. */
static void
test_edit (void)
{
  g_setenv ("EDITOR", "sh -c 'cp \"$0\" \"$0~\"; echo new >\"$0.t\"; mv \"$0.t\" \"$0\"'", TRUE);
  g_autoptr (GError) error = NULL;
  StasisCliDraft *draft = stasis_cli_draft_new ("old", &error);
  g_autofree char *folder = g_path_get_dirname (stasis_cli_draft_path (draft));
  g_autofree char *text = stasis_cli_draft_edit (draft, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "new\n");
  stasis_cli_draft_free (draft);
  g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
}

static void
test_failures (void)
{
  static const char *const editors[] = { "false", "sh -c 'kill -9 $$'", "/nonexistent/editor" };
  for (guint i = 0; i < G_N_ELEMENTS (editors); i++)
    {
      g_setenv ("EDITOR", editors[i], TRUE);
      g_autoptr (GError) error = NULL;
      StasisCliDraft *draft = stasis_cli_draft_new ("old", &error);
      g_autofree char *folder = g_path_get_dirname (stasis_cli_draft_path (draft));
      g_assert_null (stasis_cli_draft_edit (draft, &error));
      g_assert_nonnull (error);
      stasis_cli_draft_free (draft);
      g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
    }
}

/* SIGTERM ends the editor and leaves nothing behind. */
static void
test_signals (void)
{
  g_setenv ("EDITOR", "sh -c 'kill -INT $PPID; kill -TERM $PPID; exec sleep 60'", TRUE);
  g_autoptr (GError) error = NULL;
  StasisCliDraft *draft = stasis_cli_draft_new ("old", &error);
  g_autofree char *folder = g_path_get_dirname (stasis_cli_draft_path (draft));
  g_assert_null (stasis_cli_draft_edit (draft, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  stasis_cli_draft_free (draft);
  g_assert_false (g_file_test (folder, G_FILE_TEST_EXISTS));
}

/* Ctrl-C while the editor runs is the editor's affair. */
static void
test_interrupt (void)
{
  g_setenv ("EDITOR", "sh -c 'kill -INT $PPID; sleep 0.1; echo new >\"$0\"'", TRUE);
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisCliDraft) draft = stasis_cli_draft_new ("old", &error);
  g_autofree char *text = stasis_cli_draft_edit (draft, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "new\n");
}

static void
test_keep (void)
{
  StasisCliDraft *draft = stasis_cli_draft_new ("work", NULL);
  g_autofree char *path = g_strdup (stasis_cli_draft_path (draft));
  g_autofree char *folder = g_path_get_dirname (path);
  stasis_cli_draft_keep (draft);
  stasis_cli_draft_free (draft);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  g_unlink (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/editor/argv", test_argv);
  g_test_add_func ("/cli/editor/bad-variable", test_bad_variable);
  g_test_add_func ("/cli/editor/fallback", test_fallback);
  g_test_add_func ("/cli/editor/private", test_private);
  g_test_add_func ("/cli/editor/edit", test_edit);
  g_test_add_func ("/cli/editor/failures", test_failures);
  g_test_add_func ("/cli/editor/signals", test_signals);
  g_test_add_func ("/cli/editor/interrupt", test_interrupt);
  g_test_add_func ("/cli/editor/keep", test_keep);
  return g_test_run ();
}
