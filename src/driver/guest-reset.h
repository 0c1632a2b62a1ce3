/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-reset.h: have a guest that has ended begin anew
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* Reset a guest that has shut down or panicked, and wait until that is done; its CPUs stay stopped.
 * One that has been reset already, or runs, is left as it is: this may be done again.  The caller
 * holds the domain's lock.  Takes events from @monitor.
 * @on_reboot: (nullable): libvirt's word for what its definition wants
 * Fault point: restart-reset */
gboolean stasis_guest_reset (StasisMonitor *monitor, const char *on_reboot, GError **error);

/* Once it runs: its next reset is judged by on_reboot again.  Waits for those that SeaBIOS does
 * by itself after ours, for two seconds at most where it does none.  This may be done again, too.
 */
gboolean stasis_guest_end_reset (StasisMonitor *monitor, const char *on_reboot, GError **error);

/* What a supervisor keeps for a later one, in the run folder. */
#define STASIS_SUPERVISOR_FILE           "supervisor.json"
#define STASIS_SUPERVISOR_RUNNING_REASON "running-reason"
#define STASIS_SUPERVISOR_STOPPED_BY     "stopped-by"
#define STASIS_SUPERVISOR_HAS_RUN        "has-run"
#define STASIS_SUPERVISOR_REBOOT_PENDING "reboot-pending"

/* The guest begins anew: a supervisor that died before it could write that down must not have a
 * later one believe in a reboot that has been done.  Before the guest runs. */
gboolean stasis_guest_note_boot (const char *folder, GError **error);

G_END_DECLS
