/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-media.c: what is in a drive, and the nodes behind drives
 */

#include "config.h"

#include "monitor/commands-hotplug.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"
#include "monitor/commands-query.h"

#define FDSET "/dev/fdset/"

static gboolean
run (StasisMonitor *monitor, const StasisCommand *command, const char *id, const char *key,
     StasisJson *value_take, GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", id);
  if (key != NULL)
    stasis_json_set (arguments, key, value_take);
  return stasis_command_run (monitor, command, arguments, NULL, cancellable, error);
}

gboolean
stasis_monitor_open_tray (StasisMonitor *monitor, const char *id, gboolean force,
                          GCancellable *cancellable, GError **error)
{
  const StasisCommand open
      = { "blockdev-open-tray", _ ("cannot open the tray"), STASIS_COMMAND_DISK_MS, -1 };
  return run (monitor, &open, id, "force", stasis_json_new_boolean (force), cancellable, error);
}

gboolean
stasis_monitor_close_tray (StasisMonitor *monitor, const char *id, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand close
      = { "blockdev-close-tray", _ ("cannot close the tray"), STASIS_COMMAND_DISK_MS, -1 };
  return run (monitor, &close, id, NULL, NULL, cancellable, error);
}

gboolean
stasis_monitor_remove_medium (StasisMonitor *monitor, const char *id, GCancellable *cancellable,
                              GError **error)
{
  const StasisCommand remove
      = { "blockdev-remove-medium", _ ("cannot remove the medium"), STASIS_COMMAND_DISK_MS, -1 };
  return run (monitor, &remove, id, NULL, NULL, cancellable, error);
}

gboolean
stasis_monitor_insert_medium (StasisMonitor *monitor, const char *id, const char *node,
                              GCancellable *cancellable, GError **error)
{
  const StasisCommand insert
      = { "blockdev-insert-medium", _ ("cannot insert the medium"), STASIS_COMMAND_DISK_MS, -1 };
  return run (monitor, &insert, id, "node-name", stasis_json_new_string (node), cancellable, error);
}

/* What is in it. */
gboolean
stasis_monitor_query_medium (StasisMonitor *monitor, const char *id, char **out_node,
                             GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blocks = stasis_monitor_query_block (monitor, cancellable, error);
  *out_node = NULL;
  if (blocks == NULL)
    return FALSE;
  for (guint i = 0; i < blocks->len; i++)
    {
      const StasisMonitorBlock *block = g_ptr_array_index (blocks, i);
      if (*out_node == NULL && stasis_monitor_block_is_of (block, id))
        *out_node = g_strdup (block->node_name);
    }
  return TRUE;
}

static void
free_node (gpointer data)
{
  StasisMonitorNode *node = data;
  g_free (node->name);
  g_free (node);
}

static gint64
fdset_of (const char *file)
{
  guint64 number = 0;
  return g_str_has_prefix (file, FDSET)
                 && g_ascii_string_to_unsigned (file + strlen (FDSET), 10, 0, G_MAXINT64, &number,
                                                NULL)
             ? (gint64) number
             : -1;
}

/* Nodes by their names. */
GPtrArray *
stasis_monitor_list_nodes (StasisMonitor *monitor, const char *prefix, GCancellable *cancellable,
                           GError **error)
{
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, "query-named-block-nodes",
                                 _ ("cannot ask for QEMU's block nodes"), cancellable, error);
  if (list == NULL)
    return NULL;
  GPtrArray *nodes = g_ptr_array_new_with_free_func (free_node);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *element = stasis_json_array_get (list, i);
      const char *name = stasis_json_string (stasis_json_get (element, "node-name"), "");
      if (!g_str_has_prefix (name, prefix))
        continue;
      StasisMonitorNode *node = g_new0 (StasisMonitorNode, 1);
      node->name = g_strdup (name);
      node->fdset = fdset_of (stasis_json_string (stasis_json_get (element, "file"), ""));
      g_ptr_array_add (nodes, node);
    }
  return nodes;
}
