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

/* (transfer full): what tells one job from all others. */
char *stasis_job_id_new (void);
gboolean stasis_job_id_is_valid (const char *id);

/* What has been decided of that job of the domain whose run folder this is.  @id: (nullable): one
 * of a driver that knows of no ids. */
StasisJobFate stasis_job_fate_get (const char *folder, const char *id);

/* Decide, unless somebody has: what holds from now on.  OPEN with an error where it cannot be
 * noted. */
StasisJobFate stasis_job_fate_decide (const char *folder, const char *id, StasisJobFate fate,
                                      GError **error);

/* The job is over.  NULL for @id, under the domain's lock: of the next job nothing is decided. */
void stasis_job_fate_clear (const char *folder, const char *id);

G_END_DECLS
