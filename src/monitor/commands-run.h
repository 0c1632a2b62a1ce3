/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-run.h: let the guest run, stop it, ask how it is
 */

#pragma once

#include "monitor/monitor.h"

G_BEGIN_DECLS

/* QEMU's own run states. */
typedef enum
{
  STASIS_RUN_STATE_UNKNOWN, /* one that we do not know */
  STASIS_RUN_STATE_DEBUG,
  STASIS_RUN_STATE_INMIGRATE,
  STASIS_RUN_STATE_INTERNAL_ERROR,
  STASIS_RUN_STATE_IO_ERROR,
  STASIS_RUN_STATE_PAUSED,
  STASIS_RUN_STATE_POSTMIGRATE,
  STASIS_RUN_STATE_PRELAUNCH,
  STASIS_RUN_STATE_FINISH_MIGRATE,
  STASIS_RUN_STATE_RESTORE_VM,
  STASIS_RUN_STATE_RUNNING,
  STASIS_RUN_STATE_SAVE_VM,
  STASIS_RUN_STATE_SHUTDOWN,
  STASIS_RUN_STATE_SUSPENDED,
  STASIS_RUN_STATE_WATCHDOG,
  STASIS_RUN_STATE_GUEST_PANICKED,
  STASIS_RUN_STATE_COLO,
} StasisRunState;

const char *stasis_run_state_to_string (StasisRunState state);
StasisRunState stasis_run_state_from_string (const char *name);

/* TRUE where the guest itself has ended: it shut down or panicked. */
gboolean stasis_run_state_is_end (StasisRunState state);

/* TRUE where the guest was stopped by what happened in it: an I/O error, its watchdog, a fault of
 * the machine.  Only people let it run again. */
gboolean stasis_run_state_is_trouble (StasisRunState state);

/* Stop the CPUs; QEMU flushes the disks before it answers. */
gboolean stasis_monitor_stop (StasisMonitor *monitor, GCancellable *cancellable, GError **error);
/* The same for who does not wait for disks as long as that.  It may be done all the same. */
gboolean stasis_monitor_stop_within (StasisMonitor *monitor, gint64 timeout_ms,
                                     GCancellable *cancellable, GError **error);
gboolean stasis_monitor_cont (StasisMonitor *monitor, GCancellable *cancellable, GError **error);
gboolean stasis_monitor_query_status (StasisMonitor *monitor, StasisRunState *out_state,
                                      GCancellable *cancellable, GError **error);

/* Press the guest's power button; the guest may take its time, or not care. */
gboolean stasis_monitor_system_powerdown (StasisMonitor *monitor, GCancellable *cancellable,
                                          GError **error);
gboolean stasis_monitor_system_reset (StasisMonitor *monitor, GCancellable *cancellable,
                                      GError **error);
/* What QEMU does when the guest is reset: "reset" or "shutdown". */
gboolean stasis_monitor_set_reboot_action (StasisMonitor *monitor, const char *action,
                                           GCancellable *cancellable, GError **error);
/* End QEMU.  It may be gone before its answer is: that is success too. */
gboolean stasis_monitor_quit (StasisMonitor *monitor, GCancellable *cancellable, GError **error);

G_END_DECLS
