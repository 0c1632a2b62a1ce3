/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-note.c: a migration that nobody decided when its source's host went down
 *
 * Theory of operation
 *
 * The journal of a running domain goes with its run folder when the host boots.  What it says of a
 * migration has to outlast that: the destination may have the guest, and nobody is to start it here
 * beside that, nor a mark for autostart.  So before anything is sent the same is written into a
 * file in LIB, LIB/migrating/UUID, and synced while the guest still runs: nothing is written for it
 * while it stands still.  Whoever decides removes it, in whatever way.  One that is left is of a
 * host that went down, of a QEMU that ended while nobody could tell, or of an undecided domain that
 * was destroyed.
 *
 * It may say more than is true, where the host went down before the destination could have all of
 * the guest; the destination has revoked then, or will, and is asked when the domain is started.
 */

#include "config.h"

#include "driver/migrate-note.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/migrate-settle.h"
#include "util/atomic-file.h"
#include "util/fd.h"

#define FOLDER        "migrating"
#define FORMAT        1
#define FILE_SIZE_MAX (64 * 1024u)
#define ASK_MS        2000 /* with the domain's lock held */

char *
stasis_migrate_note_path (const StasisPaths *paths, const char *uuid)
{
  return g_build_filename (paths->lib, FOLDER, uuid, NULL);
}

/* The name of a new folder is to last, too. */
static gboolean
make_folder (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_autofree char *parent = g_path_get_dirname (folder);
  if (!stasis_paths_make (folder, error))
    return FALSE;
  stasis_autofd int fd = stasis_fd_open (parent, O_RDONLY | O_DIRECTORY, 0, error);
  if (fd < 0)
    return FALSE;
  /* EINVAL: a file system that has no such thing, not a failure. */
  return fsync (fd) == 0 || errno == EINVAL
         || stasis_throw_errno (error, _ ("cannot sync the folder '%s'"), parent);
}

gboolean
stasis_migrate_note_write (const char *path, const StasisMigrateJournal *migration,
                           const char *name, GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_int (json, "format", FORMAT);
  stasis_json_set_string (json, "name", name);
  stasis_json_set (json, "migration", stasis_migrate_journal_to_json (migration));
  g_autofree char *text = stasis_json_to_pretty_string (json);
  if (!make_folder (path, error))
    return FALSE;
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (path, 0600, error);
  gboolean is_renamed = FALSE;
  return file != NULL
         && stasis_fd_write_exact (stasis_atomic_file_fd (file), text, strlen (text), error)
         && stasis_atomic_file_commit (file, &is_renamed, error);
}

/* Not synced: one that comes back with a host has its destination asked once more. */
void
stasis_migrate_note_remove (const char *path)
{
  if (path != NULL && unlink (path) < 0 && errno != ENOENT)
    g_warning (_ ("'%1$s' cannot be removed: %2$s"), path, g_strerror (errno));
}

static gboolean
read_text (int fd, char **out_text, gsize *out_size, GError **error)
{
  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot be read"));
  if (!S_ISREG (st.st_mode) || st.st_size > FILE_SIZE_MAX)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("it is too large"));
      return FALSE;
    }
  *out_size = (gsize) st.st_size;
  *out_text = g_malloc (*out_size + 1);
  return stasis_fd_read_exact (fd, *out_text, *out_size, error);
}

static StasisMigrateJournal *
parse (int fd, GError **error)
{
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!read_text (fd, &text, &size, error))
    return NULL;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, error);
  if (json == NULL)
    return NULL;
  const StasisJson *inner = stasis_json_get (json, "migration");
  StasisMigrateJournal *migration = inner != NULL ? stasis_migrate_journal_from_json (inner) : NULL;
  if (migration == NULL)
    g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("it names no migration"));
  return migration;
}

gboolean
stasis_migrate_note_read (const char *path, StasisMigrateJournal **out_migration, GError **error)
{
  *out_migration = NULL;
  stasis_autofd int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
    return TRUE;
  if (fd < 0)
    return stasis_throw_errno (error, _ ("cannot read '%s'"), path);
  *out_migration = parse (fd, error);
  if (*out_migration == NULL)
    g_prefix_error (error, _ ("the note of a migration '%s': "), path);
  return *out_migration != NULL;
}

gboolean
stasis_migrate_note_check (const StasisPaths *paths, const char *name, const char *uuid,
                           GCancellable *cancellable, GError **error)
{
  g_autofree char *path = stasis_migrate_note_path (paths, uuid);
  g_autoptr (StasisMigrateJournal) migration = NULL;
  if (!stasis_migrate_note_read (path, &migration, error))
    return FALSE;
  if (migration == NULL)
    return TRUE;
  g_autoptr (GError) local = NULL;
  StasisDoorAnswer answer = STASIS_DOOR_UNKNOWN;
  /* Not to revoke: what waits there may be all that is left of the guest. */
  if (!stasis_migrate_settle_ask_as (migration, STASIS_DOOR_STATUS, ASK_MS, cancellable, &answer,
                                     &local))
    g_debug ("%s", local->message);
  if (answer != STASIS_DOOR_REVOKED)
    return stasis_migrate_throw_undecided (name, error);
  stasis_migrate_note_remove (path);
  return TRUE;
}
