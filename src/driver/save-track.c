/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-track.c: what a save does about the tracking of its guest's writes
 *
 * Theory of operation
 *
 * A live save that we write ourselves takes what is known of the guest's writes, and by that ends
 * it; so the status stops saying that they are tracked in the same write in which the journal
 * begins.  The new image has to have its name before it says so again, of that image.  A save of a
 * paused guest only looks, and one that QEMU writes has nothing to do with it: it goes on.  Only a
 * background snapshot needs the memory for itself.
 */

#include "config.h"

#include "driver/save-track.h"

#include <fcntl.h>

#include <glib/gi18n-lib.h>

#include "driver/tracking.h"
#include "image/parent.h"
#include "util/fd.h"

/* Whoever saves incrementally will do so again. */
gboolean
stasis_save_wants_track (const StasisSave *save)
{
  return stasis_save_keeps_running (save)
         && (save->flags & (STASIS_SAVE_TRACK | STASIS_SAVE_INCREMENTAL)) != 0;
}

/* Whether what is tracked is QEMU's memory. */
void
stasis_save_track_check (StasisSave *save)
{
  StasisStatus *status = save->hold->status;
  g_autoptr (GError) local = NULL;
  if (save->base == NULL || !save->base->is_tracked
      || stasis_tracking_check (status, save->ram_blocks, stasis_image_ram_map (save->base->image),
                                &local))
    return;
  g_debug ("%s", local->message);
  status->tracked->state = STASIS_TRACK_LOST;
  save->base->is_tracked = FALSE;
  save->base->note = stasis_tracked_explain (status->tracked);
}

static const char *
describe_future (const StasisSave *save)
{
  const StasisCapture *capture = save->engine->capture;
  if (!stasis_save_wants_track (save))
    return NULL;
  if (capture != NULL && stasis_capture_keeps_track (capture))
    return _ ("what it writes to from here on is tracked");
  return capture != NULL ? _ ("what it writes to from here on is not tracked: its memory is shared")
                         : _ ("what it writes to from here on is not tracked");
}

/* What is to be said of it. */
char *
stasis_save_track_describe (const StasisSave *save)
{
  const char *past = save->base != NULL ? save->base->note : NULL;
  const char *future = describe_future (save);
  if (past != NULL && future != NULL)
    return g_strdup_printf ("%s; %s", past, future);
  return g_strdup (past != NULL ? past : future);
}

/* It is going to be taken. */
void
stasis_save_track_begin (StasisSave *save)
{
  StasisTracked *tracked = save->hold->status->tracked;
  if (!stasis_tracked_is_on (tracked) || !save->is_live
      || (save->engine->capture == NULL && !save->engine->is_snapshot))
    return;
  const gboolean goes_on
      = stasis_save_wants_track (save) || (save->base != NULL && save->base->is_tracked);
  tracked->state = goes_on ? STASIS_TRACK_UNFINISHED : STASIS_TRACK_LIVE_SAVE;
}

static StasisTracked *
describe_image (const StasisSave *save, GError **error)
{
  stasis_autofd int fd = fcntl (stasis_save_place_file_fd (save->place), F_DUPFD_CLOEXEC, 3);
  if (fd < 0)
    {
      stasis_throw_errno (error, _ ("cannot look at the new image"));
      return NULL;
    }
  const char *path = save->place->target->path;
  g_autoptr (StasisImage) image = stasis_image_open_fd (stasis_fd_steal (&fd), path, error);
  g_autoptr (StasisJson) since
      = image != NULL ? stasis_image_parent_new (image, path, error) : NULL;
  if (since == NULL)
    return NULL;
  return stasis_tracked_new (
      path, stasis_json_string (stasis_json_get (since, STASIS_IMAGE_PARENT_IMAGE), ""),
      stasis_json_string (stasis_json_get (since, STASIS_IMAGE_PARENT_HASHES), ""));
}

/* It is known relative to the new image. */
void
stasis_save_track_end (StasisSave *save)
{
  StasisCapture *capture = save->engine->capture;
  StasisStatus *status = save->hold->status;
  if (!stasis_save_wants_track (save) || capture == NULL || !stasis_capture_keeps_track (capture))
    return;
  g_autoptr (GError) local = NULL;
  StasisTracked *tracked = describe_image (save, &local);
  if (tracked == NULL)
    {
      g_debug ("not tracked on: %s", local->message);
      return;
    }
  for (guint i = 0; i < save->ram_blocks->len; i++)
    stasis_tracked_add_block (tracked, g_ptr_array_index (save->ram_blocks, i));
  stasis_capture_leave_track (capture);
  stasis_tracked_free (status->tracked);
  status->tracked = tracked;
}
