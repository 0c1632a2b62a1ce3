/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema-format.c: structs into XML
 *
 * Fields are first collected in a small tree, since several of them share one element, and are
 * then printed in libvirt's look: two blanks of indentation and single quotes.
 */

#include "config.h"

#include "conf/schema.h"

#include <inttypes.h>

#include "conf/domain-def.h"

typedef struct
{
  char *name;          /* NULL: a verbatim text */
  GString *attributes; /* " a='b' c='d'" */
  char *text;          /* not escaped yet, or the verbatim text */
  GPtrArray *children; /* of Element */
} Element;

static void
element_free (gpointer data)
{
  Element *element = data;
  g_free (element->name);
  g_string_free (element->attributes, TRUE);
  g_free (element->text);
  g_ptr_array_unref (element->children);
  g_free (element);
}

static Element *
element_new (const char *name, gsize length)
{
  Element *element = g_new0 (Element, 1);
  element->name = name != NULL ? g_strndup (name, length) : NULL;
  element->attributes = g_string_new (NULL);
  element->children = g_ptr_array_new_with_free_func (element_free);
  return element;
}

static Element *
add_child (Element *parent, const char *name, gsize length)
{
  Element *child = element_new (name, length);
  g_ptr_array_add (parent->children, child);
  return child;
}

/* The child of that name, made where it is missing. */
static Element *
need_child (Element *parent, const char *name, gsize length)
{
  for (guint i = 0; i < parent->children->len; i++)
    {
      Element *child = parent->children->pdata[i];
      if (child->name != NULL && strlen (child->name) == length
          && memcmp (child->name, name, length) == 0)
        return child;
    }
  return add_child (parent, name, length);
}

/* The element where @path ends; *@rest is "" or the attribute's name or, with @keep_last, the
 * last element's name. */
static Element *
need_path (Element *element, const char *path, gboolean keep_last, const char **rest)
{
  while (*path != '\0' && *path != '@')
    {
      const gsize length = strcspn (path, "/@");
      if (keep_last && path[length] == '\0')
        break;
      element = need_child (element, path, length);
      path += length + (path[length] == '/' ? 1 : 0);
    }
  *rest = path;
  return element;
}

/* g_markup_escape_text() also turns control characters into references; they cannot be here
 * since XML does not let them in, but tab and newline in an attribute must survive. */
static void
append_escaped (GString *out, const char *text, gboolean is_attribute)
{
  for (const char *p = text; *p != '\0'; p++)
    switch (*p)
      {
      case '&':
        g_string_append (out, "&amp;");
        break;
      case '<':
        g_string_append (out, "&lt;");
        break;
      case '>':
        g_string_append (out, "&gt;");
        break;
      case '\'':
        g_string_append (out, "&apos;");
        break;
      case '\r':
        g_string_append (out, "&#13;");
        break;
      case '\n':
      case '\t':
        if (is_attribute)
          g_string_append_printf (out, "&#%d;", *p);
        else
          g_string_append_c (out, *p);
        break;
      default:
        g_string_append_c (out, *p);
      }
}

static void
set_attribute (Element *element, const char *name, const char *value)
{
  g_string_append_printf (element->attributes, " %s='", name);
  append_escaped (element->attributes, value, /* is_attribute: */ TRUE);
  g_string_append_c (element->attributes, '\'');
}

/* What a field prints, or NULL where it says nothing. */
static char *
field_text (const StasisField *field, gconstpointer item)
{
  gconstpointer at = stasis_field_at (field, item);

  if (field->kind == STASIS_FIELD_STRING)
    return g_strdup (*(char *const *) at);
  if (field->kind == STASIS_FIELD_ENUM)
    {
      const int value = *(const int *) at;
      return value > 0 ? g_strdup (field->names[value]) : NULL;
    }

  const gint64 value = *(const gint64 *) at;
  if (value == STASIS_UNSET)
    return NULL;
  if (field->hex > 0)
    return g_strdup_printf ("0x%0*" PRIx64, (int) field->hex, (guint64) value);
  return g_strdup_printf ("%" PRId64, value);
}

static gboolean
is_printed (const StasisField *field, gconstpointer item, guint hidden)
{
  if (!stasis_field_applies (field, item) || (field->flags & STASIS_FIELD_SECRET & hidden) != 0)
    return FALSE;
  if ((hidden & STASIS_FIELD_RUNTIME) == 0)
    return TRUE;
  if ((field->flags & STASIS_FIELD_ALIAS) != 0)
    {
      const char *alias = *(char *const *) stasis_field_at (field, item);
      return alias != NULL && g_str_has_prefix (alias, "ua-");
    }
  if (field->runtime_offset != 0
      && *(const gboolean *) ((const guint8 *) item + field->runtime_offset))
    return FALSE;
  return (field->flags & STASIS_FIELD_RUNTIME) == 0;
}

static void
add_text (Element *parent, const StasisField *field, gconstpointer item)
{
  g_autofree char *text = field_text (field, item);
  if (text == NULL)
    return;

  const char *rest = NULL;
  Element *element = need_path (parent, field->path, /* keep_last: */ FALSE, &rest);
  if (*rest == '@')
    set_attribute (element, rest + 1, text);
  else
    element->text = g_strdup (text);
  if (field->kind == STASIS_FIELD_SIZE)
    set_attribute (element, "unit", "KiB");
}

static void add_fields (Element *element, const StasisSchema *schema, gconstpointer item,
                        guint hidden);

/* TRUE where an embedded struct has anything to print: an empty element would be noise. */
static gboolean
says_something (const Element *element)
{
  return element->attributes->len > 0 || element->text != NULL || element->children->len > 0;
}

static void
add_struct (Element *parent, const StasisField *field, gconstpointer item, guint hidden)
{
  gconstpointer at = stasis_field_at (field, item);
  if (*field->path == '\0')
    {
      add_fields (parent, field->schema, at, hidden);
      return;
    }

  const char *rest = NULL;
  Element *element = need_path (parent, field->path, /* keep_last: */ FALSE, &rest);
  add_fields (element, field->schema, at, hidden);
  if (!says_something (element))
    g_ptr_array_remove (parent->children, element);
}

static void
add_list (Element *parent, const StasisField *field, gconstpointer item, guint hidden)
{
  const GPtrArray *list = *(GPtrArray *const *) stasis_field_at (field, item);
  if (list->len == 0)
    return;

  const char *name = NULL;
  Element *container = need_path (parent, field->path, /* keep_last: */ TRUE, &name);
  for (guint i = 0; i < list->len; i++)
    add_fields (add_child (container, name, strlen (name)), field->schema, list->pdata[i], hidden);
}

static void
add_field (Element *element, const StasisField *field, gconstpointer item, guint hidden)
{
  const char *rest = NULL;

  switch (field->kind)
    {
    case STASIS_FIELD_STRUCT:
      add_struct (element, field, item, hidden);
      return;
    case STASIS_FIELD_LIST:
      add_list (element, field, item, hidden);
      return;
    case STASIS_FIELD_FLAG:
      if (*(const gboolean *) stasis_field_at (field, item))
        need_path (element, field->path, /* keep_last: */ FALSE, &rest);
      return;
    case STASIS_FIELD_XML:
      if (*(char *const *) stasis_field_at (field, item) != NULL)
        {
          Element *at = need_path (element, field->path, /* keep_last: */ TRUE, &rest);
          add_child (at, NULL, 0)->text = g_strdup (*(char *const *) stasis_field_at (field, item));
        }
      return;
    default:
      add_text (element, field, item);
    }
}

static void
add_fields (Element *element, const StasisSchema *schema, gconstpointer item, guint hidden)
{
  for (guint i = 0; i < schema->n_fields; i++)
    if (is_printed (&schema->fields[i], item, hidden))
      add_field (element, &schema->fields[i], item, hidden);
}

/* As deep as the tables nest. */
static void
print (const Element *element, guint depth, GString *out)
{
  if (element->name == NULL)
    {
      /* Only the first line is ours to indent: the rest is as it was written. */
      g_string_append_printf (out, "%*s%s\n", (int) (2 * depth), "", element->text);
      return;
    }

  g_string_append_printf (out, "%*s<%s%s", (int) (2 * depth), "", element->name,
                          element->attributes->str);
  if (element->text == NULL && element->children->len == 0)
    {
      g_string_append (out, "/>\n");
      return;
    }

  g_string_append_c (out, '>');
  if (element->text != NULL)
    append_escaped (out, element->text, /* is_attribute: */ FALSE);
  if (element->children->len > 0)
    {
      g_string_append_c (out, '\n');
      for (guint i = 0; i < element->children->len; i++)
        print (element->children->pdata[i], depth + 1, out);
      g_string_append_printf (out, "%*s", (int) (2 * depth), "");
    }
  g_string_append_printf (out, "</%s>\n", element->name);
}

static void
declare_namespaces (Element *root)
{
  for (guint i = 0; i < root->children->len; i++)
    {
      const Element *child = root->children->pdata[i];
      if (child->name != NULL && g_str_has_prefix (child->name, "qemu:"))
        {
          set_attribute (root, "xmlns:qemu", STASIS_QEMU_NAMESPACE);
          return;
        }
    }
}

char *
stasis_schema_format (const StasisSchema *schema, gconstpointer item, const char *root,
                      guint hidden)
{
  Element *element = element_new (root, strlen (root));
  add_fields (element, schema, item, hidden);
  declare_namespaces (element);

  GString *out = g_string_new (NULL);
  print (element, 0, out);
  element_free (element);
  return g_string_free (out, FALSE);
}
