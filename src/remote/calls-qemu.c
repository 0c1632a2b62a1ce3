/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-qemu.c: the program that talks to QEMU past us
 */

#include "config.h"

#include "remote/calls.h"

static const StasisFlagPair command_flags[] = {
  { 0x1, STASIS_MONITOR_COMMAND_HMP },
};

/* A command of its monitor. */
gboolean
stasis_call_qemu_domain_monitor_command (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, command_flags, G_N_ELEMENTS (command_flags),
                                    &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  call->rets[0].s
      = domain != NULL ? stasis_domain_monitor_command (domain, call->args[1].s, flags, NULL, error)
                       : NULL;
  return call->rets[0].s != NULL;
}
