/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml.h: read XML from people we don't trust
 */

#pragma once

#include <glib.h>
#include <libxml/tree.h>

G_BEGIN_DECLS

#define STASIS_XML_DEPTH_MAX 64u    /* nested elements */
#define STASIS_XML_NODES_MAX 20000u /* elements and attributes of one document */

/* A document, or STASIS_CONF_ERROR.  No DTD, no entities, nothing fetched; nothing is printed.
 * @source_name (nullable) stands in front of messages. */
xmlDoc *stasis_xml_parse (const char *xml, gsize length, const char *source_name,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "FILE:LINE: " or "line LINE: "; (transfer full) */
char *stasis_xml_place (const char *source_name, long line);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlDoc, xmlFreeDoc)

G_END_DECLS
