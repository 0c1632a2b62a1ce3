/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pieces.h: a file with large holes as a small input of a fuzz target
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PIECES_FILE_MAX (16u * 1024 * 1024)

/* What follows the octets "NEXT" and a big-endian offset of four octets goes there in the file;
 * where the last of it ends. */
guint64 pieces_write (int fd, const guint8 *data, gsize size);

G_END_DECLS
