/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lost.c: running domains whose status file cannot be read, or is wrong
 *
 * Theory of operation
 *
 * A status file that is empty, damaged or gone (a full disk, a power failure, somebody's hand), or
 * that names a process which is not the domain's, leaves a QEMU that nobody knows of.  It is found
 * by what it holds: start.c hands the folder `sockets` of the run folder over as an open
 * descriptor, and nobody but root and ourselves can open that.  A process that has this very folder
 * open and was started as a QEMU (-name guest=) is the one.  Where the run folder was removed the
 * descriptor's link still says what it was.  The sockets themselves do not tell: their peer is who
 * made them, which is the driver. But that somebody listens on them means that it lives, whether it
 * was found or not.
 */

#include "config.h"

#include "driver/lost.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "util/fd.h"

#define COMMAND_MAX   (1024u * 1024u) /* octets of a command line that are looked at */
#define LOOK_AGAIN_US 20000

static gboolean
stat_sockets (const char *folder, struct stat *out_st)
{
  g_autofree char *sockets = g_build_filename (folder, "sockets", NULL);
  return lstat (sockets, out_st) == 0 && S_ISDIR (out_st->st_mode);
}

/* What a QEMU of the run folder has open. */
typedef struct
{
  gboolean is_there;
  struct stat st; /* of the folder `sockets`, where that is there */
  char *removed;  /* (owned) what its link says, where it is not */
} Wanted;

static void
wanted_clear (Wanted *wanted)
{
  g_free (wanted->removed);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Wanted, wanted_clear)

/* The path as the kernel knows it, although the end of it is not there. */
static char *
resolve (const char *path)
{
  char *real = realpath (path, NULL);
  if (real != NULL || path[1] == '\0')
    return real;
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *above = resolve (parent);
  return above != NULL ? g_build_filename (above, name, NULL) : NULL;
}

static void
wanted_init (Wanted *wanted, const char *folder)
{
  wanted->is_there = stat_sockets (folder, &wanted->st);
  if (wanted->is_there)
    return;
  g_autofree char *real = resolve (folder);
  wanted->removed = g_strconcat (real != NULL ? real : folder, "/sockets (deleted)", NULL);
}

static gboolean
is_wanted (int fds, const char *number, const Wanted *wanted)
{
  struct stat st;
  if (wanted->is_there)
    return fstatat (fds, number, &st, 0) == 0 && st.st_dev == wanted->st.st_dev
           && st.st_ino == wanted->st.st_ino;
  char link[PATH_MAX];
  const gssize length = readlinkat (fds, number, link, sizeof link);
  return length == (gssize) strlen (wanted->removed)
         && memcmp (link, wanted->removed, (gsize) length) == 0;
}

static gboolean
has_open (const char *pid, const Wanted *wanted)
{
  g_autofree char *path = g_build_filename ("/proc", pid, "fd", NULL);
  DIR *dir = opendir (path);
  if (dir == NULL)
    return FALSE;
  gboolean has = FALSE;
  struct dirent *entry;
  while (!has && (entry = readdir (dir)) != NULL)
    has = g_ascii_isdigit (entry->d_name[0]) && is_wanted (dirfd (dir), entry->d_name, wanted);
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
  DIR *dir = opendir ("/proc");
  if (dir == NULL)
    return FALSE;
  g_auto (Wanted) wanted = { 0 };
  wanted_init (&wanted, folder);
  gboolean is_found = FALSE;
  struct dirent *entry;
  while (!is_found && (entry = readdir (dir)) != NULL)
    {
      /* Its start time first: a later process of this pid is not taken for it.  What is no QEMU is
       * not looked at that closely: there may be thousands. */
      StasisProcess process;
      if (!g_ascii_isdigit (entry->d_name[0]) || !is_qemu (entry->d_name)
          || !stasis_process_lookup ((pid_t) atoi (entry->d_name), &process)
          || !has_open (entry->d_name, &wanted) || !is_qemu (entry->d_name))
        continue;
      *out_qemu = process;
      is_found = TRUE;
    }
  closedir (dir);
  return is_found;
}

static gboolean
listens (const char *path)
{
  g_autoptr (GError) local = NULL;
  stasis_autofd int fd = stasis_unix_connect (path, &local);
  return fd >= 0
         || (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)
             && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND));
}

/* Nobody listens any more.  A process that ends loses its command line first, by which it is found,
 * and its sockets last. */
gboolean
stasis_lost_check_monitor (const char *folder, guint grace_ms, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "monitor.sock", NULL);
  const gint64 deadline_us = g_get_monotonic_time () + grace_ms * G_TIME_SPAN_MILLISECOND;
  while (listens (path) && g_get_monotonic_time () < deadline_us)
    g_usleep (LOOK_AGAIN_US);
  if (!listens (path))
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

static gboolean
throw_unknown (GError **error, const char *folder, const char *why)
{
  g_autofree char *name = g_path_get_basename (folder);
  g_set_error (
      error, STASIS_ERROR, STASIS_ERROR_FAILED,
      _ ("it is not known how domain '%1$s' is; 'destroy %1$s' ends what runs of it: %2$s"), name,
      why);
  return FALSE;
}

/* The process that the status names, and the one that is. */
gboolean
stasis_lost_check_status (const char *folder, const StasisStatus *status, GError **error)
{
  StasisProcess qemu;
  /* A starting QEMU has the folder a moment before it is named. */
  if (stasis_process_is_alive (&status->qemu) || status->journal.step == STASIS_STEP_START
      || !stasis_lost_find_qemu (folder, &qemu))
    return TRUE;
  /* Who holds no lock may have read the status of an earlier run. */
  g_autoptr (StasisStatus) now = stasis_status_read (folder, NULL);
  if (now == NULL || now->id != status->id)
    return TRUE;
  g_autofree char *why
      = g_strdup_printf (_ ("status file '%1$s/status.json' names process %2$d, which is not "
                            "there, but process %3$d is its QEMU"),
                         folder, (int) status->qemu.pid, (int) qemu.pid);
  return throw_unknown (error, folder, why);
}

/* Somebody else's hand. */
gboolean
stasis_lost_check_removed (const char *folder, GError **error)
{
  StasisProcess qemu;
  if (!stasis_lost_find_qemu (folder, &qemu))
    return TRUE;
  g_autofree char *why
      = g_strdup_printf (_ ("its folder '%1$s' was removed while QEMU ran, which is process %2$d"),
                         folder, (int) qemu.pid);
  return throw_unknown (error, folder, why);
}

/* Say what it means that the status cannot be read. */
gboolean
stasis_lost_explain (const char *folder, GError **error)
{
  StasisProcess qemu;
  const gboolean is_missing = g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  if (is_missing
      && (!g_file_test (folder, G_FILE_TEST_IS_DIR)
          || (!stasis_lost_find_qemu (folder, &qemu)
              && stasis_lost_check_monitor (folder, 0, NULL))))
    return FALSE;

  g_autofree char *why = g_strdup ((*error)->message);
  g_clear_error (error);
  throw_unknown (error, folder, why);
  return TRUE;
}
