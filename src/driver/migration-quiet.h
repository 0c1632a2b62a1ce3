/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-quiet.h: bringing QEMU's sending threads to rest before a migration is cancelled
 */

#pragma once

#include "monitor/monitor.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* Throttle the migration that runs in process @qemu and wait until none of its sending threads is
 * at work, two seconds at most. */
void stasis_migration_quiet (StasisMonitor *monitor, pid_t qemu);

G_END_DECLS
