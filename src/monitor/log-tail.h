/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-tail.h: the last lines of QEMU's log, fit for an error message
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_LOG_TAIL_OCTETS 2048u
#define STASIS_LOG_TAIL_LINES  10u

/* (transfer full) At most so many octets and lines from the end of the file, UTF-8, without
 * control characters and the last line end; "" where there is nothing to read.  Nothing from
 * before @start, the size that the log had when the run began; a log that has been made shorter
 * since is taken from its beginning, and one that was cut (its newer backup is there) together
 * with what was cut off. */
char *stasis_log_tail (const char *path, guint64 start) G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full): where a part of the log is that it has no room for: 0 what was cut off in this
 * run, missing where it was not; 1 the end of earlier runs. */
char *stasis_log_backup_path (const char *path, guint number) G_GNUC_WARN_UNUSED_RESULT;

/* The size of the log now, 0 where there is none. */
guint64 stasis_log_size (const char *path);

G_END_DECLS
