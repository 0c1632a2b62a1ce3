/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.c: a long operation in the terminal
 *
 * Theory of operation
 *
 * The main thread sits in the library's call.  The first SIGINT, SIGTERM or SIGHUP cancels the
 * job, which then rolls back: that is short, but must not be cut off, so any further one is
 * answered with words only.  So is Ctrl-Z: a stopped command would leave the guest paused for as
 * long.
 */

#include "config.h"

#include "cli/job.h"

#include <signal.h>

#include <glib/gi18n.h>

#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/stats-json.h"

struct _StasisCliJob
{
  char *reassure; /* (owned) */
  gboolean quiet;
  GCancellable *cancellable;   /* (owned) */
  StasisCliProgress *progress; /* (owned) */
  StasisCliSignals *signals;   /* (owned) (nullable) */
};

static void
on_signal (int number, guint count, gpointer user_data)
{
  StasisCliJob *self = user_data;
  if (number == SIGTSTP)
    {
      stasis_cli_progress_message (
          self->progress,
          _ ("not stopped: the job would keep the domain waiting; Ctrl-C cancels it"));
      return;
    }

  const gboolean was_cancelled = g_cancellable_is_cancelled (self->cancellable);
  if (was_cancelled)
    stasis_cli_progress_message (self->progress,
                                 _ ("already rolling back, this takes a moment: please wait"));
  else
    stasis_cli_progress_cancel (self->progress, self->quiet ? NULL : self->reassure);
  g_cancellable_cancel (self->cancellable);
}

/* Begin a job. */
StasisCliJob *
stasis_cli_job_begin (StasisCli *cli, const char *title, const char *reassure, gboolean verbose,
                      gboolean json)
{
  StasisCliJob *self = g_new0 (StasisCliJob, 1);
  self->reassure = g_strdup (reassure);
  self->quiet = cli->quiet;
  self->cancellable = g_cancellable_new ();
  cli->json = json;
  self->progress = stasis_cli_progress_new (
      title, stasis_cli_progress_style (cli->quiet, verbose, json), verbose);
  self->signals = stasis_cli_signals_begin (/* stop= */ TRUE, on_signal, self);
  return self;
}

/* What the library cancels by. */
GCancellable *
stasis_cli_job_cancellable (StasisCliJob *self)
{
  return self->cancellable;
}

/* What the library's progress goes to. */
gpointer
stasis_cli_job_progress (StasisCliJob *self)
{
  return self->progress;
}

/* A job that is refused before it holds anything ends without a last word. */
static void
tell_failure (StasisCliJob *self, const GError *error)
{
  const StasisJobStats *last = stasis_cli_progress_last (self->progress);
  if (last == NULL || last->state != STASIS_JOB_ACTIVE)
    return;

  StasisJobStats *stats = stasis_job_stats_copy (last);
  stats->state = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? STASIS_JOB_CANCELLED
                                                                           : STASIS_JOB_FAILED;
  stats->error = g_strdup (error->message);
  stasis_cli_progress_update (stats, self->progress);
  stasis_job_stats_free (stats);
}

/* The end of the bar, then of the handlers: what comes now may be interrupted. */
void
stasis_cli_job_end (StasisCliJob *self, const GError *error)
{
  if (error != NULL)
    tell_failure (self, error);
  g_clear_pointer (&self->signals, stasis_cli_signals_end);
  stasis_cli_progress_end (self->progress);
}

/* Is there anything to tell? */
gboolean
stasis_cli_job_has_begun (const StasisCliJob *self)
{
  return stasis_cli_progress_last (self->progress) != NULL;
}

/* The statistics. */
StasisJson *
stasis_cli_job_to_json (const StasisCliJob *self)
{
  const StasisJobStats *last = stasis_cli_progress_last (self->progress);
  return last != NULL ? stasis_cli_stats_to_json (last) : stasis_json_new_object ();
}

/* A line for each. */
void
stasis_cli_job_say_disks (StasisCli *cli, const StasisCliJob *self)
{
  g_autoptr (StasisJson) stats = stasis_cli_job_to_json (self);
  const StasisJson *disks = stasis_json_get (stats, "new_disks");
  for (guint i = 0; disks != NULL && i < stasis_json_array_length (disks); i++)
    {
      const StasisJson *disk = stasis_json_array_get (disks, i);
      stasis_cli_say (cli, _ ("Disk '%1$s' goes on in %2$s\n"),
                      stasis_json_string (stasis_json_get (disk, "target"), ""),
                      stasis_json_string (stasis_json_get (disk, "path"), ""));
    }
}

/* Free it. */
void
stasis_cli_job_free (StasisCliJob *self)
{
  if (self == NULL)
    return;

  stasis_cli_job_end (self, NULL);
  g_clear_pointer (&self->progress, stasis_cli_progress_free);
  g_clear_object (&self->cancellable);
  g_free (self->reassure);
  g_free (self);
}

/* One JSON text on standard output, indented. */
void
stasis_cli_print_json (StasisCli *cli, StasisJson *json_take)
{
  g_autoptr (StasisJson) json = json_take;
  g_autofree char *octets = stasis_json_to_pretty_string (json);
  g_autofree char *text = g_utf8_make_valid (octets, -1); /* names of files have any octets */
  cli->json = TRUE;
  stasis_cli_print_text (cli, text);
}
