/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job-params.c: a job in libvirt's numbers and names
 */

#include "config.h"

#include "remote/job-params.h"

enum
{
  JOB_NONE = STASIS_JOB_TYPE_NONE,
  JOB_BOUNDED,
  JOB_UNBOUNDED,
  JOB_COMPLETED,
  JOB_FAILED,
  JOB_CANCELLED,
};

static const struct
{
  const char *name;
  gint32 number; /* libvirt's virDomainJobOperation */
} operations[] = {
  { "start", 1 },       { "save", 2 },      { "managedsave", 2 },
  { "checkpoint", 2 },  { "restore", 3 },   { "migrate-in", 4 },
  { "migrate-out", 5 }, { "domdetach", 0 }, { "handover", 0 },
};

/* libvirt's virDomainJobType. */
gint32
stasis_job_params_type (const StasisJobStats *stats)
{
  switch (stats->state)
    {
    case STASIS_JOB_ACTIVE:
      return stats->bytes_total > 0 ? JOB_BOUNDED : JOB_UNBOUNDED;
    case STASIS_JOB_COMPLETED:
      return JOB_COMPLETED;
    case STASIS_JOB_FAILED:
      return JOB_FAILED;
    case STASIS_JOB_CANCELLED:
      return JOB_CANCELLED;
    default:
      return JOB_NONE;
    }
}

static gint32
operation_number (const StasisJobStats *stats)
{
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
    if (g_strcmp0 (stats->operation, operations[i].name) == 0)
      return operations[i].number;
  return 0;
}

/* Never negative. */
guint64
stasis_job_params_ms (gint64 us)
{
  return us > 0 ? (guint64) us / 1000 : 0;
}

static void
add_numbers (GPtrArray *params, const StasisJobStats *stats)
{
  stasis_wire_params_add_ullong (params, "time_elapsed", stasis_job_params_ms (stats->elapsed_us));
  if (stats->remaining_us >= 0)
    stasis_wire_params_add_ullong (params, "time_remaining",
                                   stasis_job_params_ms (stats->remaining_us));
  /* Of a guest that runs still it is what is expected. */
  const gint64 pause_us = stats->pause_us >= 0 ? stats->pause_us : stats->expected_pause_us;
  if (pause_us >= 0)
    stasis_wire_params_add_ullong (params, "downtime", stasis_job_params_ms (pause_us + 999));
  stasis_wire_params_add_ullong (params, "data_total", stats->bytes_total + stats->disk_total);
  stasis_wire_params_add_ullong (params, "data_processed",
                                 stats->bytes_processed + stats->disk_processed);
  stasis_wire_params_add_ullong (params, "data_remaining",
                                 stats->bytes_remaining + stats->disk_remaining);
  stasis_wire_params_add_ullong (params, "memory_total", stats->bytes_total);
  stasis_wire_params_add_ullong (params, "memory_processed", stats->bytes_processed);
  stasis_wire_params_add_ullong (params, "memory_remaining", stats->bytes_remaining);
  stasis_wire_params_add_ullong (params, "memory_bps", stats->bytes_per_second);
  stasis_wire_params_add_ullong (params, "memory_constant", stats->pages_zero);
  stasis_wire_params_add_ullong (params, "memory_normal", stats->pages_normal);
  stasis_wire_params_add_ullong (params, "memory_normal_bytes",
                                 stats->pages_normal * stats->page_size);
  if (stats->page_size > 0)
    stasis_wire_params_add_ullong (params, "memory_page_size", stats->page_size);
  if (stats->page_size > 0 && stats->passes > 0)
    stasis_wire_params_add_ullong (params, "memory_dirty_rate",
                                   stats->dirty_per_second / stats->page_size);
  if (stats->passes > 0)
    stasis_wire_params_add_ullong (params, "memory_iteration", stats->passes);
  if (stats->throttle > 0)
    stasis_wire_params_add_int (params, "auto_converge_throttle",
                                (gint32) MIN (stats->throttle, 100));
}

/* Of a migration that copies disks. */
static void
add_disks (GPtrArray *params, const StasisJobStats *stats)
{
  if (stats->disk_total == 0)
    return;
  stasis_wire_params_add_ullong (params, "disk_total", stats->disk_total);
  stasis_wire_params_add_ullong (params, "disk_processed", stats->disk_processed);
  stasis_wire_params_add_ullong (params, "disk_remaining", stats->disk_remaining);
}

/* Typed parameters. */
GPtrArray *
stasis_job_params_make (const StasisJobStats *stats)
{
  GPtrArray *params = stasis_wire_params_new ();
  if (stats->state == STASIS_JOB_NONE)
    return params;
  stasis_wire_params_add_int (params, "operation", operation_number (stats));
  add_numbers (params, stats);
  add_disks (params, stats);
  if (stats->state != STASIS_JOB_ACTIVE)
    stasis_wire_params_add_boolean (params, "success", stats->state == STASIS_JOB_COMPLETED);
  if (stats->error != NULL)
    stasis_wire_params_add_string (params, "errmsg", stats->error);
  return params;
}

static guint64
find_number (const GPtrArray *params, const char *name)
{
  const StasisWireParam *param = stasis_wire_params_find (params, name, STASIS_WIRE_ULLONG);
  return param != NULL ? param->value.ul : 0;
}

/* -1 where it is not said. */
static gint64
find_us (const GPtrArray *params, const char *name)
{
  const StasisWireParam *param = stasis_wire_params_find (params, name, STASIS_WIRE_ULLONG);
  return param != NULL ? (gint64) MIN (param->value.ul, G_MAXINT64 / 1000) * 1000 : -1;
}

static StasisJobState
state_of (gint32 type)
{
  switch (type)
    {
    case JOB_BOUNDED:
    case JOB_UNBOUNDED:
      return STASIS_JOB_ACTIVE;
    case JOB_COMPLETED:
      return STASIS_JOB_COMPLETED;
    case JOB_FAILED:
      return STASIS_JOB_FAILED;
    case JOB_CANCELLED:
      return STASIS_JOB_CANCELLED;
    default:
      return STASIS_JOB_NONE;
    }
}

static const char *
operation_name (const GPtrArray *params)
{
  const StasisWireParam *param = stasis_wire_params_find (params, "operation", STASIS_WIRE_INT);
  for (guint i = 0; param != NULL && i < G_N_ELEMENTS (operations); i++)
    if (operations[i].number == param->value.i && param->value.i != 0)
      return operations[i].name;
  return NULL;
}

/* From typed parameters. */
StasisJobStats *
stasis_job_params_parse (gint32 type, const GPtrArray *params)
{
  StasisJobStats *stats = stasis_job_stats_new ();
  const StasisWireParam *message = stasis_wire_params_find (params, "errmsg", STASIS_WIRE_STRING);
  stats->state = state_of (type);
  stats->operation = g_strdup (operation_name (params));
  stats->elapsed_us = MAX (find_us (params, "time_elapsed"), 0);
  stats->remaining_us = find_us (params, "time_remaining");
  stats->pause_us = find_us (params, "downtime");
  stats->bytes_total = find_number (params, "memory_total");
  stats->bytes_processed = find_number (params, "memory_processed");
  stats->bytes_remaining = find_number (params, "memory_remaining");
  stats->bytes_per_second = find_number (params, "memory_bps");
  stats->disk_total = find_number (params, "disk_total");
  stats->disk_processed = find_number (params, "disk_processed");
  stats->disk_remaining = find_number (params, "disk_remaining");
  stats->pages_zero = find_number (params, "memory_constant");
  stats->pages_normal = find_number (params, "memory_normal");
  stats->page_size = find_number (params, "memory_page_size");
  stats->passes = find_number (params, "memory_iteration");
  stats->dirty_per_second = MIN (find_number (params, "memory_dirty_rate"), G_MAXUINT32)
                            * MIN (stats->page_size, 1u << 30);
  if (stats->state == STASIS_JOB_ACTIVE)
    {
      stats->expected_pause_us = stats->pause_us;
      stats->pause_us = -1;
    }
  stats->error = message != NULL ? g_strdup (message->value.s) : NULL;
  return stats;
}
