/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-agent.c: what the agent of a guest on a server is asked for
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/client-ops.h"

#define OWN STASIS_PROGRAM_OWN

static gboolean
call (StasisDomain *self, const char *name, StasisWireValue *args, StasisWireValue *rets,
      GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of (self);
  StasisWireDomain domain = stasis_client_describe (self);
  const StasisClientJob job = { .cancellable = cancellable };
  args[0].domain = &domain;
  return stasis_client_need_own (client, _ ("talking to the guest's agent"), error)
         && stasis_client_call_job (client, OWN, name, args, rets, &job, error);
}

static gboolean
fs_freeze (StasisDomain *self, guint *out_count, GCancellable *cancellable, GError **error)
{
  StasisWireValue args[1];
  StasisWireValue rets[1];
  if (!call (self, "domain-fs-freeze", args, rets, cancellable, error))
    return FALSE;
  *out_count = rets[0].u;
  return TRUE;
}

static gboolean
fs_thaw (StasisDomain *self, guint *out_count, GCancellable *cancellable, GError **error)
{
  StasisWireValue args[1];
  StasisWireValue rets[1];
  if (!call (self, "domain-fs-thaw", args, rets, cancellable, error))
    return FALSE;
  *out_count = rets[0].u;
  return TRUE;
}

static gboolean
get_time (StasisDomain *self, gint64 *out_ns, GCancellable *cancellable, GError **error)
{
  StasisWireValue args[1];
  StasisWireValue rets[1];
  if (!call (self, "domain-get-time", args, rets, cancellable, error))
    return FALSE;
  *out_ns = rets[0].l;
  return TRUE;
}

static gboolean
set_time (StasisDomain *self, gint64 ns, StasisSetTimeFlags flags, GCancellable *cancellable,
          GError **error)
{
  StasisWireValue args[3] = { { 0 }, { .l = ns }, { .u = flags } };
  return call (self, "domain-set-time", args, NULL, cancellable, error);
}

/* What its agent is asked for. */
void
stasis_client_fill_agent (StasisDriverOps *ops)
{
  ops->fs_freeze = fs_freeze;
  ops->fs_thaw = fs_thaw;
  ops->get_time = get_time;
  ops->set_time = set_time;
}
