/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu.h: a real QEMU for tests of the monitor
 */

#pragma once

#include "monitor/monitor.h"

typedef struct
{
  GSubprocess *process; /* (owned) */
  char *folder;         /* (owned) holds socket and log */
  char *socket_path;    /* (owned) */
  char *log_path;       /* (owned) stdout and stderr */
} Qemu;

/* FALSE, and the running test skipped, where there is none (STASIS_TEST_QEMU or PATH). */
gboolean qemu_is_there (void);

/* Start QEMU, stopped, with these arguments more (NULL: none), separated by blanks. */
Qemu *qemu_start (const char *arguments);
/* Kill it and remove its folder. */
void qemu_end (Qemu *qemu);

pid_t qemu_pid (const Qemu *qemu);
void qemu_signal (const Qemu *qemu, int number);
StasisMonitor *qemu_open (const Qemu *qemu);

/* Wait for the event of that name; those before it are dropped.  (transfer full) */
StasisMonitorEvent *qemu_wait_event (StasisMonitor *monitor, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Qemu, qemu_end)
