/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-job.c: how far a job is, and ending it
 *
 * Whoever began it: the domain's supervisor knows of the jobs of all processes.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/job-params.h"

#define STATS_COMPLETED 0x1u
#define STATS_KEEP      0x2u
#define ABORT_POSTCOPY  0x1u /* VIR_DOMAIN_ABORT_JOB_POSTCOPY */

/* Of libvirt's virDomainControlState. */
#define CONTROL_OK  0u
#define CONTROL_JOB 1u

static StasisJobStats *
ask (StasisCall *call, gboolean completed, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL ? stasis_domain_get_job (domain, completed, error) : NULL;
}

/* In the old structure. */
gboolean
stasis_call_domain_get_job_info (StasisCall *call, GError **error)
{
  g_autoptr (StasisJobStats) stats = ask (call, FALSE, error);
  if (stats == NULL)
    return FALSE;
  const guint64 numbers[] = {
    stasis_job_params_ms (stats->elapsed_us),
    stasis_job_params_ms (stats->remaining_us),
    stats->bytes_total + stats->disk_total,
    stats->bytes_processed + stats->disk_processed,
    stats->bytes_remaining + stats->disk_remaining,
    stats->bytes_total,
    stats->bytes_processed,
    stats->bytes_remaining,
    stats->disk_total,
    stats->disk_processed,
    stats->disk_remaining,
  };
  call->rets[0].i = stasis_job_params_type (stats);
  for (guint i = 0; call->rets[0].i != STASIS_JOB_TYPE_NONE && i < G_N_ELEMENTS (numbers); i++)
    call->rets[1 + i].ul = numbers[i];
  return TRUE;
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
  call->rets[0].i = stasis_job_params_type (stats);
  call->rets[1].items = stasis_job_params_make (stats);
  return TRUE;
}

/* End it; the domain is as it was before. */
gboolean
stasis_call_domain_abort_job (StasisCall *call, GError **error)
{
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_abort_job (domain, error);
}

/* The same; a postcopy is only broken off. */
gboolean
stasis_call_domain_abort_job_flags (StasisCall *call, GError **error)
{
  static const StasisFlagPair pair = { ABORT_POSTCOPY, ABORT_POSTCOPY };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, &pair, 1, &flags, error))
    return FALSE;
  if (flags == 0)
    return stasis_call_domain_abort_job (call, error);
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  return domain != NULL && stasis_domain_migrate_pause_postcopy (domain, error);
}

/* Whether QEMU can be asked for something: not while a job is at it. */
gboolean
stasis_call_domain_get_control_info (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[1].u, &none, 0, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  if (stasis_domain_get_id (domain) < 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE,
                           _ ("Requested operation is not valid: domain is not running"));
      return FALSE;
    }
  g_autoptr (StasisJobStats) stats = stasis_domain_get_job (domain, FALSE, error);
  if (stats == NULL)
    return FALSE;
  const gboolean has_job = stasis_job_params_type (stats) != STASIS_JOB_TYPE_NONE;
  call->rets[0].u = has_job ? CONTROL_JOB : CONTROL_OK;
  call->rets[2].ul = has_job ? stasis_job_params_ms (stats->elapsed_us) : 0;
  return TRUE;
}
