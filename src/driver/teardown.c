/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * teardown.c: the end of a running domain
 *
 * Theory of operation
 *
 * Whoever holds the domain's lock may do it: the driver that ended QEMU, the supervisor that saw
 * it end, or the next command that finds what they left.  Any of them may die in the middle, so
 * every step can be repeated: the last file says which run it is of and is not written twice, and
 * status.json, by which the others see that something is left to do, goes last from the folder.
 * Hooks are called once by all of them together (hook-marks.c).
 */

#include "config.h"

#include "driver/teardown.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/bound-sockets.h"
#include "driver/hook.h"
#include "driver/overlay-folder.h"
#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/json.h"

#define END_REASON_FILE "end-reason"
#define END_REASON_MAX  64u /* octets */
#define STATUS_FILE     "status.json"
#define GRACE_MS        3000
#define REMOVE_TRIES    20u
#define DEPTH_MAX       16u /* folders in folders; we make none */
#define LAST_FORMAT     1

/* Note why QEMU is about to be ended. */
gboolean
stasis_end_reason_write (const char *folder, const char *reason, GError **error)
{
  g_autofree char *path = g_build_filename (folder, END_REASON_FILE, NULL);
  return stasis_atomic_file_write (path, reason, strlen (reason), 0600, error);
}

/* It goes on after all. */
void
stasis_end_reason_clear (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, END_REASON_FILE, NULL);
  unlink (path);
}

/* The reason that was noted. */
char *
stasis_end_reason_read (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, END_REASON_FILE, NULL);
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
  if (fd < 0)
    return NULL;

  char text[END_REASON_MAX + 1] = { 0 };
  if (read (fd, text, END_REASON_MAX) <= 0 || !g_utf8_validate (text, -1, NULL))
    return NULL;
  return g_strdup (g_strstrip (text));
}

static gboolean
end_process (const StasisStatus *status, const StasisProcess *qemu, GError **error)
{
  if (qemu->pid == 0)
    return TRUE;

  g_autoptr (GError) local = NULL;
  stasis_autofd int pidfd = stasis_process_open (qemu, &local);
  if (pidfd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  if (pidfd < 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (stasis_process_end (pidfd, GRACE_MS))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("QEMU of domain '%1$s' (process %2$d) does not end"), status->name,
               (int) qemu->pid);
  return FALSE;
}

/* And the one beside it, between which and it the guest is handed over. */
static gboolean
end_qemu (const StasisStatus *status, GError **error)
{
  return end_process (status, &status->journal.beside, error)
         && end_process (status, &status->qemu, error);
}

/* (nullable) What the last file says. */
static StasisJson *
read_last (const char *path)
{
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return NULL;
  return stasis_json_parse (text, (gssize) size, NULL);
}

/* TRUE where the last file is of this very run already. */
static gboolean
is_last_written (const StasisStatus *status)
{
  g_autoptr (StasisJson) json = read_last (status->last);
  return json != NULL && stasis_json_int (stasis_json_get (json, "id"), -1) == status->id
         && stasis_json_int (stasis_json_get (json, "started"), -1) == status->started_us;
}

/* Why the last run ended. */
const char *
stasis_last_read_reason (const char *path, int id)
{
  g_autoptr (StasisJson) json = read_last (path);
  if (json == NULL || (id != 0 && stasis_json_int (stasis_json_get (json, "id"), -1) != id))
    return NULL;
  const char *reason = stasis_json_string (stasis_json_get (json, "reason"), NULL);
  return reason != NULL ? g_intern_string (reason) : NULL;
}

/* Nobody can ask for a domain without a definition when it has ended. */
static void
forget (const StasisStatus *status)
{
  if (status->last != NULL)
    unlink (status->last);
  if (status->last_job != NULL)
    unlink (status->last_job);
}

static gboolean
write_last (const StasisStatus *status, const char *folder, const char *fallback_reason,
            GError **error)
{
  if (status->is_transient)
    {
      forget (status);
      return TRUE;
    }
  if (status->last == NULL || is_last_written (status))
    return TRUE;

  g_autofree char *noted = stasis_end_reason_read (folder);
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_int (json, "format", LAST_FORMAT);
  stasis_json_set_string (json, "name", status->name);
  stasis_json_set_string (json, "uuid", status->uuid);
  stasis_json_set_int (json, "id", status->id);
  stasis_json_set_string (json, "state", "shutoff");
  stasis_json_set_string (json, "reason", noted != NULL ? noted : fallback_reason);
  stasis_json_set_int (json, "started", status->started_us);
  stasis_json_set_int (json, "ended", g_get_real_time ());

  g_autofree char *text = stasis_json_to_pretty_string (json);
  g_autofree char *parent = g_path_get_dirname (status->last);
  if (g_mkdir_with_parents (parent, 0700) < 0)
    return stasis_throw_errno (error, _ ("cannot make the folder '%s'"), parent);
  return stasis_atomic_file_write (status->last, text, strlen (text), 0600, error);
}

static gboolean empty_folder (int fd_take, const char *keep, guint depth, GError **error);

/* A folder is emptied first; a symbolic link is removed itself, never what it points at. */
static gboolean
remove_entry (int folder, const char *name, guint depth, GError **error)
{
  if (unlinkat (folder, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  if (errno != EISDIR && errno != EPERM)
    return stasis_throw_errno (error, _ ("cannot remove '%s'"), name);

  const int child = openat (folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (child < 0)
    return stasis_throw_errno (error, _ ("cannot open the folder '%s'"), name);
  if (!empty_folder (child, NULL, depth + 1, error))
    return FALSE;
  return unlinkat (folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT
         || stasis_throw_errno (error, _ ("cannot remove the folder '%s'"), name);
}

/* Remove all entries but @keep (nullable).  By descriptors: nothing outside can be met. */
static gboolean
empty_folder (int fd_take, const char *keep, guint depth, GError **error)
{
  DIR *dir = depth < DEPTH_MAX ? fdopendir (fd_take) : NULL;
  if (dir == NULL)
    {
      if (depth >= DEPTH_MAX)
        errno = ELOOP;
      stasis_throw_errno (error, _ ("cannot read a folder"));
      stasis_fd_clear (&fd_take);
      return FALSE;
    }

  gboolean ok = TRUE;
  struct dirent *entry;
  while (ok && (entry = readdir (dir)) != NULL)
    if (!g_str_equal (entry->d_name, ".") && !g_str_equal (entry->d_name, "..")
        && g_strcmp0 (entry->d_name, keep) != 0)
      ok = remove_entry (dirfd (dir), entry->d_name, depth, error);
  closedir (dir);
  return ok;
}

static gboolean
remove_folder (const char *folder, GError **error)
{
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_fd_open (folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &local);
  if (fd < 0 && g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  if (fd < 0)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }

  for (guint i = 0; i < REMOVE_TRIES; i++)
    {
      const int again = openat (fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      if (again < 0)
        return stasis_throw_errno (error, _ ("cannot open the folder '%s'"), folder);
      if (!empty_folder (again, STATUS_FILE, 0, error))
        {
          g_prefix_error (error, _ ("'%s': "), folder);
          return FALSE;
        }
      if (unlinkat (fd, STATUS_FILE, 0) < 0 && errno != ENOENT)
        break;
      if (rmdir (folder) == 0 || errno == ENOENT)
        return TRUE;
      /* The supervisor may be writing a file of its own at this moment. */
      if (errno != ENOTEMPTY && errno != EEXIST)
        break;
    }
  return stasis_throw_errno (error, _ ("cannot remove the folder '%s'"), folder);
}

/* What was saved or migrated needs its disks, and what may have been does, too. */
static gboolean
needs_overlays (const StasisStatus *status, const char *folder, const char *fallback_reason)
{
  g_autofree char *noted = stasis_end_reason_read (folder);
  const char *reason = noted != NULL ? noted : fallback_reason;
  return g_strcmp0 (reason, "saved") == 0 || g_strcmp0 (reason, "migrated") == 0
         || status->is_undecided || status->undecided_migration != NULL
         || status->journal.step == STASIS_STEP_MIGRATE_HANDED
         || status->journal.step == STASIS_STEP_COMMIT
         || status->journal.step == STASIS_STEP_COMMITTED;
}

static void
remove_overlays (const StasisStatus *status, const char *folder, const char *fallback_reason)
{
  g_autoptr (GError) error = NULL;
  if (status->overlays != NULL && !needs_overlays (status, folder, fallback_reason)
      && !stasis_overlay_folder_remove (status->overlays, &error))
    g_warning ("%s", error->message);
}

/* For those who watch the folder; nobody else needs it. */
static void
announce (const char *folder, const char *fallback_reason)
{
  g_autofree char *noted = stasis_end_reason_read (folder);
  g_autofree char *path = g_strdup_printf ("%s/" STASIS_TEARDOWN_ENDED "%s", folder,
                                           noted != NULL ? noted : fallback_reason);
  stasis_autofd int fd = open (path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0)
    g_debug ("'%s': %s", path, g_strerror (errno));
}

/* Of a save that goes on, or has come to its end with this. */
static void
tell_of_save (const StasisStatus *status, const char *folder, const char *reason)
{
  stasis_hook_end_save (status, folder, g_str_equal (reason, "saved") ? "success" : "failure");
}

/* End QEMU, write how the run ended, remove the folder.  A full disk does not keep a domain from
 * ending: then nobody will know why it did. */
gboolean
stasis_teardown (const StasisStatus *status, const char *folder, const char *fallback_reason,
                 GError **error)
{
  if (!end_qemu (status, error))
    return FALSE;
  g_autofree char *noted = stasis_end_reason_read (folder);
  const char *reason = noted != NULL ? noted : fallback_reason;
  tell_of_save (status, folder, reason);
  stasis_hook_stopped (status, folder);
  stasis_bound_sockets_remove (status->sockets);
  remove_overlays (status, folder, fallback_reason);
  g_autoptr (GError) local = NULL;
  if (!write_last (status, folder, fallback_reason, &local))
    g_debug ("%s", local->message);
  stasis_hook_release (status, folder, reason);
  announce (folder, fallback_reason);
  return remove_folder (folder, error);
}
