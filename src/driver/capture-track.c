/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capture-track.c: the blocks of a capture's copy, tracked
 */

#include "config.h"

#include "driver/capture-track.h"

#include "driver/process-maps.h"

/* From now on. */
gboolean
stasis_capture_track_begin (StasisDirtyTrack *track, const StasisCaptureCopy *copy, GError **error)
{
  for (guint i = 0; i < stasis_capture_copy_n_blocks (copy); i++)
    if (stasis_dirty_track_add (track, stasis_capture_copy_block (copy, i), error) < 0)
      return FALSE;
  return TRUE;
}

/* Since the base: what that has, and QEMU has no page of any more, was given back since.  Of memory
 * that is mapped from an image nothing can be given back. */
gboolean
stasis_capture_track_adopt (StasisDirtyTrack *track, const StasisCaptureCopy *copy, GError **error)
{
  for (guint i = 0; i < stasis_capture_copy_n_blocks (copy); i++)
    {
      gsize n_octets;
      g_autofree guint8 *before = stasis_capture_copy_base_bitmap (copy, i, &n_octets);
      if (stasis_dirty_track_adopt (track, stasis_capture_copy_block (copy, i), error) < 0)
        return FALSE;
      if (before != NULL)
        stasis_dirty_track_expect (track, i, before, n_octets);
      else
        stasis_dirty_track_set_private_file (track, i);
    }
  return TRUE;
}

/* What was written to. */
gboolean
stasis_capture_track_take (StasisDirtyTrack *track, const StasisCaptureCopy *copy, GArray *ranges,
                           guint64 *out_octets, GError **error)
{
  for (guint i = 0; i < stasis_capture_copy_n_blocks (copy); i++)
    {
      gsize n_octets;
      const guint8 *copied = stasis_capture_copy_bitmap (copy, i, &n_octets);
      if (copied != NULL)
        stasis_dirty_track_expect (track, i, copied, n_octets);
    }
  return stasis_dirty_track_take (track, ranges, out_octets, error);
}

static gboolean
is_private (const GArray *mappings, const StasisRamBlock *ram)
{
  for (guint i = 0; i < mappings->len; i++)
    {
      const StasisMapping *mapping = &g_array_index (mappings, StasisMapping, i);
      if (mapping->begin <= ram->host_address && ram->host_address < mapping->end)
        return stasis_mapping_is_private (mapping);
    }
  return FALSE;
}

/* Whether all of it is QEMU's own. */
gboolean
stasis_capture_track_can_stay (const StasisProcess *qemu, const GPtrArray *ram_blocks)
{
  g_autoptr (GArray) mappings = stasis_process_maps_read (qemu->pid, NULL);
  for (guint i = 0; mappings != NULL && i < ram_blocks->len; i++)
    {
      const StasisRamBlock *ram = g_ptr_array_index (ram_blocks, i);
      if (ram->host_address != 0 && !is_private (mappings, ram))
        return FALSE;
    }
  return mappings != NULL;
}
