/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-tls.c: certificates for QEMU's connections
 */

#include "config.h"

#include "monitor/commands-tls.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"

/* Certificates. */
gboolean
stasis_monitor_tls_creds_add (StasisMonitor *monitor, const StasisTlsCreds *creds,
                              GCancellable *cancellable, GError **error)
{
  g_autofree char *context
      = g_strdup_printf (_ ("cannot use the certificates in '%s'"), creds->folder);
  const StasisCommand add = { "object-add", context, STASIS_COMMAND_MS, -1 };
  StasisJson *object = stasis_json_new_object ();
  stasis_json_set_string (object, "qom-type", "tls-creds-x509");
  stasis_json_set_string (object, "id", creds->id);
  stasis_json_set_string (object, "dir", creds->folder);
  stasis_json_set_string (object, "endpoint", creds->is_server ? "server" : "client");
  stasis_json_set_boolean (object, "verify-peer", creds->verify_peer);
  return stasis_command_run (monitor, &add, object, NULL, cancellable, error);
}

/* Any object of ours. */
gboolean
stasis_monitor_object_del (StasisMonitor *monitor, const char *id, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand del = { "object-del", _ ("cannot remove an object"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", id);
  return stasis_command_run (monitor, &del, arguments, NULL, cancellable, error);
}
