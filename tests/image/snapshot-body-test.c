/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-body-test.c: tests of src/image/snapshot-body.c
 */

#include "config.h"

#include "image/snapshot-body.h"

#include <string.h>
#include <unistd.h>

#include "image/error.h"
#include "image/mapped-ram.h"
#include "image/qemu-wire.h"
#include "sample.h"
#include "util/fd.h"

#define OFFSET (512u * 1024) /* of the body */

#define EOS     "\0\0\0\0\0\0\0\x10"
#define FOOTER  "\x7e\0\0\0\2"
#define LIST    EOS FOOTER
#define PART    "\2\0\0\0\2" EOS FOOTER
#define LAST    "\3\0\0\0\2" EOS FOOTER
#define COMMAND "\x8\0\xb\0\0"
#define DEVICES "\4\0\0\0\3\5timer"

typedef struct
{
  const char *name;
  const char *tail; /* what stands behind the pages */
  gsize size;
  gsize last; /* where in it the last part of the RAM begins */
  gint code;  /* of the error; 0: good */
} Case;

#define TAIL(octets) octets, sizeof (octets) - 1
#define HEAD         (sizeof (LIST) - 1)
#define EACH         (sizeof (PART) - 1)

static const Case cases[] = {
  { "one-part", TAIL (LIST PART DEVICES), HEAD, 0 },
  { "more-parts", TAIL (LIST PART PART PART DEVICES), HEAD + 2 * EACH, 0 },
  { "no-devices", TAIL (LIST PART "\0"), HEAD, 0 },
  { "command", TAIL (LIST PART COMMAND DEVICES), HEAD, 0 },
  { "complete", TAIL (LIST PART LAST DEVICES), HEAD + EACH, 0 },
  { "no-part", TAIL (LIST DEVICES), 0, STASIS_IMAGE_ERROR_CORRUPT },
  { "other-section", TAIL (LIST PART "\1\0\0\0\5\4vfio"), 0, STASIS_IMAGE_ERROR_UNSUPPORTED },
  { "other-part", TAIL (LIST PART "\2\0\0\0\5" EOS FOOTER), 0, STASIS_IMAGE_ERROR_CORRUPT },
  { "pages", TAIL (LIST "\2\0\0\0\2\0\0\0\0\0\0\0\x08\6pc.ram"), 0, STASIS_IMAGE_ERROR_CORRUPT },
  { "cut", TAIL (LIST PART), 0, STASIS_IMAGE_ERROR_CORRUPT },
  { "cut-in-part", TAIL (LIST "\2\0\0\0\2\0\0"), 0, STASIS_IMAGE_ERROR_CORRUPT },
};

static StasisImageRamMap *
read_map (int fd, guint64 end)
{
  g_autoptr (GError) error = NULL;
  StasisImageRamMap *map = stasis_mapped_ram_parse (fd, OFFSET, end, &error);
  g_assert_no_error (error);
  g_assert_true (stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error));
  return map;
}

static guint64
end_of_pages (const StasisImageRamMap *map)
{
  const StasisImageBlock *last = &map->blocks[map->n_blocks - 1];
  return last->pages_offset + last->used_length;
}

static void
clear_bitmaps (int fd, const StasisImageRamMap *map)
{
  for (guint i = 0; i < map->n_blocks; i++)
    {
      g_autofree guint8 *nothing = g_malloc0 (map->blocks[i].bitmap_length);
      g_assert_true (stasis_fd_pwrite_exact (fd, nothing, map->blocks[i].bitmap_length,
                                             map->blocks[i].bitmap_offset, NULL));
    }
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_file ();
  sample_write_mapped_ram (fd, OFFSET);
  g_autoptr (StasisImageRamMap) before = read_map (fd, STASIS_IMAGE_END_MAX);
  const guint64 end = end_of_pages (before);
  clear_bitmaps (fd, before);
  g_assert_cmpint (ftruncate (fd, (off_t) end), ==, 0);
  g_assert_true (stasis_fd_pwrite_exact (fd, c->tail, c->size, end, &error));

  g_assert_cmpint (stasis_snapshot_body_complete (fd, OFFSET, end + c->size, NULL, &error), ==,
                   c->code == 0);
  if (c->code != 0)
    {
      g_assert_error (error, STASIS_IMAGE_ERROR, c->code);
      return;
    }
  g_assert_no_error (error);
  g_autofree guint8 *expected = g_memdup2 (c->tail, c->size);
  g_autofree guint8 *found = g_malloc (c->size);
  expected[c->last] = STASIS_QEMU_SECTION_END;
  g_assert_true (stasis_fd_pread_exact (fd, found, c->size, end, &error));
  g_assert_cmpmem (found, c->size, expected, c->size);
  g_autoptr (StasisImageRamMap) after = read_map (fd, end + c->size);
  for (guint i = 0; i < before->n_blocks; i++)
    g_assert_true (
        stasis_hash_equal (&before->blocks[i].bitmap_hash, &after->blocks[i].bitmap_hash));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/snapshot-body/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  return g_test_run ();
}
