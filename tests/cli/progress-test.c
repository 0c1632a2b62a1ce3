/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress-test.c: the line that says how far a job is
 */

#include "config.h"

#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/units.h"

#define MIB (1024u * 1024u)

static const StasisJobStats half = {
  .state = STASIS_JOB_ACTIVE,
  .phase = (char *) "copy",
  .elapsed_us = 2 * G_USEC_PER_SEC,
  .remaining_us = 2 * G_USEC_PER_SEC,
  .bytes_total = 1024u * MIB,
  .bytes_processed = 512u * MIB,
  .bytes_per_second = 256u * MIB,
};

static void
test_columns (void)
{
  static const struct
  {
    guint columns;
    const char *line;
  } cases[] = {
    { 0, "Save  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left  copy" },
    { 100,
      "Save [###############---------------]  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left  "
      "copy" },
    { 80, "Save [#####-----]  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left  copy" },
    { 60, "Save  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left" },
    { 50, "Save  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s" },
    { 20, "Save  50 %" },
    { 1, "Save  50 %" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *line = stasis_cli_progress_format ("Save", &half, cases[i].columns);
      g_assert_cmpstr (line, ==, cases[i].line);
    }
}

/* Whatever the width, a line that can fit does fit. */
static void
test_fits (void)
{
  for (guint columns = 12; columns < 300; columns++)
    {
      g_autofree char *line = stasis_cli_progress_format ("Save", &half, columns);
      g_assert_cmpuint (stasis_cli_text_width (line), <=, columns);
    }
}

static void
test_states (void)
{
  StasisJobStats stats = half;
  stats.bytes_processed = stats.bytes_total;
  g_autofree char *almost = stasis_cli_progress_format ("Save", &stats, 0);
  g_assert_cmpstr (almost, ==, "Save  99 %  1.0 GiB of 1.0 GiB  256.0 MiB/s  0:02 left  copy");
  stats.state = STASIS_JOB_COMPLETED;
  g_autofree char *done = stasis_cli_progress_format ("Save", &stats, 0);
  g_assert_cmpstr (done, ==, "Save 100 %  1.0 GiB of 1.0 GiB  256.0 MiB/s  in 2.0 s");
  stats.bytes_processed = stats.bytes_total * 3;
  stats.state = STASIS_JOB_ACTIVE;
  g_autofree char *beyond = stasis_cli_progress_format ("Save", &stats, 12);
  g_assert_cmpstr (beyond, ==, "Save  99 %");
}

static void
test_unknown (void)
{
  const StasisJobStats stats = { .state = STASIS_JOB_ACTIVE,
                                 .phase = (char *) "a\x1b[2J",
                                 .elapsed_us = 61 * G_USEC_PER_SEC,
                                 .remaining_us = -1,
                                 .bytes_processed = 3 };
  g_autofree char *line = stasis_cli_progress_format ("Verify", &stats, 70);
  g_assert_cmpstr (line, ==, "Verify 3 B  1:01  a\\x1b[2J");
}

/* A guest whose memory is sent while it runs. */
static void
test_dirty (void)
{
  StasisJobStats stats = half;
  stats.dirty_per_second = 32u * MIB;
  stats.passes = 3;
  stats.expected_pause_us = 1500000;
  g_autofree char *line = stasis_cli_progress_format ("Migration", &stats, 0);
  g_assert_cmpstr (line, ==,
                   "Migration  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left  dirties "
                   "32.0 MiB/s  expected downtime 1500 ms  pass 3  copy");
  stats.expected_pause_us = -1;
  g_autofree char *unknown = stasis_cli_progress_format ("Migration", &stats, 0);
  g_assert_nonnull (strstr (unknown, "dirties 32.0 MiB/s  pass 3  copy"));
  stats.state = STASIS_JOB_COMPLETED;
  g_autofree char *done = stasis_cli_progress_format ("Migration", &stats, 0);
  g_assert_null (strstr (done, "pass"));
}

static void
test_nothing_to_count (void)
{
  const StasisJobStats stats = { .state = STASIS_JOB_COMPLETED, .elapsed_us = 350000 };
  g_autofree char *line = stasis_cli_progress_format ("Start", &stats, 0);
  g_assert_cmpstr (line, ==, "Start 100 %  in 0.3 s");
}

/* What the steps write to standard error. */
static char *
shown_by (void (*steps) (StasisCliProgress *progress))
{
  fflush (stderr);
  const int before = dup (STDERR_FILENO);
  const int file = memfd_create ("stderr", MFD_CLOEXEC);
  g_assert_cmpint (file, >=, 0);
  dup2 (file, STDERR_FILENO);
  StasisCliProgress *progress
      = stasis_cli_progress_new ("Save", STASIS_CLI_PROGRESS_BAR, /* verbose= */ FALSE);
  steps (progress);
  stasis_cli_progress_free (progress);
  fflush (stderr);
  dup2 (before, STDERR_FILENO);
  close (before);

  char text[4096] = "";
  const gssize length = pread (file, text, sizeof text - 1, 0);
  g_assert_cmpint (length, >=, 0);
  close (file);
  return g_strdup (text);
}

static void
interrupted (StasisCliProgress *progress)
{
  StasisJobStats stats = half;
  stasis_cli_progress_update (&stats, progress);
  stasis_cli_progress_cancel (progress, "cancelling the save");
  stats.phase = (char *) "roll back";
  stasis_cli_progress_update (&stats, progress);
  stasis_cli_progress_message (progress, "please wait");
  stats.state = STASIS_JOB_CANCELLED;
  stasis_cli_progress_update (&stats, progress);
  stasis_cli_progress_end (progress);
}

/* The bar is left as it was, and what is said of the cancellation stands in lines of its own. */
static void
test_cancel (void)
{
  g_autofree char *text = shown_by (interrupted);
  g_assert_cmpstr (text, ==,
                   "\rSave [#####-----]  50 %  512.0 MiB of 1.0 GiB  256.0 MiB/s  0:02 left  copy\n"
                   "cancelling the save\nplease wait\n");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cli/progress/columns", test_columns);
  g_test_add_func ("/cli/progress/fits", test_fits);
  g_test_add_func ("/cli/progress/states", test_states);
  g_test_add_func ("/cli/progress/unknown", test_unknown);
  g_test_add_func ("/cli/progress/dirty", test_dirty);
  g_test_add_func ("/cli/progress/nothing-to-count", test_nothing_to_count);
  g_test_add_func ("/cli/progress/cancel", test_cancel);
  return g_test_run ();
}
