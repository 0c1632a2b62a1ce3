/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-postcopy.h: a guest that has come, and lacks some of its memory
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* TRUE where the guest can go on in this QEMU alone: it waits a moment for what is on its way. */
gboolean stasis_migrate_in_is_last_hope (StasisMonitor *monitor);

/* TRUE where some of its memory is elsewhere. */
gboolean stasis_migrate_in_is_postcopy (StasisMonitor *monitor);

/* TRUE where the domain with that run folder waits for memory that is elsewhere, or may do so.
 * @run: (nullable): FALSE */
gboolean stasis_migrate_in_lacks_memory (const char *run);

/* Instead of an end: the journal's migration becomes what is left to be done.  The caller clears
 * the journal, and writes. */
void stasis_migrate_in_keep_postcopy (StasisStatus *status);

/* With the domain's lock, of a status with `postcopy`: QEMU is set back once it has everything. */
gboolean stasis_migrate_in_end_postcopy (const char *folder, StasisStatus *status,
                                         StasisMonitor *monitor, gboolean *out_is_over,
                                         GError **error);

/* What QEMU calls the device by which it makes its userfaultfd (migrate-in-userfault.c); it is not
 * needed any more. */
#define STASIS_MIGRATE_USERFAULT_NAME "stasis-userfault"
void stasis_migrate_in_forget_userfault (StasisMonitor *monitor);

G_END_DECLS
