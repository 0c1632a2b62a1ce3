/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracked.h: the image that a guest's writes are tracked since, as its status keeps it
 *
 * What was written to since the moment of an image is all that differs from it: the next
 * incremental save need not compare.  The kernel keeps that, in the page tables of QEMU; the status
 * keeps what it is relative to.  A save that is going to take it says so before, and what the new
 * one is relative to once its image has its name: who dies in between leaves a state that is not
 * ON.
 */

#pragma once

#include <glib.h>

#include "monitor/commands-query.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_TRACK_ON,         /* what was written to since is known */
  STASIS_TRACK_UNFINISHED, /* a save that took it has not come to its end */
  STASIS_TRACK_LIVE_SAVE,  /* a live save was not to go on with it */
  STASIS_TRACK_LOST,       /* QEMU's memory is not what was tracked */
  STASIS_TRACK_OFF,        /* somebody wanted an end of it */
} StasisTrackState;

typedef struct
{
  StasisTrackState state;
  char *file;        /* (owned) where the image was */
  char *image;       /* (owned) its UUID */
  char *hashes;      /* (owned) the checksum of its hash table, as a record PARENT has it */
  GPtrArray *blocks; /* (owned) of StasisRamBlock: all that QEMU had, and where it was */
} StasisTracked;

StasisTracked *stasis_tracked_new (const char *file, const char *image, const char *hashes);
void stasis_tracked_add_block (StasisTracked *self, const StasisRamBlock *block);

/* TRUE where what was written to since is known.  @self (nullable). */
gboolean stasis_tracked_is_on (const StasisTracked *self);

/* In the status, by name. */
const char *stasis_track_state_to_string (StasisTrackState state);
/* OFF where it is none. */
StasisTrackState stasis_track_state_from_string (const char *word);

/* (transfer full) (nullable): why it is not on, for people. */
char *stasis_tracked_explain (const StasisTracked *self);

/* NULL is fine. */
void stasis_tracked_free (StasisTracked *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisTracked, stasis_tracked_free)

G_END_DECLS
