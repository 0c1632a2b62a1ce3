/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * edit.c: fetch a definition, let the user edit it, put it back
 *
 * Theory of operation
 *
 * Edit, compare, apply; where that fails and a person sits at the terminal, ask what to do, so
 * that a slip does not cost the whole work.  Without a terminal nobody can be asked: the command
 * fails and says where the edited text was kept, and what takes it once it is right.
 */

#include "config.h"

#include "cli/edit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/editor.h"
#include "cli/input.h"
#include "util/error.h"

typedef enum
{
  ANSWER_AGAIN,
  ANSWER_GIVE_UP,
  ANSWER_FORCE,
} Answer;

static gboolean
is_interactive (void)
{
  return isatty (STDIN_FILENO) && isatty (STDERR_FILENO);
}

static void
explain_answers (void)
{
  fputs (_ ("y - yes, start editor again\n"
            "n - no, throw away my changes\n"
            "f - force, try to redefine again\n"
            "? - print this help\n"),
         stderr);
}

static Answer
ask (void)
{
  for (;;)
    {
      fprintf (stderr, "%s %s", _ ("Failed. Try again?"), "[y,n,f,?]: ");
      fflush (stderr);
      char line[80] = "";
      if (fgets (line, sizeof line, stdin) == NULL)
        return ANSWER_GIVE_UP;
      switch (g_ascii_tolower (line[0]))
        {
        case 'y':
          return ANSWER_AGAIN;
        case 'n':
          return ANSWER_GIVE_UP;
        case 'f':
          return ANSWER_FORCE;
        default:
          explain_answers ();
        }
    }
}

static gboolean
apply (const StasisCliEditOps *ops, gpointer data, const char *before, const char *after,
       gboolean force, GError **error)
{
  if (!force)
    {
      g_autofree char *now = ops->fetch (data, error);
      if (now == NULL)
        return FALSE;
      if (strcmp (now, before) != 0)
        {
          g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                       _ ("the XML configuration was changed by another user"));
          return FALSE;
        }
    }
  return ops->apply (data, after, error);
}

/* The user's work is not thrown away without asking: @error says where it is, and what takes it. */
static void
keep_draft (const StasisCliEditOps *ops, gpointer data, StasisCliDraft *draft, GError *error)
{
  const char *path = stasis_cli_draft_path (draft);
  g_autofree char *word = stasis_cli_shell_word (path);
  g_autofree char *command = ops->command (data, word);
  stasis_cli_draft_keep (draft);
  stasis_error_set_message (
      error, g_strdup_printf (
                 _ ("%1$s\nthe edited text is kept in '%2$s'; once it is right, '%3$s' takes it"),
                 error->message, path, command));
}

/* Apply until it works or the user gives up.  *@out_again: edit once more. */
static gboolean
try_apply (StasisCli *cli, const StasisCliEditOps *ops, gpointer data, StasisCliDraft *draft,
           const char *before, const char *after, gboolean *out_again, GError **error)
{
  gboolean force = FALSE;
  for (;;)
    {
      g_autoptr (GError) failure = NULL;
      if (apply (ops, data, before, after, force, &failure))
        return TRUE;
      if (!is_interactive ())
        {
          keep_draft (ops, data, draft, failure);
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }

      stasis_cli_report (cli, failure);
      const Answer answer = ask ();
      if (answer == ANSWER_AGAIN)
        {
          *out_again = TRUE;
          return TRUE;
        }
      if (answer == ANSWER_GIVE_UP)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("the changes were thrown away"));
          return FALSE;
        }
      force = TRUE;
    }
}

/* An editor may fail after it has written; one that was ended leaves nothing, as its user wants. */
static char *
edit_draft (const StasisCliEditOps *ops, gpointer data, StasisCliDraft *draft, const char *before,
            GError **error)
{
  GError *failure = NULL;
  char *after = stasis_cli_draft_edit (draft, &failure);
  if (after != NULL)
    return after;

  g_autofree char *text = NULL;
  if (!g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_CANCELLED)
      && g_file_get_contents (stasis_cli_draft_path (draft), &text, NULL, NULL)
      && strcmp (text, before) != 0)
    keep_draft (ops, data, draft, failure);
  g_propagate_error (error, failure);
  return NULL;
}

/* Edit a definition. */
gboolean
stasis_cli_edit (StasisCli *cli, const StasisCliEditOps *ops, gpointer data, gboolean *out_changed,
                 GError **error)
{
  g_autofree char *before = ops->fetch (data, error);
  if (before == NULL)
    return FALSE;
  g_autoptr (StasisCliDraft) draft = stasis_cli_draft_new (before, error);
  if (draft == NULL)
    return FALSE;

  for (;;)
    {
      g_autofree char *after = edit_draft (ops, data, draft, before, error);
      if (after == NULL)
        return FALSE;
      if (strcmp (before, after) == 0)
        {
          *out_changed = FALSE;
          return TRUE;
        }

      gboolean again = FALSE;
      if (!try_apply (cli, ops, data, draft, before, after, &again, error))
        return FALSE;
      if (!again)
        {
          *out_changed = TRUE;
          return TRUE;
        }
    }
}
