/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-params.h: a job in libvirt's numbers and names
 */

#pragma once

#include <stasis/job.h>

#include "remote/wire.h"

G_BEGIN_DECLS

#define STASIS_JOB_TYPE_NONE 0

/* libvirt's virDomainJobType. */
gint32 stasis_job_params_type (const StasisJobStats *stats);
/* Never negative. */
guint64 stasis_job_params_ms (gint64 us);
/* (transfer full): typed parameters; none of a job that is none. */
GPtrArray *stasis_job_params_make (const StasisJobStats *stats);
/* (transfer full): what of a job such parameters tell; @type is libvirt's. */
StasisJobStats *stasis_job_params_parse (gint32 type, const GPtrArray *params);

G_END_DECLS
