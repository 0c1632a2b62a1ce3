/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-migrate.c: our own program: whose a guest is after its migration was cut off
 */

#include "config.h"

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
