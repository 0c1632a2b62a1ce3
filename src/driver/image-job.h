/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-job.h: the progress of a long operation on an image
 */

#pragma once

#include <gio/gio.h>
#include <stasis/job.h>

G_BEGIN_DECLS

typedef struct
{
  StasisJobStats stats;
  StasisProgressFunc progress; /* (nullable) */
  gpointer user_data;
  gint64 began_us;
} StasisImageJob;

/* @operation is borrowed and outlives the job. */
StasisImageJob stasis_image_job_begin (char *operation, StasisProgressFunc progress,
                                       gpointer user_data);

/* How far it is: a StasisImageProgress; @job is a StasisImageJob. */
void stasis_image_job_tell (guint64 done, guint64 total, gpointer job);

/* The last word goes to the caller as every job's does: how it ended. */
void stasis_image_job_end (StasisImageJob *job, const GError *error);

G_END_DECLS
