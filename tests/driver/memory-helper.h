/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-helper.h: what the memory of memory-helper.c holds
 */

#pragma once

#include <glib.h>

#define MEMORY_PIECE  (1024u * 1024u)
#define MEMORY_LENGTH (16u * MEMORY_PIECE + 3u * 4096u)

/* Pieces 0, 3, 6 ... full; one octet in piece 7, the last octet of piece 10; the last page. */
static inline void
memory_fill (guint8 *memory)
{
  for (guint piece = 0; piece < 16; piece += 3)
    for (guint i = 0; i < MEMORY_PIECE; i++)
      memory[piece * MEMORY_PIECE + i] = (guint8) (i * 7 + i / 4096 + piece + 1);
  memory[7 * MEMORY_PIECE + 12345] = 1;
  memory[11 * MEMORY_PIECE - 1] = 2;
  memory[MEMORY_LENGTH - 1] = 3;
}
