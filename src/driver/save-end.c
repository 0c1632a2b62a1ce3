/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-end.c: what becomes of a guest whose save has succeeded, or has not
 */

#include "config.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/devices.h"
#include "driver/domain-private.h"
#include "driver/marks.h"
#include "driver/recover.h"
#include "driver/save-private.h"
#include "driver/save-track.h"
#include "driver/snapshot-undo.h"
#include "driver/teardown.h"
#include "util/fault.h"
#include "util/fd.h"

/* QEMU has sent everything away and its disks are closed: there is nothing to wait for. */
static void
end_qemu_at_once (const StasisStatus *status)
{
  stasis_autofd int pidfd = stasis_process_open (&status->qemu, NULL);
  if (pidfd >= 0)
    stasis_process_end (pidfd, /* grace_ms= */ 0);
}

/* The image is complete and the guest ended: that is what was asked for, and whoever comes next may
 * clear away what is left.  Only a QEMU that does not end is a failure. */
static gboolean
clear_away (const StasisSave *save, GError **error)
{
  g_autoptr (GError) local = NULL;
  const StasisStatus *status = save->hold->status;
  if (stasis_teardown (status, save->hold->folder, "saved", &local))
    return TRUE;
  if (!stasis_process_is_alive (&status->qemu))
    {
      g_warning (_ ("the image '%1$s' is complete and the guest has ended, but its run folder is "
                    "left: %2$s"),
                 save->place->name, local->message);
      return TRUE;
    }
  g_propagate_prefixed_error (error, g_steal_pointer (&local),
                              _ ("the image '%s' is complete, but: "), save->place->name);
  return FALSE;
}

/* The last word of a save that succeeded. */
static void
tell (StasisSave *save)
{
  if (save->form.kind == STASIS_IMAGE_KIND_STASIS)
    stasis_mark_verified (save->driver->paths, stasis_save_place_file_fd (save->place));
  if (save->engine->way == STASIS_SAVE_WAY_THROUGH)
    stasis_job_stats (save->job)->bytes_written = stasis_save_place_written (save->place);
  stasis_job_end (save->job, NULL);
}

/* The guest went on long ago, or has ended by itself: only what we left in QEMU is taken back. */
static gboolean
keep_guest (StasisSave *save, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (save->snapshot != NULL && stasis_disk_snapshot_is_needed (save->snapshot))
    stasis_job_set_new_disks (save->job,
                              stasis_disk_snapshot_describe (save->snapshot, save->hold));
  gboolean ok = stasis_fault ("save-renamed", &local);
  if (ok)
    {
      stasis_snapshot_keep (save->hold->folder, save->hold->status);
      stasis_save_track_end (save);
      ok = stasis_recover_roll_back (save->hold->folder, save->hold->status, save->monitor, &local);
    }
  if (!ok)
    g_debug ("after the commit: %s", local->message);
  stasis_job_stats (save->job)->pause_us = save->was_running ? save->pause_us : -1;
  tell (save);
  return TRUE;
}

/* The image is complete: the guest must not live beside it.  What fails from here on does not
 * change that any more. */
static gboolean
end_guest (StasisSave *save, GError **error)
{
  StasisStatus *status = save->hold->status;
  g_autoptr (GError) local = NULL;
  status->journal.step = STASIS_STEP_COMMITTED;
  if (!stasis_fault ("save-renamed", &local) || !stasis_hold_write (save->hold, &local))
    g_debug ("%s", local->message);
  if (!stasis_fault ("save-committed", NULL))
    g_debug ("fault after the commit");

  stasis_job_stats (save->job)->pause_us
      = save->was_running ? g_get_monotonic_time () - save->paused_us : -1;
  tell (save);

  g_autoptr (GError) unnoted = NULL;
  if (!stasis_end_reason_write (save->hold->folder, "saved", &unnoted))
    g_debug ("%s", unnoted->message);
  end_qemu_at_once (status);
  return clear_away (save, error);
}

/* The image is complete. */
gboolean
stasis_save_finish (StasisSave *save, GError **error)
{
  return stasis_save_keeps_running (save) ? keep_guest (save, error) : end_guest (save, error);
}

/* Say so where the guest, or somebody who ended it, was faster than the save: what QEMU's monitor
 * says of that is that it is gone.  FALSE where QEMU lives, or nobody has noted why it does not. */
static gboolean
explain_end (const StasisSave *save, GError **error)
{
  const char *name = save->hold->status->name;
  g_autofree char *reason = stasis_monitor_is_closed (save->monitor)
                                ? stasis_end_reason_read (save->hold->folder)
                                : NULL;
  g_autofree char *message = NULL;
  if (g_strcmp0 (reason, "shutdown") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' was shut off while it was being saved; no image was written"), name);
  else if (g_strcmp0 (reason, "destroyed") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' was destroyed while it was being saved; no image was written"), name);
  else if (g_strcmp0 (reason, "crashed") == 0)
    message = g_strdup_printf (
        _ ("domain '%s' crashed while it was being saved; no image was written"), name);
  if (message == NULL)
    return FALSE;

  g_clear_error (error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, message);
  return TRUE;
}

/* There is no image. */
void
stasis_save_roll_back (StasisSave *save, GError **error)
{
  const StasisDeviceRequest request = {
    .operation = STASIS_DEVICE_SAVE,
    .destination = save->place->name,
    .def = save->def,
  };
  stasis_job_set_phase (save->job, "roll back");
  stasis_devices_recover (&request);
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_roll_back (save->hold->folder, save->hold->status, save->monitor, &local)
      && !explain_end (save, error) && !stasis_monitor_is_closed (save->monitor))
    g_prefix_error (error, _ ("(and %s) "), local->message);

  stasis_job_end (save->job, *error);
}

/* Nobody knows. */
void
stasis_save_leave_paused (StasisSave *save, GError **error)
{
  g_autoptr (GError) local = NULL;
  if (!stasis_recover_leave_paused (save->hold->folder, save->hold->status, save->monitor, &local))
    g_prefix_error (error, "(%s) ", local->message);
  stasis_job_end (save->job, *error);
}
