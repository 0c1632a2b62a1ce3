/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-job.c: how far a job is, and ending it
 *
 * Whoever began it: the domain's supervisor knows of the jobs of all processes.
 */

#include "config.h"

#include <string.h>

#include "remote/calls.h"

#define STATS_COMPLETED 0x1u
#define STATS_KEEP      0x2u

/* libvirt's virDomainJobType. */
enum
{
  JOB_NONE,
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
  { "start", 1 },   { "save", 2 },       { "managedsave", 2 }, { "checkpoint", 2 },
  { "restore", 3 }, { "migrate-in", 4 }, { "migrate-out", 5 }, { "domdetach", 0 },
};

static gint32
job_type (const StasisJobStats *stats)
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

static StasisJobStats *
ask (StasisCall *call, gboolean completed, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL ? stasis_domain_get_job (domain, completed, error) : NULL;
}

static guint64
milliseconds (gint64 us)
{
  return us > 0 ? (guint64) us / 1000 : 0;
}

/* In the old structure. */
gboolean
stasis_call_domain_get_job_info (StasisCall *call, GError **error)
{
  g_autoptr (StasisJobStats) stats = ask (call, FALSE, error);
  if (stats == NULL)
    return FALSE;
  const guint64 numbers[] = {
    milliseconds (stats->elapsed_us),
    milliseconds (stats->remaining_us),
    stats->bytes_total,
    stats->bytes_processed,
    stats->bytes_remaining,
    stats->bytes_total,
    stats->bytes_processed,
    stats->bytes_remaining,
  };
  call->rets[0].i = job_type (stats);
  for (guint i = 0; call->rets[0].i != JOB_NONE && i < G_N_ELEMENTS (numbers); i++)
    call->rets[1 + i].ul = numbers[i];
  return TRUE;
}

static void
add_numbers (GPtrArray *params, const StasisJobStats *stats)
{
  stasis_wire_params_add_ullong (params, "time_elapsed", milliseconds (stats->elapsed_us));
  if (stats->remaining_us >= 0)
    stasis_wire_params_add_ullong (params, "time_remaining", milliseconds (stats->remaining_us));
  if (stats->pause_us >= 0)
    stasis_wire_params_add_ullong (params, "downtime", milliseconds (stats->pause_us + 999));
  stasis_wire_params_add_ullong (params, "data_total", stats->bytes_total);
  stasis_wire_params_add_ullong (params, "data_processed", stats->bytes_processed);
  stasis_wire_params_add_ullong (params, "data_remaining", stats->bytes_remaining);
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
}

/* By names; of the one that goes on or the last one. */
gboolean
stasis_call_domain_get_job_stats (StasisCall *call, GError **error)
{
  static const StasisFlagPair flags[]
      = { { STATS_COMPLETED, STATS_COMPLETED }, { STATS_KEEP, STATS_KEEP } };
  guint32 known;
  if (!stasis_call_translate_flags (call->args[1].u, flags, G_N_ELEMENTS (flags), &known, error))
    return FALSE;
  g_autoptr (StasisJobStats) stats = ask (call, (known & STATS_COMPLETED) != 0, error);
  if (stats == NULL)
    return FALSE;
  call->rets[0].i = job_type (stats);
  call->rets[1].items = stasis_wire_params_new ();
  if (call->rets[0].i == JOB_NONE)
    return TRUE;
  stasis_wire_params_add_int (call->rets[1].items, "operation", operation_number (stats));
  add_numbers (call->rets[1].items, stats);
  if (stats->state != STASIS_JOB_ACTIVE)
    stasis_wire_params_add_boolean (call->rets[1].items, "success",
                                    stats->state == STASIS_JOB_COMPLETED);
  if (stats->error != NULL)
    stasis_wire_params_add_string (call->rets[1].items, "errmsg", stats->error);
  return TRUE;
}

/* End it; the domain is as it was before. */
gboolean
stasis_call_domain_abort_job (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_abort_job (domain, error);
}

/* The same. */
gboolean
stasis_call_domain_abort_job_flags (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  return stasis_call_translate_flags (call->args[1].u, &none, 0, &flags, error)
         && stasis_call_domain_abort_job (call, error);
}
