/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.h: what the daemon says, how much of it, and where
 */

#pragma once

#include "daemon/daemon-config.h"

G_BEGIN_DECLS

/* From now on; again after the configuration was read anew. */
void stasis_daemon_log_set_up (const StasisDaemonConfig *config);

G_END_DECLS
