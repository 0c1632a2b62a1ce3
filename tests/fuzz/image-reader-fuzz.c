/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-reader-fuzz.c: a whole save image, opened, verified, edited
 *
 * Checksums would keep a fuzzer out of everything behind them, so each input is tried twice: as it
 * is, and with all its checksums made right.
 */

#include "config.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/info.h"
#include "image/rewrite.h"
#include "image/verify.h"
#include "repair.h"
#include "util/fd.h"

#define SIZE_MAX_FUZZ (64u * 1024)

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
edit (const StasisImage *image)
{
  stasis_autofd int fd = memfd_create ("edited", MFD_CLOEXEC);
  g_autoptr (GBytes) xml = g_bytes_new_static ("<domain/>", 9);
  g_autoptr (GError) error = NULL;
  if (!stasis_image_rewrite (image, xml, NULL, fd, NULL, NULL, NULL, &error))
    g_assert_nonnull (error);
}

static void
try (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = memfd_create ("fuzz", MFD_CLOEXEC);
  g_assert_true (stasis_fd_pwrite_exact (fd, data, size, 0, &error));
  g_autoptr (StasisImage) image = stasis_image_open_fd (stasis_fd_steal (&fd), "fuzz", &error);
  if (image == NULL)
    {
      g_assert_nonnull (error);
      return;
    }

  g_autoptr (StasisJson) info = stasis_image_info_to_json (image);
  g_assert_nonnull (info);
  g_autoptr (GPtrArray) damages
      = stasis_image_verify_report (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, &error);
  g_assert_nonnull (damages);
  edit (image);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  if (size > SIZE_MAX_FUZZ)
    return 0;
  try (data, size);
  if (size < STASIS_IMAGE_HEADER_SIZE)
    return 0;

  g_autofree guint8 *image = g_memdup2 (data, size);
  repair_image (image, size);
  try (image, size);
  return 0;
}
