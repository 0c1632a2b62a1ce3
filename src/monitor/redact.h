/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * redact.h: QMP messages for the debug log, without their secrets
 */

#pragma once

#include "util/json.h"

G_BEGIN_DECLS

/* (transfer full) The message on one line, shortened, with (redacted) for every secret. */
char *stasis_monitor_redact (const StasisJson *message) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
