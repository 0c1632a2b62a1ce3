/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-stats-json.h: statistics of a job as JSON, on the wire and in files
 */

#pragma once

#include <stasis/job.h>

#include "util/json.h"

G_BEGIN_DECLS

/* (transfer full), an object. */
StasisJson *stasis_job_stats_to_json (const StasisJobStats *stats) G_GNUC_WARN_UNUSED_RESULT;

/* Members that are missing keep their defaults; STASIS_JSON_ERROR_TYPE where the state is not
 * one we know. */
StasisJobStats *stasis_job_stats_from_json (const StasisJson *json,
                                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "none", "active" ... */
const char *stasis_job_state_to_string (StasisJobState state);

G_END_DECLS
