/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h: a long operation in the terminal: progress, Ctrl-C, final statistics
 */

#pragma once

#include "cli/cli.h"
#include "util/json.h"

G_BEGIN_DECLS

typedef struct _StasisCliJob StasisCliJob;

/* Begin: from here Ctrl-C cancels.  @title: "Save"; @reassure: what is said when it does:
 * "cancelling the save: the domain will run on".  Both copied. */
StasisCliJob *stasis_cli_job_begin (StasisCli *cli, const char *title, const char *reassure,
                                    gboolean verbose, gboolean json) G_GNUC_WARN_UNUSED_RESULT;

/* For the library's call; all borrowed. */
GCancellable *stasis_cli_job_cancellable (StasisCliJob *job);
gpointer stasis_cli_job_progress (StasisCliJob *job); /* of stasis_cli_progress_update() */

/* No more progress, signals as before.  @error (nullable): why it failed; then the statistics say
 * so even where it failed too early for the library to. */
void stasis_cli_job_end (StasisCliJob *job, const GError *error);

/* TRUE where the library told of progress. */
gboolean stasis_cli_job_has_begun (const StasisCliJob *job);

/* The final statistics as an object; empty where the library gave none.  After the end. */
StasisJson *stasis_cli_job_to_json (const StasisCliJob *job) G_GNUC_WARN_UNUSED_RESULT;

/* Say where the guest's disks go on, if that is elsewhere.  After the end. */
void stasis_cli_job_say_disks (StasisCli *cli, const StasisCliJob *job);

/* Ends it where that was not done.  NULL is fine. */
void stasis_cli_job_free (StasisCliJob *job);

/* Print an object (consumed) as the output of --json. */
void stasis_cli_print_json (StasisCli *cli, StasisJson *json_take);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliJob, stasis_cli_job_free)

G_END_DECLS
