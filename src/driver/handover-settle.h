/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handover-settle.h: whose the guest is after a handover was cut off
 */

#pragma once

#include "driver/status.h"
#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Behind the names of sockets in the run folder: those of the second QEMU. */
#define STASIS_BESIDE ".next"
/* In it: where the status lies that decides. */
#define STASIS_HANDOVER_FOLDER "handover"

/* HANDOVER: the guest goes on in the QEMU of the status; the other one is ended.  @monitor: of the
 * former. */
gboolean stasis_handover_undo (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                               GError **error);

/* HANDED_OVER: the former QEMU is ended, and all that has a name is the present one's. */
gboolean stasis_handover_move (const char *folder, const StasisStatus *status, GError **error);

/* After that: the guest goes on, and the journal is cleared.  @monitor: of the present QEMU. */
gboolean stasis_handover_finish (const char *folder, StasisStatus *status, StasisMonitor *monitor,
                                 GError **error);

G_END_DECLS
