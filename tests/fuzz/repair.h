/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * repair.h: an image of which all checksums are right
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Checksums would keep a fuzzer out of everything behind them: make those of the header and of the
 * records right.  @size is at least that of a header. */
void repair_image (guint8 *image, gsize size);

G_END_DECLS
