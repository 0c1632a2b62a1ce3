/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pieces.c: a file with large holes as a small input of a fuzz target
 */

#include "config.h"

#include "pieces.h"

#include <string.h>

#include "image/octets.h"
#include "util/fd.h"

guint64
pieces_write (int fd, const guint8 *data, gsize size)
{
  guint64 offset = 0, end = 0;
  while (size > 0)
    {
      const guint8 *next = memmem (data, size, "NEXT", 4);
      const gsize n = next == NULL ? size : (gsize) (next - data);
      g_assert_true (stasis_fd_pwrite_exact (fd, data, n, offset, NULL));
      end = MAX (end, offset + n);
      if (next == NULL || size - n < 8)
        break;
      offset = stasis_get_be32 (next + 4) % PIECES_FILE_MAX;
      data += n + 8;
      size -= n + 8;
    }
  return end;
}
