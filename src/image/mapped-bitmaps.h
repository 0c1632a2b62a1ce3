/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-bitmaps.h: the bitmaps of a mapped body, made from its pages
 */

#pragma once

#include <gio/gio.h>

#include "image/ram-map.h"

G_BEGIN_DECLS

/* Write the bitmap of each block of @map, whatever is there: a page has its bit where the file has
 * data for it that is not all zero.  All of the pages have to lie within the file, which is opened
 * for reading and writing; its position moves. */
gboolean stasis_mapped_bitmaps_write (int fd, const StasisImageRamMap *map,
                                      GCancellable *cancellable, GError **error);

G_END_DECLS
