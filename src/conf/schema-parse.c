/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * schema-parse.c: XML into structs, and refuse what no field has asked for
 *
 * Theory of operation
 *
 * Each field looks for its place below the current element and marks (in the node's _private)
 * whatever it has understood: the elements on its path, the attribute, the text.  When all is
 * read, reject_unknown() walks the whole document once; the first thing without a mark is the
 * error.  A field whose "when" does not hold leaves its attribute unmarked, so that for example
 * <source file=…> on a block disk is refused and not overlooked.
 */

#include "config.h"

#include "conf/schema.h"

#include <glib/gi18n-lib.h>
#include <libxml/tree.h>
#include <libxml/xmlsave.h>

#include "conf/domain-def.h"
#include "conf/xml.h"

typedef struct
{
  const char *source_name; /* (borrowed, nullable) */
  gboolean active;
  GError **error;
} Reader;

static gboolean read_item (Reader *reader, const StasisSchema *schema, gpointer item,
                           xmlNode *node);

static void
mark (gpointer node)
{
  ((xmlNode *) node)->_private = node; /* xmlAttr begins like xmlNode */
}

static gboolean
is_marked (gconstpointer node)
{
  return ((const xmlNode *) node)->_private != NULL;
}

/* FILE:LINE: PATH[/@ATTRIBUTE]: MESSAGE.  Returns FALSE. */
static gboolean fail (Reader *reader, int code, xmlNode *node, const char *attribute,
                      const char *format, ...) G_GNUC_PRINTF (5, 6);

static gboolean
fail (Reader *reader, int code, xmlNode *node, const char *attribute, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *message = g_strdup_vprintf (format, args);
  va_end (args);

  g_autofree char *place = stasis_xml_place (reader->source_name, xmlGetLineNo (node));
  xmlChar *path = xmlGetNodePath (node);
  g_set_error (reader->error, STASIS_CONF_ERROR, code, "%s%s%s%s: %s", place, (const char *) path,
               attribute != NULL ? "/@" : "", attribute != NULL ? attribute : "", message);
  xmlFree (path);
  return FALSE;
}

/* Names in tables are plain, or "qemu:name" for libvirt's QEMU namespace. */
static gboolean
is_named (const xmlNode *node, const char *name, gsize length)
{
  if (node->type != XML_ELEMENT_NODE)
    return FALSE;

  const char *colon = memchr (name, ':', length);
  if ((colon != NULL) != (node->ns != NULL))
    return FALSE;
  if (colon != NULL)
    {
      if (g_strcmp0 ((const char *) node->ns->href, STASIS_QEMU_NAMESPACE) != 0)
        return FALSE;
      length -= (gsize) (colon + 1 - name);
      name = colon + 1;
    }
  return strlen ((const char *) node->name) == length && memcmp (node->name, name, length) == 0;
}

static xmlNode *
next_named (xmlNode *node, const char *name, gsize length)
{
  while (node != NULL && !is_named (node, name, length))
    node = node->next;
  return node;
}

/* Follow all but the last @keep elements of @path from @node, marking them.  *@rest is what
 * remains.  FALSE with reader->error where an element is there twice. */
static gboolean
follow (Reader *reader, xmlNode *node, const char *path, gboolean keep_last, xmlNode **out_node,
        const char **out_rest)
{
  *out_node = NULL;
  while (*path != '\0' && *path != '@')
    {
      const gsize length = strcspn (path, "/@");
      if (keep_last && path[length] == '\0')
        break;

      xmlNode *child = next_named (node->children, path, length);
      if (child == NULL)
        return TRUE;
      xmlNode *again = next_named (child->next, path, length);
      if (again != NULL)
        return fail (reader, STASIS_CONF_ERROR_INVALID, again, NULL,
                     _ ("the element is given more than once"));
      mark (child);
      node = child;
      path += length + (path[length] == '/' ? 1 : 0);
    }

  *out_node = node;
  *out_rest = path;
  return TRUE;
}

/* Decimal; only what is printed in hexadecimal (PCI addresses and their like) may be written so. */
static gboolean
parse_number (const StasisField *field, const char *text, guint64 *out_value)
{
  const gboolean is_hex
      = field->hex > 0 && (g_str_has_prefix (text, "0x") || g_str_has_prefix (text, "0X"));
  return g_ascii_string_to_unsigned (is_hex ? text + 2 : text, is_hex ? 16 : 10, 0, G_MAXINT64 / 2,
                                     out_value, NULL);
}

static gboolean
set_enum (Reader *reader, const StasisField *field, gpointer item, xmlNode *node,
          const char *attribute, const char *text)
{
  for (int i = 1; field->names[i] != NULL; i++)
    if (strcmp (field->names[i], text) == 0)
      {
        *(int *) stasis_field_at (field, item) = i;
        return TRUE;
      }

  g_autofree char *known = g_strjoinv (", ", (char **) field->names + 1);
  return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, attribute,
               _ ("'%1$s' is not supported (known: %2$s)"), text, known);
}

/* Powers of 1024 and, for the decimal spellings, of 1000, as libvirt has them. */
static guint64
unit_factor (const char *unit)
{
  static const struct
  {
    const char *name;
    guint64 factor;
  } units[] = {
    { "b", 1 },
    { "bytes", 1 },
    { "KB", 1000 },
    { "k", 1024 },
    { "KiB", 1024 },
    { "MB", 1000000 },
    { "M", 1048576 },
    { "MiB", 1048576 },
    { "GB", 1000000000 },
    { "G", 1073741824 },
    { "GiB", 1073741824 },
    { "TB", G_GUINT64_CONSTANT (1000000000000) },
    { "T", G_GUINT64_CONSTANT (1099511627776) },
    { "TiB", G_GUINT64_CONSTANT (1099511627776) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    if (strcmp (units[i].name, unit) == 0)
      return units[i].factor;
  return 0;
}

static gboolean
set_size (Reader *reader, const StasisField *field, gpointer item, xmlNode *node,
          const char *attribute, const char *text)
{
  xmlAttr *unit = xmlHasNsProp (node, (const xmlChar *) "unit", NULL);
  guint64 factor = 1024;
  if (unit != NULL)
    {
      xmlChar *name = xmlNodeGetContent ((xmlNode *) unit);
      factor = unit_factor ((const char *) name);
      xmlFree (name);
      mark (unit);
    }

  guint64 value = 0;
  guint64 octets = 0;
  if (factor == 0 || !parse_number (field, text, &value)
      || !g_uint64_checked_mul (&octets, value, factor) || octets > G_MAXINT64 / 2)
    return fail (reader, STASIS_CONF_ERROR_INVALID, node, attribute, _ ("'%1$s' is not a size"),
                 text);

  *(gint64 *) stasis_field_at (field, item) = (gint64) ((octets + 1023) / 1024);
  return TRUE;
}

static gboolean
set_int (Reader *reader, const StasisField *field, gpointer item, xmlNode *node,
         const char *attribute, const char *text)
{
  guint64 value = 0;
  if ((field->flags & STASIS_FIELD_MINUS_ONE) != 0 && strcmp (text, "-1") == 0)
    return TRUE;
  if (!parse_number (field, text, &value))
    return fail (reader, STASIS_CONF_ERROR_INVALID, node, attribute, _ ("'%1$s' is not a number"),
                 text);

  *(gint64 *) stasis_field_at (field, item) = (gint64) value;
  return TRUE;
}

static gboolean
is_dropped (const Reader *reader, const StasisField *field, const char *text)
{
  if (reader->active)
    return FALSE;
  if ((field->flags & STASIS_FIELD_ALIAS) != 0)
    return !g_str_has_prefix (text, "ua-");
  return (field->flags & STASIS_FIELD_RUNTIME) != 0;
}

static gboolean
set_text (Reader *reader, const StasisField *field, gpointer item, xmlNode *node,
          const char *attribute, const char *text)
{
  if (is_dropped (reader, field, text))
    return TRUE;

  /* Numbers and words may stand between blanks where they are an element's text. */
  g_autofree char *bare = g_strstrip (g_strdup (text));
  switch (field->kind)
    {
    case STASIS_FIELD_ENUM:
      return set_enum (reader, field, item, node, attribute, bare);
    case STASIS_FIELD_INT:
      return set_int (reader, field, item, node, attribute, bare);
    case STASIS_FIELD_SIZE:
      return set_size (reader, field, item, node, attribute, bare);
    default:
      break;
    }

  char **at = stasis_field_at (field, item);
  g_free (*at);
  *at = g_strdup (text);
  return TRUE;
}

static void
mark_text (xmlNode *node)
{
  for (xmlNode *child = node->children; child != NULL; child = child->next)
    if (child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE)
      mark (child);
}

static gboolean
read_text (Reader *reader, const StasisField *field, gpointer item, xmlNode *node, const char *rest)
{
  const char *attribute = *rest == '@' ? rest + 1 : NULL;
  xmlChar *text = NULL;

  if (attribute != NULL)
    {
      xmlAttr *found = xmlHasNsProp (node, (const xmlChar *) attribute, NULL);
      if (found == NULL)
        return TRUE;
      mark (found);
      text = xmlNodeGetContent ((xmlNode *) found);
    }
  else
    {
      if (xmlChildElementCount (node) == 0)
        text = xmlNodeGetContent (node);
      mark_text (node);
    }

  if (text == NULL)
    return TRUE;
  const gboolean ok = set_text (reader, field, item, node, attribute, (const char *) text);
  xmlFree (text);
  return ok;
}

static void
mark_all (xmlNode *node)
{
  mark (node);
  for (xmlAttr *attr = node->properties; attr != NULL; attr = attr->next)
    mark (attr);
  for (xmlNode *child = node->children; child != NULL; child = child->next)
    {
      if (child->type == XML_ELEMENT_NODE)
        mark_all (child); /* as deep as STASIS_XML_DEPTH_MAX */
      else
        mark (child);
    }
}

/* The element as text; the namespaces it uses are declared in it. */
static char *
dump_node (xmlNode *node)
{
  xmlDoc *doc = xmlNewDoc ((const xmlChar *) "1.0");
  xmlNode *copy = xmlDocCopyNode (node, doc, /* recursive: */ 1);
  xmlDocSetRootElement (doc, copy);

  xmlBuffer *buffer = xmlBufferCreate ();
  xmlNodeDump (buffer, doc, copy, /* level: */ 0, /* format: */ 0);
  char *text = g_strdup ((const char *) xmlBufferContent (buffer));
  xmlBufferFree (buffer);
  xmlFreeDoc (doc);
  return text;
}

static gboolean
read_xml (Reader *reader, const StasisField *field, gpointer item, xmlNode *node, const char *name)
{
  g_autoptr (GString) all = g_string_new (NULL);

  for (xmlNode *child = next_named (node->children, name, strlen (name)); child != NULL;
       child = next_named (child->next, name, strlen (name)))
    {
      if (all->len > 0 && (field->flags & STASIS_FIELD_MULTIPLE) == 0)
        return fail (reader, STASIS_CONF_ERROR_INVALID, child, NULL,
                     _ ("the element is given more than once"));
      mark_all (child);
      g_autofree char *text = dump_node (child);
      g_string_append_printf (all, "%s%s", all->len > 0 ? "\n  " : "", text);
    }

  if (all->len > 0 && (reader->active || (field->flags & STASIS_FIELD_RUNTIME) == 0))
    *(char **) stasis_field_at (field, item) = g_string_free (g_steal_pointer (&all), FALSE);
  return TRUE;
}

static gboolean
read_list (Reader *reader, const StasisField *field, gpointer item, xmlNode *node, const char *name)
{
  GPtrArray *list = *(GPtrArray **) stasis_field_at (field, item);

  for (xmlNode *child = next_named (node->children, name, strlen (name)); child != NULL;
       child = next_named (child->next, name, strlen (name)))
    {
      gpointer entry = stasis_schema_new (field->schema);
      g_ptr_array_add (list, entry);
      mark (child);
      if (!read_item (reader, field->schema, entry, child))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_field (Reader *reader, const StasisField *field, gpointer item, xmlNode *node)
{
  const gboolean is_list = field->kind == STASIS_FIELD_LIST || field->kind == STASIS_FIELD_XML;
  const char *rest = NULL;
  xmlNode *at = NULL;
  if (!follow (reader, node, field->path, /* keep_last: */ is_list, &at, &rest))
    return FALSE;
  if (at == NULL)
    return TRUE;

  switch (field->kind)
    {
    case STASIS_FIELD_XML:
      return read_xml (reader, field, item, at, rest);
    case STASIS_FIELD_LIST:
      return read_list (reader, field, item, at, rest);
    case STASIS_FIELD_STRUCT:
      return read_item (reader, field->schema, stasis_field_at (field, item), at);
    case STASIS_FIELD_FLAG:
      *(gboolean *) stasis_field_at (field, item) = TRUE;
      return TRUE;
    default:
      return read_text (reader, field, item, at, rest);
    }
}

/* Fields with a "when" come second: what they depend on may stand behind them in the table. */
static gboolean
read_item (Reader *reader, const StasisSchema *schema, gpointer item, xmlNode *node)
{
  for (guint i = 0; i < schema->n_fields; i++)
    if (schema->fields[i].when == 0 && !read_field (reader, &schema->fields[i], item, node))
      return FALSE;

  for (guint i = 0; i < schema->n_fields; i++)
    {
      const StasisField *field = &schema->fields[i];
      if (field->when != 0 && stasis_field_applies (field, item)
          && !read_field (reader, field, item, node))
        return FALSE;
    }
  return TRUE;
}

static gboolean
reject_element (Reader *reader, xmlNode *node)
{
  const char *name = (const char *) node->name;

  if (node->ns != NULL)
    return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, NULL,
                 _ ("elements of namespace '%1$s' are not supported here"),
                 (const char *) node->ns->href);
  if (node->parent != NULL && node->parent->type == XML_ELEMENT_NODE
      && strcmp ((const char *) node->parent->name, "devices") == 0)
    return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, NULL,
                 _ ("device '%1$s' is not supported yet"), name);
  return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, NULL,
               _ ("element '%1$s' is not supported"), name);
}

static gboolean
reject_unknown (Reader *reader, xmlNode *node)
{
  if (!is_marked (node))
    return reject_element (reader, node);

  for (xmlAttr *attr = node->properties; attr != NULL; attr = attr->next)
    if (!is_marked (attr))
      return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, (const char *) attr->name,
                   _ ("attribute '%1$s' is not supported here"), (const char *) attr->name);

  for (xmlNode *child = node->children; child != NULL; child = child->next)
    {
      if (child->type == XML_ELEMENT_NODE && !reject_unknown (reader, child))
        return FALSE;
      const gboolean is_text
          = child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE;
      if (is_text && !is_marked (child) && !xmlIsBlankNode (child))
        return fail (reader, STASIS_CONF_ERROR_UNSUPPORTED, node, NULL,
                     _ ("text is not supported here"));
    }
  return TRUE;
}

gboolean
stasis_schema_parse (const StasisSchema *schema, gpointer item, const char *root, const char *xml,
                     gsize length, const char *source_name, gboolean active, GError **error)
{
  g_autoptr (xmlDoc) doc = stasis_xml_parse (xml, length, source_name, error);
  if (doc == NULL)
    return FALSE;

  Reader reader = { .source_name = source_name, .active = active, .error = error };
  xmlNode *node = xmlDocGetRootElement (doc);
  if (node == NULL || !is_named (node, root, strlen (root)))
    {
      g_autofree char *place
          = stasis_xml_place (source_name, node != NULL ? xmlGetLineNo (node) : 1);
      g_set_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_INVALID,
                   _ ("%1$sthe outermost element must be '%2$s'"), place, root);
      return FALSE;
    }

  mark (node);
  return read_item (&reader, schema, item, node) && reject_unknown (&reader, node);
}
