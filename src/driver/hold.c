/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hold.c: the exclusive right to change one domain
 *
 * Theory of operation
 *
 * The right is the lock file RUN/locks/NAME.lock.  It is never removed, so every process locks
 * the same inode, and the kernel gives it back when its holder dies.  Whoever gets it looks at
 * the journal first: an entry that is still there belongs to a driver that died in the middle,
 * and is recovered before anything else happens.
 */

#include "config.h"

#include "driver/hold.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>

#include "driver/lost.h"
#include "driver/recover.h"
#include "driver/supervise.h"
#include "driver/teardown.h"
#include "util/fd.h"
#include "util/lock.h"

#define MONITOR_TIMEOUT_MS 30000

/* Let go.  NULL is fine. */
void
stasis_hold_release (StasisHold *hold)
{
  if (hold == NULL)
    return;

  stasis_status_free (hold->status);
  stasis_lock_release (hold->lock);
  g_free (hold->folder);
  g_free (hold);
}

typedef struct
{
  const char *name;
  const char *folder;
} Wait;

/* FALSE where the lock's holder is in a job, with the error that names it.  A job whose owner is
 * dead is being recovered by whoever has the lock: that is waited for.  A job that has the lock
 * enters itself in the journal a moment later, hence this is asked again while waiting. */
static gboolean
ask_journal (gpointer data, GError **error)
{
  const Wait *wait = data;
  g_autoptr (StasisStatus) status = stasis_status_read (wait->folder, NULL);
  if (status == NULL || !stasis_journal_has_job (&status->journal)
      || !stasis_process_is_alive (&status->journal.owner))
    return TRUE;

  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("domain '%1$s' is busy: %2$s by process %3$d"), wait->name,
               status->journal.operation, (int) status->journal.owner.pid);
  return FALSE;
}

/* Only the lock. */
StasisLock *
stasis_hold_lock (StasisDriver *driver, const char *name, gboolean through_jobs, int timeout_ms,
                  GCancellable *cancellable, GError **error)
{
  g_autofree char *path = stasis_paths_lock (driver->paths, name);
  g_autofree char *locks = g_path_get_dirname (path);
  if (!stasis_paths_make (locks, error))
    return NULL;

  g_autofree char *folder = stasis_paths_domain (driver->paths, name, NULL);
  Wait wait = { name, folder };
  g_autoptr (GError) local = NULL;
  StasisLock *lock = stasis_lock_take_within (path, timeout_ms, through_jobs ? NULL : ask_journal,
                                              &wait, cancellable, &local);
  if (lock != NULL)
    return lock;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_BUSY))
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
                 _ ("domain '%1$s' is busy: another operation has held it for %2$d s (%3$s)"), name,
                 timeout_ms / 1000, local->message);
  else
    g_propagate_error (error, g_steal_pointer (&local));
  return NULL;
}

/* Bring what a dead driver or a dead QEMU left behind into order. */
static gboolean
settle (StasisHold *hold, GError **error)
{
  if (hold->status->journal.step != STASIS_STEP_NONE
      && !stasis_recover (hold->folder, hold->status, NULL, error))
    return FALSE;
  if (stasis_process_is_alive (&hold->status->qemu))
    return stasis_supervise_ensure (hold->folder, error);

  if (!stasis_teardown (hold->status, hold->folder, "crashed", error))
    return FALSE;
  g_clear_pointer (&hold->status, stasis_status_free);
  return TRUE;
}

/* Take hold of a domain; the deadline or @cancellable end waiting for it. */
StasisHold *
stasis_hold_take_within (StasisDriver *driver, const char *name, int timeout_ms,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisHold) hold = g_new0 (StasisHold, 1);
  hold->folder = stasis_paths_domain (driver->paths, name, NULL);
  hold->lock
      = stasis_hold_lock (driver, name, /* through_jobs= */ FALSE, timeout_ms, cancellable, error);
  if (hold->lock == NULL)
    return NULL;

  g_autoptr (GError) local = NULL;
  hold->status = stasis_status_read (hold->folder, &local);
  if (hold->status == NULL)
    {
      /* A QEMU that the status does not tell of must not get a second one beside it. */
      if (!stasis_lost_explain (hold->folder, &local))
        return g_steal_pointer (&hold);
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  if (!stasis_lost_check_status (hold->folder, hold->status, error) || !settle (hold, error))
    return NULL;
  return g_steal_pointer (&hold);
}

/* Take hold of a domain; @cancellable ends waiting for it. */
StasisHold *
stasis_hold_take_cancellable (StasisDriver *driver, const char *name, GCancellable *cancellable,
                              GError **error)
{
  return stasis_hold_take_within (driver, name, STASIS_HOLD_DEADLINE_MS, cancellable, error);
}

/* Take hold of a domain. */
StasisHold *
stasis_hold_take (StasisDriver *driver, const char *name, GError **error)
{
  return stasis_hold_take_cancellable (driver, name, NULL, error);
}

/* The same, and an error where the domain does not run. */
StasisHold *
stasis_hold_take_running (StasisDriver *driver, const char *name, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take (driver, name, error);
  if (hold == NULL)
    return NULL;
  if (hold->status == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' is not running"), name);
      return NULL;
    }
  return g_steal_pointer (&hold);
}

/* A QMP connection to the domain's QEMU. */
StasisMonitor *
stasis_hold_open_monitor (const StasisHold *hold, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_build_filename (hold->folder, "monitor.sock", NULL);
  g_autoptr (GError) local = NULL;
  const int fd = stasis_unix_connect (path, &local);
  if (fd < 0)
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED)) /* nobody listens */
        g_propagate_error (error,
                           stasis_monitor_ended (hold->status->log, hold->status->log_start));
      else
        g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  return stasis_monitor_open (fd, hold->status->log, hold->status->log_start, MONITOR_TIMEOUT_MS,
                              cancellable, error);
}

/* Write the status with its journal. */
gboolean
stasis_hold_write (const StasisHold *hold, GError **error)
{
  return stasis_status_write (hold->status, hold->folder, error);
}
