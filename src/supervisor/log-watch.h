/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-watch.h: look at the size of the logs now and then
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Keep QEMU's log (nullable) and the supervisor's own below their limit (driver/log-limit.h) as
 * long as QEMU lives, on a thread of its own.  @qemu_pidfd outlives it. */
void stasis_log_watch (const char *qemu_log, const char *own_log, int qemu_pidfd);

G_END_DECLS
