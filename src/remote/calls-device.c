/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-device.c: devices, memory and processors of domains
 *
 * They are libvirt's, and a client of ours may cancel them all the same: a guest takes its time.
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls-own.h"
#include "remote/calls.h"

static const StasisFlagPair device_flags[] = {
  { 0x1, STASIS_AFFECT_LIVE },
  { 0x2, STASIS_AFFECT_CONFIG },
};

static const StasisFlagPair update_flags[] = {
  { 0x1, STASIS_AFFECT_LIVE },
  { 0x2, STASIS_AFFECT_CONFIG },
  { 0x4, STASIS_AFFECT_FORCE },
};

/* Of memory and processors. */
static const StasisFlagPair amount_flags[] = {
  { 0x1, STASIS_AFFECT_LIVE },
  { 0x2, STASIS_AFFECT_CONFIG },
  { 0x4, STASIS_AFFECT_MAXIMUM },
};

/* Of processors: what the guest itself says of them. */
#define VCPU_GUEST 0x8u
/* Whether those that come may go again: they may. */
#define VCPU_HOTPLUGGABLE 0x10u

static gboolean
attach (StasisCall *call, StasisAffectFlags flags, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_attach_device (domain, call->args[1].s, flags, job.cancellable, error);
}

/* To the running domain. */
gboolean
stasis_call_domain_attach_device (StasisCall *call, GError **error)
{
  return attach (call, STASIS_AFFECT_LIVE, error);
}

/* To what the flags say. */
gboolean
stasis_call_domain_attach_device_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[2].u, device_flags, G_N_ELEMENTS (device_flags),
                                      &flags, error)
         && attach (call, flags, error);
}

static gboolean
detach (StasisCall *call, StasisAffectFlags flags, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_detach_device (domain, call->args[1].s, flags, NULL, job.cancellable,
                                         error);
}

/* From the running domain. */
gboolean
stasis_call_domain_detach_device (StasisCall *call, GError **error)
{
  return detach (call, STASIS_AFFECT_LIVE, error);
}

/* From what the flags say. */
gboolean
stasis_call_domain_detach_device_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[2].u, device_flags, G_N_ELEMENTS (device_flags),
                                      &flags, error)
         && detach (call, flags, error);
}

/* By its name. */
gboolean
stasis_call_domain_detach_device_alias (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, device_flags, G_N_ELEMENTS (device_flags),
                                    &flags, error))
    return FALSE;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_detach_device_alias (domain, call->args[1].s, flags, NULL,
                                               job.cancellable, error);
}

/* It is another one. */
gboolean
stasis_call_domain_update_device_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, update_flags, G_N_ELEMENTS (update_flags),
                                    &flags, error))
    return FALSE;
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_update_device (domain, call->args[1].s, flags, job.cancellable, error);
}

static gboolean
set_memory (StasisCall *call, StasisAffectFlags flags, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_set_memory (domain, call->args[1].ul, flags, job.cancellable, error);
}

/* Of the running domain. */
gboolean
stasis_call_domain_set_memory (StasisCall *call, GError **error)
{
  return set_memory (call, STASIS_AFFECT_LIVE, error);
}

/* Of what the flags say. */
gboolean
stasis_call_domain_set_memory_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return stasis_call_translate_flags (call->args[2].u, amount_flags, G_N_ELEMENTS (amount_flags),
                                      &flags, error)
         && set_memory (call, flags, error);
}

/* At most. */
gboolean
stasis_call_domain_set_max_memory (StasisCall *call, GError **error)
{
  return set_memory (call, STASIS_AFFECT_MAXIMUM, error);
}

static gboolean
set_vcpus (StasisCall *call, StasisAffectFlags flags, GError **error)
{
  g_auto (StasisOwnJob) job = { 0 };
  g_autoptr (StasisDomain) domain = stasis_own_job_begin_of_domain (&job, call, error);
  return domain != NULL
         && stasis_domain_set_vcpus (domain, call->args[1].u, flags, job.cancellable, error);
}

/* Of the running domain. */
gboolean
stasis_call_domain_set_vcpus (StasisCall *call, GError **error)
{
  return set_vcpus (call, STASIS_AFFECT_LIVE, error);
}

static gboolean
translate_vcpu_flags (guint32 theirs, guint32 *out, GError **error)
{
  if ((theirs & VCPU_GUEST) == 0)
    return stasis_call_translate_flags (theirs & ~VCPU_HOTPLUGGABLE, amount_flags,
                                        G_N_ELEMENTS (amount_flags), out, error);
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                       _ ("processors are not counted or set by the guest's agent"));
  return FALSE;
}

/* Of what the flags say. */
gboolean
stasis_call_domain_set_vcpus_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  return translate_vcpu_flags (call->args[2].u, &flags, error) && set_vcpus (call, flags, error);
}

/* How many there are, or may be. */
gboolean
stasis_call_domain_get_vcpus_flags (StasisCall *call, GError **error)
{
  guint32 flags;
  guint count = 0;
  if (!translate_vcpu_flags (call->args[1].u, &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL || !stasis_domain_get_vcpus (domain, flags, &count, error))
    return FALSE;
  call->rets[0].i = (gint32) count;
  return TRUE;
}

/* The old way: of one that runs. */
gboolean
stasis_call_domain_get_max_vcpus (StasisCall *call, GError **error)
{
  guint count = 0;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL
      || !stasis_domain_get_vcpus (domain, STASIS_AFFECT_LIVE | STASIS_AFFECT_MAXIMUM, &count,
                                   error))
    return FALSE;
  call->rets[0].i = (gint32) count;
  return TRUE;
}
