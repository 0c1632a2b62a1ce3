/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-limit.c: the logs of QEMU and of the supervisor do not grow without end
 *
 * Theory of operation
 *
 * QEMU writes to its log directly: nobody stands between the two whose end or delay it would feel.
 * So the log is cut from outside, by the supervisor every few seconds and by each start.  The end
 * of it becomes LOG.0, then the log is emptied in place.  QEMU's descriptor has O_APPEND
 * (spawn.c): it goes on at offset 0.  What comes while LOG.0 is written is taken over afterwards;
 * lines of the instant between the last read and the truncation are lost.
 *
 * A supervisor's log is cut in the same way, by itself, and by whoever starts a supervisor: its
 * runs are those of supervisors.
 *
 * LOG.0 is there only where the log was cut in this run; a start makes LOG.1 of an earlier run's.
 * That tells log-tail.c that the offset at which the run began means nothing any more.  Since a
 * start leaves half of the limit free, the end of LOG.0 is this run's.
 *
 * The log folder is ours alone.  Still nothing is cut that is a link, or has other names.
 */

#include "config.h"

#include "driver/log-limit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "monitor/log-tail.h"
#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/safe-open.h"

/* The log, with its size; -1 where there is none, without an error. */
static int
open_log (const char *path, guint64 *out_size, GError **error)
{
  g_autofree char *name = NULL;
  struct stat st;
  stasis_autofd int folder = stasis_safe_open_folder (path, &name, error);
  if (folder < 0)
    return -1;
  stasis_autofd int fd
      = openat (folder, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return -1;
  if (fd < 0 || fstat (fd, &st) < 0)
    {
      stasis_throw_errno (error, _ ("cannot open '%s'"), path);
      return -1;
    }
  if (!S_ISREG (st.st_mode) || st.st_nlink != 1)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_REGULAR_FILE,
                   _ ("'%s' is not a regular file of one name"), path);
      return -1;
    }
  *out_size = (guint64) st.st_size;
  return stasis_fd_steal (&fd);
}

/* What is new since *offset, the end of it where that is much.  A log that grows as fast as it is
 * read is not followed for ever. */
static gboolean
copy_end (int log, off_t *offset, int backup, GError **error)
{
  char buffer[16384];
  struct stat st;
  gssize n = fstat (log, &st);
  *offset = MAX (*offset, st.st_size - (off_t) STASIS_LOG_MAX);
  for (gsize done = 0; n >= 0 && done < 2 * STASIS_LOG_MAX; done += (gsize) n)
    {
      n = pread (log, buffer, sizeof buffer, *offset);
      if (n == 0)
        return TRUE;
      if (n > 0 && !stasis_fd_write_exact (backup, buffer, (gsize) n, error))
        return FALSE;
      *offset += n;
    }
  return n >= 0 || stasis_throw_errno (error, _ ("cannot read it"));
}

/* Its octets are not synced: it is a log, and QEMU writes more of it meanwhile. */
static gboolean
make_backup (int log, const char *path, GError **error)
{
  g_autofree char *target = stasis_log_backup_path (path, 0);
  g_autoptr (StasisAtomicFile) file = stasis_atomic_file_begin (target, 0600, error);
  off_t offset = 0;
  return file != NULL && copy_end (log, &offset, stasis_atomic_file_fd (file), error)
         && stasis_atomic_file_rename (file, NULL, error)
         && copy_end (log, &offset, stasis_atomic_file_fd (file), error);
}

static gboolean
cut (const char *path, guint64 limit, gboolean *out_was_cut, GError **error)
{
  g_autoptr (GError) local = NULL;
  guint64 size = 0;
  *out_was_cut = FALSE;
  stasis_autofd int log = open_log (path, &size, &local);
  if (log >= 0 && size > limit)
    {
      make_backup (log, path, &local);
      *out_was_cut = ftruncate (log, 0) == 0;
      if (!*out_was_cut && local == NULL)
        stasis_throw_errno (&local, _ ("cannot truncate '%s'"), path);
    }
  if (local == NULL)
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&local), _ ("cannot limit the log '%s': "),
                              path);
  return FALSE;
}

/* Cut the log of a QEMU that runs where it is too large. */
gboolean
stasis_log_limit (const char *path, gboolean *out_was_cut, GError **error)
{
  return cut (path, STASIS_LOG_MAX, out_was_cut, error);
}

/* Make room for a new run. */
guint64
stasis_log_begin_run (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *newer = stasis_log_backup_path (path, 0);
  g_autofree char *older = stasis_log_backup_path (path, 1);
  gboolean was_cut = FALSE;
  if (!cut (path, STASIS_LOG_MAX / 2, &was_cut, &error))
    g_debug ("%s", error->message);
  /* Rather no backup than one that passes for this run's. */
  if (rename (newer, older) < 0 && errno != ENOENT)
    unlink (newer);
  return stasis_log_size (path);
}
