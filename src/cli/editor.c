/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor.c: a text in the user's editor
 *
 * Theory of operation
 *
 * The text may hold passwords, and editors leave backups and swap files beside what they edit:
 * so the file lies in a folder of mode 0700 of its own, which is emptied and removed with it.
 * Ctrl-C belongs to the editor while it runs; SIGTERM and SIGHUP end it, and the folder goes.
 */

#include "config.h"

#include "cli/editor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#include "cli/input.h"
#include "cli/signals.h"
#include "util/fd.h"

struct _StasisCliDraft
{
  char *folder; /* (owned) */
  char *path;   /* (owned): in the folder */
  gboolean keep;
};

static gboolean
write_text (const char *path, const char *text, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (path, O_WRONLY | O_CREAT | O_EXCL, 0600, error);
  return fd >= 0 && stasis_fd_write_exact (fd, text, strlen (text), error);
}

/* Put a text into a new file. */
StasisCliDraft *
stasis_cli_draft_new (const char *text, GError **error)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", error);
  if (folder == NULL)
    return NULL;

  g_autoptr (StasisCliDraft) draft = g_new0 (StasisCliDraft, 1);
  draft->folder = g_steal_pointer (&folder);
  draft->path = g_build_filename (draft->folder, "domain.xml", NULL);
  if (!write_text (draft->path, text, error))
    return NULL;
  return g_steal_pointer (&draft);
}

/* Where it lies. */
const char *
stasis_cli_draft_path (const StasisCliDraft *draft)
{
  return draft->path;
}

/* The variable that names the editor, or NULL. */
static const char *
editor_variable (void)
{
  static const char *const names[] = { "VISUAL", "EDITOR" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *value = g_getenv (names[i]);
      if (value != NULL && value[0] != '\0')
        return names[i];
    }
  return NULL;
}

static char *
find_editor (void)
{
  static const char *const names[] = { "editor", "vi", "nano" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      char *found = g_find_program_in_path (names[i]);
      if (found != NULL)
        return found;
    }
  return NULL;
}

/* Split the variable into words as a shell would, but run no shell. */
char **
stasis_cli_editor_argv (const char *path, GError **error)
{
  const char *variable = editor_variable ();
  g_auto (GStrv) words = NULL;
  if (variable != NULL)
    {
      if (!g_shell_parse_argv (g_getenv (variable), NULL, &words, error))
        {
          g_prefix_error (error, _ ("editor '%1$s', which %2$s names: "), g_getenv (variable),
                          variable);
          return NULL;
        }
    }
  else
    {
      words = g_new0 (char *, 2);
      words[0] = find_editor ();
      if (words[0] == NULL)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                       _ ("there is no editor: set VISUAL or EDITOR"));
          return NULL;
        }
    }

  g_autoptr (GPtrArray) argv = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; words[i] != NULL; i++)
    g_ptr_array_add (argv, g_strdup (words[i]));
  g_ptr_array_add (argv, g_strdup (path));
  g_ptr_array_add (argv, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&argv), FALSE);
}

/* The handler may come before the editor has a pid, and asks only then. */
typedef struct
{
  gint pid;       /* (atomic); 0 as long as there is none */
  gint was_ended; /* (atomic) */
} Running;

/* A second time, it is not asked again. */
static void
on_signal (int number, guint count, gpointer user_data)
{
  Running *running = user_data;
  if (number == SIGINT)
    return;
  const gboolean again = g_atomic_int_exchange (&running->was_ended, TRUE);
  const gint pid = g_atomic_int_get (&running->pid);
  if (pid > 0)
    kill (pid, again ? SIGKILL : SIGTERM);
}

/* GLib's text is of child processes. */
static gboolean
throw_no_start (const char *program, const GError *cause, GError **error)
{
  const char *why = cause->message;
  if (g_error_matches (cause, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT))
    why = g_strerror (ENOENT);
  else if (g_error_matches (cause, G_SPAWN_ERROR, G_SPAWN_ERROR_ACCES))
    why = g_strerror (EACCES);
  const char *variable = editor_variable ();
  if (variable != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 _ ("cannot run the editor '%1$s', which %2$s names: %3$s"), program, variable,
                 why);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("cannot run the editor '%1$s': %2$s"),
                 program, why);
  return FALSE;
}

static gboolean
start_editor (Running *running, char **argv, GError **error)
{
  GPid pid = 0;
  g_autoptr (GError) local = NULL;
  if (!g_spawn_async (NULL, argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD
                          | G_SPAWN_CHILD_INHERITS_STDIN,
                      NULL, NULL, &pid, &local))
    return throw_no_start (argv[0], local, error);
  g_atomic_int_set (&running->pid, pid);
  if (g_atomic_int_get (&running->was_ended))
    kill (pid, SIGTERM);
  return TRUE;
}

/* Run it to its end.  It is reaped only when no signal can be sent to its pid any more. */
static gboolean
run_to_end (Running *running, char **argv, int *out_status, GError **error)
{
  StasisCliSignals *signals = stasis_cli_signals_begin (/* stop= */ FALSE, on_signal, running);
  const gboolean started = start_editor (running, argv, error);
  siginfo_t info;
  if (started)
    (void) TEMP_FAILURE_RETRY (waitid (P_PID, running->pid, &info, WEXITED | WNOWAIT));
  stasis_cli_signals_end (signals);
  if (started)
    (void) TEMP_FAILURE_RETRY (waitpid (running->pid, out_status, 0));
  return started;
}

static gboolean
run_editor (char **argv, GError **error)
{
  Running running = { 0 };
  int status = 0;
  if (!run_to_end (&running, argv, &status, error))
    return FALSE;
  if (g_atomic_int_get (&running.was_ended))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _ ("cancelled: nothing was changed"));
      return FALSE;
    }
  if (WIFEXITED (status) && WEXITSTATUS (status) == 0)
    return TRUE;

  if (WIFEXITED (status))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _ ("editor '%1$s' exited with status %2$d"),
                 argv[0], WEXITSTATUS (status));
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                 _ ("editor '%1$s' was killed by signal %2$d"), argv[0], WTERMSIG (status));
  return FALSE;
}

/* Edit it. */
char *
stasis_cli_draft_edit (StasisCliDraft *draft, GError **error)
{
  g_auto (GStrv) argv = stasis_cli_editor_argv (draft->path, error);
  if (argv == NULL || !run_editor (argv, error))
    return NULL;
  return stasis_cli_read_text (draft->path, error);
}

/* It shall stay. */
void
stasis_cli_draft_keep (StasisCliDraft *draft)
{
  draft->keep = TRUE;
}

static void
remove_folder (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name = NULL;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_unlink (path);
    }
  g_rmdir (folder);
}

/* Remove it. */
void
stasis_cli_draft_free (StasisCliDraft *draft)
{
  if (draft == NULL)
    return;

  if (!draft->keep && draft->folder != NULL)
    remove_folder (draft->folder);
  g_free (draft->path);
  g_free (draft->folder);
  g_free (draft);
}
