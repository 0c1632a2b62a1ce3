/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mapped-ram-fuzz.c: what QEMU writes with mapped-ram, and the RAM map that repeats it
 *
 * The first octet chooses: 'm' a RAM map, else a body, whose part behind the octets "NEXT" goes
 * where the second block's header stands if the first block has 1 MiB.
 */

#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/mapped-ram.h"
#include "image/types.h"
#include "util/fd.h"

#define MIB (1024u * 1024)

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
try_map (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) body = g_bytes_new (data, size);
  g_autoptr (StasisImageRamMap) map
      = stasis_image_ram_map_decode (body, 512 * 1024, STASIS_IMAGE_END_MAX, &error);
  if (map == NULL)
    {
      g_assert_nonnull (error);
      return;
    }
  g_autoptr (GBytes) again = stasis_image_ram_map_encode (map);
  if (stasis_image_ram_map_reserved_is_zero (body))
    g_assert_true (g_bytes_equal (body, again));
}

static void
try_body (int fd, guint64 offset, guint64 end)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImageRamMap) map = stasis_mapped_ram_parse (fd, offset, end, &error);
  if (map == NULL || !stasis_mapped_ram_read_bitmaps (fd, map, NULL, &error))
    {
      g_assert_nonnull (error);
      return;
    }

  /* What the body says of itself is what a RAM map may say. */
  g_autoptr (GBytes) body = stasis_image_ram_map_encode (map);
  g_autoptr (StasisImageRamMap) again = stasis_image_ram_map_decode (body, offset, end, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (again->n_blocks, ==, map->n_blocks);
  g_assert_true (stasis_mapped_ram_punch_stale (fd, map, NULL, &error));
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > MIB)
    return 0;
  if (size > 0 && data[0] == 'm')
    {
      try_map (data + 1, size - 1);
      return 0;
    }

  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  const guint8 *next = size == 0 ? NULL : memmem (data, size, "NEXT", 4);
  const gsize first = next == NULL ? size : (gsize) (next - data);
  g_assert_true (stasis_fd_pwrite_exact (fd, data, first, 0, &error));
  if (next != NULL)
    g_assert_true (stasis_fd_pwrite_exact (fd, next + 4, size - first - 4, 2 * MIB, &error));
  g_assert_cmpint (ftruncate (fd, 4 * MIB + 100), ==, 0);
  try_body (fd, 0, 4 * MIB + 100);
  return 0;
}
