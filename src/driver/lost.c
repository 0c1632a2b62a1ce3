/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lost.c: running domains whose status file cannot be read
 *
 * Theory of operation
 *
 * A status file that is empty, damaged or gone (a full disk, a power failure, somebody's hand)
 * leaves a QEMU that nobody knows of.  It is found by what it holds: start.c hands the folder
 * `sockets` of the run folder over as an open descriptor, and nobody but root and ourselves can
 * open that.  A process that has this very folder open and was started as a QEMU (-name guest=) is
 * the one.  The sockets themselves do not tell: their peer is who made them, which is the driver.
 * But that somebody listens on them means that it lives, whether it was found or not.
 */

#include "config.h"

#include "driver/lost.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

#define COMMAND_MAX (1024u * 1024u) /* octets of a command line that are looked at */

static gboolean
stat_sockets (const char *folder, struct stat *out_st)
{
  g_autofree char *sockets = g_build_filename (folder, "sockets", NULL);
  return lstat (sockets, out_st) == 0 && S_ISDIR (out_st->st_mode);
}

static gboolean
has_open (const char *pid, const struct stat *wanted)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "fd", NULL);
  DIR *dir = opendir (path);
  if (dir == NULL)
    return FALSE;
  gboolean has = FALSE;
  struct dirent *entry;
  while (!has && (entry = readdir (dir)) != NULL)
    {
      struct stat st;
      has = g_ascii_isdigit (entry->d_name[0]) && fstatat (dirfd (dir), entry->d_name, &st, 0) == 0
            && st.st_dev == wanted->st_dev && st.st_ino == wanted->st_ino;
    }
  closedir (dir);
  return has;
}

/* Its command line, or that of the launcher that will become it. */
static gboolean
is_qemu (const char *pid)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "cmdline", NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return FALSE;
  static const char wanted[] = "\0-name\0guest=";
  return memmem (text, MIN (size, COMMAND_MAX), wanted, sizeof wanted - 1) != NULL;
}

/* The QEMU of this run folder. */
gboolean
stasis_lost_find_qemu (const char *folder, StasisProcess *out_qemu)
{
  struct stat sockets;
  DIR *dir = stat_sockets (folder, &sockets) ? opendir ("/proc") : NULL;
  if (dir == NULL)
    return FALSE;
  gboolean is_found = FALSE;
  struct dirent *entry;
  while (!is_found && (entry = readdir (dir)) != NULL)
    {
      /* Its start time first: a later process of this pid is not taken for it. */
      StasisProcess process;
      if (!g_ascii_isdigit (entry->d_name[0])
          || !stasis_process_lookup ((pid_t) atoi (entry->d_name), &process)
          || !has_open (entry->d_name, &sockets) || !is_qemu (entry->d_name))
        continue;
      *out_qemu = process;
      is_found = TRUE;
    }
  closedir (dir);
  return is_found;
}

/* Nobody listens any more. */
gboolean
stasis_lost_check_monitor (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "monitor.sock", NULL);
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_unix_connect (path, &local);
  if (fd < 0
      && (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
          || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("a process that cannot be found listens on '%s'"), path);
  return FALSE;
}

/* The folder was given to it. */
gboolean
stasis_lost_get_user (const char *folder, guint32 *out_uid)
{
  struct stat sockets;
  if (!stat_sockets (folder, &sockets))
    return FALSE;
  *out_uid = sockets.st_uid;
  return TRUE;
}

/* Say what it means that the status cannot be read. */
gboolean
stasis_lost_explain (const char *folder, GError **error)
{
  StasisProcess qemu;
  g_autofree char *name = g_path_get_basename (folder);
  const gboolean is_missing = g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (is_missing
      && (!g_file_test (folder, G_FILE_TEST_IS_DIR)
          || (!stasis_lost_find_qemu (folder, &qemu) && stasis_lost_check_monitor (folder, NULL))))
    return FALSE;

  g_autofree char *why = g_strdup ((*error)->message);
  g_clear_error (error);
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_FAILED,
      _ ("it is not known how domain '%1$s' is; 'destroy %1$s' ends what runs of it: %2$s"), name,
      why);
  return TRUE;
}
