/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-watch.h: look at the size of QEMU's log now and then
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Keep the log @path below its limit (driver/log-limit.h) as long as QEMU lives, on a thread of its
 * own.  @qemu_pidfd outlives it. */
void stasis_log_watch (const char *path, int qemu_pidfd);

G_END_DECLS
