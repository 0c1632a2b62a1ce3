/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema.c: the life of structs described by tables: init, clear, copy
 */

#include "config.h"

#include "conf/schema.h"

#include "conf/domain-def.h"

gboolean
stasis_field_applies (const StasisField *field, gconstpointer item)
{
  if (field->when == 0)
    return TRUE;

  const int value = *(const int *) ((const guint8 *) item + field->when_offset);
  return value >= 0 && value < 64 && (field->when & STASIS_WHEN (value)) != 0;
}

static void init_fields (const StasisSchema *schema, gpointer item);

static void
init_field (const StasisField *field, gpointer item)
{
  gpointer at = stasis_field_at (field, item);

  switch (field->kind)
    {
    case STASIS_FIELD_INT:
    case STASIS_FIELD_SIZE:
      *(gint64 *) at = STASIS_UNSET;
      break;
    case STASIS_FIELD_STRUCT:
      init_fields (field->schema, at);
      break;
    case STASIS_FIELD_LIST:
      *(GPtrArray **) at = g_ptr_array_new ();
      break;
    case STASIS_FIELD_STRING:
    case STASIS_FIELD_XML:
    case STASIS_FIELD_ENUM:
    case STASIS_FIELD_FLAG:
      break;
    }
}

static void
init_fields (const StasisSchema *schema, gpointer item)
{
  for (guint i = 0; i < schema->n_fields; i++)
    init_field (&schema->fields[i], item);
}

static void
free_list (const StasisSchema *schema, GPtrArray *list)
{
  for (guint i = 0; i < list->len; i++)
    stasis_schema_free (schema, list->pdata[i]);
  g_ptr_array_unref (list);
}

void
stasis_schema_init (const StasisSchema *schema, gpointer item)
{
  memset (item, 0, schema->size);
  init_fields (schema, item);
}

/* Several fields may share one place (a path that is spelt differently by type), hence the care
 * to free it once. */
static void
clear_fields (const StasisSchema *schema, gpointer item)
{
  for (guint i = 0; i < schema->n_fields; i++)
    {
      const StasisField *field = &schema->fields[i];
      gpointer at = stasis_field_at (field, item);

      if (field->kind == STASIS_FIELD_STRING || field->kind == STASIS_FIELD_XML)
        g_clear_pointer ((char **) at, g_free);
      else if (field->kind == STASIS_FIELD_STRUCT)
        clear_fields (field->schema, at);
      else if (field->kind == STASIS_FIELD_LIST)
        free_list (field->schema, g_steal_pointer ((GPtrArray **) at));
    }
}

void
stasis_schema_clear (const StasisSchema *schema, gpointer item)
{
  clear_fields (schema, item);
  stasis_schema_init (schema, item);
}

gpointer
stasis_schema_new (const StasisSchema *schema)
{
  gpointer item = g_malloc0 (schema->size);
  stasis_schema_init (schema, item);
  return item;
}

void
stasis_schema_free (const StasisSchema *schema, gpointer item)
{
  if (item == NULL)
    return;

  clear_fields (schema, item);
  g_free (item);
}

static void
copy_list (const StasisSchema *schema, GPtrArray *to, const GPtrArray *from)
{
  for (guint i = 0; i < from->len; i++)
    {
      gpointer item = stasis_schema_new (schema);
      stasis_schema_copy (schema, item, from->pdata[i]);
      g_ptr_array_add (to, item);
    }
}

void
stasis_schema_copy (const StasisSchema *schema, gpointer to, gconstpointer from)
{
  for (guint i = 0; i < schema->n_fields; i++)
    {
      const StasisField *field = &schema->fields[i];
      gpointer at = stasis_field_at (field, to);
      gconstpointer source = stasis_field_at (field, from);

      switch (field->kind)
        {
        case STASIS_FIELD_STRING:
        case STASIS_FIELD_XML:
          g_free (*(char **) at);
          *(char **) at = g_strdup (*(char *const *) source);
          break;
        case STASIS_FIELD_INT:
        case STASIS_FIELD_SIZE:
          *(gint64 *) at = *(const gint64 *) source;
          break;
        case STASIS_FIELD_ENUM:
        case STASIS_FIELD_FLAG:
          *(int *) at = *(const int *) source;
          break;
        case STASIS_FIELD_STRUCT:
          stasis_schema_copy (field->schema, at, source);
          break;
        case STASIS_FIELD_LIST:
          copy_list (field->schema, *(GPtrArray **) at, *(GPtrArray *const *) source);
          break;
        }
      if (field->runtime_offset != 0)
        *(gboolean *) ((guint8 *) to + field->runtime_offset)
            = *(const gboolean *) ((const guint8 *) from + field->runtime_offset);
    }
}
