/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-commit.h: the moment at which the image, and no longer the guest, is what counts
 */

#pragma once

#include "driver/hold.h"
#include "driver/job.h"
#include "driver/save-place.h"
#include "driver/still.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_SAVE_OPEN,      /* nobody has a complete image: the guest is to go on */
  STASIS_SAVE_COMPLETE,  /* the image is complete: the guest is to be ended */
  STASIS_SAVE_UNDECIDED, /* the reader of a pipe may have one: the guest is to stay paused */
} StasisSaveOutcome;

/* Everything is written: complete it, if the guest has stood still all the time; @still (nullable):
 * NULL where it goes on beside the image, which is a file then.  @error is set
 * unless it is COMPLETE.  Fault points: save-linked, save-commit; with a descriptor also
 * save-released. */
StasisSaveOutcome stasis_save_commit (StasisSavePlace *place, StasisHold *hold, StasisJob *job,
                                      const StasisStill *still, GError **error);

G_END_DECLS
