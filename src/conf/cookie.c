/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cookie.c: the migration cookie in a save image of libvirt
 *
 * libvirt keeps beside the domain XML a text of its own, whose element `cpu` says what the guest's
 * CPU really was: the model and every feature that QEMU turned on or off for it.
 */

#include "config.h"

#include "conf/cookie.h"

#include <glib/gi18n-lib.h>

#include "conf/error.h"
#include "conf/xml.h"

static xmlNode *
find_cpu (xmlNode *root)
{
  for (xmlNode *child = root->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE && xmlStrEqual (child->name, (const xmlChar *) "cpu"))
      return child;
  return NULL;
}

/* A copy of @cpu takes the place of the one in @root, if it has one. */
static void
put_cpu (xmlNode *root, xmlNode *cpu)
{
  xmlNode *copy = xmlDocCopyNode (cpu, root->doc, /* recursive: */ 1);
  xmlNode *old = find_cpu (root);
  if (old == NULL)
    {
      xmlAddChild (root, copy);
      return;
    }
  xmlReplaceNode (old, copy);
  xmlFreeNode (old);
}

/* The domain XML with the CPU of the cookie. */
char *
stasis_cookie_apply (const char *xml, gsize length, const char *cookie, gsize cookie_length,
                     const char *source_name, GError **error)
{
  g_autoptr (xmlDoc) domain = stasis_xml_parse (xml, length, source_name, error);
  if (domain == NULL)
    return NULL;
  g_autoptr (xmlDoc) doc = stasis_xml_parse (cookie, cookie_length, source_name, error);
  if (doc == NULL)
    {
      g_prefix_error (error, _ ("libvirt's cookie: "));
      return NULL;
    }
  xmlNode *cpu = find_cpu (xmlDocGetRootElement (doc));
  if (cpu == NULL)
    return g_strndup (xml, length);

  put_cpu (xmlDocGetRootElement (domain), cpu);
  xmlChar *text = NULL;
  int size = 0;
  xmlDocDumpMemory (domain, &text, &size);
  char *result = g_strndup ((const char *) text, (gsize) MAX (size, 0));
  xmlFree (text);
  return result;
}
