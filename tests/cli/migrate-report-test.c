/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-report-test.c: a migration as a picture, and whether it comes to an end
 */

#include "config.h"

#include "cli/migrate-report.h"

#include <string.h>

#include "cli/converge.h"

#define MIB (G_GUINT64_CONSTANT (1024) * 1024)

static void
count_element (GMarkupParseContext *context, const char *name, const char **keys,
               const char **values, gpointer data, GError **error)
{
  guint *counts = data;
  counts[0] += g_str_equal (name, "polyline");
  counts[1] += g_str_equal (name, "rect");
  counts[2]++;
}

/* Well-formed, and of XML's characters alone. */
static void
assert_sound (const char *svg, guint rects)
{
  static const GMarkupParser parser = { .start_element = count_element };
  guint counts[3] = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GMarkupParseContext) context
      = g_markup_parse_context_new (&parser, G_MARKUP_DEFAULT_FLAGS, counts, NULL);
  g_assert_true (g_markup_parse_context_parse (context, svg, -1, &error));
  g_assert_no_error (error);
  g_assert_true (g_markup_parse_context_end_parse (context, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (counts[1], ==, rects);
  g_assert_true (g_str_has_prefix (svg, "<?xml "));
  g_assert_true (g_str_has_suffix (svg, "</svg>\n"));
  g_assert_true (g_utf8_validate (svg, -1, NULL));
  g_assert_null (strstr (svg, "nan"));
  g_assert_null (strstr (svg, "inf"));
  for (const char *c = svg; *c != '\0'; c++)
    g_assert_true ((guchar) *c >= 0x20 || *c == '\n');
  g_assert_null (strstr (svg, "&#x"));
}

static void
add (StasisCliReport *report, guint second, guint64 passes)
{
  const StasisJobStats stats = {
    .state = STASIS_JOB_ACTIVE,
    .elapsed_us = (gint64) second * G_USEC_PER_SEC,
    .bytes_written = second * 100 * MIB,
    .bytes_per_second = 100 * MIB,
    .dirty_per_second = 50 * MIB,
    .passes = passes,
    .pause_us = -1,
  };
  stasis_cli_report_add (report, &stats);
}

static void
test_empty (void)
{
  g_autoptr (GError) failure
      = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, "no <way> & \"none\" \x01\x1b[1m");
  g_autoptr (StasisCliReport) report = stasis_cli_report_new ("a<b>&'\"\n", "qemu+ssh://x/\x02");
  g_autofree char *svg = stasis_cli_report_draw (report, failure);
  assert_sound (svg, 1);
  g_assert_nonnull (strstr (svg, "a&lt;b&gt;&amp;"));
  g_assert_nonnull (strstr (svg, "no &lt;way&gt;"));
}

static void
test_run (void)
{
  g_autoptr (StasisCliReport) report = stasis_cli_report_new ("web", "qemu+ssh://other/system");
  for (guint i = 0; i < 20; i++)
    add (report, i, 1 + i / 5);
  const StasisJobStats last = { .state = STASIS_JOB_COMPLETED,
                                .elapsed_us = 21 * G_USEC_PER_SEC,
                                .bytes_written = 2100 * MIB,
                                .passes = 4,
                                .pause_us = 120000 };
  stasis_cli_report_add (report, &last);
  g_autofree char *svg = stasis_cli_report_draw (report, NULL);
  assert_sound (svg, 2); /* the ground, and the pause */
  g_assert_nonnull (strstr (svg, "21.0 s, 4 passes, downtime 120.0 ms"));
  g_assert_nonnull (strstr (svg, "points=\"110.0,270.0 "));
}

/* However long it takes. */
static void
test_long (void)
{
  g_autoptr (StasisCliReport) report = stasis_cli_report_new ("web", "x");
  for (guint i = 0; i < 100000; i++)
    add (report, i, i);
  g_autofree char *svg = stasis_cli_report_draw (report, NULL);
  assert_sound (svg, 1);
  g_assert_cmpuint (strlen (svg), <, 512 * 1024);
}

/* Three passes in a row, and said once. */
static void
test_converge (void)
{
  StasisCliConverge converge = { 0 };
  StasisJobStats stats = { .state = STASIS_JOB_ACTIVE,
                           .bytes_per_second = 100 * MIB,
                           .dirty_per_second = 300 * MIB,
                           .expected_pause_us = 2500000 };
  for (stats.passes = 1; stats.passes < 5; stats.passes++)
    for (guint i = 0; i < 3; i++)
      g_assert_null (stasis_cli_converge_look (&converge, &stats, STASIS_MIGRATE_LIVE));
  g_autofree char *text = stasis_cli_converge_look (&converge, &stats, STASIS_MIGRATE_LIVE);
  g_assert_nonnull (text);
  g_assert_nonnull (strstr (text, "300.0 MiB"));
  g_assert_nonnull (strstr (text, "100.0 MiB"));
  g_assert_nonnull (strstr (text, "2500 ms"));
  g_assert_nonnull (strstr (text, "--auto-converge"));
  stats.passes++;
  g_assert_null (stasis_cli_converge_look (&converge, &stats, STASIS_MIGRATE_LIVE));

  StasisCliConverge other = { .passes = 9, .behind = 2 };
  stats.passes = 10;
  g_autofree char *less = stasis_cli_converge_look (
      &other, &stats, STASIS_MIGRATE_AUTO_CONVERGE | STASIS_MIGRATE_POSTCOPY);
  g_assert_null (strstr (less, "--auto-converge"));
  g_assert_null (strstr (less, "--postcopy"));
}

/* One that does. */
static void
test_ends (void)
{
  StasisCliConverge converge = { 0 };
  StasisJobStats stats = { .state = STASIS_JOB_ACTIVE, .bytes_per_second = 100 * MIB };
  for (stats.passes = 1; stats.passes < 100; stats.passes++)
    {
      stats.dirty_per_second = (stats.passes % 3 == 0 ? 99 : 101) * MIB;
      g_assert_null (stasis_cli_converge_look (&converge, &stats, STASIS_MIGRATE_LIVE));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/migrate-report/empty", test_empty);
  g_test_add_func ("/cli/migrate-report/run", test_run);
  g_test_add_func ("/cli/migrate-report/long", test_long);
  g_test_add_func ("/cli/converge/behind", test_converge);
  g_test_add_func ("/cli/converge/ends", test_ends);
  return g_test_run ();
}
