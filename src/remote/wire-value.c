/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire-value.c: domains, typed parameters and lists of them
 */

#include "config.h"

#include <string.h>

#include "remote/wire.h"

/* A copy. */
StasisWireDomain *
stasis_wire_domain_new (const char *name, const guint8 *uuid, gint32 id)
{
  StasisWireDomain *self = g_new0 (StasisWireDomain, 1);
  self->name = g_strdup (name);
  memcpy (self->uuid, uuid, sizeof self->uuid);
  self->id = id;
  return self;
}

/* NULL is fine. */
void
stasis_wire_domain_free (StasisWireDomain *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self);
}

static void
free_param (gpointer data)
{
  StasisWireParam *param = data;
  g_free (param->name);
  if (param->type == STASIS_WIRE_STRING)
    g_free (param->value.s);
  g_free (param);
}

static void
free_domain (gpointer data)
{
  stasis_wire_domain_free (data);
}

static void
free_record (gpointer data)
{
  StasisWireRecord *record = data;
  stasis_wire_domain_free (record->domain);
  g_clear_pointer (&record->params, g_ptr_array_unref);
  g_free (record);
}

/* None yet. */
GPtrArray *
stasis_wire_params_new (void)
{
  return g_ptr_array_new_with_free_func (free_param);
}

/* None yet. */
GPtrArray *
stasis_wire_domains_new (void)
{
  return g_ptr_array_new_with_free_func (free_domain);
}

/* None yet. */
GPtrArray *
stasis_wire_records_new (void)
{
  return g_ptr_array_new_with_free_func (free_record);
}

/* None yet. */
GPtrArray *
stasis_wire_strings_new (void)
{
  return g_ptr_array_new_with_free_func (g_free);
}

/* What is known of a domain. */
StasisWireRecord *
stasis_wire_record_new (StasisWireDomain *domain_take, GPtrArray *params_take)
{
  StasisWireRecord *record = g_new0 (StasisWireRecord, 1);
  record->domain = domain_take;
  record->params = params_take;
  return record;
}

static StasisWireParam *
add (GPtrArray *params, const char *name, StasisWireType type)
{
  StasisWireParam *param = g_new0 (StasisWireParam, 1);
  param->name = g_strdup (name);
  param->type = type;
  g_ptr_array_add (params, param);
  return param;
}

/* One more. */
void
stasis_wire_params_add_int (GPtrArray *params, const char *name, gint32 value)
{
  add (params, name, STASIS_WIRE_INT)->value.i = value;
}

/* One more. */
void
stasis_wire_params_add_uint (GPtrArray *params, const char *name, guint32 value)
{
  add (params, name, STASIS_WIRE_UINT)->value.u = value;
}

/* One more. */
void
stasis_wire_params_add_ullong (GPtrArray *params, const char *name, guint64 value)
{
  add (params, name, STASIS_WIRE_ULLONG)->value.ul = value;
}

/* One more. */
void
stasis_wire_params_add_boolean (GPtrArray *params, const char *name, gboolean value)
{
  add (params, name, STASIS_WIRE_BOOLEAN)->value.i = value ? 1 : 0;
}

/* One more. */
void
stasis_wire_params_add_string (GPtrArray *params, const char *name, const char *value)
{
  add (params, name, STASIS_WIRE_STRING)->value.s = g_strdup (value);
}

/* The first of that name and kind. */
const StasisWireParam *
stasis_wire_params_find (const GPtrArray *params, const char *name, StasisWireType type)
{
  for (guint i = 0; params != NULL && i < params->len; i++)
    {
      const StasisWireParam *param = g_ptr_array_index (params, i);
      if (param->type == type && g_str_equal (param->name, name))
        return param;
    }
  return NULL;
}

static void
filesystem_free (gpointer data)
{
  StasisWireFilesystem *self = data;
  g_free (self->mountpoint);
  g_free (self->name);
  g_free (self->type);
  g_ptr_array_unref (self->disks);
  g_free (self);
}

/* Empty. */
GPtrArray *
stasis_wire_filesystems_new (void)
{
  return g_ptr_array_new_with_free_func (filesystem_free);
}

/* One more. */
StasisWireFilesystem *
stasis_wire_filesystems_add (GPtrArray *filesystems, const char *mountpoint, const char *name,
                             const char *type)
{
  StasisWireFilesystem *self = g_new0 (StasisWireFilesystem, 1);
  self->mountpoint = g_strdup (mountpoint);
  self->name = g_strdup (name);
  self->type = g_strdup (type);
  self->disks = stasis_wire_strings_new ();
  g_ptr_array_add (filesystems, self);
  return self;
}

/* Empty. */
GArray *
stasis_wire_rows_new (void)
{
  return g_array_new (FALSE, TRUE, sizeof (StasisWireRow));
}

/* One of two members. */
void
stasis_wire_rows_add (GArray *rows, gint32 tag, guint64 value)
{
  const StasisWireRow row = { .number = tag, .value = value };
  g_array_append_val (rows, row);
}
