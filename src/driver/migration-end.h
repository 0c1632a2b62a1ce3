/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migration-end.h: ending an outgoing migration that nobody wants any more
 */

#pragma once

#include "monitor/monitor.h"

#include <sys/types.h>

G_BEGIN_DECLS

/* End the outgoing migration of process @qemu, if there is one, and wait until it has ended. */
gboolean stasis_migration_end (StasisMonitor *monitor, pid_t qemu, GError **error);

G_END_DECLS
