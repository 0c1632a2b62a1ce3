/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * steer.h: what of a migration is changed while it goes on
 */

#pragma once

#include "monitor/monitor.h"
#include "util/json.h"

G_BEGIN_DECLS

/* (transfer full): those of a request's members that are limits, and whether its guest is to stand
 * still. */
StasisJson *stasis_steer_take (const StasisJson *request);

/* Tell QEMU; *@limits are all of them then, as QEMU has them. */
gboolean stasis_steer (StasisMonitor *monitor, StasisJson *limits, GError **error);

G_END_DECLS
