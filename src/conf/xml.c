/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.c: read XML from people we don't trust
 *
 * Theory of operation
 *
 * Entities are where XML parsers explode, so a DOCTYPE is refused where it begins, before a
 * single declaration in it is read: without one there is nothing to expand and nothing to fetch.
 * Depth and number of nodes are counted while libxml2 builds the tree, and the parser is stopped
 * at the limit; it never sees the rest.
 */

#include "config.h"

#include "conf/xml.h"

#include <glib/gi18n-lib.h>
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include "conf/domain-def.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlParserCtxt, xmlFreeParserCtxt)

typedef struct
{
  guint depth;
  guint n_nodes;
  const char *refused; /* why the parser was stopped (borrowed, translated) */
  int code;            /* a StasisConfError */
} Guard;

static void
stop (xmlParserCtxt *parser, int code, const char *why)
{
  Guard *guard = parser->_private;
  if (guard->refused != NULL)
    return;

  guard->refused = why;
  guard->code = code;
  xmlStopParser (parser);
}

static void
on_doctype (void *ctx, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
  stop (ctx, STASIS_CONF_ERROR_UNSUPPORTED, _ ("a document type is not accepted"));
}

static void
on_start (void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
          int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
          const xmlChar **attributes)
{
  xmlParserCtxt *parser = ctx;
  Guard *guard = parser->_private;

  guard->n_nodes += 1 + (guint) n_attributes + (guint) n_namespaces;
  guard->depth++;
  if (guard->depth > STASIS_XML_DEPTH_MAX)
    stop (parser, STASIS_CONF_ERROR_LIMIT, _ ("elements are nested too deep"));
  else if (guard->n_nodes > STASIS_XML_NODES_MAX)
    stop (parser, STASIS_CONF_ERROR_LIMIT, _ ("too many elements and attributes"));

  if (guard->refused == NULL)
    xmlSAX2StartElementNs (ctx, name, prefix, uri, n_namespaces, namespaces, n_attributes,
                           n_defaulted, attributes);
}

static void
on_end (void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
  xmlParserCtxt *parser = ctx;
  Guard *guard = parser->_private;

  if (guard->refused != NULL)
    return;
  guard->depth--;
  xmlSAX2EndElementNs (ctx, name, prefix, uri);
}

char *
stasis_xml_place (const char *source_name, long line)
{
  if (source_name == NULL)
    return g_strdup_printf (_ ("line %1$ld: "), line);
  return g_strdup_printf ("%s:%ld: ", source_name, line);
}

static void
set_error (xmlParserCtxt *parser, const Guard *guard, const char *source_name, GError **error)
{
  if (guard->refused != NULL)
    {
      const long line = parser->input != NULL ? parser->input->line : 1;
      g_autofree char *place = stasis_xml_place (source_name, line);
      g_set_error (error, STASIS_CONF_ERROR, guard->code, "%s%s", place, guard->refused);
      return;
    }

  const xmlError *cause = xmlCtxtGetLastError (parser);
  g_autofree char *place = stasis_xml_place (source_name, cause != NULL ? cause->line : 1);
  g_autofree char *text = g_strdup (cause != NULL && cause->message != NULL ? cause->message : "");
  g_strstrip (text);
  g_set_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_SYNTAX,
               _ ("%1$snot well-formed XML: %2$s"), place, text);
}

xmlDoc *
stasis_xml_parse (const char *xml, gsize length, const char *source_name, GError **error)
{
  xmlInitParser ();
  if (length > STASIS_DOMAIN_SIZE_MAX)
    {
      g_autofree char *place = stasis_xml_place (source_name, 1);
      g_set_error (error, STASIS_CONF_ERROR, STASIS_CONF_ERROR_LIMIT,
                   _ ("%1$sthe text is too long: %2$zu octets, at most 1 MiB (%3$u)"), place,
                   length, STASIS_DOMAIN_SIZE_MAX);
      return NULL;
    }

  Guard guard = { 0 };
  g_autoptr (xmlParserCtxt) parser = xmlNewParserCtxt ();
  g_assert (parser != NULL);
  parser->_private = &guard;
  parser->sax->internalSubset = on_doctype;
  parser->sax->startElementNs = on_start;
  parser->sax->endElementNs = on_end;

  const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                      | XML_PARSE_BIG_LINES | XML_PARSE_NOCDATA;
  g_autoptr (xmlDoc) doc
      = xmlCtxtReadMemory (parser, xml, (int) length, NULL, /* encoding: */ NULL, options);
  if (doc == NULL || guard.refused != NULL || !parser->wellFormed)
    {
      set_error (parser, &guard, source_name, error);
      return NULL;
    }
  return g_steal_pointer (&doc);
}
