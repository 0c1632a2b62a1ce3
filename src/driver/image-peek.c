/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-peek.c: the little that must be known of any definition in a save image
 *
 * An image of libvirt may have a definition with things in it that we know nothing of.  It can be
 * looked at and converted all the same.
 */

#include "config.h"

#include "driver/image-peek.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "image/error.h"

typedef struct
{
  StasisImagePeek *peek; /* (borrowed) */
  guint depth;
  gboolean in_devices;
  char **wanted; /* (borrowed, nullable) where the text goes */
} Parse;

static char **
choose (const Parse *parse, const char *element)
{
  if (parse->depth == 1 && strcmp (element, "name") == 0)
    return &parse->peek->name;
  if (parse->depth == 1 && strcmp (element, "uuid") == 0)
    return &parse->peek->uuid;
  if (parse->depth == 2 && parse->in_devices && strcmp (element, "emulator") == 0)
    return &parse->peek->emulator;
  return NULL;
}

static void
on_start (GMarkupParseContext *context, const char *element, const char **names,
          const char **values, gpointer data, GError **error)
{
  Parse *parse = data;
  if (parse->depth == 0 && strcmp (element, "domain") != 0)
    g_set_error (error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT,
                 _ ("the definition is no domain"));
  for (guint i = 0; parse->depth == 0 && names[i] != NULL; i++)
    if (strcmp (names[i], "type") == 0)
      parse->peek->type = g_strdup (values[i]);
  if (parse->depth == 1)
    parse->in_devices = strcmp (element, "devices") == 0;
  parse->wanted = choose (parse, element);
  parse->depth++;
}

static void
on_end (GMarkupParseContext *context, const char *element, gpointer data, GError **error)
{
  Parse *parse = data;
  parse->depth--;
  parse->wanted = NULL;
}

static void
on_text (GMarkupParseContext *context, const char *text, gsize size, gpointer data, GError **error)
{
  Parse *parse = data;
  if (parse->wanted == NULL || *parse->wanted != NULL)
    return;
  *parse->wanted = g_strstrip (g_strndup (text, size));
}

/* Look at a definition. */
gboolean
stasis_image_peek (GBytes *xml, const char *image_name, StasisImagePeek *out_peek, GError **error)
{
  static const GMarkupParser parser
      = { .start_element = on_start, .end_element = on_end, .text = on_text };
  gsize size = 0;
  const char *text = g_bytes_get_data (xml, &size);
  *out_peek = (StasisImagePeek){ .type = NULL };
  Parse parse = { .peek = out_peek };
  g_autoptr (GError) cause = NULL;
  GMarkupParseContext *context = g_markup_parse_context_new (&parser, 0, &parse, NULL);
  const gboolean ok = g_markup_parse_context_parse (context, text, (gssize) size, &cause)
                      && g_markup_parse_context_end_parse (context, &cause);
  g_markup_parse_context_free (context);
  if (ok)
    return TRUE;
  stasis_image_peek_clear (out_peek);
  g_set_error (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT,
               _ ("'%1$s': the definition inside cannot be read: %2$s"), image_name,
               cause->message);
  return FALSE;
}

void
stasis_image_peek_clear (StasisImagePeek *peek)
{
  g_clear_pointer (&peek->type, g_free);
  g_clear_pointer (&peek->name, g_free);
  g_clear_pointer (&peek->uuid, g_free);
  g_clear_pointer (&peek->emulator, g_free);
}
