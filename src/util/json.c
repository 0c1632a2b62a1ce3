/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c: JSON values
 *
 * A value is a reference-counted tree.  Members of an object are an array, which keeps the order
 * in which they were set.  Most objects are small (QMP, status files) and searched in order; one
 * with many members gets an index, since its text may come from somebody who wants us to be slow.
 */

#include "config.h"

#include "util/json.h"

#include <glib/gi18n-lib.h>

G_DEFINE_QUARK (stasis_json_error_quark, stasis_json_error)

#define INDEX_FROM 16u /* members */

struct _StasisJson
{
  int refs; /* atomic */
  StasisJsonKind kind;
  gboolean is_unsigned; /* the integer is above G_MAXINT64 */
  union
  {
    gboolean boolean;
    gint64 integer;
    guint64 unsigned_integer;
    double number;
    char *string;        /* (owned) */
    GPtrArray *elements; /* (owned) of StasisJson: of an array, or the values of an object */
  } u;
  GPtrArray *keys;   /* (owned) of an object: of char * */
  GHashTable *index; /* (owned) (nullable) of a large object: key (borrowed) -> its place */
};

static StasisJson *
new_value (StasisJsonKind kind)
{
  StasisJson *json = g_new0 (StasisJson, 1);
  json->refs = 1;
  json->kind = kind;
  return json;
}

static void
unref_value (gpointer json)
{
  stasis_json_unref (json);
}

StasisJson *
stasis_json_ref (StasisJson *json)
{
  g_atomic_int_inc (&json->refs);
  return json;
}

/* NULL is fine. */
void
stasis_json_unref (StasisJson *json)
{
  if (json == NULL || !g_atomic_int_dec_and_test (&json->refs))
    return;

  if (json->kind == STASIS_JSON_STRING)
    g_free (json->u.string);
  if (json->kind == STASIS_JSON_ARRAY || json->kind == STASIS_JSON_OBJECT)
    g_ptr_array_unref (json->u.elements);
  if (json->kind == STASIS_JSON_OBJECT)
    {
      g_clear_pointer (&json->index, g_hash_table_unref);
      g_ptr_array_unref (json->keys);
    }
  g_free (json);
}

StasisJsonKind
stasis_json_kind (const StasisJson *json)
{
  return json->kind;
}

StasisJson *
stasis_json_new_null (void)
{
  return new_value (STASIS_JSON_NULL);
}

StasisJson *
stasis_json_new_boolean (gboolean value)
{
  StasisJson *json = new_value (STASIS_JSON_BOOLEAN);
  json->u.boolean = value != FALSE;
  return json;
}

StasisJson *
stasis_json_new_int (gint64 value)
{
  StasisJson *json = new_value (STASIS_JSON_INTEGER);
  json->u.integer = value;
  return json;
}

StasisJson *
stasis_json_new_uint (guint64 value)
{
  StasisJson *json = new_value (STASIS_JSON_INTEGER);
  json->u.unsigned_integer = value;
  json->is_unsigned = value > G_MAXINT64;
  return json;
}

StasisJson *
stasis_json_new_double (double value)
{
  StasisJson *json = new_value (STASIS_JSON_DOUBLE);
  json->u.number = value;
  return json;
}

StasisJson *
stasis_json_new_string (const char *value)
{
  StasisJson *json = new_value (STASIS_JSON_STRING);
  json->u.string = g_strdup (value);
  return json;
}

StasisJson *
stasis_json_new_array (void)
{
  StasisJson *json = new_value (STASIS_JSON_ARRAY);
  json->u.elements = g_ptr_array_new_with_free_func (unref_value);
  return json;
}

StasisJson *
stasis_json_new_object (void)
{
  StasisJson *json = new_value (STASIS_JSON_OBJECT);
  json->u.elements = g_ptr_array_new_with_free_func (unref_value);
  json->keys = g_ptr_array_new_with_free_func (g_free);
  return json;
}

/* The number of elements; 0 where it is no array. */
guint
stasis_json_array_length (const StasisJson *array)
{
  return array != NULL && array->kind == STASIS_JSON_ARRAY ? array->u.elements->len : 0;
}

/* The element (borrowed), or NULL where there is none. */
const StasisJson *
stasis_json_array_get (const StasisJson *array, guint index)
{
  return index < stasis_json_array_length (array) ? g_ptr_array_index (array->u.elements, index)
                                                  : NULL;
}

void
stasis_json_array_append (StasisJson *array, StasisJson *element_take)
{
  g_return_if_fail (array->kind == STASIS_JSON_ARRAY);
  g_ptr_array_add (array->u.elements, element_take);
}

void
stasis_json_array_append_string (StasisJson *array, const char *value)
{
  stasis_json_array_append (array, stasis_json_new_string (value));
}

/* The number of members; 0 where it is no object. */
guint
stasis_json_object_size (const StasisJson *object)
{
  return object != NULL && object->kind == STASIS_JSON_OBJECT ? object->keys->len : 0;
}

const char *
stasis_json_object_key (const StasisJson *object, guint index)
{
  return index < stasis_json_object_size (object) ? g_ptr_array_index (object->keys, index) : NULL;
}

const StasisJson *
stasis_json_object_value (const StasisJson *object, guint index)
{
  return index < stasis_json_object_size (object) ? g_ptr_array_index (object->u.elements, index)
                                                  : NULL;
}

/* Where the member stands, or -1. */
static int
find_key (const StasisJson *object, const char *key)
{
  gpointer place = NULL;
  if (object != NULL && object->kind == STASIS_JSON_OBJECT && object->index != NULL)
    return g_hash_table_lookup_extended (object->index, key, NULL, &place) ? GPOINTER_TO_INT (place)
                                                                           : -1;
  for (guint i = 0; i < stasis_json_object_size (object); i++)
    if (g_str_equal (g_ptr_array_index (object->keys, i), key))
      return (int) i;
  return -1;
}

/* The member (borrowed), or NULL if there is none or @object is not an object. */
const StasisJson *
stasis_json_get (const StasisJson *object, const char *key)
{
  const int at = find_key (object, key);
  return at < 0 ? NULL : stasis_json_object_value (object, (guint) at);
}

/* Keep the index true after a key was added; begin one where the object has become large. */
static void
index_last_key (StasisJson *object)
{
  guint first = object->keys->len - 1;
  if (object->index == NULL && object->keys->len < INDEX_FROM)
    return;
  if (object->index == NULL)
    {
      object->index = g_hash_table_new (g_str_hash, g_str_equal);
      first = 0;
    }
  for (guint i = first; i < object->keys->len; i++)
    g_hash_table_insert (object->index, g_ptr_array_index (object->keys, i), GUINT_TO_POINTER (i));
}

/* Set a member, in place of one of the same name. */
void
stasis_json_set (StasisJson *object, const char *key, StasisJson *value_take)
{
  g_return_if_fail (object->kind == STASIS_JSON_OBJECT);

  const int at = find_key (object, key);
  if (at >= 0)
    {
      stasis_json_unref (g_ptr_array_index (object->u.elements, at));
      g_ptr_array_index (object->u.elements, at) = value_take;
      return;
    }
  g_ptr_array_add (object->keys, g_strdup (key));
  g_ptr_array_add (object->u.elements, value_take);
  index_last_key (object);
}

void
stasis_json_set_string (StasisJson *object, const char *key, const char *value)
{
  stasis_json_set (object, key, stasis_json_new_string (value));
}

void
stasis_json_set_int (StasisJson *object, const char *key, gint64 value)
{
  stasis_json_set (object, key, stasis_json_new_int (value));
}

void
stasis_json_set_uint (StasisJson *object, const char *key, guint64 value)
{
  stasis_json_set (object, key, stasis_json_new_uint (value));
}

void
stasis_json_set_boolean (StasisJson *object, const char *key, gboolean value)
{
  stasis_json_set (object, key, stasis_json_new_boolean (value));
}

static gboolean
is_kind (const StasisJson *json, StasisJsonKind kind)
{
  return json != NULL && json->kind == kind;
}

const char *
stasis_json_string (const StasisJson *json, const char *fallback)
{
  return is_kind (json, STASIS_JSON_STRING) ? json->u.string : fallback;
}

gint64
stasis_json_int (const StasisJson *json, gint64 fallback)
{
  return is_kind (json, STASIS_JSON_INTEGER) && !json->is_unsigned ? json->u.integer : fallback;
}

guint64
stasis_json_uint (const StasisJson *json, guint64 fallback)
{
  if (!is_kind (json, STASIS_JSON_INTEGER) || (!json->is_unsigned && json->u.integer < 0))
    return fallback;
  return json->u.unsigned_integer;
}

double
stasis_json_double (const StasisJson *json, double fallback)
{
  if (is_kind (json, STASIS_JSON_DOUBLE))
    return json->u.number;
  if (is_kind (json, STASIS_JSON_INTEGER))
    return json->is_unsigned ? (double) json->u.unsigned_integer : (double) json->u.integer;
  return fallback;
}

gboolean
stasis_json_boolean (const StasisJson *json, gboolean fallback)
{
  return is_kind (json, STASIS_JSON_BOOLEAN) ? json->u.boolean : fallback;
}

static gboolean
throw_type (const char *key, const char *wanted, GError **error)
{
  g_set_error (error, STASIS_JSON_ERROR, STASIS_JSON_ERROR_TYPE,
               _ ("member '%1$s' is missing or not %2$s"), key, wanted);
  return FALSE;
}

gboolean
stasis_json_need_string (const StasisJson *object, const char *key, const char **out_value,
                         GError **error)
{
  const StasisJson *member = stasis_json_get (object, key);
  if (!is_kind (member, STASIS_JSON_STRING))
    return throw_type (key, _ ("a string"), error);
  *out_value = member->u.string;
  return TRUE;
}

gboolean
stasis_json_need_int (const StasisJson *object, const char *key, gint64 *out_value, GError **error)
{
  const StasisJson *member = stasis_json_get (object, key);
  if (!is_kind (member, STASIS_JSON_INTEGER) || member->is_unsigned)
    return throw_type (key, _ ("an integer"), error);
  *out_value = member->u.integer;
  return TRUE;
}

gboolean
stasis_json_need_uint (const StasisJson *object, const char *key, guint64 *out_value,
                       GError **error)
{
  const StasisJson *member = stasis_json_get (object, key);
  if (!is_kind (member, STASIS_JSON_INTEGER) || (!member->is_unsigned && member->u.integer < 0))
    return throw_type (key, _ ("a number of 0 or more"), error);
  *out_value = member->u.unsigned_integer;
  return TRUE;
}

gboolean
stasis_json_need_boolean (const StasisJson *object, const char *key, gboolean *out_value,
                          GError **error)
{
  const StasisJson *member = stasis_json_get (object, key);
  if (!is_kind (member, STASIS_JSON_BOOLEAN))
    return throw_type (key, _ ("true or false"), error);
  *out_value = member->u.boolean;
  return TRUE;
}
