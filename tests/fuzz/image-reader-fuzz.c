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
#include "image/octets.h"
#include "image/record.h"
#include "image/rewrite.h"
#include "image/verify.h"
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

static void
put_hash (guint8 *at, const void *octets, gsize size)
{
  const StasisHash hash = stasis_hash (octets, size);
  memcpy (at, hash.octets, sizeof hash.octets);
}

/* Make the records in [@at, @end) right, adding their checksums to @digest; END as well. */
static void
repair_records (guint8 *image, gsize at, gsize end, StasisRecordDigest *digest)
{
  while (end - at >= STASIS_RECORD_HEADER_SIZE)
    {
      guint8 *record = image + at;
      const guint64 length = stasis_get_le64 (record + 8);
      if (length > end - at - STASIS_RECORD_HEADER_SIZE)
        return;
      if (stasis_get_le32 (record) == STASIS_RECORD_END && length == 40)
        {
          g_autoptr (GBytes) body = stasis_record_end_encode (image + 16, digest);
          memcpy (record + STASIS_RECORD_HEADER_SIZE, g_bytes_get_data (body, NULL), 40);
        }

      g_autofree guint8 *covered = g_malloc (16 + length);
      memcpy (covered, record, 16);
      memcpy (covered + 16, record + STASIS_RECORD_HEADER_SIZE, length);
      put_hash (record + 16, covered, 16 + length);
      StasisHash sum;
      memcpy (sum.octets, record + 16, sizeof sum.octets);
      stasis_record_digest_add (digest, &sum);
      at += MIN (stasis_record_size (length), end - at);
    }
}

static void
repair (guint8 *image, gsize size)
{
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  const guint64 front = stasis_get_le64 (image + 80);
  const guint64 tail = stasis_get_le64 (image + 112);
  stasis_put_le64 (image + 64, size);
  if (tail <= size)
    stasis_put_le64 (image + 120, size - tail);
  if (front <= size - STASIS_IMAGE_HEADER_SIZE)
    repair_records (image, STASIS_IMAGE_HEADER_SIZE, STASIS_IMAGE_HEADER_SIZE + front, &digest);
  if (tail >= STASIS_IMAGE_HEADER_SIZE && tail <= size)
    repair_records (image, tail, size, &digest);
  memset (image + 4080, 0, 16);
  put_hash (image + 4080, image, STASIS_IMAGE_HEADER_SIZE);
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
  repair (image, size);
  try (image, size);
  return 0;
}
