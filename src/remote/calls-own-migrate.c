/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-migrate.c: our own program: whose a guest is after its migration was cut off
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls-own.h"
#include "remote/calls.h"

/* Destination: for a source that asks. */
gboolean
stasis_call_own_migrate_verdict (StasisCall *call, GError **error)
{
  StasisMigrateVerdict verdict = STASIS_MIGRATE_VERDICT_UNKNOWN;
  if (!stasis_driver_migrate_verdict (call->driver, call->args[0].s, call->args[1].i != 0, &verdict,
                                      NULL, error))
    return FALSE;
  call->rets[0].i = (gint32) verdict;
  return TRUE;
}

/* Source: people, or its destination. */
gboolean
stasis_call_own_domain_migrate_resolve (StasisCall *call, GError **error)
{
  const gint32 wish = call->args[1].i;
  StasisMigrateVerdict verdict = STASIS_MIGRATE_VERDICT_UNKNOWN;
  if (wish < STASIS_MIGRATE_VERDICT_UNKNOWN || wish > STASIS_MIGRATE_VERDICT_REVOKED)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("%d is no verdict on a migration"), wish);
      return FALSE;
    }
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  if (domain == NULL
      || !stasis_domain_migrate_resolve (domain, (StasisMigrateVerdict) wish, &verdict,
                                         job.cancellable, error))
    return FALSE;
  call->rets[0].i = (gint32) verdict;
  return TRUE;
}
