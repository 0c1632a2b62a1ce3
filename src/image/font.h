/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * font.h: letters made of pixels, for drawings without a font library
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define STASIS_FONT_ADVANCE 6u /* pixels from letter to letter, before scaling */
#define STASIS_FONT_HEIGHT  8u /* the lowest row is below the base line */

/* Whether a letter has ink at (@x, @y), @scale (1, 2 or 4) times as large as it is stored; corners
 * are smoothed.  Letters other than those of ASCII look like '?'. */
gboolean stasis_font_has_ink (gunichar letter, guint scale, guint x, guint y);

G_END_DECLS
