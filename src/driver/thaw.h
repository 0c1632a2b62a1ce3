/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * thaw.h: thaw the file systems of a guest that runs again
 */

#pragma once

#include "driver/status.h"

G_BEGIN_DECLS

/* The guest runs, and the caller holds the domain's lock: where @status says that its file systems
 * are frozen, thaw them, and write the status that says so no more.  Where that fails it is noted
 * as before.
 * @sync_ms: for the agent to say that it is there */
gboolean stasis_thaw (const char *folder, StasisStatus *status, gint64 sync_ms, GError **error);

/* The same, with patience; what fails is told in a warning with what to do.  The supervisor goes on
 * trying. */
void stasis_thaw_if_frozen (const char *folder, StasisStatus *status);

G_END_DECLS
