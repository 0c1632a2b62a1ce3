/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * canvas.h: rectangles and text, as SVG or PNG
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _StasisCanvas StasisCanvas;

/* Colours are 0xrrggbb; coordinates are pixels from the top left. */
StasisCanvas *stasis_canvas_new (guint32 background) G_GNUC_WARN_UNUSED_RESULT;
void stasis_canvas_add_rectangle (StasisCanvas *self, guint32 x, guint32 y, guint32 width,
                                  guint32 height, guint32 colour);

/* One line of text whose top left is (@x, @y); @scale: 1, 2 or 4. */
void stasis_canvas_add_text (StasisCanvas *self, guint32 x, guint32 y, guint scale, guint32 colour,
                             const char *text);

/* How wide a text is. */
guint32 stasis_canvas_text_width (const char *text, guint scale);

/* Text in octets. */
GBytes *stasis_canvas_to_svg (const StasisCanvas *self, guint32 width,
                              guint32 height) G_GNUC_WARN_UNUSED_RESULT;
GBytes *stasis_canvas_to_png (const StasisCanvas *self, guint32 width, guint32 height,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL is fine. */
void stasis_canvas_free (StasisCanvas *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCanvas, stasis_canvas_free)

G_END_DECLS
