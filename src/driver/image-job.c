/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-job.c: the progress of a long operation on an image
 */

#include "config.h"

#include "driver/image-job.h"

#include <unistd.h>

/* Begin. */
StasisImageJob
stasis_image_job_begin (char *operation, StasisProgressFunc progress, gpointer user_data)
{
  return (StasisImageJob){ .stats = { .state = STASIS_JOB_ACTIVE,
                                      .operation = operation,
                                      .owner_pid = getpid (),
                                      .pause_us = -1 },
                           .progress = progress,
                           .user_data = user_data,
                           .began_us = g_get_monotonic_time () };
}

/* How far it is. */
void
stasis_image_job_tell (guint64 done, guint64 total, gpointer data)
{
  StasisImageJob *job = data;
  StasisJobStats *stats = &job->stats;
  stats->elapsed_us = g_get_monotonic_time () - job->began_us;
  stats->bytes_total = total;
  stats->bytes_processed = done;
  stats->bytes_written = done;
  stats->bytes_remaining = total - MIN (done, total); /* 0 of 0: nobody knows */
  stats->remaining_us = -1;
  if (stats->elapsed_us > 0)
    stats->bytes_per_second = done * G_USEC_PER_SEC / (guint64) stats->elapsed_us;
  if (stats->bytes_per_second > 0 && total > 0)
    stats->remaining_us
        = (gint64) (stats->bytes_remaining * G_USEC_PER_SEC / stats->bytes_per_second);
  if (job->progress != NULL)
    job->progress (stats, job->user_data);
}

/* The last word goes to the caller as every job's does: how it ended. */
void
stasis_image_job_end (StasisImageJob *job, const GError *error)
{
  StasisJobStats *stats = &job->stats;
  g_autofree char *message = error != NULL ? g_strdup (error->message) : NULL;
  stats->state = STASIS_JOB_COMPLETED;
  if (error != NULL)
    stats->state = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? STASIS_JOB_CANCELLED
                                                                             : STASIS_JOB_FAILED;
  stats->error = message;
  stats->remaining_us = 0;
  stats->elapsed_us = g_get_monotonic_time () - job->began_us;
  if (job->progress != NULL)
    job->progress (stats, job->user_data);
  stats->error = NULL;
}
