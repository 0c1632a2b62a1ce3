/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-event.c: who wants to hear of what
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/events.h"

#include "remote/session.h"

/* Every event that libvirt has can be asked for; not each of them comes. */
gboolean
stasis_call_connect_domain_event_callback_register_any (StasisCall *call, GError **error)
{
  const gint32 event = call->args[0].i;
  if (event < 0 || event >= STASIS_EVENT_COUNT)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("unsupported event ID %d"), event);
      return FALSE;
    }
  return stasis_session_add_callback (call->session, event, call->args[1].domain, &call->rets[0].i,
                                      error);
}

/* No more. */
gboolean
stasis_call_connect_domain_event_callback_deregister_any (StasisCall *call, GError **error)
{
  if (stasis_session_remove_callback (call->session, call->args[0].i))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("couldn't find domain event callback %d"), call->args[0].i);
  return FALSE;
}
