/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * png.h: a picture of pixels as a PNG file
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* @pixels: @width * @height * 3 octets, red, green and blue, from the top left. */
GBytes *stasis_png_encode (const guint8 *pixels, guint32 width, guint32 height,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
