/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-device.c: our own program: a device that goes, and whether it has gone
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls-own.h"
#include "remote/calls.h"

#define DETACH_FLAGS (STASIS_AFFECT_LIVE | STASIS_AFFECT_CONFIG)

/* By its XML, or by its name. */
gboolean
stasis_call_own_domain_detach_device (StasisCall *call, GError **error)
{
  const char *xml = call->args[1].s;
  const char *alias = call->args[2].s;
  const guint32 flags = call->args[3].u;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  g_auto (StasisOwnJob) job = { 0 };
  gboolean is_gone = FALSE;
  if (domain == NULL || !stasis_own_check_flags (flags, DETACH_FLAGS, error))
    return FALSE;
  if ((xml == NULL) == (alias == NULL))
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                           _ ("a device is named by its XML or by its alias"));
      return FALSE;
    }
  stasis_own_job_begin (&job, call);
  if (xml != NULL
          ? !stasis_domain_detach_device (domain, xml, flags, &is_gone, job.cancellable, error)
          : !stasis_domain_detach_device_alias (domain, alias, flags, &is_gone, job.cancellable,
                                                error))
    return FALSE;
  call->rets[0].i = is_gone ? 1 : 0;
  return TRUE;
}
