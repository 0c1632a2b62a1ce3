/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample-packed.c: a small PACKED_RAM body for tests
 */

#include "config.h"

#include "sample-packed.h"

#include <string.h>

#include "image/packed-writer.h"
#include "sample.h"
#include "util/fd.h"

#define PAGE STASIS_IMAGE_PAGE_SIZE

static const struct
{
  const char *name;
  guint64 used_length;
} blocks[] = {
  { "pc.ram", 3 * 1024 * 1024 },
  { "vga.vram", 256 * 1024 },
  { "/rom@etc/table", 128 * 1024 },
};

StasisImageRamMap *
sample_packed_map (void)
{
  g_autoptr (GArray) array = g_array_new (FALSE, TRUE, sizeof (StasisImageBlock));
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    {
      StasisImageBlock block = { .used_length = blocks[i].used_length };
      g_strlcpy (block.name, blocks[i].name, sizeof block.name);
      g_array_append_val (array, block);
    }
  return stasis_image_ram_map_new (g_steal_pointer (&array));
}

void
sample_packed_head (StasisQemuHead *head)
{
  g_strlcpy (head->machine, "pc-i440fx-9.0", sizeof head->machine);
  head->ram_id = 2;
  head->ram_total = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    head->ram_total += blocks[i].used_length;
}

void
sample_packed_put (StasisPackedWriter *writer, guint block, guint64 page, guint8 octet)
{
  g_autoptr (GError) error = NULL;
  guint8 octets[PAGE];
  guint64 written = 0;
  memset (octets, octet, sizeof octets);
  stasis_packed_writer_put (writer, block, page * PAGE, octets, sizeof octets, &written, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (written % PAGE, ==, 0);
}

GByteArray *
sample_packed_rest (void)
{
  return g_byte_array_append (g_byte_array_new (), (const guint8 *) "\0\6\0\0\0\2{}", 8);
}

/* A body with pages of all blocks, more than a chunk of them, and some that are zero. */
void
sample_write_packed (int fd, guint64 offset, StasisBodyNotes *notes)
{
  g_autoptr (GError) error = NULL;
  g_auto (StasisQemuHead) head = { .ram_id = 0 };
  g_autoptr (StasisImageRamMap) map = sample_packed_map ();
  sample_packed_head (&head);
  g_autoptr (StasisPackedWriter) writer
      = stasis_packed_writer_begin (fd, fd, offset, &head, map, &error);
  g_assert_no_error (error);
  for (guint page = 0; page < 600; page++)
    if (page % 7 != 3)
      sample_packed_put (writer, 0, 600 - page, page % 5 == 0 ? 0 : (guint8) (page % 200 + 1));
  for (guint page = 0; page < 32; page++)
    sample_packed_put (writer, 2, page, 0x22);
  g_autoptr (GByteArray) rest = sample_packed_rest ();
  stasis_packed_writer_finish (writer, rest, notes, &error);
  g_assert_no_error (error);
}
