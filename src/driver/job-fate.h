/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-fate.h: whether a job is aborted or commits: who comes first is right
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_JOB_FATE_OPEN, /* nobody has decided, or it could not be noted */
  STASIS_JOB_FATE_ABORT,
  STASIS_JOB_FATE_COMMIT,
} StasisJobFate;

/* What has been decided of the job of the domain whose run folder this is. */
StasisJobFate stasis_job_fate_get (const char *folder);

/* Decide, unless somebody has: what holds from now on.  OPEN where it cannot be noted. */
StasisJobFate stasis_job_fate_decide (const char *folder, StasisJobFate fate);

/* Under the domain's lock: of the next job nothing is decided. */
void stasis_job_fate_clear (const char *folder);

G_END_DECLS
