/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-caps.c: what an emulator can do, as a value
 *
 * qemu-caps-probe.c finds it out, qemu-caps-cache.c keeps it.  Nothing here decides by version.
 */

#include "config.h"

#include "driver/qemu-caps.h"

#include "driver/qemu-caps-private.h"

/* Immutable once it has left the folder's functions. */
struct _StasisQemuCaps
{
  gatomicrefcount references;
  char *version;
  GPtrArray *machines;    /* of StasisQemuMachine */
  GHashTable *devices;    /* a set of type names */
  GHashTable *migrations; /* a set of capabilities */
  GHashTable *properties; /* a set of "type.property", of types that were asked about */
};

static void
machine_free (gpointer data)
{
  StasisQemuMachine *machine = data;

  g_free (machine->name);
  g_free (machine->alias);
  g_free (machine->ram_id);
  g_free (machine);
}

/* Capabilities of an emulator that can nothing yet. */
StasisQemuCaps *
stasis_qemu_caps_new (const char *version)
{
  StasisQemuCaps *caps = g_new0 (StasisQemuCaps, 1);
  g_atomic_ref_count_init (&caps->references);
  caps->version = g_strdup (version);
  caps->machines = g_ptr_array_new_with_free_func (machine_free);
  caps->devices = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  caps->migrations = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  caps->properties = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return caps;
}

/* Another owner. */
StasisQemuCaps *
stasis_qemu_caps_ref (StasisQemuCaps *caps)
{
  g_atomic_ref_count_inc (&caps->references);
  return caps;
}

/* NULL is fine. */
void
stasis_qemu_caps_unref (StasisQemuCaps *caps)
{
  if (caps == NULL || !g_atomic_ref_count_dec (&caps->references))
    return;

  g_free (caps->version);
  g_ptr_array_unref (caps->machines);
  g_hash_table_unref (caps->devices);
  g_hash_table_unref (caps->migrations);
  g_hash_table_unref (caps->properties);
  g_free (caps);
}

/* A new machine (borrowed), to be filled in. */
StasisQemuMachine *
stasis_qemu_caps_add_machine (StasisQemuCaps *caps, const char *name)
{
  StasisQemuMachine *machine = g_new0 (StasisQemuMachine, 1);
  machine->name = g_strdup (name);
  g_ptr_array_add (caps->machines, machine);
  return machine;
}

void
stasis_qemu_caps_add_device (StasisQemuCaps *caps, const char *type)
{
  g_hash_table_add (caps->devices, g_strdup (type));
}

void
stasis_qemu_caps_add_migration (StasisQemuCaps *caps, const char *capability)
{
  g_hash_table_add (caps->migrations, g_strdup (capability));
}

void
stasis_qemu_caps_add_property (StasisQemuCaps *caps, const char *type, const char *property)
{
  g_hash_table_add (caps->properties, g_strdup_printf ("%s.%s", type, property));
}

/* For messages; never decide by it. */
const char *
stasis_qemu_caps_version (const StasisQemuCaps *caps)
{
  return caps->version;
}

/* By name, then by alias: a name is never another machine's alias. */
static const StasisQemuMachine *
find_machine (const StasisQemuCaps *caps, const char *name)
{
  const gboolean wants_default = name == NULL || *name == '\0';

  for (guint i = 0; i < caps->machines->len; i++)
    {
      const StasisQemuMachine *machine = caps->machines->pdata[i];
      if (wants_default
              ? machine->is_default
              : g_str_equal (machine->name, name) || g_strcmp0 (machine->alias, name) == 0)
        return machine;
    }
  return NULL;
}

/* The name that means the same machine in later versions of QEMU too. */
const char *
stasis_qemu_caps_canonical_machine (const StasisQemuCaps *caps, const char *machine)
{
  const StasisQemuMachine *found = find_machine (caps, machine);
  return found != NULL ? found->name : NULL;
}

/* What QEMU itself would call the RAM, and so every stream does. */
const char *
stasis_qemu_caps_ram_id (const StasisQemuCaps *caps, const char *machine)
{
  const StasisQemuMachine *found = find_machine (caps, machine);
  return found != NULL && found->ram_id != NULL ? found->ram_id : "pc.ram";
}

guint
stasis_qemu_caps_n_machines (const StasisQemuCaps *caps)
{
  return caps->machines->len;
}

/* The machine with that number, in QEMU's order. */
const char *
stasis_qemu_caps_machine (const StasisQemuCaps *caps, guint index, const char **out_alias)
{
  g_return_val_if_fail (index < caps->machines->len, NULL);

  const StasisQemuMachine *machine = caps->machines->pdata[index];
  if (out_alias != NULL)
    *out_alias = machine->alias;
  return machine->name;
}

/* TRUE where this emulator has such a device type or user-creatable object. */
gboolean
stasis_qemu_caps_has_device (const StasisQemuCaps *caps, const char *type)
{
  return g_hash_table_contains (caps->devices, type);
}

gboolean
stasis_qemu_caps_has_migration (const StasisQemuCaps *caps, const char *capability)
{
  return g_hash_table_contains (caps->migrations, capability);
}

/* TRUE where objects of that type have such a property; STASIS_QEMU_FILE_MEMORY only. */
gboolean
stasis_qemu_caps_has_property (const StasisQemuCaps *caps, const char *type, const char *property)
{
  g_autofree char *key = g_strdup_printf ("%s.%s", type, property);
  return g_hash_table_contains (caps->properties, key);
}

/* Sorted, so that the same emulator gives the same text. */
static StasisJson *
names_to_json (GHashTable *names)
{
  StasisJson *array = stasis_json_new_array ();
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (names), (GCompareFunc) g_strcmp0);

  for (const GList *key = keys; key != NULL; key = key->next)
    stasis_json_array_append_string (array, key->data);
  return array;
}

/* All of it. */
StasisJson *
stasis_qemu_caps_to_json (const StasisQemuCaps *caps)
{
  StasisJson *machines = stasis_json_new_array ();
  for (guint i = 0; i < caps->machines->len; i++)
    {
      const StasisQemuMachine *machine = caps->machines->pdata[i];
      StasisJson *object = stasis_json_new_object ();
      stasis_json_set_string (object, "name", machine->name);
      if (machine->alias != NULL)
        stasis_json_set_string (object, "alias", machine->alias);
      if (machine->ram_id != NULL)
        stasis_json_set_string (object, "ram-id", machine->ram_id);
      if (machine->is_default)
        stasis_json_set_boolean (object, "default", TRUE);
      if (machine->is_deprecated)
        stasis_json_set_boolean (object, "deprecated", TRUE);
      stasis_json_array_append (machines, object);
    }

  StasisJson *json = stasis_json_new_object ();
  stasis_json_set_string (json, "version", caps->version);
  stasis_json_set (json, "machines", machines);
  stasis_json_set (json, "migration", names_to_json (caps->migrations));
  stasis_json_set (json, "properties", names_to_json (caps->properties));
  stasis_json_set (json, "devices", names_to_json (caps->devices));
  return json;
}

static void
names_from_json (GHashTable *names, const StasisJson *array)
{
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const char *name = stasis_json_string (stasis_json_array_get (array, i), NULL);
      if (name != NULL)
        g_hash_table_add (names, g_strdup (name));
    }
}

static gboolean
machines_from_json (StasisQemuCaps *caps, const StasisJson *array, GError **error)
{
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const StasisJson *object = stasis_json_array_get (array, i);
      const char *name = NULL;
      if (!stasis_json_need_string (object, "name", &name, error))
        return FALSE;

      StasisQemuMachine *machine = stasis_qemu_caps_add_machine (caps, name);
      machine->alias = g_strdup (stasis_json_string (stasis_json_get (object, "alias"), NULL));
      machine->ram_id = g_strdup (stasis_json_string (stasis_json_get (object, "ram-id"), NULL));
      machine->is_default = stasis_json_boolean (stasis_json_get (object, "default"), FALSE);
      machine->is_deprecated = stasis_json_boolean (stasis_json_get (object, "deprecated"), FALSE);
    }
  return TRUE;
}

/* The reverse. */
StasisQemuCaps *
stasis_qemu_caps_from_json (const StasisJson *json, GError **error)
{
  const char *version = NULL;
  if (!stasis_json_need_string (json, "version", &version, error))
    return NULL;

  g_autoptr (StasisQemuCaps) caps = stasis_qemu_caps_new (version);
  const StasisJson *machines = stasis_json_get (json, "machines");
  const StasisJson *devices = stasis_json_get (json, "devices");
  if (stasis_json_array_length (machines) == 0 || stasis_json_array_length (devices) == 0)
    {
      g_set_error_literal (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE,
                           "no machines or no devices");
      return NULL;
    }
  if (!machines_from_json (caps, machines, error))
    return NULL;
  names_from_json (caps->devices, devices);
  names_from_json (caps->migrations, stasis_json_get (json, "migration"));
  names_from_json (caps->properties, stasis_json_get (json, "properties"));
  return g_steal_pointer (&caps);
}
