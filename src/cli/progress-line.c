/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress-line.c: one line that says how far a job is
 */

#include "config.h"

#include "cli/progress.h"

#include <glib/gi18n.h>

#include "cli/units.h"

#define BAR_MIN 10u /* columns; a shorter bar says nothing */
#define BAR_MAX 40u

/* 0..100, or -1 where the total is unknown.  100 is for the end alone. */
static int
percent_of (const StasisJobStats *stats)
{
  if (stats->state == STASIS_JOB_COMPLETED)
    return 100;
  if (stats->bytes_total == 0)
    return -1;
  const double part = (double) stats->bytes_processed / (double) stats->bytes_total;
  return CLAMP ((int) (part * 100), 0, 99);
}

static char *
amount_of (const StasisJobStats *stats)
{
  g_autofree char *done = stasis_cli_format_octets (stats->bytes_processed);
  if (stats->bytes_total == 0)
    return g_steal_pointer (&done);

  g_autofree char *total = stasis_cli_format_octets (stats->bytes_total);
  return g_strdup_printf (_ ("%1$s of %2$s"), done, total);
}

static char *
rate_of (const StasisJobStats *stats)
{
  if (stats->bytes_per_second == 0)
    return NULL;
  g_autofree char *octets = stasis_cli_format_octets (stats->bytes_per_second);
  return g_strdup_printf (_ ("%1$s/s"), octets);
}

/* Of a guest whose memory is sent while it runs. */
static void
add_dirty (const StasisJobStats *stats, char **parts, guint *n)
{
  if (stats->passes == 0 || stats->state != STASIS_JOB_ACTIVE)
    return;
  g_autofree char *octets = stasis_cli_format_octets (stats->dirty_per_second);
  parts[(*n)++] = g_strdup_printf (_ ("dirties %1$s/s"), octets);
  if (stats->expected_pause_us >= 0)
    parts[(*n)++] = g_strdup_printf (_ ("expected downtime %1$u ms"),
                                     (guint) MIN (stats->expected_pause_us / 1000, G_MAXINT));
  parts[(*n)++] = g_strdup_printf (_ ("pass %1$" G_GUINT64_FORMAT), stats->passes);
}

static char *
time_of (const StasisJobStats *stats)
{
  if (stats->state == STASIS_JOB_ACTIVE && stats->remaining_us >= 0)
    {
      g_autofree char *left = stasis_cli_format_time (stats->remaining_us);
      return g_strdup_printf (_ ("%1$s left"), left);
    }
  if (stats->state == STASIS_JOB_ACTIVE)
    return stasis_cli_format_time (stats->elapsed_us);
  return g_strdup_printf (_ ("in %1$.1f s"), (double) stats->elapsed_us / G_USEC_PER_SEC);
}

static void
append_bar (GString *line, int percent, guint room)
{
  /* In steps, so that it does not change with every digit. */
  const guint bar = MIN (room, BAR_MAX) / BAR_MIN * BAR_MIN;
  if (bar < BAR_MIN || percent < 0)
    return;

  const guint full = bar * (guint) percent / 100;
  g_string_append_c (line, '[');
  for (guint i = 0; i < bar; i++)
    g_string_append_c (line, i < full ? '#' : '-');
  g_string_append (line, "] ");
}

/* Put @parts behind the title while they fit; what is left becomes the bar. */
static char *
assemble (const char *title, int percent, char *const *parts, guint columns)
{
  g_autoptr (GString) tail = g_string_new (NULL);
  if (percent >= 0)
    g_string_append_printf (tail, "%3d %%", percent);
  const guint head = stasis_cli_text_width (title) + 1;
  for (guint i = 0; parts[i] != NULL; i++)
    {
      const guint width
          = head + stasis_cli_text_width (tail->str) + 2 + stasis_cli_text_width (parts[i]);
      if (columns != 0 && width > columns)
        break;
      g_string_append_printf (tail, "%s%s", tail->len > 0 ? "  " : "", parts[i]);
    }

  GString *line = g_string_new (title);
  g_string_append_c (line, ' ');
  const guint used = head + stasis_cli_text_width (tail->str) + 3; /* with the brackets */
  append_bar (line, percent, columns > used ? columns - used : 0);
  g_string_append (line, tail->str);
  return g_string_free (line, FALSE);
}

/* The line: title, bar, percent, octets, rate, time, what is dirtied, phase; the last ones give way
 * first. */
char *
stasis_cli_progress_format (const char *title, const StasisJobStats *stats, guint columns)
{
  const gboolean is_active = stats->state == STASIS_JOB_ACTIVE;
  g_auto (GStrv) parts = g_new0 (char *, 8);
  guint n = 0;
  if (stats->bytes_total > 0 || stats->bytes_processed > 0)
    parts[n++] = amount_of (stats);
  char *rate = rate_of (stats);
  if (rate != NULL)
    parts[n++] = rate;
  parts[n++] = time_of (stats);
  add_dirty (stats, parts, &n);
  if (is_active && stats->phase != NULL)
    parts[n++] = stasis_cli_printable (stats->phase);
  return assemble (title, percent_of (stats), parts, columns);
}
