/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * detach.c: give a guest memory of its own instead of its save image's
 *
 * Theory of operation
 *
 * The guest of an instant restore has its memory mapped from the image (instant.c).  Here the rest
 * of that is brought into QEMU's own memory while the guest goes on, paused or not
 * (memory-pull.c).  The mapping cannot be taken away, and cutting its file off would take the
 * guest's pages as well, so a copy takes the file's name (image-renew.c).  Then the image is free.
 *
 * The domain's lock is held at the beginning and at the end only: the guest may be paused, reset
 * or restart meanwhile, as if nothing went on.  A save is let go first: as soon as a job stands in
 * the journal, this one ends.  Two of this kind exclude each other by the supervisor's one place
 * for a job.
 *
 * No step is in the journal, for each may be the last, and all of it is done again by the next
 * command: what is the guest's own already stays so; a copy without a name vanishes.  The order of
 * the end, under the lock, is: proof, that no page comes from the file; the name; proof, that the
 * file has none any more; the lock of the file; the status.  Who dies in between leaves a guest
 * that is said to use an image which it does not need; never the other way round.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/domain-private.h"
#include "driver/hold.h"
#include "driver/image-renew.h"
#include "driver/job.h"
#include "driver/memory-check.h"
#include "driver/memory-image.h"
#include "driver/memory-pull.h"
#include "driver/memory-room.h"
#include "util/fault.h"
#include "util/fd.h"

#define MIB           (G_GUINT64_CONSTANT (1) << 20)
#define ROUNDS        5                     /* until it is believed that some pages will not come */
#define RESERVE       (64 * MIB)            /* octets of the host's that are left alone */
#define LOOK_AFTER_US (G_USEC_PER_SEC / 10) /* whether to go on */

typedef struct
{
  StasisDriver *driver; /* (borrowed) */
  StasisDomain *domain; /* (borrowed) */
  const char *name;     /* (borrowed) of it */
  StasisDetachFlags flags;
  StasisJob *job;              /* (borrowed) */
  char *folder;                /* (owned) the domain's run folder */
  StasisStatus *status;        /* (owned) (nullable) as it was at the beginning */
  int image;                   /* (owned) */
  StasisMemoryPull *pull;      /* (owned) (nullable) */
  StasisImageRenewal *renewal; /* (owned) (nullable) */
  guint64 copied;              /* octets of the image */
  gint64 looked_us;
  GError *reason; /* (owned) (nullable) why not to go on */
} Detach;

static void
detach_clear (Detach *self)
{
  g_free (self->folder);
  g_clear_pointer (&self->renewal, stasis_image_renewal_free);
  g_clear_pointer (&self->pull, stasis_memory_pull_free);
  g_clear_pointer (&self->status, stasis_status_free);
  stasis_fd_clear (&self->image);
  g_clear_error (&self->reason);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Detach, detach_clear)

static gboolean
throw_ended (const Detach *self, GError **error)
{
  g_clear_error (error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("domain '%s' has ended meanwhile"), self->name);
  return FALSE;
}

/* Rather than that somebody has to be killed: that would be QEMU. */
static gboolean
check_room (const Detach *self, guint64 needed, GError **error)
{
  guint64 room;
  if ((self->flags & STASIS_DETACH_FORCE) != 0 || needed == 0
      || !stasis_memory_room ("", self->status->qemu.pid, &room) || needed + RESERVE <= room)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the guest needs %1$" G_GUINT64_FORMAT
                  " MiB more memory of its own, and QEMU can "
                  "have %2$" G_GUINT64_FORMAT " MiB without swapping (--force tries)"),
               (needed + MIB - 1) / MIB, (room - MIN (room, RESERVE)) / MIB);
  return FALSE;
}

/* Another job goes first. */
static gboolean
check_journal (const Detach *self, GError **error)
{
  g_autoptr (StasisStatus) now = stasis_status_read (self->folder, NULL);
  if (now == NULL || !stasis_journal_has_job (&now->journal))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("domain '%1$s' is busy: %2$s by process %3$d"), self->name,
               now->journal.operation, (int) now->journal.owner.pid);
  return FALSE;
}

static guint64
size_of_copy (const Detach *self)
{
  return self->renewal != NULL ? stasis_image_renewal_size (self->renewal) : 0;
}

static guint64
remaining_memory (const StasisJobStats *stats, const Detach *self)
{
  const guint64 copy = size_of_copy (self) - self->copied;
  return stats->bytes_remaining - MIN (stats->bytes_remaining, copy);
}

/* Tell how it stands, and look whether it may go on: if not, the job is cancelled and the reason
 * kept. */
static void
tell (Detach *self)
{
  const StasisJobStats *stats = stasis_job_stats (self->job);
  stasis_job_update (self->job);
  const gint64 now = g_get_monotonic_time ();
  if (self->reason != NULL || now - self->looked_us < LOOK_AFTER_US)
    return;
  self->looked_us = now;
  if (!check_journal (self, &self->reason)
      || !check_room (self, remaining_memory (stats, self), &self->reason))
    g_cancellable_cancel (stasis_job_cancellable (self->job));
}

static void
set_processed (const Detach *self, guint64 octets)
{
  StasisJobStats *stats = stasis_job_stats (self->job);
  stats->bytes_processed = MIN (octets, stats->bytes_total);
  stats->bytes_remaining = stats->bytes_total - stats->bytes_processed;
}

static void
add_progress (Detach *self, guint64 octets)
{
  set_processed (self, stasis_job_stats (self->job)->bytes_processed + octets);
  tell (self);
}

static void
on_pulled (guint64 octets, gpointer data)
{
  add_progress (data, octets);
}

static void
on_copied (guint64 done, guint64 total, gpointer data)
{
  Detach *self = data;
  const guint64 before = self->copied;
  self->copied = done;
  add_progress (self, done - before);
}

static gboolean
check_alone (StasisDomain *domain, GError **error)
{
  g_autoptr (StasisControl) control = stasis_domain_open_control (domain, error);
  g_autoptr (StasisJobStats) stats
      = control != NULL ? stasis_control_get_job (control, error) : NULL;
  if (stats == NULL || stats->state == STASIS_JOB_NONE)
    return stats != NULL;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_BUSY,
               _ ("domain '%1$s' is busy: %2$s by process %3$d"), stasis_domain_get_name (domain),
               stats->operation, (int) stats->owner_pid);
  return FALSE;
}

/* Ask everybody who may say no. */
static gboolean
prepare (Detach *self, GError **error)
{
  const StasisStatus *status = self->status;
  const StasisFileId *id = &status->memory_image_id;
  GCancellable *cancellable = stasis_job_cancellable (self->job);
  self->image = stasis_memory_check_open_image (status, error);
  if (self->image < 0)
    return FALSE;
  /* Nobody ever writes to a flat file, or cuts it off: it needs no copy in its place. */
  if (stasis_status_is_on_image (status))
    {
      self->renewal
          = stasis_image_renewal_new (status->memory_image, self->image, id, cancellable, error);
      if (self->renewal == NULL)
        return FALSE;
    }
  self->pull = stasis_memory_pull_new (&status->qemu, self->image, error);
  return self->pull != NULL && stasis_memory_pull_look (self->pull, error)
         && check_room (self, stasis_memory_pull_missing (self->pull), error);
}

static void
begin_job (Detach *self)
{
  StasisJobStats *stats = stasis_job_stats (self->job);
  const guint64 memory = stasis_memory_pull_total (self->pull);
  g_autofree char *last = stasis_paths_last_job (self->driver->paths, self->name);
  stats->bytes_total = memory + size_of_copy (self);
  set_processed (self, memory - stasis_memory_pull_missing (self->pull));
  stasis_job_begin (self->job, last);
  stasis_job_claim (self->job, self->folder);
  stasis_job_attach_background (self->job, self->folder);
}

static gboolean
begin (Detach *self, GError **error)
{
  g_autoptr (StasisHold) hold = stasis_hold_take_running (self->driver, self->name, error);
  if (hold == NULL)
    return FALSE;
  if (hold->status->memory_image == NULL)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                   _ ("domain '%s' has memory of its own, and uses no save image"), self->name);
      return FALSE;
    }
  self->folder = g_strdup (hold->folder);
  self->status = g_steal_pointer (&hold->status);
  if (!check_alone (self->domain, error) || !prepare (self, error))
    return FALSE;
  begin_job (self);
  return TRUE;
}

/* Until nothing comes from the file.  QEMU has no reason to give pages back meanwhile, so a second
 * round is for what the kernel could not do in the first. */
static gboolean
pull_memory (Detach *self, GError **error)
{
  GCancellable *cancellable = stasis_job_cancellable (self->job);
  for (guint i = 0; i < ROUNDS; i++)
    {
      if (!stasis_fault ("detach-pull", error)
          || !stasis_memory_pull_run (self->pull, on_pulled, self, cancellable, error)
          || !stasis_memory_pull_look (self->pull, error))
        return FALSE;
      /* The guest has written to some before their turn came. */
      const guint64 missing = stasis_memory_pull_missing (self->pull);
      set_processed (self, stasis_memory_pull_total (self->pull) - missing);
      if (missing == 0)
        return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
               _ ("%1$" G_GUINT64_FORMAT " KiB of the guest's memory cannot be got from '%2$s'; is "
                  "that unreadable, or no memory left?"),
               stasis_memory_pull_missing (self->pull) >> 10, self->status->memory_image);
  return FALSE;
}

/* Somebody who has resumed the guest in spite of the damage could not be told of it any more
 * afterwards. */
static gboolean
judge (const Detach *self, StasisMemoryFinding finding, const char *message, GError **error)
{
  if (finding != STASIS_MEMORY_FINDING_DAMAGED)
    return TRUE;
  g_autoptr (StasisStatus) now = stasis_status_read (self->folder, error);
  if (now == NULL || now->is_damage_accepted)
    return now != NULL;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_REFUSED,
               _ ("the memory of domain '%1$s' comes from a damaged image (%2$s); it can be "
                  "detached once it has been resumed in spite of that"),
               self->name, message);
  return FALSE;
}

/* What is said of an image goes when the guest does not use it any more. */
static gboolean
await_check (Detach *self, GError **error)
{
  if (self->status->memory_check != STASIS_MEMORY_CHECK_BACKGROUND)
    return TRUE;
  stasis_job_set_phase (self->job, "wait for the memory image to be verified");
  for (;;)
    {
      g_autofree char *message = NULL;
      const StasisMemoryFinding finding = stasis_memory_check_read (self->folder, &message);
      if (finding != STASIS_MEMORY_FINDING_NONE_YET)
        return judge (self, finding, message, error);
      tell (self);
      if (g_cancellable_set_error_if_cancelled (stasis_job_cancellable (self->job), error))
        return FALSE;
      if (!stasis_process_is_alive (&self->status->qemu))
        return throw_ended (self, error);
      g_usleep (STASIS_MEMORY_CHECK_LOOK_US);
    }
}

static gboolean
copy_image (Detach *self, GError **error)
{
  stasis_job_set_phase (self->job, "copy");
  if (self->renewal == NULL
      || stasis_image_renewal_copy (self->renewal, on_copied, self,
                                    stasis_job_cancellable (self->job), error))
    return TRUE;
  g_prefix_error (error, _ ("the guest has its memory, but '%s' could not be copied: "),
                  self->status->memory_image);
  return FALSE;
}

static gboolean
prove (Detach *self, GError **error)
{
  if (!stasis_memory_pull_look (self->pull, error))
    return FALSE;
  if (stasis_memory_pull_missing (self->pull) == 0)
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED, _ ("QEMU has given memory back to '%s'"),
               self->status->memory_image);
  return FALSE;
}

/* With the lock held. */
static gboolean
let_go (Detach *self, StasisHold *hold, GError **error)
{
  StasisStatus *status = hold->status;
  if (!stasis_fault ("detach-copied", error) || !prove (self, error)
      || !stasis_fault ("detach-proven", error) || !stasis_job_commit (self->job, error)
      || (self->renewal != NULL
          && !stasis_image_renewal_commit (self->renewal, self->driver->paths, error))
      || !stasis_fault ("detach-renamed", error)
      || !stasis_memory_image_unlock (&status->qemu, &status->memory_image_id, error)
      || !stasis_fault ("detach-unlocked", error))
    return FALSE;
  g_clear_pointer (&status->memory_image, g_free);
  g_clear_pointer (&status->memory_flat_of, g_free);
  g_clear_pointer (&status->memory_stamp, g_free);
  status->memory_image_id = (StasisFileId){ 0 };
  return stasis_hold_write (hold, error);
}

static gboolean
is_same_run (const Detach *self, const StasisStatus *now)
{
  const StasisProcess *qemu = &self->status->qemu;
  return now->qemu.pid == qemu->pid && now->qemu.start_time == qemu->start_time
         && now->memory_image != NULL;
}

static gboolean
finish (Detach *self, GError **error)
{
  stasis_job_set_phase (self->job, "commit");
  g_autoptr (StasisHold) hold = stasis_hold_take_cancellable (
      self->driver, self->name, stasis_job_cancellable (self->job), error);
  if (hold == NULL)
    return FALSE;
  if (hold->status == NULL || !is_same_run (self, hold->status))
    return throw_ended (self, error);
  return let_go (self, hold, error);
}

/* What the user is told is why, not what came of it. */
static void
explain (Detach *self, GError **error)
{
  if (!stasis_process_is_alive (&self->status->qemu))
    {
      throw_ended (self, error);
      stasis_job_forget_last (self->job);
    }
  else if (self->reason != NULL)
    {
      g_clear_error (error);
      g_propagate_error (error, g_steal_pointer (&self->reason));
    }
}

static gboolean
run (Detach *self, GError **error)
{
  stasis_job_set_phase (self->job, "prepare");
  if (!begin (self, error))
    return FALSE;

  g_autoptr (GError) local = NULL;
  stasis_job_set_phase (self->job, "pull");
  if (pull_memory (self, &local) && await_check (self, &local) && copy_image (self, &local)
      && finish (self, &local))
    {
      stasis_job_end (self->job, NULL);
      return TRUE;
    }
  explain (self, &local);
  stasis_job_end (self->job, local);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/**
 * stasis_domain_detach_image:
 * @self: a running domain whose memory is mapped from a save image
 * @flags: how
 * @progress: (nullable) (scope call): told how it stands
 * @user_data: for @progress
 * @cancellable: (nullable): stops it; the guest goes on with the image then, and what it has got
 *   is not got again the next time
 * @error: return location
 *
 * Brings the rest of its memory into QEMU's own, while the guest goes on; then the image is free: a
 * copy of it, a file of its own, has taken its name, unless that was removed or replaced before.
 * Blocks. %STASIS_ERROR_INVALID_STATE for a domain that uses no image, %STASIS_ERROR_REFUSED where
 * there is not enough memory. A save that is begun meanwhile goes first, and this fails with
 * %STASIS_ERROR_BUSY.
 *
 * Returns: %TRUE if it does not use the image any more
 */
gboolean
stasis_domain_detach_image (StasisDomain *self, StasisDetachFlags flags,
                            StasisProgressFunc progress, gpointer user_data,
                            GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->detach_image (self, flags, progress, user_data, cancellable, error);

  g_autoptr (StasisJob) job = stasis_job_new ("detach", progress, user_data, cancellable);
  g_auto (Detach) detach = {
    .driver = stasis_domain_get_driver (self),
    .domain = self,
    .name = stasis_domain_get_name (self),
    .flags = flags,
    .job = job,
    .image = -1,
  };
  return run (&detach, error);
}
