/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lost.h: running domains whose status file cannot be read
 */

#pragma once

#include <gio/gio.h>

#include "driver/status.h"

G_BEGIN_DECLS

/* The QEMU of this run folder, found without its status, even where the folder was removed; FALSE
 * where none lives.  Looks at every process. */
gboolean stasis_lost_find_qemu (const char *folder, StasisProcess *out_qemu);

/* FALSE where @status, read from @folder, names a process that does not live, and another QEMU has
 * the folder: the status is as good as unreadable then, and @error says so. */
gboolean stasis_lost_check_status (const char *folder, const StasisStatus *status, GError **error);

/* STASIS_ERROR_FAILED where the QEMU of a run folder that was removed lives on.  For a domain that
 * has none. */
gboolean stasis_lost_check_removed (const char *folder, GError **error);

/* STASIS_ERROR_BUSY where somebody has the monitor of this run folder open: a QEMU that was not
 * found, because we may not look at it or because it has let go of what it is found by.  @grace_ms:
 * how long one that is ending may take. */
gboolean stasis_lost_check_monitor (const char *folder, guint grace_ms, GError **error);

/* The user of that QEMU, or of one that is about to start there; FALSE where it cannot be told. */
gboolean stasis_lost_get_user (const char *folder, guint32 *out_uid);

/* TRUE where @error, of stasis_status_read(), means that something runs in @folder or may run, of
 * which its status does not tell.  @error then says so, names the file and the way out. */
gboolean stasis_lost_explain (const char *folder, GError **error);

G_END_DECLS
