/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-fields.c: what of a migration is chosen, in libvirt's typed parameters
 *
 * One table is read in both directions.  What makes no sense is for the driver to say; here it is
 * only looked at whether it can be read.
 */

#include "config.h"

#include "remote/migrate-fields.h"

#include <glib/gi18n-lib.h>
#include <stasis/error.h>

#include "remote/remote-error.h"

/* Of one list: more than any guest has disks. */
#define LIST_MAX 64u

typedef enum
{
  FIELD_STRING,
  FIELD_STRINGS, /* stands there any number of times */
  FIELD_ULLONG,  /* 0: not chosen */
  FIELD_INT,     /* less than what nobody can choose: not chosen */
} FieldKind;

typedef struct
{
  const char *name;
  FieldKind kind;
  gsize offset;
  gint unset;      /* of a number: not chosen */
  gboolean is_own; /* libvirt has none such */
} Field;

#define FIELD(name, kind, member) \
  { \
    name, FIELD_##kind, G_STRUCT_OFFSET (StasisMigrateRequest, member), STASIS_MIGRATE_UNSET, \
        FALSE \
  }

static const Field fields[] = {
  FIELD ("migrate_uri", STRING, uri),
  FIELD ("destination_name", STRING, dname),
  FIELD ("destination_xml", STRING, xml),
  FIELD ("persistent_xml", STRING, persistent_xml),
  FIELD ("bandwidth", ULLONG, bandwidth),
  FIELD ("bandwidth.postcopy", ULLONG, postcopy_bandwidth),
  FIELD ("bandwidth.avail.switchover", ULLONG, switchover_bandwidth),
  FIELD ("graphics_uri", STRING, graphics_uri),
  FIELD ("listen_address", STRING, listen_address),
  FIELD ("migrate_disks", STRINGS, disks),
  FIELD ("migrate_disks_detect_zeroes", STRINGS, disks_detect_zeroes),
  { "disks_port", FIELD_INT, G_STRUCT_OFFSET (StasisMigrateRequest, disks_port), 0, FALSE },
  FIELD ("disks_uri", STRING, disks_uri),
  FIELD ("compression", STRINGS, compression),
  FIELD ("compression.mt.level", INT, comp_mt_level),
  FIELD ("compression.mt.threads", INT, comp_mt_threads),
  FIELD ("compression.mt.dthreads", INT, comp_mt_dthreads),
  FIELD ("compression.xbzrle.cache", ULLONG, xbzrle_cache),
  FIELD ("compression.zlib.level", INT, zlib_level),
  FIELD ("compression.zstd.level", INT, zstd_level),
  FIELD ("auto_converge.initial", INT, auto_converge_initial),
  FIELD ("auto_converge.increment", INT, auto_converge_increment),
  FIELD ("parallel.connections", INT, parallel_connections),
  FIELD ("tls.destination", STRING, tls_destination),
  { "stasis.downtime.max", FIELD_ULLONG, G_STRUCT_OFFSET (StasisMigrateRequest, max_downtime_ms), 0,
    TRUE },
  { "stasis.postcopy.passes", FIELD_ULLONG, G_STRUCT_OFFSET (StasisMigrateRequest, postcopy_passes),
    0, TRUE },
  { "stasis.postcopy.after", FIELD_ULLONG,
    G_STRUCT_OFFSET (StasisMigrateRequest, postcopy_after_ms), 0, TRUE },
};

static StasisWireType
type_of (const Field *field)
{
  static const StasisWireType types[] = {
    [FIELD_STRING] = STASIS_WIRE_STRING,
    [FIELD_STRINGS] = STASIS_WIRE_STRING,
    [FIELD_ULLONG] = STASIS_WIRE_ULLONG,
    [FIELD_INT] = STASIS_WIRE_INT,
  };
  return types[field->kind];
}

static const Field *
find (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (g_str_equal (fields[i].name, name))
      return &fields[i];
  return NULL;
}

static gboolean
append (char ***strings, const char *text, const Field *field, GError **error)
{
  const guint n = *strings != NULL ? g_strv_length (*strings) : 0;
  if (n >= LIST_MAX)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("parameter '%1$s' occurs more than %2$u times"), field->name, LIST_MAX);
      return FALSE;
    }
  *strings = g_renew (char *, *strings, n + 2);
  (*strings)[n] = g_strdup (text);
  (*strings)[n + 1] = NULL;
  return TRUE;
}

static gboolean
take (const StasisWireParam *param, const Field *field, StasisMigrateRequest *request,
      GError **error)
{
  void *member = G_STRUCT_MEMBER_P (request, field->offset);
  switch (field->kind)
    {
    case FIELD_STRING:
      *(char **) member = g_strdup (param->value.s);
      return TRUE;
    case FIELD_STRINGS:
      return append (member, param->value.s, field, error);
    case FIELD_ULLONG:
      *(guint64 *) member = param->value.ul;
      return TRUE;
    case FIELD_INT:
      *(gint *) member = param->value.i;
      if (param->value.i >= 0)
        return TRUE;
    }
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
               _ ("parameter '%1$s' must not be negative: %2$d"), field->name, param->value.i);
  return FALSE;
}

/* Known, of its kind, and new. */
static const Field *
check (const StasisWireParam *param, guint64 *seen, GError **error)
{
  const Field *field = find (param->name);
  if (field == NULL)
    {
      g_set_error (error, STASIS_REMOTE_ERROR, STASIS_REMOTE_ERROR_ARGUMENT,
                   _ ("parameter '%s' not supported"), param->name);
      return NULL;
    }
  if (param->type != type_of (field))
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("parameter '%s' is of another type"), param->name);
      return NULL;
    }
  const guint64 bit = G_GUINT64_CONSTANT (1) << (field - fields);
  if (field->kind != FIELD_STRINGS && (*seen & bit) != 0)
    {
      g_set_error (error, STASIS_ERROR, STASIS_ERROR_INVALID_ARGUMENT,
                   _ ("parameter '%s' occurs multiple times"), param->name);
      return NULL;
    }
  *seen |= bit;
  return field;
}

G_STATIC_ASSERT (G_N_ELEMENTS (fields) <= 64);

/* What a client has chosen. */
StasisMigrateRequest *
stasis_migrate_fields_parse (const GPtrArray *params, GError **error)
{
  g_autoptr (StasisMigrateRequest) request = stasis_migrate_request_new ();
  guint64 seen = 0;
  for (guint i = 0; i < params->len; i++)
    {
      const StasisWireParam *param = g_ptr_array_index (params, i);
      const Field *field = check (param, &seen, error);
      if (field == NULL || !take (param, field, request, error))
        return NULL;
    }
  return g_steal_pointer (&request);
}

static void
put (GPtrArray *params, const Field *field, const StasisMigrateRequest *request)
{
  const void *member = G_STRUCT_MEMBER_P (request, field->offset);
  char *const *strings = NULL;
  switch (field->kind)
    {
    case FIELD_STRING:
      if (*(char *const *) member != NULL)
        stasis_wire_params_add_string (params, field->name, *(char *const *) member);
      break;
    case FIELD_STRINGS:
      strings = *(char *const *const *) member;
      for (guint i = 0; strings != NULL && strings[i] != NULL; i++)
        stasis_wire_params_add_string (params, field->name, strings[i]);
      break;
    case FIELD_ULLONG:
      if (*(const guint64 *) member != 0)
        stasis_wire_params_add_ullong (params, field->name, *(const guint64 *) member);
      break;
    case FIELD_INT:
      if (*(const gint *) member != field->unset)
        stasis_wire_params_add_int (params, field->name, *(const gint *) member);
      break;
    }
}

/* For a server. */
GPtrArray *
stasis_migrate_fields_make (const StasisMigrateRequest *request, const char *name, const char *xml,
                            gboolean is_own)
{
  g_autoptr (StasisMigrateRequest) nothing = stasis_migrate_request_new ();
  StasisMigrateRequest chosen = request != NULL ? *request : *nothing; /* strings are borrowed */
  chosen.dname = name != NULL ? (char *) name : chosen.dname;
  chosen.xml = xml != NULL ? (char *) xml : chosen.xml;
  GPtrArray *params = stasis_wire_params_new ();
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    if (is_own || !fields[i].is_own)
      put (params, &fields[i], &chosen);
  return params;
}
