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
 * cannot be, or QEMU has ended and they were written to, they stay the guest's disks, of which
 * people are told.  FALSE: it is neither, and the journal has to stay for another try; the guest
 * stands still, or goes on as before.  The caller writes the status, and lets a guest that ran
 * (`was_running`) go on. */
gboolean stasis_snapshot_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                               GError **error);

/* Have QEMU close what it has of one, if nobody uses it. */
void stasis_snapshot_close_nodes (const StasisJournalOverlay *overlay, StasisMonitor *monitor);

/* They stay its disks, for that is what they are for: the image of the moment is complete. */
void stasis_snapshot_keep (const char *folder, StasisStatus *status);

G_END_DECLS
