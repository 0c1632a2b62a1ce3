/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-change.c: a change of a running guest's devices, as its status notes it
 */

#include "config.h"

#include "driver/device-change.h"

#define CHANGES_MAX 4096u

/* In the file by name: append, never rename. */
static const char *const kinds[] = {
  [STASIS_CHANGE_PLUG] = "plug",     [STASIS_CHANGE_CPU] = "cpu",
  [STASIS_CHANGE_MEDIUM] = "medium", [STASIS_CHANGE_LINK] = "link",
  [STASIS_CHANGE_MEMORY] = "memory", [STASIS_CHANGE_UNPLUG] = "unplug",
};

StasisDeviceChange *
stasis_device_change_new (StasisChangeKind kind, const char *id)
{
  StasisDeviceChange *change = g_new0 (StasisDeviceChange, 1);
  change->kind = kind;
  change->id = g_strdup (id);
  return change;
}

/* NULL is fine. */
void
stasis_device_change_free (StasisDeviceChange *change)
{
  if (change == NULL)
    return;
  g_free (change->id);
  g_free (change->nodes);
  g_free (change->medium);
  g_free (change->medium_before);
  g_free (change->netdev);
  g_free (change);
}

static void
free_change (gpointer change)
{
  stasis_device_change_free (change);
}

static void
set_optional (StasisJson *object, const char *key, const char *value)
{
  if (value != NULL)
    stasis_json_set_string (object, key, value);
}

StasisJson *
stasis_device_change_to_json (const StasisDeviceChange *change)
{
  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "kind", kinds[change->kind]);
  set_optional (json, "id", change->id);
  set_optional (json, "nodes", change->nodes);
  set_optional (json, "medium", change->medium);
  set_optional (json, "medium-before", change->medium_before);
  set_optional (json, "netdev", change->netdev);
  stasis_json_set_uint (json, "value", change->value);
  return json;
}

static char *
dup_member (const StasisJson *object, const char *key)
{
  return g_strdup (stasis_json_string (stasis_json_get (object, key), NULL));
}

StasisDeviceChange *
stasis_device_change_from_json (const StasisJson *json)
{
  const char *kind = stasis_json_string (stasis_json_get (json, "kind"), "");
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      if (!g_str_equal (kind, kinds[i]))
        continue;
      StasisDeviceChange *change = stasis_device_change_new ((StasisChangeKind) i, NULL);
      change->id = dup_member (json, "id");
      change->nodes = dup_member (json, "nodes");
      change->medium = dup_member (json, "medium");
      change->medium_before = dup_member (json, "medium-before");
      change->netdev = dup_member (json, "netdev");
      change->value = stasis_json_uint (stasis_json_get (json, "value"), 0);
      return change;
    }
  return NULL;
}

GPtrArray *
stasis_device_changes_new (void)
{
  return g_ptr_array_new_with_free_func (free_change);
}

GPtrArray *
stasis_device_changes_from_json (const StasisJson *array)
{
  GPtrArray *changes = stasis_device_changes_new ();
  for (guint i = 0; i < MIN (stasis_json_array_length (array), CHANGES_MAX); i++)
    {
      StasisDeviceChange *change
          = stasis_device_change_from_json (stasis_json_array_get (array, i));
      if (change != NULL)
        g_ptr_array_add (changes, change);
    }
  return changes;
}

StasisJson *
stasis_device_changes_to_json (const GPtrArray *changes)
{
  StasisJson *array = stasis_json_new_array ();
  for (guint i = 0; i < changes->len; i++)
    stasis_json_array_append (array, stasis_device_change_to_json (g_ptr_array_index (changes, i)));
  return array;
}

/* Generation 0 is what QEMU was started with. */
char *
stasis_disk_node_base (const char *target, guint generation)
{
  return generation == 0 ? g_strdup_printf ("disk-%s", target)
                         : g_strdup_printf ("disk%u-%s", generation, target);
}
