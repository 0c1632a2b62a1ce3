/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c: finding domains: all of them, or one by id, UUID or name
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "driver/driver-private.h"
#include "driver/look.h"
#include "driver/lost.h"
#include "driver/registry.h"
#include "driver/status.h"

/* A QEMU of this name whose run folder was removed: it is there to be destroyed. */
static gboolean
is_lost (StasisDriver *self, const char *name)
{
  g_autofree char *folder = stasis_paths_domain (self->paths, name, NULL);
  return !stasis_lost_check_removed (folder, NULL);
}

static gboolean
throw_no_domain (GError **error, const char *what, const char *key)
{
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no domain with %1$s '%2$s'"), what,
               key);
  return FALSE;
}

/**
 * stasis_driver_lookup_by_name:
 * @self: a driver
 * @name: the domain's name
 * @error: return location
 *
 * Returns: (transfer full): the domain, or %STASIS_ERROR_NO_DOMAIN
 */
StasisDomain *
stasis_driver_lookup_by_name (StasisDriver *self, const char *name, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->lookup_by_name (self, name, error);

  g_autoptr (StasisStatus) status = NULL;
  if (stasis_paths_check_name (name, NULL)
      && (stasis_look (self, name, &status, NULL) != STASIS_LOOK_OFF
          || stasis_registry_has (self, name) || is_lost (self, name)))
    return stasis_domain_new (self, name, status != NULL ? status->uuid : NULL);

  throw_no_domain (error, _ ("name"), name);
  return NULL;
}

/* The name of the first running domain of which @matches says so. */
static char *
find_running (StasisDriver *self, gboolean (*matches) (const StasisStatus *, gconstpointer),
              gconstpointer key)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (self, NULL);
  for (guint i = 0; names != NULL && i < names->len; i++)
    {
      g_autoptr (StasisStatus) status = NULL;
      if (stasis_look (self, g_ptr_array_index (names, i), &status, NULL) == STASIS_LOOK_ACTIVE
          && matches (status, key))
        return g_strdup (status->name);
    }
  return NULL;
}

static gboolean
matches_uuid (const StasisStatus *status, gconstpointer key)
{
  return g_str_equal (status->uuid, key);
}

static gboolean
matches_id (const StasisStatus *status, gconstpointer key)
{
  return status->id == *(const int *) key;
}

/**
 * stasis_driver_lookup_by_uuid:
 * @self: a driver
 * @uuid: in any of the usual spellings
 * @error: return location
 *
 * Returns: (transfer full): the domain, or %STASIS_ERROR_NO_DOMAIN
 */
StasisDomain *
stasis_driver_lookup_by_uuid (StasisDriver *self, const char *uuid, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->lookup_by_uuid (self, uuid, error);

  g_autofree char *lower = g_ascii_strdown (uuid, -1);
  g_autofree char *name = NULL;
  if (g_uuid_string_is_valid (lower))
    name = stasis_registry_name_of_uuid (self, lower);
  if (name == NULL)
    name = find_running (self, matches_uuid, lower);
  if (name != NULL)
    return stasis_domain_new (self, name, lower);

  throw_no_domain (error, _ ("uuid"), uuid);
  return NULL;
}

/**
 * stasis_driver_lookup_by_id:
 * @self: a driver
 * @id: of a running domain
 * @error: return location
 *
 * Returns: (transfer full): the domain, or %STASIS_ERROR_NO_DOMAIN
 */
StasisDomain *
stasis_driver_lookup_by_id (StasisDriver *self, int id, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->lookup_by_id (self, id, error);

  g_autofree char *name = find_running (self, matches_id, &id);
  if (name != NULL)
    return stasis_domain_new (self, name, NULL);

  g_autofree char *text = g_strdup_printf ("%d", id);
  throw_no_domain (error, _ ("id"), text);
  return NULL;
}

/**
 * stasis_driver_lookup:
 * @self: a driver
 * @key: an id, a UUID or a name, tried in this order
 * @error: return location
 *
 * Returns: (transfer full): the domain, or %STASIS_ERROR_NO_DOMAIN
 */
StasisDomain *
stasis_driver_lookup (StasisDriver *self, const char *key, GError **error)
{
  StasisDomain *domain = NULL;
  char *end = NULL;
  const long id = strtol (key, &end, 10);
  if (*key != '\0' && *end == '\0' && id > 0 && id <= G_MAXINT32)
    domain = stasis_driver_lookup_by_id (self, (int) id, NULL);
  if (domain == NULL && g_uuid_string_is_valid (key))
    domain = stasis_driver_lookup_by_uuid (self, key, NULL);
  if (domain == NULL)
    domain = stasis_driver_lookup_by_name (self, key, NULL);
  if (domain == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_NO_DOMAIN, _ ("no domain '%s'"), key);
  return domain;
}

/* TRUE unless the group of two flags asks for the other one. */
static gboolean
passes (guint flags, guint yes, guint no, gboolean is)
{
  if ((flags & (yes | no)) == 0)
    return TRUE;
  return (flags & (is ? yes : no)) != 0;
}

static gboolean
is_listed (StasisDriver *self, const char *name, gboolean is_active, guint flags)
{
  if (!passes (flags, STASIS_LIST_ACTIVE, STASIS_LIST_INACTIVE, is_active)
      || !passes (flags, STASIS_LIST_PERSISTENT, STASIS_LIST_TRANSIENT,
                  stasis_registry_has (self, name)))
    return FALSE;

  g_autofree char *autostart = stasis_paths_autostart (self->paths, name);
  g_autofree char *managed = stasis_paths_managed_save (self->paths, name);
  return passes (flags, STASIS_LIST_AUTOSTART, STASIS_LIST_NO_AUTOSTART,
                 g_file_test (autostart, G_FILE_TEST_EXISTS))
         && passes (flags, STASIS_LIST_MANAGED_SAVE, STASIS_LIST_NO_MANAGED_SAVE,
                    g_file_test (managed, G_FILE_TEST_EXISTS));
}

typedef struct
{
  char *name;
  char *uuid; /* (nullable) */
  int id;     /* -1: inactive, or not known */
} Entry;

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_free (entry->name);
  g_free (entry->uuid);
  g_free (entry);
}

/* Active ones by id, then the others by name. */
static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = *(const Entry *const *) a;
  const Entry *y = *(const Entry *const *) b;
  if ((x->id < 0) != (y->id < 0))
    return x->id < 0 ? 1 : -1;
  return x->id < 0 ? strcmp (x->name, y->name) : x->id - y->id;
}

static void
add_entry (GPtrArray *entries, const char *name, const char *uuid, int id)
{
  Entry *entry = g_new0 (Entry, 1);
  entry->name = g_strdup (name);
  entry->uuid = g_strdup (uuid);
  entry->id = id;
  g_ptr_array_add (entries, entry);
}

/* Running domains go into @entries and, by name, into @seen. */
static gboolean
collect_running (StasisDriver *self, guint flags, GPtrArray *entries, GHashTable *seen,
                 GError **error)
{
  g_autoptr (GPtrArray) names = stasis_registry_running_names (self, error);
  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (StasisStatus) status = NULL;
      if (stasis_look (self, name, &status, NULL) == STASIS_LOOK_OFF)
        continue;
      g_hash_table_add (seen, g_strdup (name));
      if (!is_listed (self, name, TRUE, flags))
        continue;
      if (status != NULL)
        add_entry (entries, name, status->uuid, status->id);
      else
        add_entry (entries, name, NULL, -1);
    }
  return TRUE;
}

/**
 * stasis_driver_list:
 * @self: a driver
 * @flags: which domains
 * @error: return location
 *
 * Returns: (element-type StasisDomain) (transfer full): by id, then by name
 */
GPtrArray *
stasis_driver_list (StasisDriver *self, StasisListFlags flags, GError **error)
{
  const StasisDriverOps *ops = stasis_driver_get_ops (self);
  if (ops != NULL)
    return ops->list (self, flags, error);

  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (entry_free);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (!collect_running (self, flags, entries, seen, error))
    return NULL;

  g_autoptr (GPtrArray) names = stasis_registry_names (self, error);
  if (names == NULL)
    return NULL;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      if (!g_hash_table_contains (seen, name) && is_listed (self, name, FALSE, flags))
        add_entry (entries, name, NULL, -1);
    }

  g_ptr_array_sort (entries, compare_entries);
  GPtrArray *domains = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (entries, i);
      g_ptr_array_add (domains, stasis_domain_new (self, entry->name, entry->uuid));
    }
  return domains;
}
