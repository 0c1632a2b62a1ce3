/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h: JSON values: parse, look into, build, write
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_JSON_DEPTH_MAX  64u                   /* nested arrays and objects */
#define STASIS_JSON_SIZE_MAX   (64u * 1024u * 1024u) /* octets of one text */
#define STASIS_JSON_VALUES_MAX (1024u * 1024u)       /* values in one text */

/**
 * StasisJsonError:
 * @STASIS_JSON_ERROR_SYNTAX: the text is not JSON
 * @STASIS_JSON_ERROR_LIMIT: the text is too long or too deep or has too many values
 * @STASIS_JSON_ERROR_TYPE: a member is missing or of another type
 *
 * What can be wrong with a JSON text, or with what a caller expects in it.
 */
typedef enum
{
  STASIS_JSON_ERROR_SYNTAX,
  STASIS_JSON_ERROR_LIMIT,
  STASIS_JSON_ERROR_TYPE,
} StasisJsonError;

#define STASIS_JSON_ERROR (stasis_json_error_quark ())
GQuark stasis_json_error_quark (void);

typedef enum
{
  STASIS_JSON_NULL,
  STASIS_JSON_BOOLEAN,
  STASIS_JSON_INTEGER,
  STASIS_JSON_DOUBLE,
  STASIS_JSON_STRING,
  STASIS_JSON_ARRAY,
  STASIS_JSON_OBJECT,
} StasisJsonKind;

typedef struct _StasisJson StasisJson;

/* Parse (json-parse.c).  @length -1: NUL-terminated. */
StasisJson *stasis_json_parse (const char *text, gssize length,
                               GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Values.  NULL is fine for the free functions. */
StasisJson *stasis_json_ref (StasisJson *json);
void stasis_json_unref (StasisJson *json);
StasisJsonKind stasis_json_kind (const StasisJson *json);

StasisJson *stasis_json_new_null (void);
StasisJson *stasis_json_new_boolean (gboolean value);
StasisJson *stasis_json_new_int (gint64 value);
StasisJson *stasis_json_new_uint (guint64 value);
StasisJson *stasis_json_new_double (double value);
StasisJson *stasis_json_new_string (const char *value);
StasisJson *stasis_json_new_array (void);
StasisJson *stasis_json_new_object (void);

/* Arrays: the element is consumed by append and borrowed from get. */
guint stasis_json_array_length (const StasisJson *array);
const StasisJson *stasis_json_array_get (const StasisJson *array, guint index);
void stasis_json_array_append (StasisJson *array, StasisJson *element_take);
void stasis_json_array_append_string (StasisJson *array, const char *value);

/* Objects keep the order in which members were set; setting twice replaces. */
guint stasis_json_object_size (const StasisJson *object);
const char *stasis_json_object_key (const StasisJson *object, guint index);
const StasisJson *stasis_json_object_value (const StasisJson *object, guint index);
/* The member, or NULL if there is none or @object is not an object. */
const StasisJson *stasis_json_get (const StasisJson *object, const char *key);
void stasis_json_set (StasisJson *object, const char *key, StasisJson *value_take);
void stasis_json_set_string (StasisJson *object, const char *key, const char *value);
void stasis_json_set_int (StasisJson *object, const char *key, gint64 value);
void stasis_json_set_uint (StasisJson *object, const char *key, guint64 value);
void stasis_json_set_boolean (StasisJson *object, const char *key, gboolean value);

/* The value itself, or the fallback where it is of another type. */
const char *stasis_json_string (const StasisJson *json, const char *fallback);
gint64 stasis_json_int (const StasisJson *json, gint64 fallback);
guint64 stasis_json_uint (const StasisJson *json, guint64 fallback);
double stasis_json_double (const StasisJson *json, double fallback);
gboolean stasis_json_boolean (const StasisJson *json, gboolean fallback);

/* A member that must be there: STASIS_JSON_ERROR_TYPE naming the key where it is not. */
gboolean stasis_json_need_string (const StasisJson *object, const char *key, const char **out_value,
                                  GError **error);
gboolean stasis_json_need_int (const StasisJson *object, const char *key, gint64 *out_value,
                               GError **error);
gboolean stasis_json_need_uint (const StasisJson *object, const char *key, guint64 *out_value,
                                GError **error);
gboolean stasis_json_need_boolean (const StasisJson *object, const char *key, gboolean *out_value,
                                   GError **error);

/* Write (json-write.c): on one line, or indented for people. */
char *stasis_json_to_string (const StasisJson *json);
char *stasis_json_to_pretty_string (const StasisJson *json);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisJson, stasis_json_unref)

G_END_DECLS
