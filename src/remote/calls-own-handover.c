/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-handover.c: a guest gets another QEMU, on the server
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls-own.h"
#include "remote/calls.h"

/* It stands still for a moment. */
gboolean
stasis_call_own_domain_handover (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  gint64 pause_us = -1;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  if (domain == NULL || !stasis_own_check_flags (flags, STASIS_HANDOVER_CHECK, error)
      || !stasis_domain_handover (domain, call->args[1].s, flags, &pause_us, stasis_own_job_tell,
                                  &job, job.cancellable, error))
    return FALSE;
  call->rets[0].l = pause_us;
  return TRUE;
}
