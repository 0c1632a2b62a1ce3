/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.h: finish or undo what a driver was doing when it died
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* What a save calls the descriptor that it gives to QEMU by `getfd`. */
#define STASIS_SAVE_FD_NAME "stasis-save"

/* The caller holds the domain's lock.  Rolls back or forward what @status's journal says, and
 * clears it; the domain may have been torn down then (its QEMU does not live any more, its folder
 * is gone).  Nothing to do is success.
 * @monitor: (nullable): used where QEMU's monitor.sock does not answer in time; events are taken
 *   from it, so ask QEMU for its state anew afterwards */
gboolean stasis_recover (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                         GError **error);

/* Where the status says that a descriptor is left: close it as soon as monitor.sock greets us,
 * which may take seconds; the guest has gone on.  The caller holds the domain's lock. */
gboolean stasis_recover_close_left (const char *folder, StasisStatus *status, GError **error);

/* The part of it that undoes a save before its rename: end the migration, let the guest run again
 * if it ran before, take our descriptors from QEMU, remove the temporary file, clear the journal
 * and write the status.  For the owner of the job, with its own monitor.  All of it is tried even
 * where a part fails; the first failure is returned, which says whether it is the guest's. */
gboolean stasis_recover_roll_back (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                                   GError **error);

/* Let the guest run, as soon as a migration that has just ended allows it; one that runs, or has
 * ended or stopped by itself meanwhile, is left alone. */
gboolean stasis_recover_let_run (StasisMonitor *monitor, GError **error);

/* For a save into a pipe whose end has been sent, nobody knows how far: the guest stays paused, and
 * the status says that it is undecided. */
gboolean stasis_recover_leave_paused (const char *folder, StasisStatus *status,
                                      StasisMonitor *monitor, GError **error);

/* The guest goes on: remove the managed image that it came from, if the journal names one.  One
 * that cannot be removed is warned of. */
void stasis_recover_use_up (const StasisJournal *journal);

G_END_DECLS
