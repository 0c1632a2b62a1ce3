/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-metadata.c: the elements that programs keep in a definition's <metadata>
 */

#include "config.h"

#include "conf/domain-metadata.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "conf/error.h"
#include "conf/xml.h"

#define EMPTY "<metadata/>"

static const xmlChar *
as_xml (const char *text)
{
  return (const xmlChar *) text;
}

static xmlNode *
find (xmlDoc *doc, const char *uri)
{
  for (xmlNode *node = xmlDocGetRootElement (doc)->children; node != NULL; node = node->next)
    if (node->type == XML_ELEMENT_NODE && node->ns != NULL
        && xmlStrEqual (node->ns->href, as_xml (uri)))
      return node;
  return NULL;
}

static void
for_each (xmlNode *node, void (*func) (xmlNode *node, gpointer data), gpointer data)
{
  func (node, data); /* as deep as STASIS_XML_DEPTH_MAX */
  for (xmlNode *child = node->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE)
      for_each (child, func, data);
}

static void
leave (xmlNode *node, gpointer uri)
{
  if (node->ns != NULL && xmlStrEqual (node->ns->href, uri))
    node->ns = NULL;
  for (xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next)
    if (attribute->ns != NULL && xmlStrEqual (attribute->ns->href, uri))
      attribute->ns = NULL;
}

static void
join (xmlNode *node, gpointer ns)
{
  if (node->ns == NULL)
    node->ns = ns;
}

/* The declaration of a name space that nobody belongs to any more. */
static void
drop_declaration (xmlNode *node, const char *uri)
{
  for (xmlNs **at = &node->nsDef; *at != NULL;)
    {
      xmlNs *ns = *at;
      if (!xmlStrEqual (ns->href, as_xml (uri)))
        {
          at = &ns->next;
          continue;
        }
      *at = ns->next;
      xmlFreeNs (ns);
    }
}

/* White space around elements is the printer's. */
static void
drop_blanks (xmlNode *node, gpointer data)
{
  xmlNode *next;
  for (xmlNode *child = xmlFirstElementChild (node) != NULL ? node->children : NULL; child != NULL;
       child = next)
    {
      next = child->next;
      if (!xmlIsBlankNode (child))
        continue;
      xmlUnlinkNode (child);
      xmlFreeNode (child);
    }
}

static char *
print (xmlDoc *doc, xmlNode *node)
{
  xmlBuffer *buffer = xmlBufferCreate ();
  xmlNodeDump (buffer, doc, node, /* level: */ 0, /* format: */ 1);
  char *text = g_strdup ((const char *) xmlBufferContent (buffer));
  xmlBufferFree (buffer);
  return text;
}

/* The element of a name space. */
char *
stasis_domain_metadata_get (const char *metadata, const char *uri)
{
  g_autoptr (xmlDoc) doc
      = metadata != NULL ? stasis_xml_parse (metadata, strlen (metadata), NULL, NULL) : NULL;
  xmlNode *node = doc != NULL ? find (doc, uri) : NULL;
  if (node == NULL)
    return NULL;
  for_each (node, leave, (gpointer) uri);
  for_each (node, drop_blanks, NULL);
  drop_declaration (node, uri);
  return print (doc, node);
}

static gboolean
throw_invalid (GError **error, const char *what)
{
  g_set_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_INVALID, _ ("metadata: %s"), what);
  return FALSE;
}

/* It is one of the name space from now on. */
static xmlNode *
adopt (xmlDoc *into, const char *uri, const char *key, const char *xml, GError **error)
{
  g_autoptr (xmlDoc) doc = stasis_xml_parse (xml, strlen (xml), NULL, error);
  if (doc == NULL)
    return NULL;
  xmlNode *node = xmlDocCopyNode (xmlDocGetRootElement (doc), into, /* recursive: */ 1);
  xmlNs *ns = node != NULL ? xmlNewNs (node, as_xml (uri), as_xml (key)) : NULL;
  if (ns == NULL)
    {
      throw_invalid (error, _ ("the element uses the prefix itself"));
      xmlFreeNode (node);
      return NULL;
    }
  for_each (node, join, ns);
  return node;
}

/* Another element of a name space. */
gboolean
stasis_domain_metadata_set (char **metadata, const char *uri, const char *key, const char *xml,
                            GError **error)
{
  const char *before = *metadata != NULL ? *metadata : EMPTY;
  if (uri == NULL || *uri == '\0')
    return throw_invalid (error, _ ("it needs the URI of a name space"));
  if (xml != NULL && (key == NULL || xmlValidateNCName (as_xml (key), 0) != 0))
    return throw_invalid (error, _ ("it needs a prefix that can be one"));
  g_autoptr (xmlDoc) doc = stasis_xml_parse (before, strlen (before), NULL, error);
  xmlNode *node = NULL;
  if (doc == NULL || (xml != NULL && (node = adopt (doc, uri, key, xml, error)) == NULL))
    return FALSE;
  xmlNode *old = find (doc, uri);
  if (old != NULL)
    {
      xmlUnlinkNode (old);
      xmlFreeNode (old);
    }
  if (node != NULL)
    xmlAddChild (xmlDocGetRootElement (doc), node);
  g_free (*metadata);
  *metadata = xmlFirstElementChild (xmlDocGetRootElement (doc)) != NULL
                  ? print (doc, xmlDocGetRootElement (doc))
                  : NULL;
  return TRUE;
}
