/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover-private.h: what undoing a save and recovery have in common
 */

#pragma once

#include "driver/recover.h"

G_BEGIN_DECLS

/* TRUE where @path is the file that the journal speaks of. */
gboolean stasis_recover_is_journals_file (const char *path, const StasisJournal *journal);

gboolean stasis_recover_remove_temp (const StasisJournal *journal, GError **error);

/* The image of a guest that goes on may be complete: then its disks are those of that moment.
 * @monitor: (nullable): where its QEMU has ended */
gboolean stasis_recover_settle_disks (const char *folder, StasisStatus *status,
                                      StasisMonitor *monitor, GError **error);

G_END_DECLS
