/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-verdict.c: what the destination has decided of a migration, for good
 *
 * Theory of operation
 *
 * Once QEMU may send the state of the devices, both hosts may have a complete guest.  Which of them
 * lets it run is decided at one place: a file on the destination, named by the migration's token,
 * which says "begun" or "revoked".  It is written and synced under a hidden name, and then linked
 * to its own; link() fails where the name is there, so one verdict only is ever given, however many
 * processes try, and it is never changed.
 *
 * Nobody acts on a verdict that a crash of the host could take back: who has made one, and who has
 * found one, syncs the folder first.  For who found it may have done so between the other's link()
 * and his fsync().
 *
 * A source may ask long after, so nothing is forgotten that is younger than a month.  What is older
 * is not looked for here, for a guest may stand still while it is decided, but by Prepare.
 */

#include "config.h"

#include "driver/migrate-verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-prepared.h"
#include "driver/migrate-token.h"
#include "util/fault.h"
#include "util/fd.h"
#include "util/json.h"

#define FOLDER        "migrations"
#define FORMAT        1
#define FILE_SIZE_MAX 4096u
#define KEEP_S        (G_GINT64_CONSTANT (31) * 24 * 3600)
#define TEMP_KEEP_S   (G_GINT64_CONSTANT (24) * 3600)
#define TEMP_PREFIX   ".verdict-"

static const char *const words[] = { "open", "begun", "revoked" };

const char *
stasis_verdict_to_string (StasisVerdict verdict)
{
  return words[verdict];
}

char *
stasis_migrate_verdicts (const StasisPaths *paths)
{
  return g_build_filename (paths->lib, FOLDER, NULL);
}

static gboolean
sync_folder (const char *folder, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (folder, O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return FALSE;
  return fsync (fd) == 0 || stasis_throw_errno (error, _ ("cannot sync the folder '%s'"), folder);
}

/* Of a new folder the name is to last, too. */
static gboolean
make_folder (const char *folder, GError **error)
{
  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_autofree char *parent = g_path_get_dirname (folder);
  return stasis_paths_make (folder, error) && sync_folder (parent, error);
}

static gboolean
verdict_from_text (const char *text, gsize size, const char *token, StasisVerdict *out_verdict,
                   GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, error);
  const char *word = NULL;
  const char *own = NULL;
  if (json == NULL || !stasis_json_need_string (json, "verdict", &word, error)
      || !stasis_json_need_string (json, "token", &own, error))
    return FALSE;
  for (guint i = STASIS_VERDICT_BEGUN; i < G_N_ELEMENTS (words); i++)
    if (g_str_equal (word, words[i]) && g_str_equal (own, token))
      {
        *out_verdict = (StasisVerdict) i;
        return TRUE;
      }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("unknown verdict '%s'"), word);
  return FALSE;
}

static gboolean
read_verdict (const char *folder, const char *token, StasisVerdict *out_verdict, GError **error)
{
  g_autofree char *path = g_build_filename (folder, token, NULL);
  stasis_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT)
    {
      *out_verdict = STASIS_VERDICT_OPEN;
      return TRUE;
    }
  struct stat st;
  char text[FILE_SIZE_MAX];
  if (fd < 0 || fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot read '%s'"), path);
  const gsize size = (gsize) MIN ((guint64) st.st_size, sizeof text);
  if (stasis_fd_read_exact (fd, text, size, error)
      && verdict_from_text (text, size, token, out_verdict, error))
    return TRUE;
  g_prefix_error (error, _ ("verdict '%s': "), path);
  return FALSE;
}

gboolean
stasis_migrate_verdict_get (const char *folder, const char *token, StasisVerdict *out_verdict,
                            GError **error)
{
  StasisVerdict verdict = STASIS_VERDICT_OPEN;
  if (!stasis_migrate_token_check (token, error) || !read_verdict (folder, token, &verdict, error)
      || (verdict != STASIS_VERDICT_OPEN && !sync_folder (folder, error)))
    return FALSE;
  *out_verdict = verdict;
  return TRUE;
}

static char *
to_text (const char *token, StasisVerdict verdict, const char *name, const char *uuid)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *when = g_date_time_format_iso8601 (now);
  stasis_json_set_int (json, "format", FORMAT);
  stasis_json_set_string (json, "token", token);
  stasis_json_set_string (json, "verdict", words[verdict]);
  if (name != NULL)
    stasis_json_set_string (json, "name", name);
  if (uuid != NULL)
    stasis_json_set_string (json, "uuid", uuid);
  stasis_json_set_string (json, "time", when);
  return stasis_json_to_string (json);
}

/* FALSE with *@out_is_late TRUE where somebody has decided. */
static gboolean
link_verdict (const char *folder, const char *token, const char *text, gboolean *out_is_late,
              GError **error)
{
  g_autofree char *path = g_build_filename (folder, token, NULL);
  g_autofree char *temp = g_strdup_printf ("%s/" TEMP_PREFIX "XXXXXX", folder);
  stasis_autofd int fd = g_mkstemp_full (temp, O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return stasis_throw_errno (error, _ ("cannot make a file in '%s'"), folder);
  gboolean ok = stasis_fd_write_exact (fd, text, strlen (text), error);
  if (ok && fsync (fd) < 0)
    ok = stasis_throw_errno (error, _ ("cannot sync '%s'"), temp);
  if (ok && link (temp, path) < 0)
    {
      *out_is_late = errno == EEXIST;
      ok = *out_is_late ? FALSE : stasis_throw_errno (error, _ ("cannot make '%s'"), path);
    }
  unlink (temp);
  return ok;
}

gboolean
stasis_migrate_verdict_decide (const char *folder, const char *token, StasisVerdict wish,
                               const char *name, const char *uuid, StasisVerdict *out_verdict,
                               GError **error)
{
  g_return_val_if_fail (wish != STASIS_VERDICT_OPEN, FALSE);
  StasisVerdict holds = STASIS_VERDICT_OPEN;
  if (!stasis_migrate_token_check (token, error) || !make_folder (folder, error)
      || !stasis_migrate_verdict_get (folder, token, &holds, error))
    return FALSE;
  if (holds == STASIS_VERDICT_OPEN)
    {
      g_autofree char *text = to_text (token, wish, name, uuid);
      gboolean is_late = FALSE;
      if ((!link_verdict (folder, token, text, &is_late, error) && !is_late)
          || !stasis_fault ("migrate-verdict", error)
          || !stasis_migrate_verdict_get (folder, token, &holds, error))
        return FALSE;
    }
  if (holds == STASIS_VERDICT_OPEN)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                   _ ("the verdict on a migration was removed from '%s'"), folder);
      return FALSE;
    }
  *out_verdict = holds;
  return TRUE;
}

typedef struct
{
  char *name; /* (owned) */
  gint64 written_s;
} Entry;

static void
entry_clear (gpointer data)
{
  Entry *entry = data;
  g_free (entry->name);
}

static gint
youngest_first (gconstpointer a, gconstpointer b)
{
  const Entry *x = a;
  const Entry *y = b;
  return x->written_s > y->written_s ? -1 : x->written_s < y->written_s;
}

/* Verdicts; what a process that was killed has left under a hidden name is removed. */
static GArray *
list_entries (GDir *dir, const char *folder, gint64 now_s)
{
  GArray *entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (entries, entry_clear);
  const char *name;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      struct stat st;
      if (lstat (path, &st) < 0)
        continue;
      if (g_str_has_prefix (name, TEMP_PREFIX) && st.st_mtime + TEMP_KEEP_S < now_s)
        unlink (path);
      if (!stasis_migrate_token_is_valid (name))
        continue;
      const Entry entry = { g_strdup (name), st.st_mtime };
      g_array_append_val (entries, entry);
    }
  return entries;
}

/* What was prepared as long ago, and never had a verdict. */
static void
prune_prepared (const char *folder, gint64 now_s)
{
  g_autoptr (GPtrArray) tokens = stasis_paths_names (folder, STASIS_MIGRATE_PREPARED_SUFFIX, NULL);
  for (guint i = 0; tokens != NULL && i < tokens->len; i++)
    {
      const char *token = g_ptr_array_index (tokens, i);
      g_autofree char *verdict = g_build_filename (folder, token, NULL);
      g_autofree char *path = g_strconcat (verdict, STASIS_MIGRATE_PREPARED_SUFFIX, NULL);
      struct stat st;
      if (!stasis_migrate_token_is_valid (token) || lstat (path, &st) < 0
          || st.st_mtime + KEEP_S >= now_s || g_file_test (verdict, G_FILE_TEST_EXISTS))
        continue;
      if (unlink (path) < 0)
        g_debug ("'%s': %s", path, g_strerror (errno));
    }
}

/* Its secret first: who can still prove that he is its source would be told "revoked" else,
 * although it has begun here. */
static void
forget (const char *folder, const char *token)
{
  g_autofree char *path = g_build_filename (folder, token, NULL);
  g_autofree char *prepared = g_strconcat (path, STASIS_MIGRATE_PREPARED_SUFFIX, NULL);
  if (unlink (prepared) < 0 && errno != ENOENT)
    g_debug ("'%s': %s", prepared, g_strerror (errno));
  else if (unlink (path) < 0)
    g_debug ("'%s': %s", path, g_strerror (errno));
}

void
stasis_migrate_verdict_prune (const char *folder, guint keep)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  if (dir == NULL)
    return;
  const gint64 now_s = g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (GArray) entries = list_entries (dir, folder, now_s);
  g_array_sort (entries, youngest_first);
  for (guint i = keep; i < entries->len; i++)
    {
      const Entry *entry = &g_array_index (entries, Entry, i);
      if (entry->written_s + KEEP_S < now_s)
        forget (folder, entry->name);
    }
  prune_prepared (folder, now_s);
}
