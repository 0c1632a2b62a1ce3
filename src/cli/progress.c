/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.c: how far a job is, on standard error
 *
 * Theory of operation
 *
 * The library calls stasis_cli_progress_update() from the thread that runs the job, the thread of
 * the signals calls stasis_cli_progress_message(): one lock guards what is drawn.  The bar is
 * drawn over itself with '\r' and padded with spaces, which every terminal understands, and stays
 * one column short of the edge so that none wraps.  In the background (`stasis save ... &`)
 * nothing is drawn over what the user types meanwhile.
 */

#include "config.h"

#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "cli/stats-json.h"
#include "cli/units.h"

#define COLUMNS_DEFAULT 80u
#define LINES_EVERY_US  (G_USEC_PER_SEC)

struct _StasisCliProgress
{
  char *title; /* (owned) */
  StasisCliProgressStyle style;
  gboolean verbose;

  GMutex lock;
  StasisJobStats *last; /* (owned) (nullable) (guarded by lock) */
  guint drawn;          /* columns of the bar that stands now (guarded by lock) */
  gint64 next_line_us;  /* when the next line is due (guarded by lock) */
  char *line_phase;     /* (owned) (nullable): of the last line (guarded by lock) */
  gboolean engine_said; /* (guarded by lock) */
  gboolean cancelled;   /* no bar any more (guarded by lock) */
  gboolean ended;       /* (guarded by lock) */
};

/* JSON for programs that asked for it twice, a bar for people, else nothing unless asked. */
StasisCliProgressStyle
stasis_cli_progress_style (gboolean quiet, gboolean verbose, gboolean json)
{
  if (json && verbose)
    return STASIS_CLI_PROGRESS_JSON;
  if (quiet)
    return STASIS_CLI_PROGRESS_NONE;
  if (isatty (STDERR_FILENO))
    return STASIS_CLI_PROGRESS_BAR;
  return verbose ? STASIS_CLI_PROGRESS_LINES : STASIS_CLI_PROGRESS_NONE;
}

/* Begin; nothing is shown yet. */
StasisCliProgress *
stasis_cli_progress_new (const char *title, StasisCliProgressStyle style, gboolean verbose)
{
  StasisCliProgress *self = g_new0 (StasisCliProgress, 1);
  self->title = g_strdup (title);
  self->style = style;
  self->verbose = verbose;
  g_mutex_init (&self->lock);
  return self;
}

static guint
terminal_columns (void)
{
  struct winsize size = { 0 };
  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
    return COLUMNS_DEFAULT - 1;
  return size.ws_col - 1u;
}

static gboolean
in_foreground (void)
{
  const pid_t group = tcgetpgrp (STDERR_FILENO);
  return group < 0 || group == getpgrp ();
}

/* A fresh boot has nothing to count, and is over before one could read it. */
static gboolean
is_worth_a_bar (const StasisCliProgress *self, const StasisJobStats *stats)
{
  return self->drawn > 0 || stats->bytes_processed > 0 || stats->elapsed_us > G_USEC_PER_SEC;
}

static void
draw_bar (StasisCliProgress *self, const StasisJobStats *stats)
{
  if (self->cancelled || !in_foreground () || !is_worth_a_bar (self, stats))
    return;
  g_autofree char *line = stasis_cli_progress_format (self->title, stats, terminal_columns ());
  const guint width = stasis_cli_text_width (line);
  const guint rest = self->drawn > width ? self->drawn - width : 0;
  fprintf (stderr, "\r%s%*s", line, (int) rest, "");
  fflush (stderr);
  self->drawn = MAX (width, 1);
}

/* Take the bar away, for a line of text. */
static void
erase_bar (StasisCliProgress *self)
{
  if (self->drawn > 0)
    fprintf (stderr, "\r%*s\r", (int) self->drawn, "");
  self->drawn = 0;
}

/* Now and then, when a new phase begins, and at the end. */
static gboolean
line_is_due (StasisCliProgress *self, const StasisJobStats *stats)
{
  const gint64 now = g_get_monotonic_time ();
  const gboolean is_new_phase = g_strcmp0 (stats->phase, self->line_phase) != 0;
  if (stats->state == STASIS_JOB_ACTIVE && now < self->next_line_us && !is_new_phase)
    return FALSE;
  g_free (self->line_phase);
  self->line_phase = g_strdup (stats->phase);
  self->next_line_us = now + LINES_EVERY_US;
  return TRUE;
}

static void
show_line (StasisCliProgress *self, const StasisJobStats *stats)
{
  if (!line_is_due (self, stats))
    return;
  g_autofree char *line = stasis_cli_progress_format (self->title, stats, 0);
  fprintf (stderr, "%s\n", line);
}

static void
show_json (StasisCliProgress *self, const StasisJobStats *stats)
{
  if (!line_is_due (self, stats))
    return;
  g_autoptr (StasisJson) json = stasis_cli_stats_to_json (stats);
  g_autofree char *text = stasis_json_to_string (json);
  fprintf (stderr, "%s\n", text);
}

static void
say_engine (StasisCliProgress *self, const StasisJobStats *stats)
{
  if (!self->verbose || self->engine_said || stats->engine == NULL
      || self->style == STASIS_CLI_PROGRESS_JSON)
    return;
  erase_bar (self);
  fprintf (stderr, _ ("%1$s: %2$s\n"), self->title, stats->engine);
  self->engine_said = TRUE;
}

static void
show (StasisCliProgress *self, const StasisJobStats *stats)
{
  say_engine (self, stats);
  switch (self->style)
    {
    case STASIS_CLI_PROGRESS_NONE:
      break;
    case STASIS_CLI_PROGRESS_BAR:
      draw_bar (self, stats);
      break;
    case STASIS_CLI_PROGRESS_LINES:
      show_line (self, stats);
      break;
    case STASIS_CLI_PROGRESS_JSON:
      show_json (self, stats);
      break;
    }
}

/* Keep the picture and show it. */
void
stasis_cli_progress_update (const StasisJobStats *stats, gpointer progress)
{
  StasisCliProgress *self = progress;
  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->last, stasis_job_stats_free);
  self->last = stasis_job_stats_copy (stats);
  if (!self->ended)
    show (self, stats);
  g_mutex_unlock (&self->lock);
}

/* Say something in between. */
void
stasis_cli_progress_message (StasisCliProgress *self, const char *text)
{
  g_mutex_lock (&self->lock);
  erase_bar (self);
  fprintf (stderr, "%s\n", text);
  if (self->last != NULL && self->style == STASIS_CLI_PROGRESS_BAR && !self->ended)
    draw_bar (self, self->last);
  g_mutex_unlock (&self->lock);
}

/* Leave the last line standing. */
static void
leave_bar (StasisCliProgress *self)
{
  if (self->drawn > 0)
    fputc ('\n', stderr);
  self->drawn = 0;
}

/* What the terminal echoed of Ctrl-C stands behind the bar: it is left, not drawn over. */
void
stasis_cli_progress_cancel (StasisCliProgress *self, const char *text)
{
  g_mutex_lock (&self->lock);
  leave_bar (self);
  self->cancelled = TRUE;
  if (text != NULL)
    fprintf (stderr, "%s\n", text);
  g_mutex_unlock (&self->lock);
}

/* Nothing is drawn any more. */
void
stasis_cli_progress_end (StasisCliProgress *self)
{
  g_mutex_lock (&self->lock);
  leave_bar (self);
  self->ended = TRUE;
  g_mutex_unlock (&self->lock);
}

/* How it ended. */
const StasisJobStats *
stasis_cli_progress_last (const StasisCliProgress *self)
{
  return self->last;
}

/* Free it, ending it before. */
void
stasis_cli_progress_free (StasisCliProgress *self)
{
  if (self == NULL)
    return;

  stasis_cli_progress_end (self);
  g_clear_pointer (&self->last, stasis_job_stats_free);
  g_mutex_clear (&self->lock);
  g_free (self->line_phase);
  g_free (self->title);
  g_free (self);
}
