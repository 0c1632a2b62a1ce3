/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-own-agent.c: our own program: what the guest agent is asked for
 */

#include "config.h"

#include "remote/calls-own.h"
#include "remote/calls.h"

#define TIME_FLAGS (STASIS_SET_TIME_NOW | STASIS_SET_TIME_FROM_RTC | STASIS_SET_TIME_WAIT)

typedef gboolean (*Count) (StasisDomain *domain, guint *out_count, GCancellable *cancellable,
                           GError **error);

static gboolean
count (StasisCall *call, Count function, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL && function (domain, &call->rets[0].u, job.cancellable, error);
}

/* All of its file systems. */
gboolean
stasis_call_own_domain_fs_freeze (StasisCall *call, GError **error)
{
  return count (call, stasis_domain_fs_freeze, error);
}

/* The same. */
gboolean
stasis_call_own_domain_fs_thaw (StasisCall *call, GError **error)
{
  return count (call, stasis_domain_fs_thaw, error);
}

/* The guest's clock. */
gboolean
stasis_call_own_domain_get_time (StasisCall *call, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_get_time (domain, &call->rets[0].l, job.cancellable, error);
}

/* The same; "now" is this host's. */
gboolean
stasis_call_own_domain_set_time (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[2].u;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL && stasis_own_check_flags (flags, TIME_FLAGS, error)
         && stasis_domain_set_time (domain, call->args[1].l, flags, job.cancellable, error);
}
