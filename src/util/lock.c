/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.c: locks between processes, by open file description
 *
 * An open-file-description lock belongs to the descriptor, not to the process: two drivers in
 * one process exclude each other as two processes do, and closing another descriptor of the
 * same file does not drop it.
 *
 * The kernel does not tell who has such a lock (F_GETLK says -1), so its holder writes its pid
 * into the file.  That is for messages only: a file without one, or an old one, does no harm.
 */

#include "config.h"

#include "util/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define POLL_US 20000

struct _StasisLock
{
  int fd; /* (owned) */
};

/* Who has it now. */
static void
sign (int fd)
{
  char text[16];
  const int size = g_snprintf (text, sizeof text, "%d\n", (int) getpid ());
  /* A longer old number must not show behind ours. */
  if (ftruncate (fd, 0) < 0 || pwrite (fd, text, (gsize) size, 0) != size)
    g_debug ("a lock file is not signed: %s", g_strerror (errno));
}

/* The process that has the lock of @path. */
pid_t
stasis_lock_holder (const char *path)
{
  if (!stasis_lock_is_held (path))
    return 0;
  stasis_autofd int fd = stasis_fd_open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0, NULL);
  char text[16] = "";
  if (fd < 0 || pread (fd, text, sizeof text - 1, 0) <= 0)
    return 0;
  const int pid = atoi (text);
  return pid > 0 && (kill (pid, 0) == 0 || errno == EPERM) ? pid : 0;
}

static void
throw_held (GError **error, const char *path)
{
  const pid_t holder = stasis_lock_holder (path);
  if (holder > 0)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, _ ("'%1$s' is locked by process %2$d"), path,
                 (int) holder);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, _ ("'%s' is locked by another process"), path);
}

/* Take the exclusive lock of @path. */
StasisLock *
stasis_lock_take (const char *path, gboolean wait, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, error);
  if (fd < 0)
    return NULL;

  const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  int result;
  do
    result = fcntl (fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &whole);
  while (result < 0 && errno == EINTR);

  if (result < 0 && (errno == EAGAIN || errno == EACCES))
    {
      throw_held (error, path);
      return NULL;
    }
  if (result < 0)
    {
      stasis_throw_errno (error, _ ("cannot lock '%s'"), path);
      return NULL;
    }

  sign (fd);
  StasisLock *lock = g_new0 (StasisLock, 1);
  lock->fd = stasis_fd_steal (&fd);
  return lock;
}

/* Wait for the lock of @path, with an end. */
StasisLock *
stasis_lock_take_within (const char *path, int timeout_ms, StasisLockAsk ask, gpointer data,
                         GCancellable *cancellable, GError **error)
{
  /* The kernel's own wait (F_OFD_SETLKW) has no deadline, no descriptor to poll and ends early
   * only by a signal, which belongs to the whole process: so the lock is tried again and again.
   * A short operation's end is noticed within the time of a screen refresh. */
  const gint64 deadline = g_get_monotonic_time () + (gint64) timeout_ms * 1000;
  while (!g_cancellable_set_error_if_cancelled (cancellable, error))
    {
      g_autoptr (GError) local = NULL;
      StasisLock *lock = stasis_lock_take (path, /* wait= */ FALSE, &local);
      if (lock != NULL)
        return lock;

      const gboolean is_held = g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY);
      if (is_held && ask != NULL && !ask (data, error))
        return NULL;
      if (!is_held || g_get_monotonic_time () >= deadline)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
      g_usleep (POLL_US);
    }
  return NULL;
}

/* TRUE while somebody holds the lock of @path. */
gboolean
stasis_lock_is_held (const char *path)
{
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_NOFOLLOW, 0, NULL);
  return fd >= 0 && stasis_lock_is_shared (fd);
}

/* A shared lock that goes with the open file, whoever has it. */
gboolean
stasis_lock_share (int fd, GError **error)
{
  const struct flock whole = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
  if (fcntl (fd, F_OFD_SETLK, &whole) == 0)
    return TRUE;
  if (errno != EAGAIN && errno != EACCES)
    return stasis_throw_errno (error, _ ("cannot lock the file"));
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, _ ("another process writes to it"));
  return FALSE;
}

/* TRUE while somebody else has a lock on that file; to ask takes no right to write. */
gboolean
stasis_lock_is_shared (int fd)
{
  struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
  return fcntl (fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

/* Take back what stasis_lock_share() took. */
gboolean
stasis_lock_unshare (int fd, GError **error)
{
  const struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
  return fcntl (fd, F_OFD_SETLK, &whole) == 0
         || stasis_throw_errno (error, _ ("cannot unlock the file"));
}

/* Release.  NULL is fine. */
void
stasis_lock_release (StasisLock *lock)
{
  if (lock == NULL)
    return;

  stasis_fd_clear (&lock->fd);
  g_free (lock);
}
