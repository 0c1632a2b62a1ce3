/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-settle.c: what has become of a change of a running guest's devices
 *
 * Theory of operation
 *
 * Before QEMU is asked for anything, the definition as it will be lies beside the live one, and the
 * journal names the change (STASIS_STEP_DEVICE).  When QEMU has done it, the one takes the other's
 * place by a rename.  Whoever finds the journal, after a failure or a death, asks QEMU which of
 * both is true: a device that is there stays, and of one that is not there nothing is left behind.
 * A drive that is empty half way gets its old medium back.  What is merely set is set once more.
 */

#include "config.h"

#include "driver/device-settle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/control.h"
#include "driver/domain-private.h"
#include "driver/hook-marks.h"
#include "monitor/commands-block.h"
#include "monitor/commands-fd.h"
#include "monitor/commands-hotplug.h"
#include "monitor/commands-query.h"
#include "monitor/error.h"
#include "util/fd.h"

#define NEXT_HOOK_XML STASIS_HOOK_MARKS "/" STASIS_NEXT_XML
#define DROP_TRIES    40u /* QEMU lets go of a disk a moment after its device has gone */
#define DROP_US       50000

static gboolean
commit (const char *folder, const char *next_name, const char *name, GError **error)
{
  g_autofree char *next = g_build_filename (folder, next_name, NULL);
  g_autofree char *live = g_build_filename (folder, name, NULL);
  if (rename (next, live) == 0 || errno == ENOENT)
    return TRUE;
  return stasis_throw_errno (error, _ ("cannot rename '%s'"), next);
}

/* From now on. */
gboolean
stasis_device_next_commit (const char *folder, GError **error)
{
  return commit (folder, NEXT_HOOK_XML, STASIS_HOOK_XML, error)
         && commit (folder, STASIS_NEXT_XML, STASIS_LIVE_XML, error);
}

static void
drop (const char *folder, const char *next_name)
{
  g_autofree char *next = g_build_filename (folder, next_name, NULL);
  if (unlink (next) < 0 && errno != ENOENT)
    g_debug ("'%s': %s", next, g_strerror (errno));
}

/* Never. */
void
stasis_device_next_drop (const char *folder)
{
  drop (folder, NEXT_HOOK_XML);
  drop (folder, STASIS_NEXT_XML);
}

static void
ignore (GError *error_take)
{
  g_debug ("%s", error_take->message);
  g_error_free (error_take);
}

/* Those that others rest on can only go after these. */
static gboolean
drop_some (StasisMonitor *monitor, const GPtrArray *nodes)
{
  gboolean has_dropped = FALSE;
  for (guint i = 0; i < nodes->len; i++)
    {
      const StasisMonitorNode *node = g_ptr_array_index (nodes, i);
      GError *error = NULL;
      if (stasis_monitor_blockdev_del (monitor, node->name, NULL, &error))
        has_dropped = TRUE;
      else
        ignore (error);
    }
  return has_dropped;
}

static void
note_sets (GHashTable *sets, const GPtrArray *nodes)
{
  for (guint i = 0; i < nodes->len; i++)
    {
      const StasisMonitorNode *node = g_ptr_array_index (nodes, i);
      if (node->fdset >= 0)
        g_hash_table_add (sets, GINT_TO_POINTER ((int) node->fdset));
    }
}

/* Descriptors that no node came to use. */
static void
note_unused_sets (StasisMonitor *monitor, GHashTable *sets, const char *nodes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) members = stasis_monitor_query_fdsets (monitor, NULL, &error);
  for (guint i = 0; members != NULL && i < members->len; i++)
    {
      const StasisFdsetMember *member = g_ptr_array_index (members, i);
      if (g_strcmp0 (member->opaque, nodes) == 0)
        g_hash_table_add (sets, GINT_TO_POINTER ((int) member->set));
    }
  if (members == NULL)
    g_debug ("%s", error->message);
}

static void
remove_sets (StasisMonitor *monitor, GHashTable *sets)
{
  GHashTableIter iter;
  gpointer set;
  g_hash_table_iter_init (&iter, sets);
  while (g_hash_table_iter_next (&iter, &set, NULL))
    {
      GError *error = NULL;
      if (!stasis_monitor_remove_fd (monitor, GPOINTER_TO_INT (set), STASIS_FDSET_ALL, NULL,
                                     &error))
        ignore (error);
    }
}

static void
drop_nodes (StasisMonitor *monitor, const char *base)
{
  g_autofree char *prefix = g_strconcat (base, "-", NULL);
  g_autoptr (GHashTable) sets = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < DROP_TRIES; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) nodes = stasis_monitor_list_nodes (monitor, prefix, NULL, &error);
      if (nodes == NULL)
        g_debug ("%s", error->message);
      if (nodes == NULL || nodes->len == 0)
        break;
      note_sets (sets, nodes);
      if (!drop_some (monitor, nodes))
        g_usleep (DROP_US);
    }
  note_unused_sets (monitor, sets, base);
  remove_sets (monitor, sets);
}

static void
drop_netdev (StasisMonitor *monitor, const char *netdev)
{
  static const char *const names[] = { STASIS_TAP_FD_NAME, STASIS_VHOST_FD_NAME };
  GError *error = NULL;
  if (!stasis_monitor_netdev_del (monitor, netdev, NULL, &error))
    ignore (g_steal_pointer (&error));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (!stasis_monitor_closefd (monitor, names[i], NULL, &error))
      ignore (g_steal_pointer (&error));
}

/* What was behind a device. */
void
stasis_device_drop_backend (StasisMonitor *monitor, const char *nodes, const char *netdev)
{
  if (nodes != NULL)
    drop_nodes (monitor, nodes);
  if (netdev != NULL)
    drop_netdev (monitor, netdev);
}

/* TRUE for what would be refused again, and is not to keep the domain from everything else. */
static gboolean
is_refusal (GError *local, GError **error)
{
  if (g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    {
      g_message ("%s", local->message);
      return TRUE;
    }
  g_propagate_error (error, g_error_copy (local));
  return FALSE;
}

/* As far as that is possible: it is there in any case. */
void
stasis_device_tell_added (const char *folder, const char *alias)
{
  GError *error = NULL;
  g_autoptr (StasisControl) control = stasis_control_open (folder, &error);
  if (control == NULL || !stasis_control_device_added (control, alias, &error))
    ignore (error);
}

static gboolean
settle_plug (const char *folder, const StasisDeviceChange *change, StasisMonitor *monitor,
             GError **error)
{
  gboolean is_there = FALSE;
  if (!stasis_monitor_has_device (monitor, change->id, &is_there, NULL, error))
    return FALSE;
  g_autoptr (GError) local = NULL;
  if (is_there && change->netdev != NULL && change->value != 0
      && !stasis_monitor_set_link (monitor, change->id, FALSE, NULL, &local)
      && !is_refusal (local, error))
    return FALSE;
  if (is_there)
    {
      if (!stasis_device_next_commit (folder, error))
        return FALSE;
      if (change->kind == STASIS_CHANGE_PLUG)
        stasis_device_tell_added (folder, change->id);
      return TRUE;
    }
  stasis_device_drop_backend (monitor, change->nodes, change->netdev);
  stasis_device_next_drop (folder);
  return TRUE;
}

/* Overlays that checkpoints have laid over it are called after the drive, not after it. */
static void
drop_media_before (StasisMonitor *monitor, const StasisDeviceChange *change)
{
  const char *target = change->nodes != NULL ? strchr (change->nodes, '-') : NULL;
  for (guint i = 0; target != NULL && i <= STASIS_MEDIA_MAX; i++)
    {
      g_autofree char *base = stasis_disk_node_base (target + 1, i);
      if (!g_str_equal (base, change->nodes))
        stasis_device_drop_backend (monitor, base, NULL);
    }
}

static gboolean
settle_medium (const char *folder, const StasisDeviceChange *change, StasisMonitor *monitor,
               GError **error)
{
  g_autofree char *node = NULL;
  if (!stasis_monitor_query_medium (monitor, change->id, &node, NULL, error))
    return FALSE;
  const gboolean is_done = g_strcmp0 (node, change->medium) == 0;
  GError *local = NULL;
  if (!is_done && node == NULL && change->medium_before != NULL
      && !stasis_monitor_insert_medium (monitor, change->id, change->medium_before, NULL, &local)
      && !is_refusal (local, error))
    return FALSE;
  g_clear_error (&local);
  if (!stasis_monitor_close_tray (monitor, change->id, NULL, &local))
    ignore (local);
  if (is_done)
    {
      drop_media_before (monitor, change);
      return stasis_device_next_commit (folder, error);
    }
  stasis_device_drop_backend (monitor, change->nodes, NULL);
  stasis_device_next_drop (folder);
  return TRUE;
}

static gboolean
settle_setting (const char *folder, const StasisDeviceChange *change, StasisMonitor *monitor,
                GError **error)
{
  g_autoptr (GError) local = NULL;
  if (change->kind == STASIS_CHANGE_LINK
          ? stasis_monitor_set_link (monitor, change->id, change->value != 0, NULL, &local)
          : stasis_monitor_balloon (monitor, change->value, NULL, &local))
    return stasis_device_next_commit (folder, error);
  if (!is_refusal (local, error))
    return FALSE;
  stasis_device_next_drop (folder);
  return TRUE;
}

/* Finish or undo it. */
gboolean
stasis_device_settle (const char *folder, const StasisStatus *status, StasisMonitor *monitor,
                      GError **error)
{
  const StasisDeviceChange *change = status->journal.change;
  if (change == NULL)
    return TRUE;
  switch (change->kind)
    {
    case STASIS_CHANGE_PLUG:
    case STASIS_CHANGE_CPU:
      return settle_plug (folder, change, monitor, error);
    case STASIS_CHANGE_MEDIUM:
      return settle_medium (folder, change, monitor, error);
    case STASIS_CHANGE_LINK:
    case STASIS_CHANGE_MEMORY:
      return settle_setting (folder, change, monitor, error);
    case STASIS_CHANGE_UNPLUG: /* stands in the status, not in the journal */
      return TRUE;
    }
  return TRUE;
}
