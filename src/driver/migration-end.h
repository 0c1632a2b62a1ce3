/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-end.h: ending an outgoing migration that nobody wants any more
 */

#pragma once

#include "monitor/monitor.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* An error where QEMU is at a migration, which is somebody else's: nothing of it was touched. */
gboolean stasis_migration_check_none (StasisMonitor *monitor, const char *name,
                                      GCancellable *cancellable, GError **error);

/* End the outgoing migration of process @qemu, if there is one, and wait until it has ended. */
gboolean stasis_migration_end (StasisMonitor *monitor, pid_t qemu, GError **error);

/* (transfer full): those of QEMU's parameters of migration that our jobs change, direct-io aside,
 * as they are now; or those of them that are in @all (nullable) */
StasisJson *stasis_migration_note_parameters (StasisMonitor *monitor, GCancellable *cancellable,
                                              GError **error);
StasisJson *stasis_migration_pick_parameters (const StasisJson *all);

/* Every migration capability off, direct-io off, and the parameters that were noted as they were:
 * so the next job begins clean, and so does somebody else's.  @former: (nullable).  It waits until
 * QEMU has cleared up a migration that has just ended; one that goes on is waited for, but not for
 * long. */
gboolean stasis_migration_reset (StasisMonitor *monitor, const StasisJson *former, GError **error);

G_END_DECLS
