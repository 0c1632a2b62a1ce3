/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-stream.c: calls that open a stream
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "driver/screenshot.h"
#include "remote/calls.h"
#include "remote/stream.h"

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

/* A picture of the first display. */
gboolean
stasis_call_domain_screenshot (StasisCall *call, GError **error)
{
  static const StasisFlagPair none = { 0, 0 };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, &none, 0, &flags, error))
    return FALSE;
  if (call->args[1].u != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                   _ ("there are pictures of the first display only, not of number %u"),
                   call->args[1].u);
      return FALSE;
    }
  g_autoptr (StasisDomain) domain = stasis_call_domain (call, 0, error);
  call->stream_fd = domain != NULL ? stasis_domain_screenshot (domain, error) : -1;
  call->rets[0].s = g_strdup (STASIS_SCREENSHOT_MIME);
  return call->stream_fd >= 0;
}

/* How much may come out of one. */
gboolean
stasis_call_own_stream_allow (StasisCall *call, GError **error)
{
  stasis_stream_allow (call->session, call->args[0].u, call->args[1].ul);
  return TRUE;
}
