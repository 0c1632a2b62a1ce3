/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device-def.c: one device by itself, and devices that come to a definition and leave it
 */

#include "config.h"

#include "conf/device-def.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "conf/domain-internal.h"
#include "conf/xml.h"

struct _StasisDeviceDef
{
  const StasisDeviceKind *kind; /* (borrowed) */
  gpointer item;                /* (owned) by the kind's schema */
};

/* NULL is fine. */
void
stasis_device_def_free (StasisDeviceDef *device)
{
  if (device == NULL)
    return;
  stasis_schema_free (device->kind->schema, device->item);
  g_free (device);
}

static const StasisDeviceKind *
find_kind (const char *name)
{
  guint n_kinds;
  const StasisDeviceKind *kinds = stasis_device_kinds (&n_kinds);
  for (guint i = 0; i < n_kinds; i++)
    if (g_str_equal (kinds[i].name, name))
      return &kinds[i];
  return NULL;
}

static const StasisDeviceKind *
kind_of_xml (const char *xml, gsize length, GError **error)
{
  g_autoptr (xmlDoc) doc = stasis_xml_parse (xml, length, NULL, error);
  if (doc == NULL)
    return NULL;
  const xmlNode *root = xmlDocGetRootElement (doc);
  const char *name = root != NULL && root->ns == NULL ? (const char *) root->name : "";
  const StasisDeviceKind *kind = find_kind (name);
  if (kind == NULL)
    stasis_conf_unsupported (error, _ ("device '%1$s' is not supported"), name);
  return kind;
}

/* One element. */
StasisDeviceDef *
stasis_device_def_parse (const char *xml, gboolean is_active, GError **error)
{
  const gsize length = strlen (xml);
  const StasisDeviceKind *kind = kind_of_xml (xml, length, error);
  if (kind == NULL)
    return NULL;
  g_autoptr (StasisDeviceDef) device = g_new0 (StasisDeviceDef, 1);
  device->kind = kind;
  device->item = stasis_schema_new (kind->schema);
  if (!stasis_schema_parse (kind->schema, device->item, kind->name, xml, length, NULL, is_active,
                            error))
    return NULL;
  return g_steal_pointer (&device);
}

const char *
stasis_device_def_kind (const StasisDeviceDef *device)
{
  return device->kind->name;
}

StasisDiskDef *
stasis_device_def_disk (const StasisDeviceDef *device)
{
  return g_str_equal (device->kind->name, "disk") ? device->item : NULL;
}

StasisInterfaceDef *
stasis_device_def_interface (const StasisDeviceDef *device)
{
  return g_str_equal (device->kind->name, "interface") ? device->item : NULL;
}

static StasisDeviceInfo *
info_of (const StasisDeviceKind *kind, gpointer item)
{
  return (StasisDeviceInfo *) ((guint8 *) item + kind->info);
}

StasisDeviceInfo *
stasis_device_def_info (const StasisDeviceDef *device)
{
  return info_of (device->kind, device->item);
}

static char *
describe (const char *kind, gconstpointer item, const StasisDeviceInfo *info)
{
  const char *name = info->alias;
  if (g_str_equal (kind, "disk"))
    name = ((const StasisDiskDef *) item)->target;
  else if (g_str_equal (kind, "interface"))
    name = ((const StasisInterfaceDef *) item)->mac;
  return name != NULL ? g_strdup_printf ("%s '%s'", kind, name) : g_strdup (kind);
}

/* What it is called in messages. */
char *
stasis_device_def_describe (const StasisDeviceDef *device)
{
  return describe (device->kind->name, device->item, stasis_device_def_info (device));
}

char *
stasis_device_place_describe (const StasisDevicePlace *place)
{
  return describe (place->kind, place->item, place->info);
}

static GPtrArray *
list_of (const StasisDomainDef *def, const StasisDeviceKind *kind)
{
  return *(GPtrArray *const *) ((const guint8 *) def + kind->list);
}

static StasisDevicePlace
place_at (const StasisDomainDef *def, const StasisDeviceKind *kind, guint index)
{
  gpointer item = g_ptr_array_index (list_of (def, kind), index);
  return (StasisDevicePlace){
    .kind = kind->name, .index = index, .item = item, .info = info_of (kind, item)
  };
}

/* A copy at the end. */
void
stasis_domain_def_append_device (StasisDomainDef *def, const StasisDeviceDef *device,
                                 StasisDevicePlace *out_place)
{
  GPtrArray *list = list_of (def, device->kind);
  gpointer item = stasis_schema_new (device->kind->schema);
  stasis_schema_copy (device->kind->schema, item, device->item);
  g_ptr_array_add (list, item);
  *out_place = place_at (def, device->kind, list->len - 1);
}

/* A copy instead of it. */
void
stasis_domain_def_replace_device (StasisDomainDef *def, StasisDevicePlace *place,
                                  const StasisDeviceDef *device)
{
  const StasisSchema *schema = device->kind->schema;
  gpointer item = stasis_schema_new (schema);
  stasis_schema_copy (schema, item, device->item);
  StasisDeviceInfo *info = info_of (device->kind, item);
  if (info->alias == NULL)
    info->alias = g_strdup (place->info->alias);
  if (info->address.type == STASIS_ADDRESS_NONE)
    {
      g_free (info->address.usb_port);
      info->address = place->info->address;
      info->address.usb_port = g_strdup (place->info->address.usb_port);
    }
  GPtrArray *list = list_of (def, device->kind);
  stasis_schema_free (schema, list->pdata[place->index]);
  list->pdata[place->index] = item;
  *place = place_at (def, device->kind, place->index);
}

/* It leaves. */
void
stasis_domain_def_remove_device (StasisDomainDef *def, const StasisDevicePlace *place)
{
  const StasisDeviceKind *kind = find_kind (place->kind);
  stasis_schema_free (kind->schema, g_ptr_array_remove_index (list_of (def, kind), place->index));
}

/* TRUE for the same place; of what is left out nothing is asked. */
static gboolean
is_same_address (const StasisAddress *given, const StasisAddress *other)
{
  if (given->type != other->type)
    return FALSE;
  const struct
  {
    gint64 given;
    gint64 other;
  } parts[] = {
    { given->domain, other->domain },
    { given->bus, other->bus },
    { given->slot, other->slot },
    { given->function, other->function },
    { given->controller, other->controller },
    { given->target, other->target },
    { given->unit, other->unit },
    { given->port, other->port },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (parts[i].given != STASIS_UNSET && parts[i].given != parts[i].other)
      return FALSE;
  return given->usb_port == NULL || g_strcmp0 (given->usb_port, other->usb_port) == 0;
}

static gboolean
is_equal (const StasisDeviceDef *device, gconstpointer item)
{
  g_autoptr (GPtrArray) differences = g_ptr_array_new_with_free_func (g_free);
  stasis_schema_compare (device->kind->schema, device->item, item, "", differences);
  return differences->len == 0;
}

static gboolean
is_match (const StasisDeviceDef *device, const StasisDevicePlace *place)
{
  const StasisDeviceInfo *info = stasis_device_def_info (device);
  const StasisInterfaceDef *interface = stasis_device_def_interface (device);
  const StasisDiskDef *disk = stasis_device_def_disk (device);
  const gboolean is_placed = info->address.type != STASIS_ADDRESS_NONE;
  const gboolean is_named = info->alias != NULL && place->info->alias != NULL;
  if (disk != NULL)
    return g_strcmp0 (disk->target, ((const StasisDiskDef *) place->item)->target) == 0;
  if ((is_named && !g_str_equal (info->alias, place->info->alias))
      || (is_placed && !is_same_address (&info->address, &place->info->address)))
    return FALSE;
  if (interface != NULL && interface->mac != NULL)
    return g_ascii_strcasecmp (interface->mac, ((const StasisInterfaceDef *) place->item)->mac)
           == 0;
  return is_named || is_placed || is_equal (device, place->item);
}

/* How many are meant. */
guint
stasis_domain_def_match_device (const StasisDomainDef *def, const StasisDeviceDef *device,
                                StasisDevicePlace *out_place)
{
  guint n_found = 0;
  for (guint i = 0; i < list_of (def, device->kind)->len; i++)
    {
      const StasisDevicePlace place = place_at (def, device->kind, i);
      if (is_match (device, &place) && n_found++ == 0)
        *out_place = place;
    }
  return n_found;
}

gboolean
stasis_domain_def_find_alias (const StasisDomainDef *def, const char *alias,
                              StasisDevicePlace *out_place)
{
  guint n_kinds;
  const StasisDeviceKind *kinds = stasis_device_kinds (&n_kinds);
  for (guint k = 0; k < n_kinds; k++)
    for (guint i = 0; i < list_of (def, &kinds[k])->len; i++)
      {
        const StasisDevicePlace place = place_at (def, &kinds[k], i);
        if (g_strcmp0 (place.info->alias, alias) != 0)
          continue;
        *out_place = place;
        return TRUE;
      }
  return FALSE;
}
