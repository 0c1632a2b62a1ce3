/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-mirror-drop.h: the end of copies of disks that came to nothing
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* (transfer full): of the block job that copies the disk, and of the node that it writes to. */
char *stasis_migrate_mirror_name (const char *target);

/* First of all, for whatever is done with the guest's disks waits for what is under way, and the
 * destination may answer no more. */
void stasis_migrate_mirrors_disconnect (StasisMonitor *monitor, const char *const *copied);

/* Whatever there is of them in QEMU, by the targets of the disks.  What fails is logged, for the
 * guest is not failed over it. */
void stasis_migrate_mirrors_drop (StasisMonitor *monitor, const char *const *copied);

G_END_DECLS
