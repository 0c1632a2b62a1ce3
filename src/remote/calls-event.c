/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-event.c: who wants to hear of what
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/events.h"
#include "remote/session.h"

/* Of libvirt's virConnectDomainQemuMonitorEventRegisterFlags. */
#define EVENT_REGEX    0x1u
#define EVENT_ANY_CASE 0x2u

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
  if (stasis_session_remove_callback (call->session, call->args[0].i, /* is_qemu= */ FALSE))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("couldn't find domain event callback %d"), call->args[0].i);
  return FALSE;
}

static gboolean
throw_old (GError **error, const char *message)
{
  g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_INVALID_STATE, message);
  return FALSE;
}

/* The old way: lifecycle events only, of all domains. */
gboolean
stasis_call_connect_domain_event_register (StasisCall *call, GError **error)
{
  call->rets[0].i = 1;
  return stasis_session_set_old_callback (call->session, TRUE)
         || throw_old (error, _ ("this connection hears of lifecycle events already"));
}

/* No more. */
gboolean
stasis_call_connect_domain_event_deregister (StasisCall *call, GError **error)
{
  return stasis_session_set_old_callback (call->session, FALSE)
         || throw_old (error, _ ("this connection has not asked for lifecycle events"));
}

/* QEMU's own, by name. */
gboolean
stasis_call_qemu_connect_domain_monitor_event_register (StasisCall *call, GError **error)
{
  const StasisFlagPair pairs[]
      = { { EVENT_REGEX, EVENT_REGEX }, { EVENT_ANY_CASE, EVENT_ANY_CASE } };
  guint32 flags;
  if (!stasis_call_translate_flags (call->args[2].u, pairs, G_N_ELEMENTS (pairs), &flags, error))
    return FALSE;
  if ((flags & EVENT_REGEX) != 0)
    {
      g_set_error_literal (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
                           _ ("QEMU's events are chosen by a name, not by a regular expression"));
      return FALSE;
    }
  return stasis_session_add_qemu_callback (call->session, call->args[1].s,
                                           (flags & EVENT_ANY_CASE) != 0, call->args[0].domain,
                                           &call->rets[0].i, error);
}

/* No more. */
gboolean
stasis_call_qemu_connect_domain_monitor_event_deregister (StasisCall *call, GError **error)
{
  if (stasis_session_remove_callback (call->session, call->args[0].i, /* is_qemu= */ TRUE))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("couldn't find monitor event callback %d"), call->args[0].i);
  return FALSE;
}
