/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema.h: tables that tie the fields of structs to places in XML
 *
 * Theory of operation
 *
 * A schema describes one XML element and the struct that holds it: for each field its path from
 * that element ("driver@type": attribute type of the child driver; "title": the child's text;
 * "@index": an own attribute), its kind and its offset.  Parsing, formatting, copying, freeing and
 * comparing are five walks over the same tables (schema*.c), so they cannot disagree.
 *
 * Parsing marks each node and attribute that a field has looked at.  What is left unmarked at
 * the end is something we don't know, and the definition is refused with its line and path:
 * nothing is ever dropped silently.
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What the prefix "qemu:" in a path stands for. */
#define STASIS_QEMU_NAMESPACE "http://libvirt.org/schemas/domain/qemu/1.0"

typedef enum
{
  STASIS_FIELD_STRING, /* char * */
  STASIS_FIELD_INT,    /* gint64, STASIS_UNSET where not given */
  STASIS_FIELD_SIZE,   /* gint64 in KiB; the element has an attribute unit */
  STASIS_FIELD_ENUM,   /* int, indexes names[]; 0 where not given */
  STASIS_FIELD_FLAG,   /* gboolean: the element is there */
  STASIS_FIELD_XML,    /* char *: elements kept as they are written */
  STASIS_FIELD_STRUCT, /* an embedded struct with a schema; path "" is the same element */
  STASIS_FIELD_LIST,   /* GPtrArray *: one struct for each element of that path */
} StasisFieldKind;

typedef enum
{
  STASIS_FIELD_HOST = 1 << 0,    /* the guest cannot see it: not compared */
  STASIS_FIELD_RUNTIME = 1 << 1, /* of a running instance: see domain-def.h; not compared either */
  STASIS_FIELD_ALIAS = 1 << 2,   /* runtime, unless it starts with "ua-" */
  STASIS_FIELD_MINUS_ONE = 1 << 3, /* -1 may be written for "not given" */
  STASIS_FIELD_MULTIPLE = 1 << 4,  /* XML: several elements of that name */
  STASIS_FIELD_SECRET = 1 << 5,    /* printed only for those who asked for secrets */
} StasisFieldFlags;

typedef struct _StasisSchema StasisSchema;

typedef struct
{
  const char *path;
  StasisFieldKind kind;
  gsize offset;
  guint flags;
  const char *const *names;   /* ENUM */
  const StasisSchema *schema; /* STRUCT, LIST */
  guint hex;                  /* INT: print as 0x with this many digits */
  gsize when_offset;          /* an int (ENUM) of the same struct ... */
  guint64 when;               /* ... whose value must be one of these bits; 0: always */
  gsize runtime_offset;       /* a gboolean of the same struct: the value is runtime if TRUE */
} StasisField;

struct _StasisSchema
{
  const StasisField *fields;
  guint n_fields;
  gsize size; /* of the struct */
};

/* Bits for StasisField.when */
#define STASIS_WHEN(value) (G_GUINT64_CONSTANT (1) << (value))

/* Set a struct to "nothing given"; its memory is not initialised before. */
void stasis_schema_init (const StasisSchema *schema, gpointer item);

/* Free what a struct owns, not the struct itself; all is "nothing given" afterwards. */
void stasis_schema_clear (const StasisSchema *schema, gpointer item);

/* A struct of its own on the heap. */
gpointer stasis_schema_new (const StasisSchema *schema);
void stasis_schema_free (const StasisSchema *schema, gpointer item);

/* Copy into an initialised struct. */
void stasis_schema_copy (const StasisSchema *schema, gpointer to, gconstpointer from);

/* TRUE where a field counts in this struct (its "when"). */
gboolean stasis_field_applies (const StasisField *field, gconstpointer item);

/* Access to a field's memory. */
static inline gpointer
stasis_field_at (const StasisField *field, gconstpointer item)
{
  return (guint8 *) item + field->offset;
}

/* Parse a whole text into @item (initialised): see stasis_domain_def_parse() (schema-parse.c).
 * @active: keep runtime fields. */
gboolean stasis_schema_parse (const StasisSchema *schema, gpointer item, const char *root,
                              const char *xml, gsize length, const char *source_name,
                              gboolean active, GError **error);

/* Print @item as element @root (schema-format.c).  @hidden: fields with one of these flags are
 * left out; without STASIS_FIELD_RUNTIME among them, those of a running instance are printed. */
char *stasis_schema_format (const StasisSchema *schema, gconstpointer item, const char *root,
                            guint hidden);

/* Append one line to @differences for each field that the guest sees and that differs
 * (schema-compare.c). */
void stasis_schema_compare (const StasisSchema *schema, gconstpointer a, gconstpointer b,
                            const char *root, GPtrArray *differences);

G_END_DECLS
