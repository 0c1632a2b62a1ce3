/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats-json.c: the statistics of a job as JSON
 */

#include "config.h"

#include "cli/stats-json.h"

#include <string.h>

#include "util/json-path.h"

static const char *const state_names[] = {
  [STASIS_JOB_NONE] = "none",           [STASIS_JOB_ACTIVE] = "active",
  [STASIS_JOB_COMPLETED] = "completed", [STASIS_JOB_FAILED] = "failed",
  [STASIS_JOB_CANCELLED] = "cancelled",
};

/* The word for a state. */
const char *
stasis_cli_job_state_name (StasisJobState state)
{
  return (guint) state < G_N_ELEMENTS (state_names) ? state_names[state] : "unknown";
}

static void
set_text (StasisJson *object, const char *key, const char *value)
{
  if (value != NULL)
    stasis_json_set_text (object, key, value);
  else
    stasis_json_set (object, key, stasis_json_new_null ());
}

static void
set_time (StasisJson *object, const char *key, gint64 us)
{
  stasis_json_set (object, key, us >= 0 ? stasis_json_new_int (us) : stasis_json_new_null ());
}

/* A line each: target, space, path. */
static StasisJson *
disks_to_json (const char *text)
{
  if (text == NULL)
    return stasis_json_new_null ();
  StasisJson *array = stasis_json_new_array ();
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++)
    {
      char *space = strchr (lines[i], ' ');
      if (space == NULL)
        continue;
      *space = '\0';
      StasisJson *disk = stasis_json_new_object ();
      stasis_json_set_string (disk, "target", lines[i]);
      stasis_json_set_string (disk, "path", space + 1);
      stasis_json_array_append (array, disk);
    }
  return array;
}

/* All of it. */
StasisJson *
stasis_cli_stats_to_json (const StasisJobStats *stats)
{
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "state", stasis_cli_job_state_name (stats->state));
  set_text (object, "operation", stats->operation);
  set_text (object, "phase", stats->phase);
  set_text (object, "engine", stats->engine);
  stasis_json_set_int (object, "owner_pid", stats->owner_pid);
  set_time (object, "elapsed_us", stats->elapsed_us);
  set_time (object, "remaining_us", stats->remaining_us);
  stasis_json_set_uint (object, "bytes_total", stats->bytes_total);
  stasis_json_set_uint (object, "bytes_processed", stats->bytes_processed);
  stasis_json_set_uint (object, "bytes_remaining", stats->bytes_remaining);
  stasis_json_set_uint (object, "bytes_written", stats->bytes_written);
  stasis_json_set_uint (object, "bytes_per_second", stats->bytes_per_second);
  stasis_json_set_uint (object, "pages_zero", stats->pages_zero);
  stasis_json_set_uint (object, "pages_skipped", stats->pages_skipped);
  stasis_json_set_uint (object, "pages_normal", stats->pages_normal);
  stasis_json_set_uint (object, "page_size", stats->page_size);
  set_time (object, "pause_us", stats->pause_us);
  set_time (object, "expected_pause_us", stats->expected_pause_us);
  stasis_json_set_uint (object, "dirty_per_second", stats->dirty_per_second);
  stasis_json_set_uint (object, "passes", stats->passes);
  stasis_json_set_uint (object, "throttle", stats->throttle);
  stasis_json_set (object, "new_disks", disks_to_json (stats->new_disks));
  set_text (object, "error", stats->error);
  return object;
}
