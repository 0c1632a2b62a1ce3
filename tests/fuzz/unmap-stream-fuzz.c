/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unmap-stream-fuzz.c: a plain stream out of any mapped body, and the body out of it again
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "image/error.h"
#include "image/map-stream.h"
#include "image/remap.h"
#include "image/unmap-stream.h"
#include "pieces.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* The body at another place says the same. */
static void
check_moved (int fd, guint64 end, guint64 length)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int moved = memfd_create ("fuzz", MFD_CLOEXEC);
  guint64 moved_end;
  stasis_remap (fd, 0, end, moved, 12345, &moved_end, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (moved, 12345, moved_end, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (stasis_unmap_stream_length (in), ==, length);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > 1024 * 1024)
    return 0;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  const guint64 end = pieces_write (fd, data, size);
  g_autoptr (StasisStreamIn) in = stasis_unmap_stream_new (fd, 0, end, NULL, &error);
  g_assert_true ((in == NULL) == (error != NULL));
  if (in == NULL)
    return 0;

  check_moved (fd, end, stasis_unmap_stream_length (in));
  stasis_autofd int again = memfd_create ("fuzz", MFD_CLOEXEC);
  guint64 again_end;
  const guint64 length = stasis_unmap_stream_length (in);
  const gboolean ok = stasis_map_stream (in, again, 0, &again_end, NULL, NULL, NULL, &error);
  /* A list may name a block twice where pages need no names. */
  g_assert_true (ok || g_error_matches (error, STASIS_IMAGE_ERROR, STASIS_IMAGE_ERROR_CORRUPT));
  g_assert_true (!ok || in->position == length);
  return 0;
}
