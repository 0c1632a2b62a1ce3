/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracking.c: the tracking of a guest's writes that is kept between saves
 */

#include "config.h"

#include "driver/tracking.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "driver/dirty-track.h"
#include "driver/domain-private.h"
#include "driver/userfault.h"

static gboolean
is_block (const StasisRamBlock *block, const GPtrArray *ram_blocks)
{
  for (guint i = 0; i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      if (g_str_equal (ram->name, block->name))
        return ram->host_address == block->host_address && ram->used_length == block->used_length;
    }
  return FALSE;
}

static gboolean
throw_other (const char *name, GError **error)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("the RAM block '%s' is another one, or new"), name);
  return FALSE;
}

static gboolean
check_blocks (const GPtrArray *blocks, const GPtrArray *ram_blocks, GError **error)
{
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisRamBlock *block = g_ptr_array_index (blocks, i);
      if (!is_block (block, ram_blocks))
        return throw_other (block->name, error);
    }
  for (guint i = 0; i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      if (!is_block (ram, blocks))
        return throw_other (ram->name, error);
    }
  return TRUE;
}

/* The memory is there, and it is tracked. */
gboolean
stasis_tracking_check (const StasisStatus *status, const GPtrArray *ram_blocks,
                       const StasisImageRamMap *map, GError **error)
{
  if (!check_blocks (status->tracked->blocks, ram_blocks, error))
    return FALSE;
  StasisDirtyTrack *track = stasis_dirty_track_new (&status->qemu, error);
  gboolean ok = track != NULL;
  for (guint i = 0; ok && i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      ok = stasis_image_ram_map_lookup (map, ram->name) == NULL
           || stasis_dirty_track_adopt (track, ram, error) >= 0;
    }
  stasis_dirty_track_leave (track);
  return ok;
}

/* The status first: who dies in between leaves a guest that is tracked for nothing. */
gboolean
stasis_tracking_end (const StasisHold *hold, StasisTrackState why, GError **error)
{
  StasisTracked *tracked = hold->status->tracked;
  if (!stasis_tracked_is_on (tracked))
    return TRUE;
  tracked->state = why;
  return stasis_hold_write (hold, error) && stasis_userfault_release (&hold->status->qemu, error);
}

/**
 * stasis_domain_get_tracked_image:
 * @self: a domain
 * @error: return location
 *
 * Returns: (transfer full) (nullable): the save image since which it is known what the guest writes
 *   to, so that the next incremental save need not compare; %NULL with no error where its writes
 * are not tracked, or it does not run
 */
char *
stasis_domain_get_tracked_image (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->get_tracked_image (self, error);

  g_autoptr (StasisStatus) status = NULL;
  if (!stasis_domain_look (self, &status, error) || status == NULL
      || !stasis_tracked_is_on (status->tracked))
    return NULL;
  return g_strdup (status->tracked->file);
}

/**
 * stasis_domain_untrack:
 * @self: a running domain whose writes are tracked
 * @error: return location
 *
 * Ends that.  The next incremental save compares with the image, unless it is given another one.
 * Fails with %STASIS_ERROR_INVALID_STATE where they are not tracked.
 *
 * Returns: %TRUE if they are not any more
 */
gboolean
stasis_domain_untrack (StasisDomain *self, GError **error)
{
  const StasisDriverOps *ops = stasis_domain_get_ops (self);
  if (ops != NULL)
    return ops->untrack (self, error);

  const char *name = stasis_domain_get_name (self);
  g_autoptr (StasisHold) hold
      = stasis_hold_take_running (stasis_domain_get_driver (self), name, error);
  if (hold == NULL)
    return FALSE;
  if (stasis_tracked_is_on (hold->status->tracked))
    return stasis_tracking_end (hold, STASIS_TRACK_OFF, error);
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
               _ ("what domain '%s' writes to is not tracked"), name);
  return FALSE;
}
