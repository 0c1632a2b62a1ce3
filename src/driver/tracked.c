/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracked.c: the image that a guest's writes are tracked since, as its status keeps it
 */

#include "config.h"

#include "driver/tracked.h"

#include <glib/gi18n-lib.h>

/* In the file by name: append, never rename. */
static const char *const state_names[] = {
  [STASIS_TRACK_ON] = "on",
  [STASIS_TRACK_UNFINISHED] = "unfinished-save",
  [STASIS_TRACK_LIVE_SAVE] = "live-save",
  [STASIS_TRACK_LOST] = "lost",
  [STASIS_TRACK_OFF] = "off",
};

static void
free_block (gpointer block)
{
  stasis_ram_block_free (block);
}

StasisTracked *
stasis_tracked_new (const char *file, const char *image, const char *hashes)
{
  StasisTracked *self = g_new0 (StasisTracked, 1);
  self->state = STASIS_TRACK_ON;
  self->file = g_strdup (file);
  self->image = g_strdup (image);
  self->hashes = g_strdup (hashes);
  self->blocks = g_ptr_array_new_with_free_func (free_block);
  return self;
}

/* One more block. */
void
stasis_tracked_add_block (StasisTracked *self, const StasisRamBlock *block)
{
  StasisRamBlock *own = g_new0 (StasisRamBlock, 1);
  own->name = g_strdup (block->name);
  own->host_address = block->host_address;
  own->used_length = block->used_length;
  g_ptr_array_add (self->blocks, own);
}

/* Whether it is known what was written to since. */
gboolean
stasis_tracked_is_on (const StasisTracked *self)
{
  return self != NULL && self->state == STASIS_TRACK_ON;
}

const char *
stasis_track_state_to_string (StasisTrackState state)
{
  return state_names[state];
}

/* OFF where it is none. */
StasisTrackState
stasis_track_state_from_string (const char *word)
{
  for (gsize i = 0; i < G_N_ELEMENTS (state_names); i++)
    if (g_str_equal (word, state_names[i]))
      return (StasisTrackState) i;
  return STASIS_TRACK_OFF;
}

/* Why it is not on. */
char *
stasis_tracked_explain (const StasisTracked *self)
{
  switch (self->state)
    {
    case STASIS_TRACK_ON:
      break;
    case STASIS_TRACK_UNFINISHED:
      return g_strdup_printf (
          _ ("its writes were tracked since '%s', until a save that did not come "
             "to its end"),
          self->file);
    case STASIS_TRACK_LIVE_SAVE:
      return g_strdup_printf (_ ("its writes were tracked since '%s', until a live save without "
                                 "--track"),
                              self->file);
    case STASIS_TRACK_LOST:
      return g_strdup_printf (_ ("its writes were tracked since '%s', but QEMU has other memory by "
                                 "now, or it is not tracked any more"),
                              self->file);
    case STASIS_TRACK_OFF:
      return g_strdup_printf (_ ("its writes were tracked since '%s', until that was switched off"),
                              self->file);
    }
  return NULL;
}

/* NULL is fine. */
void
stasis_tracked_free (StasisTracked *self)
{
  if (self == NULL)
    return;
  g_free (self->file);
  g_free (self->image);
  g_free (self->hashes);
  g_ptr_array_unref (self->blocks);
  g_free (self);
}
