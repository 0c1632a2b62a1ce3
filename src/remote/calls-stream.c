/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-stream.c: calls that open a stream
 */

#include "config.h"

#include "remote/calls.h"

/* Of libvirt's virDomainConsoleFlags. */
#define CONSOLE_FORCE 0x1u
#define CONSOLE_SAFE  0x2u /* always: one user at a time */

static const StasisFlagPair console_flags[] = {
  { CONSOLE_FORCE, CONSOLE_FORCE },
  { CONSOLE_SAFE, 0 },
};

/* A serial console. */
gboolean
stasis_call_domain_open_console (StasisCall *call, GError **error)
{
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, console_flags, G_N_ELEMENTS (console_flags),
                                    &flags, error))
    return FALSE;
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  if (domain == NULL)
    return FALSE;
  call->stream_fd
      = stasis_domain_open_console (domain, call->args[1].s, (flags & CONSOLE_FORCE) != 0, error);
  return call->stream_fd >= 0;
}
