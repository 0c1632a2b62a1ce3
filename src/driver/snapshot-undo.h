/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-undo.h: the way back from overlays that a save has laid over a guest's disks
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* What the journal notes of overlays is undone: what the guest has written to them is merged into
 * the disks below while it runs on, the definitions are as they were, the files go.  Where that
 * fails, or QEMU has ended and they were written to, they stay the guest's disks, of which people
 * are told.  The caller writes the status. */
void stasis_snapshot_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor);

/* They stay its disks, for that is what they are for: the image of the moment is complete. */
void stasis_snapshot_keep (const char *folder, StasisStatus *status);

G_END_DECLS
