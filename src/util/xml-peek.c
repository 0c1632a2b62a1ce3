/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-peek.c: one value out of a definition
 */

#include "config.h"

#include "util/xml-peek.h"

#include <string.h>

typedef struct
{
  char **names; /* (owned): the path */
  guint n_names;
  guint depth;   /* of the present element; the document is 0 */
  guint matched; /* how many of the outermost elements are those of the path */
  GString *text; /* (owned) (nullable): of the element that was found */
  gboolean done;
} Peek;

static void
on_start (GMarkupParseContext *context, const char *name, const char **keys, const char **values,
          gpointer data, GError **error)
{
  Peek *peek = data;
  if (peek->matched == peek->depth && peek->depth < peek->n_names
      && strcmp (peek->names[peek->depth], name) == 0)
    peek->matched++;
  peek->depth++;
  if (!peek->done && peek->text == NULL && peek->matched == peek->n_names)
    peek->text = g_string_new (NULL);
}

static void
on_end (GMarkupParseContext *context, const char *name, gpointer data, GError **error)
{
  Peek *peek = data;
  peek->depth--;
  if (peek->matched > peek->depth)
    {
      peek->done = peek->done || peek->matched == peek->n_names;
      peek->matched = peek->depth;
    }
}

static void
on_text (GMarkupParseContext *context, const char *text, gsize length, gpointer data,
         GError **error)
{
  Peek *peek = data;
  if (!peek->done && peek->text != NULL && peek->depth == peek->n_names)
    g_string_append_len (peek->text, text, length);
}

/* Look for one element. */
char *
stasis_xml_peek (const char *xml, const char *path)
{
  static const GMarkupParser parser = { on_start, on_end, on_text, NULL, NULL };
  Peek peek = { .names = g_strsplit (path, "/", -1) };
  peek.n_names = g_strv_length (peek.names);

  g_autoptr (GMarkupParseContext) context
      = g_markup_parse_context_new (&parser, G_MARKUP_IGNORE_QUALIFIED, &peek, NULL);
  const gboolean ok = g_markup_parse_context_parse (context, xml, -1, NULL);
  g_strfreev (peek.names);
  char *text = peek.text != NULL ? g_string_free (peek.text, FALSE) : NULL;
  if (!ok || !peek.done)
    g_clear_pointer (&text, g_free);
  return text != NULL ? g_strstrip (text) : NULL;
}
