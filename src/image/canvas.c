/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * canvas.c: rectangles and text, as SVG or PNG
 *
 * What is drawn is kept as a list and rendered twice, so that both pictures are the same.
 */

#include "config.h"

#include "image/canvas.h"

#include <inttypes.h>
#include <string.h>

#include "image/font.h"
#include "image/png.h"

typedef struct
{
  guint32 x;
  guint32 y;
  guint32 width; /* of a rectangle */
  guint32 height;
  guint32 colour;
  guint scale;
  char *text; /* (owned, nullable) NULL: a rectangle */
} Item;

struct _StasisCanvas
{
  guint32 background;
  GArray *items; /* (owned) */
};

static void
clear_item (gpointer data)
{
  Item *item = data;
  g_free (item->text);
}

StasisCanvas *
stasis_canvas_new (guint32 background)
{
  StasisCanvas *self = g_new0 (StasisCanvas, 1);
  self->background = background;
  self->items = g_array_new (FALSE, TRUE, sizeof (Item));
  g_array_set_clear_func (self->items, clear_item);
  return self;
}

/* NULL is fine. */
void
stasis_canvas_free (StasisCanvas *self)
{
  if (self == NULL)
    return;

  g_array_unref (self->items);
  g_free (self);
}

void
stasis_canvas_add_rectangle (StasisCanvas *self, guint32 x, guint32 y, guint32 width,
                             guint32 height, guint32 colour)
{
  const Item item = { .x = x, .y = y, .width = width, .height = height, .colour = colour };
  g_array_append_val (self->items, item);
}

/* One line of text. */
void
stasis_canvas_add_text (StasisCanvas *self, guint32 x, guint32 y, guint scale, guint32 colour,
                        const char *text)
{
  const Item item
      = { .x = x, .y = y, .scale = scale, .colour = colour, .text = g_utf8_make_valid (text, -1) };
  g_array_append_val (self->items, item);
}

/* How wide a text is. */
guint32
stasis_canvas_text_width (const char *text, guint scale)
{
  return (guint32) g_utf8_strlen (text, -1) * STASIS_FONT_ADVANCE * scale;
}

static void
append_svg_text (GString *out, const Item *item)
{
  g_autofree char *text = g_markup_escape_text (item->text, -1);
  g_string_append_printf (out,
                          "<text x=\"%" PRIu32 "\" y=\"%" PRIu32 "\" fill=\"#%06" PRIx32
                          "\" font-size=\"%u\" textLength=\"%" PRIu32 "\">%s</text>\n",
                          item->x, item->y + 7 * item->scale, item->colour, 10 * item->scale,
                          stasis_canvas_text_width (item->text, item->scale), text);
}

/* Rectangles of one colour that follow each other are one path; the index of the last one. */
static guint
append_svg_rectangles (GString *out, const GArray *items, guint first)
{
  const guint32 colour = g_array_index (items, Item, first).colour;
  guint i = first;
  g_string_append_printf (out, "<path fill=\"#%06" PRIx32 "\" d=\"", colour);
  for (; i < items->len; i++)
    {
      const Item *item = &g_array_index (items, Item, i);
      if (item->text != NULL || item->colour != colour)
        break;
      g_string_append_printf (out, "M%" PRIu32 " %" PRIu32 "h%" PRIu32 "v%" PRIu32 "h-%" PRIu32 "z",
                              item->x, item->y, item->width, item->height, item->width);
    }
  g_string_append (out, "\"/>\n");
  return i - 1;
}

GBytes *
stasis_canvas_to_svg (const StasisCanvas *self, guint32 width, guint32 height)
{
  GString *out = g_string_new (NULL);
  g_string_append_printf (out,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%" PRIu32
                          "\" height=\"%" PRIu32 "\" font-family=\"monospace\" "
                          "xml:space=\"preserve\">\n"
                          "<rect width=\"100%%\" height=\"100%%\" fill=\"#%06" PRIx32 "\"/>\n",
                          width, height, self->background);
  for (guint i = 0; i < self->items->len; i++)
    {
      const Item *item = &g_array_index (self->items, Item, i);
      if (item->text != NULL)
        append_svg_text (out, item);
      else
        i = append_svg_rectangles (out, self->items, i);
    }
  g_string_append (out, "</svg>\n");
  return g_string_free_to_bytes (out);
}

typedef struct
{
  guint8 *pixels; /* (borrowed) */
  guint32 width;
  guint32 height;
} Raster;

static void
fill (const Raster *raster, guint32 x, guint32 y, guint32 width, guint32 height, guint32 colour)
{
  const guint32 right = (guint32) MIN ((guint64) x + width, raster->width);
  const guint32 bottom = (guint32) MIN ((guint64) y + height, raster->height);
  for (guint32 row = y; row < bottom; row++)
    for (guint32 column = x; column < right; column++)
      {
        guint8 *pixel = raster->pixels + ((gsize) row * raster->width + column) * 3;
        pixel[0] = (guint8) (colour >> 16);
        pixel[1] = (guint8) (colour >> 8);
        pixel[2] = (guint8) colour;
      }
}

static void
draw_letter (const Raster *raster, const Item *item, guint32 x, gunichar letter)
{
  for (guint row = 0; row < STASIS_FONT_HEIGHT * item->scale; row++)
    for (guint column = 0; column < STASIS_FONT_ADVANCE * item->scale; column++)
      if (stasis_font_has_ink (letter, item->scale, column, row))
        fill (raster, x + column, item->y + row, 1, 1, item->colour);
}

static void
draw_text (const Raster *raster, const Item *item)
{
  guint32 x = item->x;
  for (const char *at = item->text; *at != '\0' && x < raster->width; at = g_utf8_next_char (at))
    {
      draw_letter (raster, item, x, g_utf8_get_char (at));
      x += STASIS_FONT_ADVANCE * item->scale;
    }
}

GBytes *
stasis_canvas_to_png (const StasisCanvas *self, guint32 width, guint32 height, GError **error)
{
  g_autofree guint8 *pixels = g_malloc ((gsize) width * height * 3);
  const Raster raster = { pixels, width, height };
  fill (&raster, 0, 0, width, height, self->background);
  for (guint i = 0; i < self->items->len; i++)
    {
      const Item *item = &g_array_index (self->items, Item, i);
      if (item->text != NULL)
        draw_text (&raster, item);
      else
        fill (&raster, item->x, item->y, item->width, item->height, item->colour);
    }
  return stasis_png_encode (pixels, width, height, error);
}
