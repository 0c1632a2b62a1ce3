/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.c: whether a domain runs
 *
 * Every question about a domain begins here, so that all of them get the same answer.  Looking is
 * reading one file; only where that has a job whose process is dead is it more: the domain's lock
 * is taken then, and whoever has it recovers.  Mostly the supervisor was faster.  What cannot be
 * recovered is not tried by each look again: that would make a list slow.
 */

#include "config.h"

#include "driver/look.h"

#include "driver/hold.h"
#include "driver/lost.h"
#include "util/fault.h"

#define RECOVER_MS 2000                  /* to wait for who has the lock */
#define AGAIN_US   (30 * G_USEC_PER_SEC) /* after a recovery that failed */

/* FALSE where it failed a moment ago. */
static gboolean
may_recover (StasisDriver *driver, const char *name)
{
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&driver->lock);
  const gint64 *failed_us = g_hash_table_lookup (driver->unrecovered, name);
  return failed_us == NULL || g_get_monotonic_time () - *failed_us > AGAIN_US;
}

static void
note_failure (StasisDriver *driver, const char *name)
{
  gint64 *now_us = g_new (gint64, 1);
  *now_us = g_get_monotonic_time ();
  g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&driver->lock);
  g_hash_table_replace (driver->unrecovered, g_strdup (name), now_us);
}

static void
recover (StasisDriver *driver, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisHold) hold = stasis_hold_take_within (driver, name, RECOVER_MS, NULL, &error);
  if (hold != NULL)
    return;
  g_debug ("%s", error->message);
  note_failure (driver, name);
}

static gboolean
is_abandoned (const StasisStatus *status)
{
  return status != NULL && status->journal.step != STASIS_STEP_NONE
         && !stasis_process_is_alive (&status->journal.owner);
}

typedef struct
{
  char *folder;         /* (owned) */
  StasisStatus *status; /* (owned) (nullable) */
  GError *error;        /* (owned) (nullable) why there is none */
} Seen;

static void
seen_clear (Seen *seen)
{
  g_clear_pointer (&seen->folder, g_free);
  g_clear_pointer (&seen->status, stasis_status_free);
  g_clear_error (&seen->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Seen, seen_clear)

static void
see (Seen *seen, StasisDriver *driver, const char *name)
{
  seen_clear (seen);
  seen->folder = stasis_paths_domain (driver->paths, name, NULL);
  seen->status = stasis_status_read (seen->folder, &seen->error);
}

/* What it means. */
static StasisLook
conclude (Seen *seen, StasisStatus **out_status, GError **error)
{
  if (seen->status == NULL)
    {
      if (!stasis_lost_explain (seen->folder, &seen->error))
        return STASIS_LOOK_OFF;
      g_propagate_error (error, g_steal_pointer (&seen->error));
      return STASIS_LOOK_LOST;
    }
  if (!stasis_lost_check_status (seen->folder, seen->status, error))
    return STASIS_LOOK_LOST;
  if (!stasis_process_is_alive (&seen->status->qemu))
    return STASIS_LOOK_OFF;
  *out_status = g_steal_pointer (&seen->status);
  stasis_fault ("looked", NULL);
  return STASIS_LOOK_ACTIVE;
}

/* How it is. */
StasisLook
stasis_look (StasisDriver *driver, const char *name, StasisStatus **out_status, GError **error)
{
  g_auto (Seen) seen = { 0 };
  see (&seen, driver, name);
  if (is_abandoned (seen.status) && may_recover (driver, name))
    {
      recover (driver, name);
      see (&seen, driver, name);
    }
  return conclude (&seen, out_status, error);
}

/* The same, and nothing is recovered. */
StasisLook
stasis_look_only (StasisDriver *driver, const char *name, StasisStatus **out_status, GError **error)
{
  g_auto (Seen) seen = { 0 };
  see (&seen, driver, name);
  return conclude (&seen, out_status, error);
}
