/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-stats.c: the statistics of a job as a boxed value
 */

#include "config.h"

#include <stasis/job.h>

G_DEFINE_BOXED_TYPE (StasisJobStats, stasis_job_stats, stasis_job_stats_copy, stasis_job_stats_free)

/**
 * stasis_job_stats_new:
 *
 * Statistics of no job: what is unknown says so.
 *
 * Returns: (transfer full): new statistics
 * Since: 0.1
 */
StasisJobStats *
stasis_job_stats_new (void)
{
  StasisJobStats *self = g_new0 (StasisJobStats, 1);
  self->remaining_us = -1;
  self->pause_us = -1;
  self->expected_pause_us = -1;
  return self;
}

/**
 * stasis_job_stats_copy:
 * @self: statistics
 *
 * Returns: (transfer full): the same in new memory
 * Since: 0.1
 */
StasisJobStats *
stasis_job_stats_copy (const StasisJobStats *self)
{
  StasisJobStats *copy = g_new (StasisJobStats, 1);
  *copy = *self;
  copy->operation = g_strdup (self->operation);
  copy->phase = g_strdup (self->phase);
  copy->engine = g_strdup (self->engine);
  copy->new_disks = g_strdup (self->new_disks);
  copy->error = g_strdup (self->error);
  return copy;
}

/**
 * stasis_job_stats_free:
 * @self: (transfer full) (nullable): statistics
 *
 * Since: 0.1
 */
void
stasis_job_stats_free (StasisJobStats *self)
{
  if (self == NULL)
    return;

  g_free (self->operation);
  g_free (self->phase);
  g_free (self->engine);
  g_free (self->new_disks);
  g_free (self->error);
  g_free (self);
}
