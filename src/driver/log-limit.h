/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log-limit.h: the logs of QEMU and of the supervisor do not grow without end
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* How large the log may be when somebody looks at it, and how much of its end is kept. */
#define STASIS_LOG_MAX (2u << 20)

/* For a QEMU that runs: where the log @path is larger than that, its end becomes the backup
 * (stasis_log_backup_path) and the log is emptied in place.  *@out_was_cut tells so, on failure
 * as well: where there can be no backup the limit holds all the same. */
gboolean stasis_log_limit (const char *path, gboolean *out_was_cut, GError **error);

/* For a QEMU that is about to be started, by who holds the domain's lock, or a supervisor: what the
 * log and its backup hold is of earlier runs, and the log has room.  Returns where the new run's
 * part of it begins.  That something could not be done is no reason against a start. */
guint64 stasis_log_begin_run (const char *path);

G_END_DECLS
