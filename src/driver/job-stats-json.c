/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-stats-json.c: statistics of a job as JSON, on the wire and in files
 *
 * One table names every member, so that writing and reading cannot drift apart.
 */

#include "config.h"

#include "driver/job-stats-json.h"

#include <glib/gi18n-lib.h>

#include "util/json-path.h"

/* In files by name: append, never rename. */
static const char *const state_names[] = {
  [STASIS_JOB_NONE] = "none",           [STASIS_JOB_ACTIVE] = "active",
  [STASIS_JOB_COMPLETED] = "completed", [STASIS_JOB_FAILED] = "failed",
  [STASIS_JOB_CANCELLED] = "cancelled",
};

typedef enum
{
  FIELD_STRING,
  FIELD_INT,
  FIELD_UINT,
} FieldKind;

typedef struct
{
  const char *key;
  FieldKind kind;
  gsize offset;
} Field;

#define FIELD(key, kind, member) \
  { \
    key, FIELD_##kind, G_STRUCT_OFFSET (StasisJobStats, member) \
  }

static const Field fields[] = {
  FIELD ("operation", STRING, operation),
  FIELD ("phase", STRING, phase),
  FIELD ("engine", STRING, engine),
  FIELD ("owner-pid", INT, owner_pid),
  FIELD ("elapsed-us", INT, elapsed_us),
  FIELD ("remaining-us", INT, remaining_us),
  FIELD ("bytes-total", UINT, bytes_total),
  FIELD ("bytes-processed", UINT, bytes_processed),
  FIELD ("bytes-remaining", UINT, bytes_remaining),
  FIELD ("bytes-written", UINT, bytes_written),
  FIELD ("bytes-per-second", UINT, bytes_per_second),
  FIELD ("pages-zero", UINT, pages_zero),
  FIELD ("pages-skipped", UINT, pages_skipped),
  FIELD ("pages-normal", UINT, pages_normal),
  FIELD ("page-size", UINT, page_size),
  FIELD ("pause-us", INT, pause_us),
  FIELD ("dirty-per-second", UINT, dirty_per_second),
  FIELD ("passes", UINT, passes),
  FIELD ("expected-pause-us", INT, expected_pause_us),
  FIELD ("throttle", UINT, throttle),
  FIELD ("disk-total", UINT, disk_total),
  FIELD ("disk-processed", UINT, disk_processed),
  FIELD ("disk-remaining", UINT, disk_remaining),
  FIELD ("new-disks", STRING, new_disks),
  FIELD ("error", STRING, error),
};

/* The state's name in JSON. */
const char *
stasis_job_state_to_string (StasisJobState state)
{
  return (guint) state < G_N_ELEMENTS (state_names) ? state_names[state] : "none";
}

/* Write. */
StasisJson *
stasis_job_stats_to_json (const StasisJobStats *stats)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "state", stasis_job_state_to_string (stats->state));
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      const void *member = G_STRUCT_MEMBER_P (stats, fields[i].offset);
      const char *text = NULL;
      switch (fields[i].kind)
        {
        case FIELD_STRING:
          text = *(const char *const *) member;
          if (text != NULL)
            stasis_json_set_text (json, fields[i].key, text);
          break;
        case FIELD_INT:
          stasis_json_set_int (json, fields[i].key, *(const gint64 *) member);
          break;
        case FIELD_UINT:
          stasis_json_set_uint (json, fields[i].key, *(const guint64 *) member);
          break;
        }
    }
  return json;
}

static gboolean
read_state (const StasisJson *json, StasisJobState *out_state, GError **error)
{
  const char *name = NULL;
  if (!stasis_json_need_string (json, "state", &name, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (state_names); i++)
    if (g_str_equal (name, state_names[i]))
      {
        *out_state = (StasisJobState) i;
        return TRUE;
      }
  g_set_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE,
               _ ("unknown state '%.40s' of a job"), name);
  return FALSE;
}

/* Read. */
StasisJobStats *
stasis_job_stats_from_json (const StasisJson *json, GError **error)
{
  g_autoptr (StasisJobStats) stats = stasis_job_stats_new ();
  if (!read_state (json, &stats->state, error))
    return NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      const StasisJson *value = stasis_json_get (json, fields[i].key);
      void *member = G_STRUCT_MEMBER_P (stats, fields[i].offset);
      switch (fields[i].kind)
        {
        case FIELD_STRING:
          *(char **) member = g_strdup (stasis_json_string (value, NULL));
          break;
        case FIELD_INT:
          *(gint64 *) member = stasis_json_int (value, *(const gint64 *) member);
          break;
        case FIELD_UINT:
          *(guint64 *) member = stasis_json_uint (value, *(const guint64 *) member);
          break;
        }
    }
  return g_steal_pointer (&stats);
}
