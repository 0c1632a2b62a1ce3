/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * quiesce.h: freeze the guest's file systems before it is paused
 *
 *   check: before anything is touched
 *   begin: just before the guest is paused, with a journal of the job written
 *   end:   once it runs again
 *   note:  once it was restored, before it runs
 */

#pragma once

#include "conf/domain-def.h"
#include "driver/hold.h"
#include "image/kind.h"
#include "image/reader.h"

G_BEGIN_DECLS

/* Whether an image of that kind can say that its guest is frozen: who restores one that cannot
 * would not thaw it.  STASIS_ERROR_UNSUPPORTED. */
gboolean stasis_quiesce_check_kind (StasisImageKind kind, GError **error);

/* Whether it can be done: the guest runs, its agent answers, offers to freeze, and nothing is
 * frozen yet.  The guest notices nothing. */
gboolean stasis_quiesce_check (const StasisDomainDef *def, StasisMonitor *monitor,
                               GCancellable *cancellable, GError **error);

/* Freeze.  The status file says so before the agent is told.  Where it fails the freeze may have
 * happened all the same: stasis_recover_roll_back(), stasis_recover() for a process that dies, or
 * stasis_quiesce_end() thaws. */
gboolean stasis_quiesce_begin (StasisHold *hold, const StasisDomainDef *def, StasisMonitor *monitor,
                               GCancellable *cancellable, GError **error);

/* The guest runs: thaw.  What fails is warned of. */
void stasis_quiesce_end (StasisHold *hold);

/* Of a guest that comes from @image (nullable) and does not run yet: if it is frozen, have whoever
 * lets it run thaw it.  The caller writes the status. */
void stasis_quiesce_note (StasisStatus *status, const StasisDomainDef *def,
                          const StasisImage *image);

G_END_DECLS
