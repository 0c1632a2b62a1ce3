/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-report.c: a migration as a picture
 *
 * Two charts over one axis of time: what was sent, and how fast it was sent and written to.  A
 * dashed line is the beginning of a pass over the memory, a bar at the end the time for which the
 * guest stood still.  Of a long migration every other sample is dropped whenever there are too
 * many.
 */

#include "config.h"

#include "cli/migrate-report.h"

#include <glib/gi18n.h>

#include "cli/units.h"

#define SAMPLES_MAX 4096u
#define PASSES_MAX  64u /* that are drawn: more would be a wall */

#define WIDTH   820
#define HEIGHT  560
#define LEFT    110.0
#define RIGHT   790.0
#define TOP1    80.0
#define BOTTOM1 270.0
#define TOP2    320.0
#define BOTTOM2 510.0

#define COLOUR_SENT  "#1f6feb"
#define COLOUR_DIRTY "#d1242f"
#define COLOUR_PAUSE "#bf8700"

typedef struct
{
  gint64 us;
  guint64 sent;
  guint64 rate;
  guint64 dirty;
  guint64 passes;
} Sample;

struct _StasisCliReport
{
  char *domain;      /* (owned) */
  char *destination; /* (owned) */
  GArray *samples;   /* (owned) of Sample */
  guint64 passes;
  gint64 pause_us; /* -1: not known */
};

/* New. */
StasisCliReport *
stasis_cli_report_new (const char *domain, const char *destination)
{
  StasisCliReport *self = g_new0 (StasisCliReport, 1);
  self->domain = g_strdup (domain);
  self->destination = g_strdup (destination);
  self->samples = g_array_new (FALSE, FALSE, sizeof (Sample));
  self->pause_us = -1;
  return self;
}

/* Free it. */
void
stasis_cli_report_free (StasisCliReport *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->samples);
  g_free (self->destination);
  g_free (self->domain);
  g_free (self);
}

static void
thin_out (GArray *samples)
{
  for (guint i = 0; i < samples->len / 2; i++)
    g_array_index (samples, Sample, i) = g_array_index (samples, Sample, 2 * i);
  g_array_set_size (samples, samples->len / 2);
}

/* Add a sample. */
void
stasis_cli_report_add (StasisCliReport *self, const StasisJobStats *stats)
{
  const guint n = self->samples->len;
  const gint64 last = n > 0 ? g_array_index (self->samples, Sample, n - 1).us : 0;
  const Sample sample = {
    .us = MAX (stats->elapsed_us, last),
    .sent = stats->bytes_written > 0 ? stats->bytes_written : stats->bytes_processed,
    .rate = stats->bytes_per_second,
    .dirty = stats->dirty_per_second,
    .passes = stats->passes,
  };
  if (n >= SAMPLES_MAX)
    thin_out (self->samples);
  g_array_append_val (self->samples, sample);
  self->passes = MAX (self->passes, stats->passes);
  if (stats->pause_us >= 0)
    self->pause_us = stats->pause_us;
}

static const Sample *
at (const StasisCliReport *self, guint i)
{
  return &g_array_index (self->samples, Sample, i);
}

static gint64
end_us (const StasisCliReport *self)
{
  return self->samples->len > 0 ? MAX (at (self, self->samples->len - 1)->us, 1) : 1;
}

/* A number as SVG has it, whatever the locale. */
static void
put (GString *svg, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append (svg, g_ascii_formatd (text, sizeof text, "%.1f", value));
}

static double
x_of (const StasisCliReport *self, gint64 us)
{
  return LEFT + (RIGHT - LEFT) * (double) us / (double) end_us (self);
}

static void
put_text (GString *svg, double x, double y, const char *anchor, const char *colour,
          const char *text)
{
  g_autofree char *plain = stasis_cli_printable (text);
  g_autofree char *escaped = g_markup_escape_text (plain, -1);
  g_string_append (svg, "<text x=\"");
  put (svg, x);
  g_string_append (svg, "\" y=\"");
  put (svg, y);
  g_string_append_printf (svg, "\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", anchor, colour,
                          escaped);
}

static void
put_line (GString *svg, double x1, double y1, double x2, double y2, const char *style)
{
  const double values[] = { x1, y1, x2, y2 };
  static const char *const names[] = { "x1", "y1", "x2", "y2" };
  g_string_append (svg, "<line");
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_string_append_printf (svg, " %s=\"", names[i]);
      put (svg, values[i]);
      g_string_append_c (svg, '"');
    }
  g_string_append_printf (svg, " %s/>\n", style);
}

static guint64
value_of (const Sample *sample, gsize offset)
{
  return G_STRUCT_MEMBER (const guint64, sample, offset);
}

static guint64
most_of (const StasisCliReport *self, gsize offset)
{
  guint64 most = 0;
  for (guint i = 0; i < self->samples->len; i++)
    most = MAX (most, value_of (at (self, i), offset));
  return most;
}

static void
put_curve (const StasisCliReport *self, GString *svg, gsize offset, guint64 most, double top,
           double bottom, const char *colour)
{
  if (self->samples->len == 0)
    return;
  g_string_append_printf (svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"",
                          colour);
  for (guint i = 0; i < self->samples->len; i++)
    {
      const double part = (double) value_of (at (self, i), offset) / (double) MAX (most, 1);
      g_string_append (svg, i > 0 ? " " : "");
      put (svg, x_of (self, at (self, i)->us));
      g_string_append_c (svg, ',');
      put (svg, bottom - part * (bottom - top));
    }
  g_string_append (svg, "\"/>\n");
}

static void
put_axes (GString *svg, double top, double bottom, guint64 most, const char *per)
{
  g_autofree char *octets = stasis_cli_format_octets (most);
  g_autofree char *label = g_strconcat (octets, per, NULL);
  put_line (svg, LEFT, bottom, RIGHT, bottom, "stroke=\"#57606a\"");
  put_line (svg, LEFT, top, LEFT, bottom, "stroke=\"#57606a\"");
  put_text (svg, LEFT - 6, top + 4, "end", "#57606a", label);
  put_text (svg, LEFT - 6, bottom + 4, "end", "#57606a", "0");
}

/* For how long the guest stood still, at the end. */
static void
put_pause (const StasisCliReport *self, GString *svg)
{
  if (self->pause_us < 0)
    return;
  const double from = x_of (self, MAX (end_us (self) - self->pause_us, 0));
  g_string_append (svg, "<rect x=\"");
  put (svg, MIN (from, RIGHT - 1));
  g_string_append (svg, "\" y=\"");
  put (svg, TOP1);
  g_string_append (svg, "\" width=\"");
  put (svg, MAX (RIGHT - from, 1));
  g_string_append (svg, "\" height=\"");
  put (svg, BOTTOM2 - TOP1);
  g_string_append (svg, "\" fill=\"" COLOUR_PAUSE "\" fill-opacity=\"0.35\"/>\n");
}

static void
put_passes (const StasisCliReport *self, GString *svg)
{
  guint64 passes = 0;
  for (guint i = 0, drawn = 0; i < self->samples->len && drawn < PASSES_MAX; i++)
    {
      if (at (self, i)->passes <= passes)
        continue;
      passes = at (self, i)->passes;
      const double x = x_of (self, at (self, i)->us);
      g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, passes);
      put_line (svg, x, TOP1, x, BOTTOM2, "stroke=\"#8c959f\" stroke-dasharray=\"3 4\"");
      put_text (svg, x, TOP1 - 6, "middle", "#8c959f", number);
      drawn++;
    }
}

static char *
summary (const StasisCliReport *self, const GError *failure)
{
  if (failure != NULL)
    return g_strdup_printf (_ ("failed: %s"), failure->message);
  const double seconds = (double) end_us (self) / G_USEC_PER_SEC;
  if (self->pause_us < 0)
    return g_strdup_printf (_ ("%1$.1f s, %2$" G_GUINT64_FORMAT " passes"), seconds, self->passes);
  return g_strdup_printf (_ ("%1$.1f s, %2$" G_GUINT64_FORMAT " passes, downtime %3$.1f ms"),
                          seconds, self->passes, (double) self->pause_us / 1000);
}

static void
put_head (const StasisCliReport *self, GString *svg, const GError *failure)
{
  g_autofree char *title
      = g_strdup_printf (_ ("Migration of '%1$s' to %2$s"), self->domain, self->destination);
  g_autofree char *how = summary (self, failure);
  g_string_append_printf (svg,
                          "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                          "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
                          "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
                          WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
  put_text (svg, LEFT, 24, "start", "#1f2328", title);
  put_text (svg, LEFT, 44, "start", failure != NULL ? COLOUR_DIRTY : "#1f2328", how);
}

/* All of it. */
char *
stasis_cli_report_draw (const StasisCliReport *self, const GError *failure)
{
  GString *svg = g_string_new (NULL);
  const guint64 sent = most_of (self, G_STRUCT_OFFSET (Sample, sent));
  const guint64 rate = MAX (most_of (self, G_STRUCT_OFFSET (Sample, rate)),
                            most_of (self, G_STRUCT_OFFSET (Sample, dirty)));
  g_autofree char *seconds
      = g_strdup_printf (_ ("%.1f s"), (double) end_us (self) / G_USEC_PER_SEC);
  put_head (self, svg, failure);
  put_pause (self, svg);
  put_passes (self, svg);
  put_axes (svg, TOP1, BOTTOM1, sent, "");
  put_curve (self, svg, G_STRUCT_OFFSET (Sample, sent), sent, TOP1, BOTTOM1, COLOUR_SENT);
  put_text (svg, LEFT + 8, TOP1 + 14, "start", COLOUR_SENT, _ ("sent"));
  put_axes (svg, TOP2, BOTTOM2, rate, _ ("/s"));
  put_curve (self, svg, G_STRUCT_OFFSET (Sample, rate), rate, TOP2, BOTTOM2, COLOUR_SENT);
  put_curve (self, svg, G_STRUCT_OFFSET (Sample, dirty), rate, TOP2, BOTTOM2, COLOUR_DIRTY);
  put_text (svg, LEFT + 8, TOP2 + 14, "start", COLOUR_SENT, _ ("sent in a second"));
  put_text (svg, LEFT + 8, TOP2 + 30, "start", COLOUR_DIRTY, _ ("written to in a second"));
  put_text (svg, LEFT, BOTTOM2 + 18, "middle", "#57606a", "0");
  put_text (svg, RIGHT, BOTTOM2 + 18, "end", "#57606a", seconds);
  put_text (svg, LEFT, BOTTOM2 + 38, "start", "#57606a",
            _ ("dashed: a pass over the memory begins; filled: the guest stands still"));
  g_string_append (svg, "</svg>\n");
  return g_string_free (svg, FALSE);
}
