/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map-stream-fuzz.c: a mapped body out of any plain stream, and the stream out of it again
 */

#include "config.h"

#include <sys/mman.h>

#include "image/error.h"
#include "image/map-stream.h"
#include "image/qemu-stream.h"
#include "image/unmap-stream.h"
#include "util/fd.h"

#define RAM_MAX (16u * 1024 * 1024) /* no use in walking over terabytes of holes */

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static StasisQemuStreamInfo *
scan (GBytes *bytes)
{
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  return stasis_qemu_stream_scan (in, NULL, NULL);
}

static guint64
ram_size (const StasisQemuStreamInfo *info)
{
  guint64 size = 0;
  for (guint i = 0; i < info->map->n_blocks; i++)
    size += info->map->blocks[i].used_length;
  return size;
}

/* What was mapped can be unfolded, into a stream without any page twice. */
static void
check_back (int fd, guint64 offset, guint64 end, const StasisQemuStreamInfo *info)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) plain = stasis_unmap_stream_new (fd, offset, end, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisQemuStreamInfo) again = stasis_qemu_stream_scan (plain, NULL, &error);
  g_assert_no_error (error);
  const StasisQemuPageCounts total = stasis_qemu_stream_total (again);
  g_assert_cmpuint (again->length, ==, stasis_unmap_stream_length (plain));
  g_assert_cmpuint (again->map->n_blocks, ==, info->map->n_blocks);
  g_assert_cmpuint (again->devices->len, ==, info->devices->len);
  g_assert_cmpuint (total.n_stored + total.n_zero, ==, ram_size (info) / 4096);
  g_assert_cmpuint (total.n_filled, ==, 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (StasisQemuStreamInfo) info = scan (bytes);
  if (info != NULL && ram_size (info) > RAM_MAX)
    return 0;

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  guint64 end = 0;
  const gboolean ok = stasis_map_stream (in, fd, 4096, &end, NULL, NULL, NULL, &error);
  g_assert_true (ok == (error == NULL));
  /* What the scanner takes, the mapper takes. */
  g_assert_true (ok == (info != NULL));
  if (ok)
    check_back (fd, 4096, end, info);
  return 0;
}
