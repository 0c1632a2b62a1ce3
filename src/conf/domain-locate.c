/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-locate.c: the line of the text that an error is about
 *
 * What is found wrong while the text is read knows its line.  What is found later, by looking at
 * the whole, names its place by a path at the beginning of the message, such as
 * "/domain/devices/disk[2]/driver/@io: "; here the text is read once more to see where that is.
 * What is not written there lies at the nearest element around it that is.
 */

#include "config.h"

#include "conf/domain-internal.h"

#include <stdlib.h>
#include <string.h>

#include "conf/xml.h"

/* The element called "name", "prefix:name" or "name[N]". */
static xmlNode *
find_child (const xmlNode *node, const char *step)
{
  const char *colon = strchr (step, ':');
  const char *name = colon != NULL ? colon + 1 : step;
  const gsize size = strcspn (name, "[");
  long number = name[size] == '[' ? strtol (name + size + 1, NULL, 10) : 1;

  for (xmlNode *child = node->children; child != NULL; child = child->next)
    if (child->type == XML_ELEMENT_NODE && strlen ((const char *) child->name) == size
        && memcmp (child->name, name, size) == 0 && --number == 0)
      return child;
  return NULL;
}

/* How far the path that @message begins with can be followed; a path has no blanks. */
static long
line_of (xmlDoc *doc, const char *message)
{
  g_autofree char *path = g_strndup (message, strcspn (message, " "));
  if (g_str_has_suffix (path, ":"))
    path[strlen (path) - 1] = '\0';
  g_auto (GStrv) steps = g_strsplit (path + 1, "/", -1);

  xmlNode *node = xmlDocGetRootElement (doc);
  for (guint i = 1; node != NULL && steps[0] != NULL && steps[i] != NULL; i++)
    {
      xmlNode *child = find_child (node, steps[i]);
      if (child == NULL)
        break;
      node = child;
    }
  return xmlGetLineNo (node);
}

/* Put "FILE:LINE: " in front of the message. */
void
stasis_domain_def_place_error (const char *xml, gssize length, const char *source_name,
                               GError **error)
{
  if (error == NULL || *error == NULL)
    return;

  const gsize size = length >= 0 ? (gsize) length : strlen (xml);
  const char *path = (*error)->message;
  g_autoptr (xmlDoc) doc = *path == '/' ? stasis_xml_parse (xml, size, NULL, NULL) : NULL;
  if (doc != NULL)
    {
      g_autofree char *place = stasis_xml_place (source_name, line_of (doc, path));
      g_prefix_error (error, "%s", place);
    }
  else if (source_name != NULL)
    g_prefix_error (error, "%s: ", source_name);
}
