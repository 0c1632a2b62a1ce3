/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flat-fuzz.c: a flat file out of any plain stream, read again
 */

#include "config.h"

#include <sys/mman.h>

#include "image/flat.h"
#include "image/qemu-stream.h"
#include "util/fd.h"

#define RAM_MAX (16u * 1024 * 1024) /* no use in walking over terabytes of holes */

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static StasisQemuStreamInfo *
scan (GBytes *bytes)
{
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  return stasis_qemu_stream_scan (in, NULL, NULL);
}

/* What was split is good, and what is kept of the stream is one. */
static void
check_flat (int fd, const StasisQemuStreamInfo *info)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisFlat) flat = stasis_flat_open (fd, &error);
  g_assert_no_error (error);
  stasis_flat_verify (flat, 1, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisQemuStreamInfo) kept = scan (stasis_flat_stream (flat));
  g_assert_nonnull (kept);
  g_assert_cmpuint (kept->map->n_blocks, ==, info->map->n_blocks);
  g_assert_cmpuint (kept->devices->len, ==, info->devices->len);
  g_assert_cmpuint (kept->counts[0].n_stored + kept->counts[0].n_zero + kept->counts[0].n_filled,
                    ==, 0);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, size);
  g_autoptr (StasisQemuStreamInfo) info = scan (bytes);
  guint64 ram = 0;
  for (guint i = 0; info != NULL && i < info->map->n_blocks; i++)
    ram += info->map->blocks[i].used_length;
  if (ram > RAM_MAX)
    return 0;

  g_autoptr (GError) error = NULL;
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_bytes (bytes);
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  const gboolean has_blocks = info != NULL && info->map->n_blocks > 0;
  const StasisFlatSource source = {
    .in = in,
    .block = has_blocks ? info->map->blocks[0].name : "pc.ram",
    .length = has_blocks ? info->map->blocks[0].used_length : 4096,
    .note = "{}",
  };
  const gboolean ok = stasis_flat_write (&source, fd, NULL, &error);
  g_assert_true (ok == (error == NULL));
  /* What the scanner takes can be split. */
  g_assert_true (ok == has_blocks);
  if (ok)
    check_flat (fd, info);
  return 0;
}
