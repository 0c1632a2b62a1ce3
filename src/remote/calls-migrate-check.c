/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-migrate-check.c: our own program: whether a guest could migrate to here
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/migrate-reasons.h"
#include "remote/calls-own.h"
#include "remote/calls.h"
#include "remote/migrate-fields.h"

/* Destination. */
gboolean
stasis_call_own_check_migrate (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisMigrateRequest) request
      = stasis_own_check_flags (flags, STASIS_MIGRATE_FLAGS, error)
            ? stasis_migrate_fields_parse (call->args[0].items, error)
            : NULL;
  if (request == NULL)
    return FALSE;
  if (request->xml == NULL)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("parameter 'destination_xml' is missing"));
      return FALSE;
    }
  stasis_own_job_begin (&job, call);
  g_autofree char *xml = g_steal_pointer (&request->xml);
  g_autoptr (GPtrArray) reasons = stasis_driver_check_migrate (
      call->driver, flags, request, xml, call->args[1].bytes, job.cancellable, error);
  if (reasons == NULL)
    return FALSE;
  call->rets[0].s = stasis_migrate_reasons_format (reasons);
  return TRUE;
}
