/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * commands-hotplug.c: devices and processors that come and go while a guest runs
 */

#include "config.h"

#include "monitor/commands-hotplug.h"

#include <glib/gi18n-lib.h>

#include "monitor/commands-private.h"
#include "monitor/error.h"

#define DELETED "DEVICE_DELETED"
#define LOOK_MS 250
#define REFUSED "DEVICE_UNPLUG_GUEST_ERROR" /* QEMU >= 6.2 */

static gboolean
run_with_id (StasisMonitor *monitor, const StasisCommand *command, const char *id,
             GCancellable *cancellable, GError **error)
{
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "id", id);
  return stasis_command_run (monitor, command, arguments, NULL, cancellable, error);
}

/* An option as a command. */
gboolean
stasis_monitor_add (StasisMonitor *monitor, const char *option, StasisJson *value_take,
                    GCancellable *cancellable, GError **error)
{
  const struct
  {
    const char *option;
    StasisCommand command;
  } commands[] = {
    { "-blockdev", { "blockdev-add", _ ("cannot open a disk"), STASIS_COMMAND_DISK_MS, -1 } },
    { "-netdev", { "netdev_add", _ ("cannot add a network"), STASIS_COMMAND_MS, -1 } },
    { "-object", { "object-add", _ ("cannot add an object"), STASIS_COMMAND_MS, -1 } },
    { "-device", { "device_add", _ ("cannot add a device"), STASIS_COMMAND_MS, -1 } },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (option, commands[i].option))
      return stasis_command_run (monitor, &commands[i].command, value_take, NULL, cancellable,
                                 error);
  stasis_json_unref (value_take);
  g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_UNSUPPORTED,
               _ ("QEMU has no command for the option '%s'"), option);
  return FALSE;
}

gboolean
stasis_monitor_device_del (StasisMonitor *monitor, const char *id, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand del = { "device_del", _ ("cannot remove a device"), STASIS_COMMAND_MS, -1 };
  return run_with_id (monitor, &del, id, cancellable, error);
}

gboolean
stasis_monitor_netdev_del (StasisMonitor *monitor, const char *id, GCancellable *cancellable,
                           GError **error)
{
  const StasisCommand del = { "netdev_del", _ ("cannot remove a network"), STASIS_COMMAND_MS, -1 };
  return run_with_id (monitor, &del, id, cancellable, error);
}

gboolean
stasis_monitor_set_link (StasisMonitor *monitor, const char *id, gboolean is_up,
                         GCancellable *cancellable, GError **error)
{
  const StasisCommand set = { "set_link", _ ("cannot set a link"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "name", id);
  stasis_json_set_boolean (arguments, "up", is_up);
  return stasis_command_run (monitor, &set, arguments, NULL, cancellable, error);
}

/* The event of this device; one that has no id is told by its path. */
static gboolean
is_of (const StasisMonitorEvent *event, const char *name, const char *id)
{
  return g_str_equal (event->name, name)
         && g_strcmp0 (stasis_json_string (
                           stasis_json_get (event->data, *id == '/' ? "path" : "device"), NULL),
                       id)
                == 0;
}

static gboolean
list_objects (StasisMonitor *monitor, const char *path, StasisJson **out_list,
              GCancellable *cancellable, GError **error)
{
  const StasisCommand query
      = { "qom-list", _ ("cannot ask for QEMU's devices"), STASIS_COMMAND_MS, -1 };
  StasisJson *arguments = stasis_json_new_object ();
  stasis_json_set_string (arguments, "path", path);
  return stasis_command_run (monitor, &query, arguments, out_list, cancellable, error);
}

/* They are all in one folder of QEMU's objects. */
GHashTable *
stasis_monitor_list_devices (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  g_autoptr (StasisJson) list = NULL;
  if (!list_objects (monitor, "/machine/peripheral", &list, cancellable, error))
    return NULL;
  GHashTable *ids = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    {
      const StasisJson *name = stasis_json_get (stasis_json_array_get (list, i), "name");
      g_hash_table_add (ids, g_strdup (stasis_json_string (name, "")));
    }
  return ids;
}

/* A path is asked for itself. */
gboolean
stasis_monitor_has_device (StasisMonitor *monitor, const char *id, gboolean *out_is_there,
                           GCancellable *cancellable, GError **error)
{
  *out_is_there = FALSE;
  if (*id != '/')
    {
      g_autoptr (GHashTable) ids = stasis_monitor_list_devices (monitor, cancellable, error);
      *out_is_there = ids != NULL && g_hash_table_contains (ids, id);
      return ids != NULL;
    }
  g_autoptr (StasisJson) list = NULL;
  g_autoptr (GError) local = NULL;
  *out_is_there = list_objects (monitor, id, &list, cancellable, &local);
  if (local == NULL || g_error_matches (local, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The event tells, but of some processors it never comes. */
gboolean
stasis_monitor_wait_gone (StasisMonitor *monitor, const char *id, gint64 timeout_ms,
                          gboolean *out_is_gone, GCancellable *cancellable, GError **error)
{
  const gint64 deadline_us = g_get_monotonic_time () + timeout_ms * G_TIME_SPAN_MILLISECOND;
  *out_is_gone = FALSE;
  while (!*out_is_gone && g_get_monotonic_time () < deadline_us)
    {
      g_autoptr (StasisMonitorEvent) event = NULL;
      gboolean is_there = TRUE;
      if (!stasis_monitor_wait_event (monitor, LOOK_MS, &event, cancellable, error)
          || (event == NULL
              && !stasis_monitor_has_device (monitor, id, &is_there, cancellable, error)))
        return FALSE;
      if (event != NULL && is_of (event, REFUSED, id))
        {
          g_set_error (error, STASIS_MONITOR_ERROR, STASIS_MONITOR_ERROR_COMMAND,
                       _ ("the guest does not release the device '%s'"), id);
          return FALSE;
        }
      *out_is_gone = !is_there || (event != NULL && is_of (event, DELETED, id));
    }
  return TRUE;
}

/* NULL is fine. */
void
stasis_monitor_cpu_slot_free (StasisMonitorCpuSlot *slot)
{
  if (slot == NULL)
    return;
  g_free (slot->type);
  stasis_json_unref (slot->props);
  g_free (slot->qom_path);
  g_free (slot);
}

static void
free_slot (gpointer slot)
{
  stasis_monitor_cpu_slot_free (slot);
}

static gint
compare_slots (gconstpointer a, gconstpointer b)
{
  static const char *const keys[]
      = { "socket-id", "die-id", "cluster-id", "module-id", "core-id", "thread-id" };
  const StasisMonitorCpuSlot *one = *(const StasisMonitorCpuSlot *const *) a;
  const StasisMonitorCpuSlot *other = *(const StasisMonitorCpuSlot *const *) b;
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      const gint64 here = stasis_json_int (stasis_json_get (one->props, keys[i]), 0);
      const gint64 there = stasis_json_int (stasis_json_get (other->props, keys[i]), 0);
      if (here != there)
        return here < there ? -1 : 1;
    }
  return 0;
}

static gboolean
add_slot (GPtrArray *slots, const StasisJson *element, GError **error)
{
  const char *type = NULL;
  const StasisJson *props = stasis_json_get (element, "props");
  if (!stasis_json_need_string (element, "type", &type, error))
    return FALSE;
  StasisMonitorCpuSlot *slot = g_new0 (StasisMonitorCpuSlot, 1);
  slot->type = g_strdup (type);
  slot->props = props != NULL ? stasis_json_ref ((StasisJson *) props) : stasis_json_new_object ();
  slot->qom_path = g_strdup (stasis_json_string (stasis_json_get (element, "qom-path"), NULL));
  g_ptr_array_add (slots, slot);
  return TRUE;
}

/* All places. */
GPtrArray *
stasis_monitor_query_cpu_slots (StasisMonitor *monitor, GCancellable *cancellable, GError **error)
{
  const char *command = "query-hotpluggable-cpus";
  const char *context = _ ("cannot ask for QEMU's places for processors");
  g_autoptr (StasisJson) list
      = stasis_command_run_list (monitor, command, context, cancellable, error);
  if (list == NULL)
    return NULL;
  g_autoptr (GPtrArray) slots = g_ptr_array_new_with_free_func (free_slot);
  g_autoptr (GError) fault = NULL;
  for (guint i = 0; i < stasis_json_array_length (list); i++)
    if (!add_slot (slots, stasis_json_array_get (list, i), &fault))
      {
        stasis_command_throw_reply (command, context, fault, error);
        return NULL;
      }
  g_ptr_array_sort (slots, compare_slots);
  return g_steal_pointer (&slots);
}
