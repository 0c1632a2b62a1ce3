/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * calls-connect.c: opening a connection, and what it can do
 */

#include "config.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "remote/calls.h"
#include "remote/session.h"

#define OPEN_READ_ONLY 1u
#define AUTH_NONE      0

/* Of libvirt's virDrvFeature. */
#define FEATURE_MIGRATION_P2P     4
#define FEATURE_CHANGE_PROTECTION 7
#define FEATURE_FD_PASSING        8
#define FEATURE_TYPED_STRING      9
#define FEATURE_KEEPALIVE         10
#define FEATURE_XML_MIGRATABLE    11
#define FEATURE_MIGRATION_OFFLINE 12
#define FEATURE_MIGRATION_PARAMS  13 /* 302 to 307; the older forms have other numbers */
#define FEATURE_EVENT_CALLBACK    14
#define FEATURE_CLOSE_CALLBACK    15

/* Who may connect is said by the socket's mode. */
gboolean
stasis_call_auth_list (StasisCall *call, GError **error)
{
  const gint32 none = AUTH_NONE;
  call->rets[0].numbers = g_array_new (FALSE, FALSE, sizeof (gint32));
  g_array_append_val (call->rets[0].numbers, none);
  return TRUE;
}

/* "qemu:///system" and the like: the same state directory is behind all of them. */
static gboolean
check_uri (const char *uri, GError **error)
{
  static const char *const schemes[] = { "qemu", "stasis" };
  static const char *const paths[] = { "/system", "/session" };
  if (uri == NULL || *uri == '\0')
    return TRUE;
  g_autoptr (GUri) parsed = g_uri_parse (uri, G_URI_FLAGS_NON_DNS, NULL);
  for (guint i = 0; parsed != NULL && i < G_N_ELEMENTS (schemes); i++)
    for (guint j = 0; j < G_N_ELEMENTS (paths); j++)
      if (g_str_equal (g_uri_get_scheme (parsed), schemes[i])
          && g_str_equal (g_uri_get_path (parsed), paths[j]))
        return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("no connection driver available for %s"), uri);
  return FALSE;
}

/* Once on each connection. */
gboolean
stasis_call_connect_open (StasisCall *call, GError **error)
{
  const guint32 flags = call->args[1].u;
  const StasisFlagPair read_only = { OPEN_READ_ONLY, OPEN_READ_ONLY };
  guint32 known;
  return check_uri (call->args[0].s, error)
         && stasis_call_translate_flags (flags, &read_only, 1, &known, error)
         && stasis_session_open (call->session, known != 0, error);
}

/* What follows is the end of the connection, which the client makes. */
gboolean
stasis_call_connect_close (StasisCall *call, GError **error)
{
  return TRUE;
}

/* A client that asks whether we can be asked for a sign of life can be asked, too. */
gboolean
stasis_call_connect_supports_feature (StasisCall *call, GError **error)
{
  switch (call->args[0].i)
    {
    case FEATURE_KEEPALIVE:
      stasis_session_begin_keepalive (call->session);
      call->rets[0].i = 1;
      break;
    case FEATURE_MIGRATION_P2P:
    case FEATURE_CHANGE_PROTECTION:
    case FEATURE_FD_PASSING:
    case FEATURE_TYPED_STRING:
    case FEATURE_XML_MIGRATABLE:
    case FEATURE_MIGRATION_OFFLINE:
    case FEATURE_MIGRATION_PARAMS:
    case FEATURE_EVENT_CALLBACK:
    case FEATURE_CLOSE_CALLBACK:
      call->rets[0].i = 1;
      break;
    default:
      call->rets[0].i = 0;
    }
  return TRUE;
}

/* The hypervisor. */
gboolean
stasis_call_connect_get_type (StasisCall *call, GError **error)
{
  call->rets[0].s = g_strdup ("QEMU");
  return TRUE;
}

/* As libvirt's driver calls itself. */
gboolean
stasis_call_connect_get_uri (StasisCall *call, GError **error)
{
  const gboolean is_session = g_str_has_suffix (stasis_driver_get_uri (call->driver), "/session");
  call->rets[0].s = g_strdup (is_session ? "qemu:///session" : "qemu:///system");
  return TRUE;
}

/* It never leaves the host. */
gboolean
stasis_call_connect_is_secure (StasisCall *call, GError **error)
{
  call->rets[0].i = 1;
  return TRUE;
}

/* Why the connection is closed is not told before it is: there is nothing to remember. */
gboolean
stasis_call_connect_close_callback (StasisCall *call, GError **error)
{
  return TRUE;
}
