/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lookup.c: finding domains: all of them, or one by id, UUID or name
 */

#include "config.h"

#include <stdlib.h>

#include <glib/gi18n-lib.h>

#include "driver/driver-private.h"
#include "driver/facts.h"
#include "driver/look.h"
#include "driver/lost.h"
#include "driver/picture.h"
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

  StasisFacts facts;
  if (stasis_picture_get (self, name, &facts))
    {
      g_autofree char *uuid = stasis_uuid_format (facts.uuid);
      return stasis_domain_new (self, name, uuid);
    }
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
  guint8 octets[STASIS_UUID_SIZE];
  g_autofree char *name = NULL;
  if (stasis_uuid_parse (lower, octets, NULL))
    name = stasis_picture_find_uuid (self, octets);
  if (name == NULL && g_uuid_string_is_valid (lower))
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

  g_autofree char *name = stasis_picture_find_id (self, id);
  if (name == NULL)
    name = find_running (self, matches_id, &id);
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

  g_autoptr (GArray) list = stasis_facts_list (self, flags, error);
  if (list == NULL)
    return NULL;
  GPtrArray *domains = g_ptr_array_new_full (list->len, g_object_unref);
  for (guint i = 0; i < list->len; i++)
    {
      const StasisFacts *facts = &g_array_index (list, StasisFacts, i);
      g_autofree char *uuid = stasis_uuid_format (facts->uuid);
      g_ptr_array_add (domains, stasis_domain_new (self, facts->name, uuid));
    }
  return domains;
}
