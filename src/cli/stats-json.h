/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats-json.h: the statistics of a job as JSON
 */

#pragma once

#include <stasis/stasis.h>

#include "util/json.h"

G_BEGIN_DECLS

/* "none", "active", "completed", "failed", "cancelled": for programs, not translated. */
const char *stasis_cli_job_state_name (StasisJobState state);

/* An object with a member for each field of StasisJobStats; unknown times are null. */
StasisJson *stasis_cli_stats_to_json (const StasisJobStats *stats) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
