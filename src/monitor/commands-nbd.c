/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-nbd.c: disks that another QEMU may read and write, by NBD
 */

#include "config.h"

#include "monitor/commands-nbd.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-block.h"
#include "monitor/commands-private.h"

static void
set_if (StasisJson *json, const char *key, const char *value)
{
  if (value != NULL)
    stasis_json_set_string (json, key, value);
}

/* Begin to listen. */
gboolean
stasis_monitor_nbd_server_start (StasisMonitor *monitor, const StasisNbdServer *server,
                                 GCancellable *cancellable, GError **error)
{
  const StasisCommand start
      = { "nbd-server-start", _ ("cannot start QEMU's NBD server"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set (arguments, "addr", stasis_qemu_address_to_legacy_json (&server->address));
  set_if (arguments, "tls-creds", server->tls_creds);
  set_if (arguments, "tls-authz", server->tls_authz);
  /* What it is without a word depends on QEMU's version. */
  stasis_json_set_uint (arguments, "max-connections", server->connections_max);
  return stasis_command_run (monitor, &start, arguments, NULL, cancellable, error);
}

/* End it with all of its exports. */
gboolean
stasis_monitor_nbd_server_stop (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const StasisCommand stop
      = { "nbd-server-stop", _ ("cannot stop QEMU's NBD server"), STASIS_COMMAND_DISK_MS, -1 };
  return stasis_command_run (monitor, &stop, NULL, NULL, cancellable, error);
}

/* One disk more. */
gboolean
stasis_monitor_nbd_export_add (StasisMonitor *monitor, const StasisNbdExport *export,
                               GCancellable *cancellable, GError **error)
{
  const StasisCommand add
      = { "block-export-add", _ ("cannot export a disk"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "type", "nbd");
  stasis_json_set_string (arguments, "id", export->id);
  stasis_json_set_string (arguments, "node-name", export->node);
  stasis_json_set_string (arguments, "name", export->name);
  stasis_json_set_boolean (arguments, "writable", export->is_writable);
  return stasis_command_run (monitor, &add, arguments, NULL, cancellable, error);
}

/* One disk less. */
gboolean
stasis_monitor_block_export_del (StasisMonitor *monitor, const char *id, gboolean force,
                                 GCancellable *cancellable, GError **error)
{
  const StasisCommand del
      = { "block-export-del", _ ("cannot end the export of a disk"), STASIS_COMMAND_DISK_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", id);
  stasis_json_set_string (arguments, "mode", force ? "hard" : "safe");
  return stasis_command_run (monitor, &del, arguments, NULL, cancellable, error);
}

/* NULL is fine. */
void
stasis_block_export_free (StasisBlockExport *export)
{
  if (export == NULL)
    return;
  g_free (export->id);
  g_free (export->type);
  g_free (export->node);
  g_free (export);
}

static StasisBlockExport *
parse_export (const StasisJson *json, GError **error)
{
  const char *id = NULL;
  const char *type = NULL;
  const char *node = NULL;
  gboolean is_ending = FALSE;
  if (!stasis_json_need_string (json, "id", &id, error)
      || !stasis_json_need_string (json, "type", &type, error)
      || !stasis_json_need_string (json, "node-name", &node, error)
      || !stasis_json_need_boolean (json, "shutting-down", &is_ending, error))
    return NULL;
  StasisBlockExport *export = g_new0 (StasisBlockExport, 1);
  export->id = g_strdup (id);
  export->type = g_strdup (type);
  export->node = g_strdup (node);
  export->is_ending = is_ending;
  return export;
}

/* Those of all types. */
GPtrArray *
stasis_monitor_query_block_exports (StasisMonitor *monitor, GCancellable *cancellable,
                                    GError **error)
{
  const char *command = "query-block-exports";
  const char *context = _ ("cannot ask for the disks that QEMU exports");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  if (list == NULL)
    return NULL;
  g_autoptr (GPtrArray) exports
      = g_ptr_array_new_with_free_func ((GDestroyNotify) stasis_block_export_free);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      g_autoptr (GError) fault = NULL;
      StasisBlockExport *export = parse_export (stasis_json_array_get (list, i), &fault);
      if (export == NULL)
        {
          stasis_command_throw_reply (command, context, fault, error);
          return NULL;
        }
      g_ptr_array_add (exports, export);
    }
  return g_steal_pointer (&exports);
}

/* The other end. */
gboolean
stasis_monitor_nbd_client_add (StasisMonitor *monitor, const StasisNbdClient *client,
                               GCancellable *cancellable, GError **error)
{
  StasisJson *node = stasis_json_new_object ();
  stasis_json_set_string (node, "driver", "nbd");
  stasis_json_set_string (node, "node-name", client->node);
  stasis_json_set (node, "server", stasis_qemu_address_to_json (&client->address));
  stasis_json_set_string (node, "export", client->name);
  set_if (node, "tls-creds", client->tls_creds);
  set_if (node, "tls-hostname", client->tls_hostname);
  if (client->reconnect_s > 0)
    stasis_json_set_uint (node, "reconnect-delay", client->reconnect_s);
  if (client->open_s > 0)
    stasis_json_set_uint (node, "open-timeout", client->open_s);
  if (client->detects_zeroes)
    {
      stasis_json_set_string (node, "detect-zeroes", "unmap");
      stasis_json_set_string (node, "discard", "unmap");
    }
  return stasis_monitor_blockdev_add (monitor, node, cancellable, error);
}

gboolean
stasis_monitor_nbd_client_yank (StasisMonitor *monitor, const char *node, GCancellable *cancellable,
                                GError **error)
{
  const StasisCommand yank
      = { "yank", _ ("cannot break off a disk's connection"), STASIS_COMMAND_MS, -1 };
  StasisJson *instance = stasis_json_new_object ();
  StasisJson *instances = stasis_json_new_array ();
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (instance, "type", "block-node");
  stasis_json_set_string (instance, "node-name", node);
  stasis_json_array_append (instances, instance);
  stasis_json_set (arguments, "instances", instances);
  return stasis_command_run (monitor, &yank, arguments, NULL, cancellable, error);
}
