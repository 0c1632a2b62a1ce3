/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.h: how far a job is, on standard error
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct _StasisCliProgress StasisCliProgress;

typedef enum
{
  STASIS_CLI_PROGRESS_NONE,
  STASIS_CLI_PROGRESS_BAR,   /* one line of a terminal, drawn over and over */
  STASIS_CLI_PROGRESS_LINES, /* a line now and then, for logs */
  STASIS_CLI_PROGRESS_JSON,  /* the same as JSON, one object a line */
} StasisCliProgressStyle;

/* What suits standard error and the options. */
StasisCliProgressStyle stasis_cli_progress_style (gboolean quiet, gboolean verbose, gboolean json);

/* @title: "Save"; copied.  @verbose: say also which way was chosen. */
StasisCliProgress *stasis_cli_progress_new (const char *title, StasisCliProgressStyle style,
                                            gboolean verbose);

/* Show @stats; a StasisProgressFunc, from any thread. */
void stasis_cli_progress_update (const StasisJobStats *stats, gpointer progress);

/* A line of text above the bar, whatever the style; from any thread. */
void stasis_cli_progress_message (StasisCliProgress *progress, const char *text);

/* The job is being cancelled: the bar stays as it stands, on a line of its own, and is drawn no
 * more.  @text (nullable) goes below it; from any thread. */
void stasis_cli_progress_cancel (StasisCliProgress *progress, const char *text);

/* The cursor goes to a new line; nothing is drawn any more. */
void stasis_cli_progress_end (StasisCliProgress *progress);

/* The last picture of the job (borrowed), or NULL where none came; once the job has ended. */
const StasisJobStats *stasis_cli_progress_last (const StasisCliProgress *progress);

/* NULL is fine. */
void stasis_cli_progress_free (StasisCliProgress *progress);

/* One line of at most @columns (bar) or of any length (0). */
char *stasis_cli_progress_format (const char *title, const StasisJobStats *stats, guint columns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliProgress, stasis_cli_progress_free)

G_END_DECLS
